//! Runs a scan, from the proof of ownership to the report.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, atomic::AtomicBool},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use doorwarden_decision::{Login, Shape};
use futures_util::stream::{self, StreamExt};
use rand::rngs::StdRng;
use tokio::sync::OnceCell;

use crate::{
    Account, Options, Ownership, Registration, Report, Route, Secret, TokenPlace, Verdict,
    access::{self, Access},
    accounts::Inventor,
    answer::{Answer, Echoes, Signature},
    checks::{self, Check, limits::LimitFacts, locks::Locks},
    discover::{self, Discovered, Undiscovered, discover},
    habits,
    learn::{Class, Learned, Unlearnable},
    page::{self, Along},
    probe::{self, OnProgress, Probe, Source, Stop},
    report::Judged,
    request::Request,
    signed::Signed,
    target,
};

/// How many accounts are registered: the scanner's own, two to exhaust, one whose password is
/// sprayed, and ten to spray and compare.
const REGISTERED: usize = 14;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The target is not on loopback, and ownership could not be verified.
    #[error(
        "failed to verify that you own {target}; publish the token that `doorwarden scan --prove \
         {target}` prints at {target}{file}{dns}, and scan with the same key",
        file = target::WELL_KNOWN,
        dns = record.as_ref().map(|r| format!(" or in a DNS TXT record at {r}")).unwrap_or_default()
    )]
    NotOwned {
        /// The target.
        target: String,
        /// The DNS record that may contain the token.
        record: Option<String>,
    },
    /// No login was named, and none was discovered.
    #[error("failed to discover a login: {0}")]
    Discover(String),
    /// Successful and failed logins could not be distinguished.
    #[error("failed to learn the login: {0}")]
    Learn(String),
    /// Test accounts could not be registered.
    #[error("failed to register a test account: {0}")]
    Register(String),
    /// A check that does not exist.
    #[error("unknown check `{0}`; `doorwarden explain` lists the checks")]
    NoSuchCheck(String),
    /// The target could not be reached, or the scan ended early.
    #[error("failed to scan {target}: {reason}")]
    Stopped {
        /// The target.
        target: String,
        /// The reason.
        reason: String,
    },
}

impl ScanError {
    fn stopped(options: &Options, stop: &Stop) -> Self {
        Self::Stopped {
            target: options.target.to_string(),
            reason: stop.to_string(),
        }
    }

    /// Returns true if the error is in the options rather than in the state of the target.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Stopped { .. })
    }
}

/// What a scan would do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The target.
    pub target: String,
    /// How ownership is established; `None` if that takes requests to the target.
    pub ownership: Option<Ownership>,
    /// The login, if one was named.
    pub login: Option<String>,
    /// The number of test accounts that were given.
    pub accounts: usize,
    /// The number of test accounts that would be registered.
    pub registered: usize,
    /// The checks, each with its maximum number of requests.
    pub checks: Vec<PlannedCheck>,
    /// Maximum number of requests outside the checks: proof, discovery, registration, learning,
    /// cleanup.
    pub beside: u32,
    /// Maximum number of requests in total.
    pub budget: u32,
    /// Maximum number of requests per second.
    pub pace: f64,
    /// Maximum number of consecutive failures per account.
    pub failures_per_account: u32,
    /// The addresses that requests are sent from.
    pub sources: String,
}

/// A check in a plan.
#[derive(Clone, Copy, Debug)]
pub struct PlannedCheck {
    /// The check's id.
    pub id: &'static str,
    /// Maximum number of requests that it sends.
    pub requests: u32,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ownership = match self.ownership {
            Some(ownership) => ownership.to_string(),
            None => {
                "ownership is verified by the operator's token on the target or in its DNS".into()
            }
        };
        let login = self.login.as_deref();
        let login = login.unwrap_or("to be discovered in the target's API documents");
        writeln!(f, "target    {} ({ownership})", self.target)?;
        writeln!(f, "login     {login}")?;
        let (given, registered) = (self.accounts, self.registered);
        writeln!(f, "accounts  {given} given, {registered} to be registered")?;
        writeln!(f, "sources   {}", self.sources)?;
        writeln!(
            f,
            "limits    {} requests, {} per second, {} consecutive failures per account",
            self.budget, self.pace, self.failures_per_account
        )?;
        let setup = "proof, discovery, registration, learning, cleanup";
        writeln!(f, "  {setup}: at most {} requests", self.beside)?;
        for check in &self.checks {
            match check.requests {
                0 => writeln!(f, "  {:<24} uses the responses to other checks", check.id)?,
                most => writeln!(f, "  {:<24} at most {most} requests", check.id)?,
            }
        }
        Ok(())
    }
}

/// Returns what [`scan`] would do. Sends nothing.
pub fn plan(options: &Options) -> Result<Plan, ScanError> {
    let checks = chosen(options)?;
    let measures = checks.iter().position(|check| check.measures_limits);
    let planned = |(place, check): (usize, &&Check)| PlannedCheck {
        id: check.id,
        requests: check.max_requests
            + if measures == Some(place) {
                checks::limits::MAX_REQUESTS
            } else {
                0
            },
    };
    let sources = if options.target.is_loopback_v4() {
        "random addresses in 127.0.0.0/8".to_owned()
    } else if options.sources.is_empty() {
        "one address; checks cannot determine what a limit is keyed on (see --source)".to_owned()
    } else {
        format!("{} addresses", options.sources.len())
    };
    Ok(Plan {
        target: options.target.to_string(),
        ownership: options.target.is_loopback().then_some(Ownership::Loopback),
        login: options.login.as_ref().map(Login::to_string),
        accounts: options.accounts.len(),
        registered: if options.registration == Registration::None {
            0
        } else {
            REGISTERED
        },
        beside: beside(options),
        checks: checks.iter().enumerate().map(planned).collect(),
        budget: options.budget,
        pace: options.pace,
        failures_per_account: options.failures_per_account,
        sources,
    })
}

