//! The only door to the network: budget, pace, source addresses, kill switch.

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

use crate::{
    Options, Target,
    answer::{Answer, Echoes},
    request::Request,
};

/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// An answer's body is read up to here, which is room for a large OpenAPI document; what comes
/// after is not asked for.
const BODY_LIMIT: usize = 4 * 1024 * 1024;

/// So many 5xx in a row stop the scan: the target suffers.
const FAULTS_IN_A_ROW: u32 = 3;

/// So many answers in a row that take [`SLOWER`] times as long as the first did, and a second
/// more, stop the scan too.
const SLOW_IN_A_ROW: u32 = 3;
const SLOWER: u32 = 5;

/// Requests that are kept back, so that a scan that is broken off can still tidy up.
pub(crate) const RESERVE: u32 = 8;

/// So many addresses give each failure of an account, and each try of a spray, one of its own.
const ENOUGH_SOURCES: usize = 64;

/// Why nothing more is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Stop {
    #[error("the target can't be reached: {0}")]
    Unreachable(String),
    #[error("the budget of {0} requests is used up")]
    Budget(u32),
    #[error("the target answered 5xx {FAULTS_IN_A_ROW} times in a row")]
    Faults,
    #[error("the target became {SLOWER} times slower")]
    Slow,
    #[error("it was interrupted")]
    Interrupted,
    /// The check can't go on; the scan can.
    #[error("{0}")]
    Check(String),
}

/// How far a scan is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Requests sent.
    pub requests: u32,
    /// Requests allowed.
    pub budget: u32,
    /// What is being done.
    pub doing: &'static str,
}

pub(crate) type OnProgress = Box<dyn Fn(Progress) + Send>;

/// An address of this machine to send from; `None` is the system's choice.
pub(crate) type Source = Option<IpAddr>;

/// One hand on the door. Checks that run side by side have one each; budget, pace, health and the
/// addresses that were used are the same for all.
pub(crate) struct Probe {
    door: Arc<Door>,
    doing: &'static str,
    /// Whether 503 and slowness are what is being measured.
    limits_expected: bool,
    /// Requests sent by this hand.
    sent: u32,
}

