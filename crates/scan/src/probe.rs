//! The only way to the network: budget, pace, source addresses, kill switch.
//!
//! Each request has a span, `request`, with its method, its path without the query, and the status
//! and duration of the response. Headers, bodies and queries are never recorded: they may contain
//! secrets.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use doorwarden_decision::SourceKey;
use reqwest::{Client, Method, redirect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tracing::{Instrument, Span};

use crate::{
    Options, Target,
    answer::{Answer, Echoes},
    request::Request,
};

/// Timeout of a request.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Maximum size of a response body that is read, enough for a large OpenAPI document.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// Consecutive 5xx responses that end the scan, to protect the target.
const CONSECUTIVE_FAULTS: u32 = 3;

/// Consecutive responses that end the scan if they take [`SLOWER`] times as long as the first ones,
/// plus a second.
const CONSECUTIVE_SLOW: u32 = 3;
const SLOWER: u32 = 5;

/// Requests that are reserved for the cleanup after a scan that ended early.
pub(crate) const RESERVE: u32 = 8;

/// The number of addresses that gives each failure of an account, and each attempt of a spray, its
/// own.
const ENOUGH_SOURCES: usize = 64;

/// Why a check or the scan stops.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    #[error("the target cannot be reached: {0}")]
    Unreachable(String),
    #[error("the budget of {0} requests is used up")]
    Budget(u32),
    #[error("the target returned {CONSECUTIVE_FAULTS} consecutive 5xx responses")]
    Faults,
    #[error("the target became {SLOWER} times slower")]
    Slow,
    #[error("interrupted")]
    Interrupted,
    /// Ends the check, not the scan.
    #[error("{0}")]
    Check(String),
}

/// The progress of a scan.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The number of requests sent.
    pub requests: u32,
    /// Maximum number of requests.
    pub budget: u32,
    /// The current step: a phase or the id of a check.
    pub doing: &'static str,
}

pub(crate) type OnProgress = Box<dyn Fn(Progress) + Send>;

/// An address of this machine to send from; `None` lets the system choose.
pub(crate) type Source = Option<IpAddr>;

/// A handle to the network. Checks that run concurrently have one each; they share the budget, the
/// pace, the target's health and the used addresses.
pub(crate) struct Probe {
    door: Arc<Door>,
    doing: &'static str,
    /// Whether limits are being measured, which may respond with 503 or slowly.
    limits_expected: bool,
    /// Requests sent by this handle.
    sent: u32,
}

/// What all handles share.
struct Door {
    target: Target,
    budget: u32,
    interval: Duration,
    state: Mutex<State>,
}

struct State {
    clients: HashMap<Source, Client>,
    sent: u32,
    next: Instant,
    loopback: bool,
    sources: Vec<IpAddr>,
    interrupted: Arc<AtomicBool>,
    on_progress: OnProgress,
    faults: u32,
    slow: u32,
    usual: Option<Duration>,
    /// Requests reserved for the cleanup.
    reserve: u32,
    /// The target's addresses when the scan began; requests go nowhere else.
    pinned: Vec<SocketAddr>,
    used: HashSet<Source>,
    side_effects: BTreeMap<String, u32>,
}

impl Probe {
    pub(crate) fn new(
        options: &Options,
        interrupted: Arc<AtomicBool>,
        on_progress: OnProgress,
    ) -> Self {
        let state = State {
            clients: HashMap::new(),
            sent: 0,
            next: Instant::now(),
            loopback: options.target.is_loopback_v4() && loopback_has_many(),
            sources: networks(&options.sources),
            interrupted,
            on_progress,
            faults: 0,
            slow: 0,
            usual: None,
            reserve: RESERVE.min(options.budget / 2),
            pinned: Vec::new(),
            used: HashSet::new(),
            side_effects: BTreeMap::new(),
        };
        Self {
            door: Arc::new(Door {
                target: options.target.clone(),
                budget: options.budget,
                interval: options.interval(),
                state: Mutex::new(state),
            }),
            doing: "",
            limits_expected: false,
            sent: 0,
        }
    }

    /// Returns another handle.
    pub(crate) fn beside(&self) -> Self {
        Self {
            door: Arc::clone(&self.door),
            doing: self.doing,
            limits_expected: self.limits_expected,
            sent: 0,
        }
    }