fn beside(options: &Options) -> u32 {
    let proof = u32::from(!options.target.is_loopback());
    let finding = match (&options.login, &options.registration) {
        (None, Registration::None) => discover::MAX_REQUESTS + habits::MAX_REQUESTS,
        _ => discover::MAX_REQUESTS,
    };
    let registering = match options.registration {
        Registration::None => 0,
        // The first one is repeated, after the page is read, if the page expects something back.
        _ => REGISTERED as u32 + 2,
    };
    // Repeated, after the login's page is read, if the page expects something back.
    let learning = 2 * LEARNING + 1;
    proof + finding + registering + learning + probe::RESERVE
}

/// Scans the target. Setting `interrupted` ends the scan early, with a report of what is known;
/// `on_progress` is called for each request.
pub async fn scan(
    options: Options,
    interrupted: Arc<AtomicBool>,
    on_progress: OnProgress,
) -> Result<Report, ScanError> {
    let started = Instant::now();
    let checks = chosen(&options)?;
    let mut probe = Probe::new(&options, interrupted, on_progress);
    let account = options.accounts.first();
    let (ownership, found) = enter(&options, account, &mut probe).await?;
    let stopped = |stop: Stop| ScanError::stopped(&options, &stop);
    let mut session = Session::open(&options, probe, &found)
        .await
        .map_err(|error| {
            match error {
        Opening::Stop(stop) => stopped(stop),
        Opening::Learn(reason) => ScanError::Learn(reason.to_string()),
        Opening::Register(reason) => ScanError::Register(reason),
        Opening::Nameless => ScanError::Learn(
            "the names of the test accounts have no letters, so no nonexistent names of the same form \
             can be generated; give other accounts, or use --register"
                .into(),
        ),
        Opening::NoAccount => ScanError::Learn(
            "learning the login needs a test account; give one with --account, or have accounts \
             registered with --register"
                .into(),
        ),
    }
        })?;
    let (judged, ended) = session.run(&checks).await;
    session.tidy_up().await;
    Ok(Report::new(
        &options,
        ownership,
        &found,
        &session,
        judged,
        ended,
        started.elapsed(),
    ))
}

/// Discovers the routes of a target, each with its purpose. Reads documents, metadata and a GraphQL
/// schema after ownership is verified, and attempts no login.
pub async fn understand(
    options: &Options,
    interrupted: Arc<AtomicBool>,
) -> Result<Vec<(&'static str, String)>, ScanError> {
    let mut probe = Probe::new(options, interrupted, Box::new(|_| {}));
    let (_, found) = enter(options, None, &mut probe).await?;
    Ok(found.words())
}

/// Verifies ownership and discovers the routes. With an account, the usual paths are tried too if
/// nothing names the login.
async fn enter(
    options: &Options,
    account: Option<&Account>,
    probe: &mut Probe,
) -> Result<(Ownership, Discovered), ScanError> {
    let stopped = |stop: Stop| ScanError::stopped(options, &stop);
    let not_owned = || ScanError::NotOwned {
        target: options.target.to_string(),
        record: options.target.dns_record(),
    };
    if !options.target.is_loopback() && options.key.is_none() {
        return Err(not_owned());
    }
    probe.doing("verifying ownership");
    tracing::info!(target_url = %options.target, "verifying ownership");
    probe.pin().await.map_err(stopped)?;
    let proof = target::prove(&options.target, options.key.as_ref(), probe).await;
    let ownership = proof.map_err(stopped)?.ok_or_else(not_owned)?;
    probe.doing("discovering the login");
    tracing::info!(%ownership, "discovering the login");
    let found = endpoints(options, account, probe).await;
    let found = found.map_err(|error| match error {
        Undiscovered::Stop(stop) => stopped(stop),
        other => ScanError::Discover(other.to_string()),
    })?;
    Ok((ownership, found))
}

/// Returns the selected checks, in the order in which they run. Several share one measurement of
/// the limits, which counts towards the first of them.
fn chosen(options: &Options) -> Result<Vec<&'static Check>, ScanError> {
    let known = |id: &String| checks::find(id).ok_or_else(|| ScanError::NoSuchCheck(id.clone()));
    if options.only.is_empty() {
        return Ok(checks::ALL.to_vec());
    }
    options.only.iter().map(known).collect()
}

/// Returns the login, the registration and the other routes: those named, or those discovered.
async fn endpoints(
    options: &Options,
    account: Option<&Account>,
    probe: &mut Probe,
) -> Result<Discovered, Undiscovered> {
    let registers = options.registration == Registration::Discover;
    let needs_login = options.login.is_none();
    let mut found = match discover(probe, needs_login).await {
        Err(Undiscovered::Stop(stop)) => return Err(stop.into()),
        // Named routes need no document.
        Err(_) if !needs_login && !registers => Discovered::default(),
        Err(error) if needs_login && !registers => {
            let mut found = Discovered::default();
            habits::find(probe, account, &mut found).await?;
            if found.logins.is_empty() {
                return Err(error);
            }
            found
        }
        read => read?,
    };
    if let Some(Route { path, .. }) = &options.protected {
        // The operator named it, so it is meant to require the token.
        found.protected = vec![(path.clone(), true)];
    }
    found.reset = options.reset.clone().or(found.reset);
    found.change_password = options.change_password.clone().or(found.change_password);
    found.logout = options.logout.clone().or(found.logout);
    found.refresh = options.refresh.clone().or(found.refresh);
    if let Some(login) = &options.login {
        found.logins.retain(|other| other.path != login.path);
        found.logins.insert(0, login.clone());
    }
    if let Registration::At(registration) = &options.registration {
        found.registration = Some(registration.clone());
    }
    Ok(found)
}

