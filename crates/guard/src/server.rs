//! Accepts connections and shuts down.

use std::{convert::Infallible, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use doorwarden_decision::Policy;
use doorwarden_gate::{
    EventSink, Gate, MemoryStore, NoRandomness,
    http::{client_addr::Proxies, credentials::UnreadableTemplate},
    now,
};
use http::Request;
use hyper::{body::Incoming, service::service_fn};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{net::TcpListener, sync::Semaphore};

use crate::{Config, login::Door, proxy::Proxy};

/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that are served at once; more wait in the listen queue.
const MAX_CONNECTIONS: usize = 8192;

/// How long requests in flight may take to end after a shutdown was asked for.
const GRACE: Duration = Duration::from_secs(10);

/// How long an idle connection to the application is kept: less than the 5 s after which uvicorn
/// closes, so that it isn't used while it closes.
const UPSTREAM_IDLE: Duration = Duration::from_secs(3);

/// Why a guard did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address can't be listened on.
    #[error("failed to listen on {address}: {source}; choose another with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// No keys could be made.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// A login's template can't be read.
    #[error(transparent)]
    Template(#[from] UnreadableTemplate),
}

/// A guard that listens.
pub struct Guard {
    listener: TcpListener,
    address: SocketAddr,
    proxy: Arc<Proxy>,
}

impl Guard {
    /// Binds the address and makes the keys. Connections wait until [`Guard::run`].
    pub async fn bind(config: Config, policy: Policy, sink: EventSink) -> Result<Self, StartError> {
        let store = MemoryStore::new(config.counters);
        let gate = Gate::new(policy, store, config.shadow, sink, now())?;
        let door = |login| Door::new(login, config.failure.clone());
        let doors = config
            .login
            .into_iter()
            .map(door)
            .collect::<Result<_, _>>()?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let proxy = Proxy {
            gate,
            doors,
            scope: config.scope,
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
        })
    }

    /// Where it listens; the port that was chosen when the configuration says 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` ends, then lets requests in flight end, for at most 10 seconds.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let server = server();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                accepted = accept(&self.listener, &places) => accepted,
                () = &mut shutdown => break,
            };
            let Some((stream, peer, place)) = accepted else {
                continue;
            };
            let proxy = Arc::clone(&self.proxy);
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = Arc::clone(&proxy).answer(peer.ip(), request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let connection = server.serve_connection_with_upgrades(TokioIo::new(stream), service);
            let connection = graceful.watch(connection.into_owned());
            tokio::spawn(async move {
                // An error is a client that broke off or spoke no HTTP; it has its answer.
                let _ = connection.await;
                drop(place);
            });
        }
        drop(self.listener);
        let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
    }
}

/// HTTP/1.1, or HTTP/2 by prior knowledge.
fn server() -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(128)
        .keep_alive_interval(Duration::from_secs(20));
    server
}

type Accepted = (
    tokio::net::TcpStream,
    SocketAddr,
    tokio::sync::OwnedSemaphorePermit,
);

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