    /// Locks the state; the lock is never held across an await.
    fn state(&self) -> MutexGuard<'_, State> {
        self.door
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_loopback(&self) -> bool {
        self.door.target.is_loopback()
    }

    /// Returns the path and query of a URL if it is on this target.
    pub(crate) fn path_on_target(&self, url: &str) -> Option<String> {
        self.door.target.path_of(url)
    }

    pub(crate) fn is_https(&self) -> bool {
        self.door.target.is_https()
    }

    /// Returns the number of requests sent in the whole scan.
    pub(crate) fn sent(&self) -> u32 {
        self.state().sent
    }

    /// Returns the number of requests sent by this handle.
    pub(crate) fn sent_here(&self) -> u32 {
        self.sent
    }

    /// Returns the side effects on the target, each with a count.
    pub(crate) fn side_effects(&self) -> BTreeMap<String, u32> {
        self.state().side_effects.clone()
    }

    pub(crate) fn note_side_effect(&self, what: &str) {
        let mut state = self.state();
        *state.side_effects.entry(what.to_owned()).or_default() += 1;
    }

    pub(crate) fn doing(&mut self, doing: &'static str) {
        self.doing = doing;
        self.report(&self.state());
    }

    /// Sets the usual response time, against which slowness is measured.
    pub(crate) fn usual(&self, usual: Duration) {
        self.state().usual = Some(usual);
    }

    /// Resolves the target's name once for the whole scan, so that the verified host is the one
    /// scanned.
    pub(crate) async fn pin(&self) -> Result<(), Stop> {
        let unreachable = |error: std::io::Error| Stop::Unreachable(error.to_string());
        let target = &self.door.target;
        let pinned = match target.host_name() {
            None => Vec::new(),
            // Not what a resolver might return for this name.
            Some("localhost") => vec![SocketAddr::from(([127, 0, 0, 1], target.port()))],
            Some(name) => {
                let found = tokio::net::lookup_host((name, target.port())).await;
                found.map_err(unreachable)?.collect()
            }
        };
        self.state().pinned = pinned;
        Ok(())
    }

    /// Sends from only one address from now on.
    pub(crate) fn stay_home(&self) {
        let mut state = self.state();
        state.loopback = false;
        state.sources.truncate(1);
    }

    /// Sets whether limits are being measured, which may respond with 503 or slowly.
    pub(crate) fn expect_limits(&mut self, expected: bool) {
        self.limits_expected = expected;
    }

    /// Releases the reserved requests, also after an interrupt.
    pub(crate) fn tidy_up(&mut self) {
        {
            let mut state = self.state();
            state.reserve = 0;
            state.interrupted = Arc::default();
        }
        self.expect_limits(true);
        self.doing("cleaning up");
    }

    /// Returns a source address that this scan has not used yet, from `random` bits; `None` if
    /// there are no addresses to choose from, or none left.
    pub(crate) fn fresh_source(&self, mut random: impl FnMut() -> u32) -> Option<Source> {
        let mut state = self.state();
        let fresh = if state.loopback {
            let any = std::iter::repeat_with(|| Some(crate::target::loopback_source(random())));
            any.into_iter().find(|source| !state.used.contains(source))
        } else {
            let listed = state.sources.iter().map(|source| Some(*source));
            listed
                .into_iter()
                .find(|source| !state.used.contains(source))
        }?;
        state.used.insert(fresh);
        Some(fresh)
    }

    /// Returns true if there are enough source addresses to use a new one each time.
    pub(crate) fn has_sources(&self) -> bool {
        let state = self.state();
        state.loopback || state.sources.len() >= ENOUGH_SOURCES
    }