/// The account of a login attempt. There are no other names: one that was not given, registered or
/// generated here cannot be expressed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who<'a> {
    /// A test account.
    Own(&'a Account),
    /// A name that does not exist.
    Nobody(&'a Invented),
}

/// A name that does not exist.
#[derive(Clone, Debug)]
pub(crate) struct Invented(String);

impl Who<'_> {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Own(account) => &account.name,
            Self::Nobody(invented) => &invented.0,
        }
    }
}

/// A scan in progress, with a learned login and accounts.
pub(crate) struct Session {
    pub(crate) probe: Probe,
    pub(crate) learned: Learned,
    /// What the login's page expects back.
    along: Option<Along>,
    inventor: Inventor<StdRng>,
    /// The first is the scanner's own, which fails only during learning. The second and third are
    /// exhausted, the password of the fourth is sprayed, the others are compared and sprayed. With
    /// fewer accounts some take several roles, and checks report what they cannot decide.
    accounts: Vec<Account>,
    /// Generated names that were not registered.
    unregistered: Vec<String>,
    failures: HashMap<String, u32>,
    most_failures: u32,
    /// Measured once, used by several checks.
    pub(crate) limits: Option<Result<LimitFacts, Stop>>,
    pub(crate) spray: Option<checks::spray_unseen::Facts>,
    /// Whether there is an account that can log in.
    has_account: bool,
    /// Whether only one check runs, with the whole budget.
    pub(crate) is_alone: bool,
    /// The discovered routes.
    pub(crate) found: Discovered,
    /// Measured once, also by checks that run concurrently.
    pub(crate) access: access::Shared,
    pub(crate) locks: Option<Result<Locks, Stop>>,
    pub(crate) long_passwords: Option<checks::long_passwords::Facts>,
    pub(crate) signing: Option<Arc<checks::signing::Controls>>,
    /// The registration, if accounts were registered.
    pub(crate) registration: Option<Registered>,
    /// The key that signs the target's JWTs, if the operator gave it.
    pub(crate) jwt_key: Option<Secret>,
    /// Where tokens are, if the operator said so.
    pub(crate) token: Option<TokenPlace>,
    /// The route for signed requests, if the operator named one.
    pub(crate) signed: Option<Signed>,
}

/// A registration that worked.
#[derive(Clone, Debug)]
pub(crate) struct Registered {
    endpoint: Login,
    /// What the registration's page expects back.
    along: Option<Along>,
    /// The response to the registration of a new name.
    pub(crate) usual: Signature,
}

/// Why a check cannot decide without an account.
pub(crate) const NEEDS_ACCOUNT: &str = "this check needs a test account; give one with --account, or have accounts registered with --register";

/// The number of accounts that gives each role its own.
const ALL_ROLES: usize = 12;

/// Maximum number of checks that run concurrently.
const SIDE_BY_SIDE: usize = 4;

/// The number of logins for learning.
const LEARNING: u32 = 4;

enum Opening {
    Stop(Stop),
    Learn(Unlearnable),
    Register(String),
    NoAccount,
    Nameless,
}

impl From<Stop> for Opening {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl Session {
    async fn open(
        options: &Options,
        mut probe: Probe,
        found: &Discovered,
    ) -> Result<Self, Opening> {
        let login = found.logins.first().cloned().ok_or(Opening::NoAccount)?;
        let registers = options.registration != Registration::None;
        let given = options.accounts.first().map_or("", |account| &account.name);
        let takes_mail = found.registration.as_ref().is_some_and(takes_mail);
        let model = match registers {
            true if takes_mail => Inventor::<StdRng>::MAIL_MODEL,
            true => Inventor::<StdRng>::MODEL,
            false if given.is_empty() => Inventor::<StdRng>::MODEL,
            false => given,
        };
        if !model.is_empty() && !model.contains(char::is_alphabetic) {
            return Err(Opening::Nameless);
        }
        let mut inventor = Inventor::new(rand::make_rng::<StdRng>(), model);
        // Registered accounts come first, so that existing and nonexistent names have the same
        // form.
        let (mut accounts, unregistered, registration) = if registers {
            let missing = || {
                Opening::Register("the OpenAPI document describes no registration; name it, such as --register 'POST /register json:/username json:/password'".into())
            };
            let registration = found.registration.as_ref().ok_or_else(missing)?;
            register(registration, &mut probe, &mut inventor).await?
        } else {
            Default::default()
        };
        if options.accounts.is_empty() && !registers {
            return Self::without_account(options, probe, inventor, login, found).await;
        }
        for account in &options.accounts {
            if accounts
                .iter()
                .all(|known: &Account| known.name != account.name)
            {
                accounts.push(account.clone());
            }
        }
        let own = accounts
            .first()
            .map(|own| own.name.clone())
            .ok_or(Opening::NoAccount)?;
        probe.doing("learning the login");
        tracing::info!(accounts = accounts.len(), "learning the login");
        let (learned, along, left) =
            learn_with_page(&mut probe, login, &accounts, &mut inventor).await?;
        probe.usual(learned.usual);
        Ok(Self {
            probe,
            learned,
            along,
            inventor,
            accounts,
            unregistered,
            failures: HashMap::from([(own, left)]),
            most_failures: options.failures_per_account,
            limits: None,
            spray: None,
            found: found.clone(),
            access: access::Shared::default(),
            has_account: true,
            is_alone: options.only.len() == 1,
            locks: None,
            long_passwords: None,
            signing: None,
            registration,
            jwt_key: options.jwt_key.clone(),
            token: options.token.clone(),
            signed: options.signed.clone(),
        })
    }

