//! Accepts connections and shuts down.

use std::{
    collections::HashSet,
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use doorwarden_decision::Policy;
use doorwarden_gate::{
    AsnTable, EventSink, Gate, InvalidTable, NoRandomness,
    http::{client_addr::Proxies, credentials::UnreadableTemplate},
    now,
};
use http::{Request, Response};
use hyper::{
    body::Incoming,
    service::{Service, service_fn},
};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
};

use crate::{
    Body, Config, ProtectedLogin,
    admin::Admin,
    login::Door,
    proxy::{Held, Proxy, held},
    upstream::Reachability,
};

/// How long a client may take to send its first request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How much of a request's head, and of a body between two reads, is held for a connection.
const BUFFER: usize = 64 * 1024;

/// Connections that are served at once; more wait in the listen queue.
const MAX_CONNECTIONS: usize = 8192;

/// Logins that may wait for their delay at once; each holds a connection.
const MAX_DELAYS: usize = 1024;

/// How long requests in flight may take to end after a shutdown was asked for.
const GRACE: Duration = Duration::from_secs(10);

/// How long an idle connection to the application is kept: less than the 5 s after which uvicorn
/// closes, so that it isn't used while it closes.
const UPSTREAM_IDLE: Duration = Duration::from_secs(3);

/// Why a guard failed to start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Listening on the address failed.
    #[error("failed to listen on {address}: {source}; choose another address")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The cause.
        source: std::io::Error,
    },
    /// No keys could be made.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// The body template of a login is unsupported.
    #[error(transparent)]
    Template(#[from] UnreadableTemplate),
    /// The table of autonomous systems could not be read.
    #[error("{path}: {source}", path = path.display())]
    Asns {
        /// The file.
        path: std::path::PathBuf,
        /// The cause.
        source: InvalidTable,
    },
    /// Two logins have the same route; the second would never be used.
    #[error("duplicate login {0}; list each route once")]
    Twice(String),
}

/// A guard that listens.
pub struct Guard {
    listener: TcpListener,
    address: SocketAddr,
    proxy: Arc<Proxy>,
    admin: Option<Admin>,
}

impl Guard {
    /// Creates a guard with counters in memory and fresh keys. Connections wait until [`Guard::run`].
    pub async fn bind(config: Config, policy: Policy, sink: EventSink) -> Result<Self, StartError> {
        let gate = Gate::in_memory(
            policy,
            config.memory_mib.bytes(),
            config.shadow,
            sink,
            now(),
        )?;
        Self::with_gate(config, gate).await
    }

    /// Creates a guard with this gate.
    pub async fn with_gate(config: Config, gate: Arc<Gate>) -> Result<Self, StartError> {
        if let Some(route) = named_twice(&config.login) {
            return Err(StartError::Twice(route));
        }
        let admin = match config.admin {
            None => None,
            Some(address) => {
                let bound = Admin::bind(address, Arc::clone(&gate)).await;
                Some(bound.map_err(|source| StartError::Listen { address, source })?)
            }
        };
        let asns = config.asn_table.map(asns).transpose()?;
        let door = |login| Door::new(login, config.failure.clone());
        let doors = config
            .login
            .into_iter()
            .map(door)
            .collect::<Result<_, _>>()?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(Duration::from_secs(config.upstream_timeout_seconds)));
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let proxy = Proxy {
            gate,
            doors,
            scope: config.scope,
            asns,
            delays: Semaphore::new(MAX_DELAYS),
            proxies: Proxies {
                trusted: config.trusted_proxies,
                header: config.client_header,
            },
            upstream: config.upstream,
            timeout: Duration::from_secs(config.upstream_timeout_seconds),
            client: Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(UPSTREAM_IDLE)
                .build(connector),
            reachability: Reachability::default(),
        };
        let failed = |source| StartError::Listen {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self {
            listener,
            address,
            proxy: Arc::new(proxy),
            admin,
        })
    }

    /// Returns the address that it listens on, with the actual port if the configured one is 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the address of the admin endpoints, if configured.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin.as_ref()?.address().ok()
    }

    /// Serves until `shutdown` completes, then lets requests in flight finish, for at most 10 seconds.
    /// When it returns, all connections have ended; an admission whose client has left may still be
    /// under way, and counts as a failure.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        tracing::info!(
            address = %self.address,
            upstream = %self.proxy.upstream,
            shadow = self.proxy.gate.is_shadow(),
            "guard started"
        );
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let (close, closing) = watch::channel(false);
        let mut connections = JoinSet::new();
        if let Some(admin) = self.admin {
            connections.spawn(admin.run());
        }
        let server = server();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                accepted = accept(&self.listener, &places) => accepted,
                () = &mut shutdown => break,
            };
            while connections.try_join_next().is_some() {}
            let Some((stream, peer, place)) = accepted else {
                continue;
            };
            let line = Line {
                closing: closing.clone(),
                place: Arc::new(place),
            };
            let activity = Arc::new(Activity::new());
            let service = service(Arc::clone(&self.proxy), peer, line, Arc::clone(&activity));
            let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service);
            let connection = graceful.watch(connection.into_owned());
            connections.spawn(async move {
                tokio::select! {
                    // An error is a client that broke off or spoke no HTTP; it has its answer.
                    _ = connection => {}
                    () = activity.idle() => {}
                }
            });
        }
        drop(self.listener);
        let _ = close.send(true);
        let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
        connections.shutdown().await;
        tracing::info!("guard stopped");
    }
}

