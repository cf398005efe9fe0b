//! The only door to the network: budget, pace, source addresses, kill switch.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
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

pub(crate) struct Probe {
    target: Target,
    clients: HashMap<Source, Client>,
    budget: u32,
    sent: u32,
    interval: Duration,
    next: Instant,
    loopback: bool,
    sources: Vec<IpAddr>,
    interrupted: Arc<AtomicBool>,
    on_progress: OnProgress,
    doing: &'static str,
    faults: u32,
    slow: u32,
    usual: Option<Duration>,
    /// Whether 503 and slowness are what is being measured.
    limits_expected: bool,
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
        Self {
            target: options.target.clone(),
            clients: HashMap::new(),
            budget: options.budget,
            sent: 0,
            interval: options.interval(),
            next: Instant::now(),
            loopback: options.target.is_loopback_v4() && loopback_has_many(),
            sources: networks(&options.sources),
            interrupted,
            on_progress,
            doing: "",
            faults: 0,
            slow: 0,
            usual: None,
            limits_expected: false,
            reserve: RESERVE.min(options.budget / 2),
            pinned: Vec::new(),
            used: HashSet::new(),
            side_effects: BTreeMap::new(),
        }
    }

    pub(crate) fn is_loopback(&self) -> bool {
        self.target.is_loopback()
    }

    /// The path and query of a URL, where it is on this target.
    pub(crate) fn path_on_target(&self, url: &str) -> Option<String> {
        self.target.path_of(url)
    }

    pub(crate) fn is_https(&self) -> bool {
        self.target.is_https()
    }

    /// Requests sent.
    pub(crate) fn sent(&self) -> u32 {
        self.sent
    }

    /// What the scan leaves behind on the target, each with how often.
    pub(crate) fn side_effects(&self) -> impl Iterator<Item = (&str, u32)> {
        self.side_effects
            .iter()
            .map(|(what, n)| (what.as_str(), *n))
    }

    pub(crate) fn note_side_effect(&mut self, what: &str) {
        *self.side_effects.entry(what.to_owned()).or_default() += 1;
    }

    pub(crate) fn doing(&mut self, doing: &'static str) {
        self.doing = doing;
        self.report();
    }

    /// From now on, slowness is measured against this.
    pub(crate) fn usual(&mut self, usual: Duration) {
        self.usual = Some(usual);
    }

    /// Resolves the target's name, once for the whole scan: what was proven is what is scanned.
    pub(crate) async fn pin(&mut self) -> Result<(), Stop> {
        let unreachable = |error: std::io::Error| Stop::Unreachable(error.to_string());
        self.pinned = match self.target.host_name() {
            None => Vec::new(),
            // Never what a resolver might say of this name.
            Some("localhost") => vec![SocketAddr::from(([127, 0, 0, 1], self.target.port()))],
            Some(name) => {
                let found = tokio::net::lookup_host((name, self.target.port())).await;
                found.map_err(unreachable)?.collect()
            }
        };
        Ok(())
    }

    /// Sends from one address only from now on.
    pub(crate) fn stay_home(&mut self) {
        self.loopback = false;
        self.sources.truncate(1);
    }

    /// Whether limits are what is being measured: they may answer 503, or slowly.
    pub(crate) fn expect_limits(&mut self, expected: bool) {
        self.limits_expected = expected;
    }

    /// Frees the requests that were kept back, also after an interrupt.
    pub(crate) fn tidy_up(&mut self) {
        self.reserve = 0;
        self.interrupted = Arc::default();
        self.expect_limits(true);
        self.doing("tidying up");
    }

    /// A source address that this scan has not used yet, from `random` bits; `None` when there is
    /// no choice of addresses (left).
    pub(crate) fn fresh_source(&mut self, mut random: impl FnMut() -> u32) -> Option<Source> {
        let fresh = if self.loopback {
            let any = std::iter::repeat_with(|| Some(crate::target::loopback_source(random())));
            any.into_iter().find(|source| !self.used.contains(source))
        } else {
            let listed = self.sources.iter().map(|source| Some(*source));
            listed
                .into_iter()
                .find(|source| !self.used.contains(source))
        }?;
        self.used.insert(fresh);
        Some(fresh)
    }

    /// Whether there are enough sources to have a fresh one each time.
    pub(crate) fn has_sources(&self) -> bool {
        self.loopback || self.sources.len() >= ENOUGH_SOURCES
    }

    /// A plain GET from the default address.
    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer, Stop> {
        self.send(None, Request::get(path)).await
    }

    /// Sends one request, when budget, pace and the target's health allow it. Redirects are not
    /// followed.
    pub(crate) async fn send(&mut self, source: Source, request: Request) -> Result<Answer, Stop> {
        self.wait_for_turn().await?;
        self.sent += 1;
        self.report();
        let client = self.client(source)?;
        let answer = exchange(&client, &self.target, request).await?;
        self.watch_health(&answer)?;
        Ok(answer)
    }

    async fn wait_for_turn(&mut self) -> Result<(), Stop> {
        if self.sent + self.reserve >= self.budget {
            return Err(Stop::Budget(self.budget));
        }
        while self.next > Instant::now() {
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Stop::Interrupted);
            }
            let left = self.next.saturating_duration_since(Instant::now());
            tokio::time::sleep(left.min(Duration::from_millis(50))).await;
        }
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(Stop::Interrupted);
        }
        self.next = self.next.max(Instant::now() - self.interval) + self.interval;
        Ok(())
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
        let turn = std::mem::replace(&mut self.next, Instant::now());
        let second = self.send(source, second).await?;
        self.next = turn + self.interval;
        Ok((first, second))
    }

    /// Sends all at once, each from its own address; the pauses are made up for afterwards. What one
    /// of them met is no error of the others.
    pub(crate) async fn send_together(
        &mut self,
        requests: Vec<(Source, Request)>,
    ) -> Result<Vec<Result<Answer, Stop>>, Stop> {
        let count = requests.len() as u32;
        if self.sent + self.reserve + count > self.budget {
            return Err(Stop::Budget(self.budget));
        }
        self.wait_for_turn().await?;
        let mut ready = Vec::new();
        for (source, request) in requests {
            ready.push((self.client(source)?, request));
        }
        self.sent += count;
        self.next += self.interval * count.saturating_sub(1);
        self.report();
        let target = &self.target;
        let sent = ready
            .iter()
            .map(|(client, request)| exchange(client, target, request.clone()));
        Ok(futures_util::future::join_all(sent).await)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn client(&mut self, source: Source) -> Result<Client, Stop> {
        let source = source.or(self.sources.first().copied());
        if let Some(client) = self.clients.get(&source) {
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
        if let Some(name) = self.target.host_name() {
            builder = builder.resolve_to_addrs(name, &self.pinned);
        }
        if let Some(address) = source {
            builder = builder.local_address(address);
        }
        // Reading the system's certificates takes longer than a request on loopback, for each address
        // anew, and http has no use for them.
        if !self.target.is_https() {
            builder = builder.tls_certs_only([]);
        }
        let client = builder
            .build()
            .map_err(|error| Stop::Unreachable(words(&error)))?;
        self.clients.insert(source, client.clone());
        Ok(client)
    }

    fn watch_health(&mut self, answer: &Answer) -> Result<(), Stop> {
        if self.limits_expected {
            return Ok(());
        }
        self.faults = if answer.status >= 500 {
            self.faults + 1
        } else {
            0
        };
        let late = self
            .usual
            .is_some_and(|usual| answer.elapsed > usual * SLOWER + Duration::from_secs(1));
        self.slow = if late { self.slow + 1 } else { 0 };
        if self.faults >= FAULTS_IN_A_ROW {
            return Err(Stop::Faults);
        }
        if self.slow >= SLOW_IN_A_ROW {
            return Err(Stop::Slow);
        }
        Ok(())
    }

    fn report(&self) {
        (self.on_progress)(Progress {
            requests: self.sent,
            budget: self.budget,
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