    /// Opens a session without accounts, whose own account is a nonexistent name.
    async fn without_account(
        options: &Options,
        mut probe: Probe,
        mut inventor: Inventor<StdRng>,
        login: Login,
        found: &Discovered,
    ) -> Result<Self, Opening> {
        probe.doing("learning the login");
        tracing::info!(accounts = 0, "learning the login");
        let nobody = Account {
            name: inventor.name(),
            password: inventor.password(),
        };
        let mut answers = Vec::new();
        for _ in 0..2 {
            let password = inventor.password();
            let request = Request::login(&login, &nobody.name, password.expose());
            let mut answer = probe.send(None, request).await?;
            answer.echoes = echoes(&[], &nobody.name, &password);
            answers.push(answer);
        }
        let learned = Learned::of_nobody(login, [&answers[0], &answers[1]]);
        probe.usual(learned.usual);
        let mut session = Self {
            probe,
            learned,
            along: None,
            inventor,
            accounts: vec![nobody],
            unregistered: Vec::new(),
            failures: HashMap::new(),
            most_failures: options.failures_per_account,
            limits: None,
            spray: None,
            found: found.clone(),
            access: access::Shared::default(),
            has_account: false,
            is_alone: options.only.len() == 1,
            locks: None,
            long_passwords: None,
            signing: None,
            registration: None,
            jwt_key: None,
            token: None,
            signed: None,
        };
        let access = Arc::new(access::of_nobody(&mut session).await?);
        session.access = Arc::new(OnceCell::from(Ok(access)));
        Ok(session)
    }