fn asns(path: std::path::PathBuf) -> Result<AsnTable, StartError> {
    let read = std::fs::File::open(&path)
        .map_err(InvalidTable::from)
        .and_then(|file| AsnTable::read(std::io::BufReader::new(file)));
    read.map_err(|source| StartError::Asns { path, source })
}

/// Returns the first duplicate route.
fn named_twice(logins: &[ProtectedLogin]) -> Option<String> {
    let mut seen = HashSet::new();
    let routes = logins
        .iter()
        .map(|login| format!("{} {}", login.route.method, login.route.path));
    routes
        .into_iter()
        .find(|route| !seen.insert(route.to_lowercase()))
}

/// What a request has of its connection: a place among those that are served, and word of the
/// server's end. A tunnel keeps it.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) closing: watch::Receiver<bool>,
    #[expect(dead_code, reason = "held for its drop")]
    place: Arc<OwnedSemaphorePermit>,
}

/// Answers the requests of one connection.
fn service(
    proxy: Arc<Proxy>,
    peer: SocketAddr,
    line: Line,
    activity: Arc<Activity>,
) -> impl Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send> + Clone
{
    let service = move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(line.clone());
        let request_counts = Busy::new(&activity);
        let answer = Arc::clone(&proxy).answer(peer.ip(), request);
        async move { Ok::<_, Infallible>(answer.await.map(|body| held(body, request_counts))) }
    };
    service_fn(service)
}

/// Whether a connection does anything. A client that connects and says nothing, or keeps an
/// HTTP/2 connection alive without a request, must not hold its place for ever.
struct Activity {
    since: Instant,
    /// Requests whose answers have not ended.
    busy: AtomicUsize,
    /// When the last one ended, in milliseconds.
    last: AtomicU64,
}

/// How long a connection may be without a request; browsers keep idle ones for a minute or two.
const IDLE: Duration = Duration::from_secs(75);

impl Activity {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            busy: AtomicUsize::new(0),
            last: AtomicU64::new(0),
        }
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Ends when the connection has done nothing for too long: before its first request, as long
    /// as a head may take.
    async fn idle(&self) {
        loop {
            let last = self.last.load(Ordering::Relaxed);
            let allowed = if last == 0 { HEAD_TIMEOUT } else { IDLE };
            let idle = Duration::from_millis(self.millis().saturating_sub(last));
            let busy = self.busy.load(Ordering::Relaxed) > 0;
            if !busy && idle >= allowed {
                return;
            }
            let wait = if busy { HEAD_TIMEOUT } else { allowed - idle };
            tokio::time::sleep(wait.max(Duration::from_millis(10))).await;
        }
    }
}

/// A request that has not ended.
struct Busy(Arc<Activity>);

impl Busy {
    fn new(activity: &Arc<Activity>) -> Self {
        activity.busy.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Held for Busy {}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.last.store(self.0.millis().max(1), Ordering::Relaxed);
        self.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

/// HTTP/1.1, or HTTP/2 by prior knowledge.
fn server() -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        // hyper counts the pause between two requests as well; a first head has less time.
        .header_read_timeout(IDLE)
        .max_buf_size(BUFFER);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(128)
        .keep_alive_interval(Duration::from_secs(20));
    server
}

type Accepted = (TcpStream, SocketAddr, OwnedSemaphorePermit);

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<Accepted> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, peer)) => {
            let _ = stream.set_nodelay(true);
            Some((stream, peer, place))
        }
        Err(_) => {
            // Out of file descriptors, mostly: wait for some to be given back.
            tokio::time::sleep(Duration::from_millis(50)).await;
            None
        }
    }
}