/// What is the same for all hands.
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
    /// Requests kept back for tidying up.
    reserve: u32,
    /// The addresses that the target had when the scan began; it is asked nowhere else.
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

    /// Another hand on the same door.
    pub(crate) fn beside(&self) -> Self {
        Self {
            door: Arc::clone(&self.door),
            doing: self.doing,
            limits_expected: self.limits_expected,
            sent: 0,
        }
    }

    /// The state; nobody holds it while waiting for anything.
    fn state(&self) -> MutexGuard<'_, State> {
        self.door
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_loopback(&self) -> bool {
        self.door.target.is_loopback()
    }

    /// The path and query of a URL, where it is on this target.
    pub(crate) fn path_on_target(&self, url: &str) -> Option<String> {
        self.door.target.path_of(url)
    }

    pub(crate) fn is_https(&self) -> bool {
        self.door.target.is_https()
    }

    /// Requests sent, in the whole scan.
    pub(crate) fn sent(&self) -> u32 {
        self.state().sent
    }

    /// Requests sent by this hand.
    pub(crate) fn sent_here(&self) -> u32 {
        self.sent
    }

    /// What the scan leaves behind on the target, each with how often.
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

    /// From now on, slowness is measured against this.
    pub(crate) fn usual(&self, usual: Duration) {
        self.state().usual = Some(usual);
    }

    /// Resolves the target's name, once for the whole scan: what was proven is what is scanned.
    pub(crate) async fn pin(&self) -> Result<(), Stop> {
        let unreachable = |error: std::io::Error| Stop::Unreachable(error.to_string());
        let target = &self.door.target;
        let pinned = match target.host_name() {
            None => Vec::new(),
            // Never what a resolver might say of this name.
            Some("localhost") => vec![SocketAddr::from(([127, 0, 0, 1], target.port()))],
            Some(name) => {
                let found = tokio::net::lookup_host((name, target.port())).await;
                found.map_err(unreachable)?.collect()
            }
        };
        self.state().pinned = pinned;
        Ok(())
    }

    /// Sends from one address only from now on.
    pub(crate) fn stay_home(&self) {
        let mut state = self.state();
        state.loopback = false;
        state.sources.truncate(1);
    }

    /// Whether limits are what is being measured: they may answer 503, or slowly.
    pub(crate) fn expect_limits(&mut self, expected: bool) {
        self.limits_expected = expected;
    }

    /// Frees the requests that were kept back, also after an interrupt.
    pub(crate) fn tidy_up(&mut self) {
        {
            let mut state = self.state();
            state.reserve = 0;
            state.interrupted = Arc::default();
        }
        self.expect_limits(true);
        self.doing("tidying up");
    }

    /// A source address that this scan has not used yet, from `random` bits; `None` when there is
    /// no choice of addresses (left).
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

    /// Whether there are enough sources to have a fresh one each time.
    pub(crate) fn has_sources(&self) -> bool {
        let state = self.state();
        state.loopback || state.sources.len() >= ENOUGH_SOURCES
    }

    /// A plain GET from the default address.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer, Stop> {
        self.send(None, Request::get(path)).await
    }

    /// Sends one request, when budget, pace and the target's health allow it. Redirects are not
    /// followed.
    pub(crate) async fn send(&mut self, source: Source, request: Request) -> Result<Answer, Stop> {
        self.wait_for_turn(1).await?;
        let client = self.client(source)?;
        let answer = exchange(&client, &self.door.target, request).await?;
        self.watch_health(&answer)?;
        Ok(answer)
    }

    /// Takes the next turn for so many requests, and waits for it; the pauses of all of them come
    /// after it.
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

    /// Sends two requests back to back, without the pause between them that would let a
    /// connection or a cache cool; the pause is made up for afterwards.
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

    /// Sends all at once, each from its own address; the pauses are made up for afterwards. What one
    /// of them met is no error of the others.
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

    #[expect(clippy::disallowed_methods, reason = "this is the door")]
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
        // Reading the system's certificates takes longer than a request on loopback, for each address
        // anew, and http has no use for them.
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
        if state.faults >= FAULTS_IN_A_ROW {
            return Err(Stop::Faults);
        }
        if state.slow >= SLOW_IN_A_ROW {
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

async fn exchange(client: &Client, target: &Target, request: Request) -> Result<Answer, Stop> {
    let method = Method::from_bytes(request.method.as_bytes())
        .map_err(|_| Stop::Unreachable("the method is not valid".into()))?;
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
    // A body that breaks off is taken as far as it came: the head has been answered.
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

/// A listener on loopback that answers every request with one document, and remembers that it was
/// asked. It ends when this is dropped.
pub(crate) struct KeyServer {
    url: String,
    asked: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl KeyServer {
    /// `None` where loopback has no free port.
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
                // Whoever asks reads the answer or doesn't; that they came is what counts.
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

    /// Whether anybody came.
    pub(crate) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An error and its causes in one line. URLs of probes hold no secrets, but headers might.
fn words(error: &reqwest::Error) -> String {
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    let mut last = if error.is_timeout() {
        format!("no answer within {} s", TIMEOUT.as_secs())
    } else {
        "no valid HTTP answer".to_owned()
    };
    while let Some(error) = cause {
        last = error.to_string();
        cause = error.source();
    }
    last.escape_debug().to_string()
}

/// The first address of each network that counts as one source: of an IPv6 /64 there is one.
fn networks(sources: &[IpAddr]) -> Vec<IpAddr> {
    let mut seen = HashSet::new();
    let mut distinct = sources.to_vec();
    distinct.retain(|source| seen.insert(SourceKey::new(*source)));
    distinct
}

/// Linux answers on all of 127.0.0.0/8; other systems on 127.0.0.1 only.
fn loopback_has_many() -> bool {
    std::net::TcpListener::bind(("127.1.0.2", 0)).is_ok()
}