    /// Runs the checks in order; adjacent checks that may run concurrently do, a few at a time. If
    /// a stop ends the scan, the remaining checks are inconclusive for the same reason.
    async fn run(&mut self, checks: &[&'static Check]) -> (Vec<Judged>, Option<String>) {
        let mut ended: Option<String> = None;
        let mut judged = Vec::new();
        for checks in checks.chunk_by(|one, next| one.side_by_side && next.side_by_side) {
            let done: Vec<(Judged, Option<String>)> = match checks {
                _ if ended.is_some() => Vec::new(),
                [check] => vec![self.judge(check).await],
                several => {
                    let besides: Vec<_> = several
                        .iter()
                        .map(|check| {
                            let mut session = self.beside();
                            async move { session.judge(check).await }
                        })
                        .collect();
                    stream::iter(besides).buffered(SIDE_BY_SIDE).collect().await
                }
            };
            for check in &checks[done.len()..] {
                judged.push(Judged {
                    check,
                    verdict: Verdict::inconclusive(ended.clone().unwrap_or_default()),
                    requests: 0,
                    budget_exhausted: false,
                });
            }
            for (one, end) in done {
                judged.push(one);
                ended = ended.or(end);
            }
        }
        (judged, ended)
    }

    /// Runs one check; also returns the reason if it ended the scan.
    async fn judge(&mut self, check: &'static Check) -> (Judged, Option<String>) {
        let before = self.probe.sent_here();
        self.probe.doing(check.id);
        tracing::info!(check = check.id, "check started");
        let mut ended = None;
        let can_tell = self.has_account || checks::WITHOUT_ACCOUNT.contains(&check.id);
        let outcome = match can_tell {
            true => (check.run)(self).await,
            false => Err(Stop::Check(NEEDS_ACCOUNT.into())),
        };
        let budget_exhausted = matches!(outcome, Err(Stop::Budget(_)));
        if budget_exhausted {
            tracing::warn!(check = check.id, "request budget used up");
        }
        let verdict = match outcome {
            Ok(verdict) => verdict,
            Err(Stop::Check(reason)) => Verdict::inconclusive(reason),
            // Other checks may need fewer requests, or none.
            Err(stop @ Stop::Budget(_)) => Verdict::inconclusive(stop.to_string()),
            Err(stop) => {
                tracing::warn!(check = check.id, reason = %stop, "scan ended early");
                ended = Some(stop.to_string());
                Verdict::inconclusive(stop.to_string())
            }
        };
        let judged = Judged {
            check,
            verdict,
            requests: self.probe.sent_here() - before,
            budget_exhausted,
        };
        tracing::info!(
            check = check.id,
            verdict = %judged.verdict.kind(),
            requests = judged.requests,
            "check finished"
        );
        (judged, ended)
    }

    /// Returns a copy of the session for a check that runs concurrently. It shares the token's
    /// controls; anything else that it learns is discarded.
    fn beside(&mut self) -> Self {
        Self {
            probe: self.probe.beside(),
            inventor: self.inventor.beside(),
            learned: self.learned.clone(),
            along: self.along.clone(),
            accounts: self.accounts.clone(),
            unregistered: Vec::new(),
            failures: self.failures.clone(),
            most_failures: self.most_failures,
            limits: None,
            spray: None,
            has_account: self.has_account,
            is_alone: self.is_alone,
            found: self.found.clone(),
            access: Arc::clone(&self.access),
            locks: None,
            long_passwords: None,
            signing: None,
            registration: self.registration.clone(),
            jwt_key: self.jwt_key.clone(),
            token: self.token.clone(),
            signed: self.signed.clone(),
        }
    }

    /// Logs in to each account that has failed, to reset its failures, with the requests that were
    /// reserved for this. Failures that remain are reported as side effects.
    async fn tidy_up(&mut self) {
        self.probe.tidy_up();
        tracing::info!("cleaning up");
        let mut failed: Vec<Account> = self.accounts.clone();
        failed.retain(|account| self.failures_of(&account.name) > 0);
        failed.sort_by_key(|account| std::cmp::Reverse(self.failures_of(&account.name)));
        for account in failed {
            let source = self.fresh_source().unwrap_or_default();
            if self.right(source, &account).await.is_err() {
                return;
            }
        }
    }

    /// Returns the token's controls, if they were measured.
    pub(crate) fn measured_access(&self) -> Option<&Access> {
        let measured = self.access.get()?.as_ref();
        measured.ok().map(Arc::as_ref)
    }

    /// Returns the scheme before the token, if it was measured.
    pub(crate) fn token_word(&self) -> Option<&str> {
        let issued = self.measured_access()?.issued.as_ref()?;
        issued.credential.scheme()
    }

    pub(crate) fn failures_of(&self, name: &str) -> u32 {
        self.failures.get(name).copied().unwrap_or_default()
    }

    /// Returns how many more consecutive failures an account may have.
    pub(crate) fn failures_left(&self, name: &str) -> u32 {
        self.most_failures.saturating_sub(self.failures_of(name))
    }

    /// Returns the accounts with failures that no successful login has reset.
    pub(crate) fn left_failing(&self) -> impl Iterator<Item = (&str, u32)> {
        let failing = self.failures.iter().filter(|(_, failures)| **failures > 0);
        failing.map(|(name, failures)| (name.as_str(), *failures))
    }

    pub(crate) fn own(&self) -> Account {
        self.account(0)
    }

    /// Returns the account for a role, or the last one if there are too few.
    pub(crate) fn account(&self, role: usize) -> Account {
        self.accounts[role.min(self.accounts.len() - 1)].clone()
    }

    /// Returns the number of accounts.
    pub(crate) fn accounts_known(&self) -> usize {
        self.accounts.len()
    }

    /// Returns the account whose password is sprayed on the others.
    pub(crate) fn canary(&self) -> Account {
        if self.accounts.len() < ALL_ROLES {
            self.own()
        } else {
            self.account(3)
        }
    }

    /// Returns the accounts to compare and to spray: those without another role. If there are too
    /// few, only the scanner's own and the first exhausted account are left out, and at least one
    /// remains.
    pub(crate) fn pool(&self) -> Vec<Account> {
        let kept = match self.accounts.len() {
            n if n < ALL_ROLES => 2.min(n - 1),
            _ => 4,
        };
        self.accounts[kept..].to_vec()
    }

    /// Returns a name that does not exist: one that was generated for registration and not
    /// registered, so that chance decided which names exist, or a new one.
    pub(crate) fn nobody(&mut self) -> Invented {
        loop {
            let name = self
                .unregistered
                .pop()
                .unwrap_or_else(|| self.inventor.name());
            if self.accounts.iter().all(|account| account.name != name) {
                return Invented(name);
            }
        }
    }

    pub(crate) fn wrong_password(&mut self) -> Secret {
        self.inventor.password()
    }

    /// Returns ten random letters.
    pub(crate) fn random_word(&mut self) -> String {
        self.inventor.word()
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.inventor.coin()
    }

    fn fresh_source(&mut self) -> Option<Source> {
        let inventor = &mut self.inventor;
        self.probe.fresh_source(|| inventor.bits())
    }

    /// Returns an unused address if there are many, or the default one if there is no choice; stops
    /// the check if all are used up.
    pub(crate) fn need_source(&mut self) -> Result<Source, Stop> {
        if !self.probe.has_sources() {
            return Ok(None);
        }
        let none = || {
            Stop::Check("this check needs more source addresses; give them with --source".into())
        };
        self.fresh_source().ok_or_else(none)
    }

    /// Tries an incorrect password for `who`.
    pub(crate) async fn wrong(
        &mut self,
        source: Source,
        who: Who<'_>,
        password: &Secret,
    ) -> Result<(Answer, Class), Stop> {
        let request = self.attempt(who, password)?;
        let answer = self.probe.send(source, request).await?;
        Ok(self.settle(who, password, answer))
    }

    /// Tries one incorrect password on two names, back to back.
    pub(crate) async fn wrong_pair(
        &mut self,
        source: Source,
        pair: [Who<'_>; 2],
        password: &Secret,
    ) -> Result<[(Answer, Class); 2], Stop> {
        let first = self.attempt(pair[0], password)?;
        let second = self.attempt(pair[1], password)?;
        let (first, second) = self.probe.send_pair(source, first, second).await?;
        Ok([
            self.settle(pair[0], password, first),
            self.settle(pair[1], password, second),
        ])
    }

    /// Logs in with the correct password.
    pub(crate) async fn right(
        &mut self,
        source: Source,
        account: &Account,
    ) -> Result<(Answer, Class), Stop> {
        self.right_with(source, account, Vec::new()).await
    }

    /// Logs in with the correct password and additional headers.
    pub(crate) async fn right_with(
        &mut self,
        source: Source,
        account: &Account,
        headers: Vec<(&'static str, String)>,
    ) -> Result<(Answer, Class), Stop> {
        let mut request = self.request(&account.name, &account.password);
        for (name, value) in headers {
            request = request.with_header(name, value);
        }
        self.right_as(source, account, request).await
    }

    /// Logs in with a request in another form.
    pub(crate) async fn right_as(
        &mut self,
        source: Source,
        account: &Account,
        request: Request,
    ) -> Result<(Answer, Class), Stop> {
        let answer = self.probe.send(source, request).await?;
        let (answer, class) = self.note(&account.name, &account.password, answer);
        if class == Class::Right {
            self.failures.remove(&account.name);
        }
        Ok((answer, class))
    }

    /// Returns a login with the correct password under another spelling of the name.
    pub(crate) fn spelled(&self, account: &Account, spelling: &str) -> Request {
        self.request(spelling, &account.password)
    }

    /// Returns a login with the correct password as a form, if the login takes JSON.
    pub(crate) fn as_form(&self, account: &Account) -> Option<Request> {
        let Shape::Json {
            account: name,
            password,
        } = &self.learned.login.shape
        else {
            return None;
        };
        let field = |pointer: &str| Some(pointer.strip_prefix('/')?.to_owned());
        let login = Login {
            shape: Shape::Form {
                account: field(name)?,
                password: field(password)?,
            },
            ..self.learned.login.clone()
        };
        let secret = account.password.expose();
        Some(self.sent_along(Request::login(&login, &account.name, secret)))
    }

    /// Adds what the login's page expects back.
    fn sent_along(&self, request: Request) -> Request {
        match &self.along {
            Some(along) => along.send_with(request),
            None => request,
        }
    }

    /// Tries incorrect passwords on one name concurrently, each from its own address.
    pub(crate) async fn wrong_together(
        &mut self,
        sources: Vec<Source>,
        who: Who<'_>,
    ) -> Result<Vec<Result<(Answer, Class), Stop>>, Stop> {
        if let Who::Own(account) = who
            && self.failures_left(&account.name) < sources.len() as u32
        {
            return Err(Stop::Check(
                "this check needs more consecutive failures of an account than --failures allows"
                    .into(),
            ));
        }
        let passwords: Vec<Secret> = sources.iter().map(|_| self.wrong_password()).collect();
        let mut requests = Vec::new();
        for (source, password) in sources.into_iter().zip(&passwords) {
            requests.push((source, self.attempt(who, password)?));
        }
        let answers = self.probe.send_together(requests).await?;
        let heard = passwords.iter().zip(answers);
        Ok(heard
            .map(|(password, answer)| Ok(self.settle(who, password, answer?)))
            .collect())
    }

    /// Sends a request with this number of incorrect passwords for an account.
    pub(crate) async fn wrong_as(
        &mut self,
        account: &Account,
        passwords: u32,
        request: Request,
    ) -> Result<(Answer, Class), Stop> {
        if self.failures_left(&account.name) < passwords {
            return Err(Stop::Check(
                "this check needs more consecutive failures of an account than --failures allows"
                    .into(),
            ));
        }
        let source = self.need_source()?;
        let request = self.sent_along(request);
        let answer = self.probe.send(source, request).await?;
        *self.failures.entry(account.name.clone()).or_default() += passwords;
        Ok(self.note(&account.name, &account.password, answer))
    }

    /// Returns true if the scan generated the name, so that no variant of it belongs to another
    /// user.
    pub(crate) fn is_ours(&self, account: &Account) -> bool {
        account.name.starts_with("dwtest-")
    }

    /// Registers an account, if registration worked before; the response is masked.
    pub(crate) async fn register(
        &mut self,
        name: &str,
        password: &Secret,
    ) -> Result<Option<Answer>, Stop> {
        let Some(known) = &self.registration else {
            return Ok(None);
        };
        let mut request = Request::login(&known.endpoint, name, password.expose());
        if let Some(along) = &known.along {
            request = along.send_with(request);
        }
        let mut answer = self.probe.send(None, request).await?;
        answer.echoes = echoes(&self.accounts, name, password);
        if (200..400).contains(&answer.status) {
            self.probe.note_side_effect(REGISTERED_EFFECT);
        }
        Ok(Some(answer))
    }

    /// Returns a nonexistent name to register.
    pub(crate) fn new_name(&mut self) -> String {
        let Invented(name) = self.nobody();
        name
    }

    /// Returns the last test account if the scan registered it, so that it may be changed.
    pub(crate) fn spare(&self) -> Option<Account> {
        let ours = |account: &&Account| account.name.starts_with("dwtest-");
        let spare = self.accounts.last().filter(ours);
        spare.filter(|_| self.accounts.len() >= ALL_ROLES).cloned()
    }

    /// Records the new password of an account.
    pub(crate) fn password_changed(&mut self, account: &Account) {
        let known = self
            .accounts
            .iter_mut()
            .find(|known| known.name == account.name);
        if let Some(known) = known {
            known.password = account.password.clone();
        }
    }

    /// Returns the current time in seconds since 1970.
    pub(crate) fn now(&self) -> f64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(0.0, |now| now.as_secs_f64())
    }

    /// Sends a request that contains a name and is not a login.
    pub(crate) async fn ask_about(&mut self, name: &str, request: Request) -> Result<Answer, Stop> {
        let mut answer = self.ask(request).await?;
        answer.echoes.names.push(name.to_owned());
        Ok(answer)
    }

    /// Sends a request that is not a login.
    pub(crate) async fn ask(&mut self, request: Request) -> Result<Answer, Stop> {
        self.ask_from(None, request).await
    }

    /// Like [`Self::ask`], from another address.
    pub(crate) async fn ask_from(
        &mut self,
        source: Source,
        request: Request,
    ) -> Result<Answer, Stop> {
        let mut answer = self.probe.send(source, request).await?;
        let own = self.own();
        answer.echoes = echoes(&self.accounts, &own.name, &own.password);
        Ok(answer)
    }

    fn attempt(&self, who: Who<'_>, password: &Secret) -> Result<Request, Stop> {
        if self.failures_of(who.name()) >= self.most_failures {
            let most = self.most_failures;
            let reason =
                format!("this check needs more than {most} consecutive failures of an account");
            return Err(Stop::Check(reason));
        }
        Ok(self.request(who.name(), password))
    }

    fn request(&self, name: &str, password: &Secret) -> Request {
        self.sent_along(Request::login(&self.learned.login, name, password.expose()))
    }

    /// Records a failed login. Counts consecutive failures of test accounts, as lockouts do.
    fn settle(&mut self, who: Who<'_>, password: &Secret, answer: Answer) -> (Answer, Class) {
        if let Who::Own(account) = who {
            *self.failures.entry(account.name.clone()).or_default() += 1;
        }
        self.note(who.name(), password, answer)
    }

    /// Records the side effect of a login, and what its response may echo.
    fn note(&mut self, name: &str, password: &Secret, mut answer: Answer) -> (Answer, Class) {
        answer.echoes = echoes(&self.accounts, name, password);
        let class = self.learned.class(&answer);
        self.probe.note_side_effect(match class {
            Class::Right => "successful logins (sessions or tokens were issued)",
            Class::Wrong | Class::Other => "failed or rejected logins",
        });
        (answer, class)
    }
}

/// Returns all names and passwords that a response may repeat: any response may name any account,
/// and what is masked on one side of a comparison must be masked on the other.
fn echoes(accounts: &[Account], name: &str, password: &Secret) -> Echoes {
    let names = accounts.iter().map(|account| account.name.clone());
    let passwords = accounts.iter().map(|account| account.password.clone());
    Echoes {
        names: names.chain([name.to_owned()]).collect(),
        passwords: passwords.chain([password.clone()]).collect(),
    }
}

/// Learns the login; if the correct password is rejected, once more with what the login's page
/// expects back.
async fn learn_with_page(
    probe: &mut Probe,
    login: Login,
    accounts: &[Account],
    inventor: &mut Inventor<StdRng>,
) -> Result<(Learned, Option<Along>, u32), Opening> {
    let refused = match learn(probe, login.clone(), None, accounts, inventor).await {
        Ok((learned, left)) => return Ok((learned, None, left)),
        Err(Opening::Learn(refused)) => refused,
        Err(other) => return Err(other),
    };
    let Some(along) = page::along(probe, &login.path).await? else {
        return Err(Opening::Learn(refused));
    };
    let (learned, left) = learn(probe, login, Some(&along), accounts, inventor).await?;
    Ok((learned, Some(along), left))
}

/// Learns from one successful and two failed logins of the scanner's own account, and compares that
/// with a second successful one, from another address: if its response differs (a new device needs
/// another factor), this scan does not change addresses. Also returns the remaining failures.
async fn learn(
    probe: &mut Probe,
    login: Login,
    along: Option<&Along>,
    accounts: &[Account],
    inventor: &mut Inventor<StdRng>,
) -> Result<(Learned, u32), Opening> {
    let own = accounts.first().ok_or(Opening::NoAccount)?;
    let mut answers = Vec::new();
    let elsewhere = if probe.has_sources() {
        probe.fresh_source(|| inventor.bits())
    } else {
        None
    };
    let attempts: [_; LEARNING as usize] = [
        (None, own.password.clone()),
        (None, inventor.password()),
        (None, inventor.password()),
        (elsewhere.flatten(), own.password.clone()),
    ];
    for (source, password) in attempts {
        let mut request = Request::login(&login, &own.name, password.expose());
        if let Some(along) = along {
            request = along.send_with(request);
        }
        let mut answer = probe.send(source, request).await?;
        answer.echoes = echoes(accounts, &own.name, &password);
        answers.push(answer);
    }
    let learned = Learned::from(login, &own.name, &answers[0], [&answers[1], &answers[2]])
        .map_err(Opening::Learn)?;
    if learned.class(&answers[3]) != Class::Right {
        if elsewhere.is_none() {
            let account = own.name.clone();
            return Err(Opening::Learn(Unlearnable::Varies { account }));
        }
        probe.stay_home();
        return Ok((learned, 2));
    }
    Ok((learned, 0))
}

const REGISTERED_EFFECT: &str = "accounts named dwtest-… registered, not deleted";

/// Returns true if the registration takes email addresses as names.
fn takes_mail(registration: &Login) -> bool {
    let field = match &registration.shape {
        Shape::Json { account, .. } | Shape::Form { account, .. } => account.as_str(),
        // The text before the placeholder of the name, back to the previous field.
        Shape::Body(body) => body
            .split("{{account}}")
            .next()
            .and_then(|before| before.rsplit(['{', ',', '&', '(']).next())
            .unwrap_or_default(),
        Shape::Basic => "",
    };
    field.to_lowercase().contains("mail")
}

/// Registers accounts: of each pair of names, chance decides which exists, so that a difference
/// between existing and absent names is caused by existence. Also returns the names that were not
/// registered.
async fn register(
    registration: &Login,
    probe: &mut Probe,
    inventor: &mut Inventor<StdRng>,
) -> Result<(Vec<Account>, Vec<String>, Option<Registered>), Opening> {
    probe.doing("registering test accounts");
    tracing::info!("registering test accounts");
    let (mut accounts, mut unregistered) = (Vec::new(), Vec::new());
    let mut usual: Option<Signature> = None;
    let mut along: Option<Along> = None;
    while accounts.len() < REGISTERED {
        let mut pair = [inventor.name(), inventor.name()];
        if inventor.coin() {
            pair.reverse();
        }
        let [name, other] = pair;
        let password = inventor.password();
        let request = Request::login(registration, &name, password.expose());
        let sent = match &along {
            Some(along) => along.send_with(request.clone()),
            None => request.clone(),
        };
        let mut answer = probe.send(None, sent).await?;
        if accounts.is_empty() && (400..500).contains(&answer.status) {
            along = page::along(probe, &registration.path).await?;
            if let Some(along) = &along {
                answer = probe.send(None, along.send_with(request)).await?;
            }
        }
        answer.echoes = echoes(&[], &name, &password);
        let signature = answer.signature();
        let as_usual = usual
            .as_ref()
            .is_none_or(|usual| usual.clone().coarse() == signature.clone().coarse());
        if !(200..400).contains(&answer.status) || !as_usual {
            if accounts.is_empty() {
                let told = answer.describe();
                let path = &registration.path;
                return Err(Opening::Register(format!("{path} returned {told}")));
            }
            // A limit on registrations: the accounts so far have to suffice.
            break;
        }
        usual = Some(signature);
        probe.note_side_effect(REGISTERED_EFFECT);
        accounts.push(Account { name, password });
        unregistered.push(other);
    }
    let registered = usual.map(|usual| Registered {
        endpoint: registration.clone(),
        along,
        usual,
    });
    Ok((accounts, unregistered, registered))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        sync::atomic::{AtomicU32, Ordering},
    };

    use super::*;
    use crate::VerdictKind;

    const NEIGHBOURS: [&str; 4] = [
        "jwt-unsigned-accepted",
        "jwt-no-expiry",
        "cookie-flags",
        "cors-credentials",
    ];

    /// Runs checks that may run concurrently, and none before them, on a target that accepts this
    /// many logins with the correct password. Returns the report and the number of such logins.
    async fn scanned(accepted: u32) -> (Report, u32) {
        let logins = Arc::new(AtomicU32::new(0));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = format!("http://{}", listener.local_addr().unwrap());
        let counted = Arc::clone(&logins);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, logins) = (stream.unwrap(), Arc::clone(&counted));
                std::thread::spawn(move || {
                    let (mut request, mut n) = ([0; 8192], 0);
                    let text = loop {
                        n += stream.read(&mut request[n..]).unwrap();
                        let text = String::from_utf8_lossy(&request[..n]);
                        if text.ends_with("\r\n\r\n") && text.starts_with("GET")
                            || text.ends_with('}')
                        {
                            break text;
                        }
                    };
                    const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmVk";
                    let is_login = text.starts_with("POST /login ") && text.contains("correct");
                    let is_own = text.starts_with("GET /me ") && text.contains(TOKEN);
                    let (status, body) =
                        if is_login && logins.fetch_add(1, Ordering::Relaxed) < accepted {
                            ("200 OK", format!("{{\"access_token\":\"{TOKEN}\"}}"))
                        } else if is_own {
                            ("200 OK", "{\"me\":1}".to_owned())
                        } else {
                            ("401 Unauthorized", "{\"error\":\"no\"}".to_owned())
                        };
                    let length = body.len();
                    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n");
                    let answer = format!("{head}connection: close\r\n\r\n{body}");
                    stream.write_all(answer.as_bytes()).unwrap();
                });
            }
        });
        let mut options = Options::new(target.parse().unwrap());
        options.login = Some("POST /login json:/username json:/password".parse().unwrap());
        options.accounts = vec![Account {
            name: "synthetic".into(),
            password: Secret::new("correct".into()),
        }];
        options.protected = Some(Route::parse("/me", "GET").unwrap());
        options.pace = 1000.0;
        options.only = NEIGHBOURS.map(str::to_owned).to_vec();
        let report = scan(options, Arc::default(), Box::new(|_| {})).await;
        (report.unwrap(), logins.load(Ordering::Relaxed))
    }

    /// The successful logins of learning.
    const LEARNED: u32 = 2;

    #[tokio::test]
    async fn concurrent_checks_share_one_login() {
        let (report, logins) = scanned(u32::MAX).await;
        assert_eq!(logins, LEARNED + 1);
        let measured = report.endpoints.iter().any(|one| one.kind == "protected");
        assert!(measured, "the report does not contain the measured route");
    }

    #[tokio::test]
    async fn concurrent_checks_share_one_rejected_login() {
        let (report, logins) = scanned(LEARNED).await;
        assert_eq!(logins, LEARNED + 1);
        let mut verdicts = report.verdicts.iter();
        assert!(verdicts.all(|one| one.verdict == VerdictKind::Inconclusive));
    }
}
