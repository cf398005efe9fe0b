//! The only door to the network: budget, pace, source addresses, kill switch.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{Client, Method, redirect};

use crate::{Options, Target, answer::Answer, request::Request};

/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// An answer's body is read up to here; what comes after is not asked for.
const BODY_LIMIT: usize = 256 * 1024;

/// So many 5xx in a row stop the scan: the target suffers.
const FAULTS_IN_A_ROW: u32 = 3;

/// So many answers in a row that take [`SLOWER`] times as long as the first did, and a second
/// more, stop the scan too.
const SLOW_IN_A_ROW: u32 = 3;
const SLOWER: u32 = 5;

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
            sources: options.sources.clone(),
            interrupted,
            on_progress,
            doing: "",
            faults: 0,
            slow: 0,
            usual: None,
            side_effects: BTreeMap::new(),
        }
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

    /// A source address that this scan has not used yet, from `random` bits; `None` when it has
    /// no choice of addresses (left).
    pub(crate) fn fresh_source(&mut self, mut random: impl FnMut() -> u32) -> Option<Source> {
        if self.loopback {
            let fresh = || Some(crate::target::loopback_source(random()));
            let unused = std::iter::repeat_with(fresh).find(|s| !self.clients.contains_key(s));
            return unused;
        }
        let unused = self
            .sources
            .iter()
            .position(|s| !self.clients.contains_key(&Some(*s)));
        unused.map(|place| Some(self.sources[place]))
    }

    /// Whether there can be fresh sources at all.
    pub(crate) fn has_sources(&self) -> bool {
        self.loopback || self.sources.len() > 1
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
        if self.sent >= self.budget {
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

    #[expect(clippy::disallowed_methods, reason = "this is the door")]
    fn client(&mut self, source: Source) -> Result<Client, Stop> {
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
        if self.target.is_localhost_name() {
            // Never what a resolver might say of this name.
            let here = SocketAddr::from(([127, 0, 0, 1], self.target.port()));
            builder = builder.resolve("localhost", here);
        }
        if let Some(address) = source {
            builder = builder.local_address(address);
        }
        let client = builder
            .build()
            .map_err(|error| Stop::Unreachable(words(&error)))?;
        self.clients.insert(source, client.clone());
        Ok(client)
    }

    fn watch_health(&mut self, answer: &Answer) -> Result<(), Stop> {
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
        builder = builder.header(name, value);
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
        body.extend_from_slice(&chunk[..chunk.len().min(BODY_LIMIT - body.len())]);
        if body.len() >= BODY_LIMIT {
            break;
        }
    }
    Ok(Answer {
        status: response.status().as_u16(),
        headers: std::mem::take(response.headers_mut()),
        body,
        elapsed,
    })
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

/// Linux answers on all of 127.0.0.0/8; other systems on 127.0.0.1 only.
fn loopback_has_many() -> bool {
    std::net::TcpListener::bind(("127.1.0.2", 0)).is_ok()
}