    /// Sends a plain GET from the default address.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer, Stop> {
        self.send(None, Request::get(path)).await
    }

    /// Sends one request, if budget, pace and the target's health allow it. Does not follow
    /// redirects.
    pub(crate) async fn send(&mut self, source: Source, request: Request) -> Result<Answer, Stop> {
        self.wait_for_turn(1).await?;
        let client = self.client(source)?;
        let answer = exchange(&client, &self.door.target, request).await?;
        self.watch_health(&answer)?;
        Ok(answer)
    }

    /// Reserves a turn for `count` requests and waits for it; their pauses follow afterwards.
    async fn wait_for_turn(&mut self, count: u32) -> Result<(), Stop> {
        let Door {
            budget, interval, ..
        } = *self.door;
        let turn = {
            let mut state = self.state();
            if state.sent + state.reserve + count > budget {
                return Err(Stop::Budget(budget));
            }
            let now = Instant::now();
            let earliest = now.checked_sub(interval).unwrap_or(now);
            let turn = state.next.max(earliest);
            state.next = turn + interval * count;
            state.sent += count;
            turn
        };
        let waited = self.sleep_until(turn).await;
        if waited.is_err() {
            self.state().sent -= count;
            return waited;
        }
        self.sent += count;
        self.report(&self.state());
        Ok(())
    }

    async fn sleep_until(&self, turn: Instant) -> Result<(), Stop> {
        loop {
            if self.state().interrupted.load(Ordering::Relaxed) {
                return Err(Stop::Interrupted);
            }
            let left = turn.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            tokio::time::sleep(left.min(Duration::from_millis(50))).await;
        }
    }

    /// Sends two requests back to back, without the pause that would let a connection or a cache
    /// cool down; the pause follows afterwards.
    pub(crate) async fn send_pair(
        &mut self,
        source: Source,
        first: Request,
        second: Request,
    ) -> Result<(Answer, Answer), Stop> {
        let first = self.send(source, first).await?;
        let turn = std::mem::replace(&mut self.state().next, Instant::now());
        let second = self.send(source, second).await?;
        self.state().next = turn + self.door.interval;
        Ok((first, second))
    }

    /// Sends requests concurrently, each from its own address; the pauses follow afterwards. An
    /// error of one request does not affect the others.
    pub(crate) async fn send_together(
        &mut self,
        requests: Vec<(Source, Request)>,
    ) -> Result<Vec<Result<Answer, Stop>>, Stop> {
        self.wait_for_turn(requests.len() as u32).await?;
        let mut ready = Vec::new();
        for (source, request) in requests {
            ready.push((self.client(source)?, request));
        }
        let target = &self.door.target;
        let sent = ready
            .iter()
            .map(|(client, request)| exchange(client, target, request.clone()));
        Ok(futures_util::future::join_all(sent).await)
    }

    #[expect(clippy::disallowed_methods, reason = "the only client of the crate")]
    fn client(&self, source: Source) -> Result<Client, Stop> {
        let target = &self.door.target;
        let mut state = self.state();
        let source = source.or(state.sources.first().copied());
        if let Some(client) = state.clients.get(&source) {
            return Ok(client.clone());
        }
        let mut builder = Client::builder()
            .user_agent(concat!("doorwarden-scan/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(TIMEOUT)
            .pool_max_idle_per_host(1)
            .http1_only()
            .tcp_nodelay(true);
        if let Some(name) = target.host_name() {
            builder = builder.resolve_to_addrs(name, &state.pinned);
        }
        if let Some(address) = source {
            builder = builder.local_address(address);
        }
        // Loading the system's certificates for each address takes longer than a request on
        // loopback, and http does not need them.
        if !target.is_https() {
            builder = builder.tls_certs_only([]);
        }
        let client = builder
            .build()
            .map_err(|error| Stop::Unreachable(words(&error)))?;
        state.clients.insert(source, client.clone());
        Ok(client)
    }

    fn watch_health(&self, answer: &Answer) -> Result<(), Stop> {
        if self.limits_expected {
            return Ok(());
        }
        let mut state = self.state();
        state.faults = if answer.status >= 500 {
            state.faults + 1
        } else {
            0
        };
        let late = state
            .usual
            .is_some_and(|usual| answer.elapsed > usual * SLOWER + Duration::from_secs(1));
        state.slow = if late { state.slow + 1 } else { 0 };
        if state.faults >= CONSECUTIVE_FAULTS {
            return Err(Stop::Faults);
        }
        if state.slow >= CONSECUTIVE_SLOW {
            return Err(Stop::Slow);
        }
        Ok(())
    }

    fn report(&self, state: &State) {
        (state.on_progress)(Progress {
            requests: state.sent,
            budget: self.door.budget,
            doing: self.doing,
        });
    }
}

/// Sends a request within its span.
async fn exchange(client: &Client, target: &Target, request: Request) -> Result<Answer, Stop> {
    let span = tracing::debug_span!(
        "request",
        method = request.method,
        path = without_query(&request.path),
        status = tracing::field::Empty,
        elapsed_ms = tracing::field::Empty,
    );
    let exchange = async {
        let answer = send(client, target, request)
            .await
            .inspect_err(|stop| tracing::debug!(error = %stop, "no response"))?;
        let span = Span::current();
        span.record("status", answer.status);
        span.record("elapsed_ms", answer.elapsed.as_secs_f64() * 1000.0);
        tracing::debug!("response received");
        Ok(answer)
    };
    exchange.instrument(span).await
}

fn without_query(path: &str) -> &str {
    path.split(['?', '#']).next().unwrap_or_default()
}

async fn send(client: &Client, target: &Target, request: Request) -> Result<Answer, Stop> {
    let method = Method::from_bytes(request.method.as_bytes())
        .map_err(|_| Stop::Unreachable("invalid method".into()))?;
    let mut builder = client.request(method, target.url(&request.path));
    for (name, value) in request.headers {
        builder = builder.header(name.as_ref(), value);
    }
    if !request.body.is_empty() {
        builder = builder.body(request.body);
    }
    let unreachable = |error: reqwest::Error| Stop::Unreachable(words(&error));
    let built = builder.build().map_err(unreachable)?;
    let started = Instant::now();
    let mut response = client.execute(built).await.map_err(unreachable)?;
    let elapsed = started.elapsed();
    let mut body = Vec::new();
    // A body that ends early is used as far as it was received.
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = BODY_LIMIT - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() >= BODY_LIMIT {
            break;
        }
    }
    Ok(Answer {
        status: response.status().as_u16(),
        headers: std::mem::take(response.headers_mut()),
        body,
        elapsed,
        echoes: Echoes::default(),
    })
}

/// A loopback server that responds to every request with one document, and records whether there
/// was one. It stops when dropped.
pub(crate) struct KeyServer {
    url: String,
    asked: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl KeyServer {
    /// Starts the server; returns `None` if loopback has no free port.
    pub(crate) async fn start(document: &serde_json::Value) -> Option<Self> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.ok()?;
        let url = format!("http://{}/keys.json", listener.local_addr().ok()?);
        let asked = Arc::new(AtomicBool::new(false));
        let (seen, body) = (Arc::clone(&asked), document.to_string());
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let task = tokio::spawn(async move {
            while let Ok((mut peer, _)) = listener.accept().await {
                seen.store(true, Ordering::Relaxed);
                // Only the request matters, not whether the client reads the response.
                let mut head = [0; 4096];
                let _ = tokio::time::timeout(TIMEOUT, peer.read(&mut head)).await;
                let _ = tokio::time::timeout(TIMEOUT, peer.write_all(answer.as_bytes())).await;
            }
        });
        Some(Self { url, asked, task })
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Returns true if there was a request.
    pub(crate) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Returns the innermost cause of an error, which contains neither the URL nor headers.
fn words(error: &reqwest::Error) -> String {
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    let mut last = if error.is_timeout() {
        format!("no response within {} s", TIMEOUT.as_secs())
    } else {
        "no valid HTTP response".to_owned()
    };
    while let Some(error) = cause {
        last = error.to_string();
        cause = error.source();
    }
    last.escape_debug().to_string()
}

/// Returns one address per network that counts as one source, such as an IPv6 /64.
fn networks(sources: &[IpAddr]) -> Vec<IpAddr> {
    let mut seen = HashSet::new();
    let mut distinct = sources.to_vec();
    distinct.retain(|source| seen.insert(SourceKey::new(*source)));
    distinct
}

/// Returns true if all of 127.0.0.0/8 can be used, as on Linux; other systems have only 127.0.0.1.
fn loopback_has_many() -> bool {
    std::net::TcpListener::bind(("127.1.0.2", 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::without_query;

    #[test]
    fn a_span_has_no_query() {
        assert_eq!(without_query("/me?access_token=secret"), "/me");
        assert_eq!(without_query("/me#secret"), "/me");
        assert_eq!(without_query("/me"), "/me");
    }
}
