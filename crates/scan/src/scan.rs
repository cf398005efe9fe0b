//! One scan, from the proof of ownership to the report.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, atomic::AtomicBool},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use doorwarden_decision::{Login, Shape};
use futures_util::stream::{self, StreamExt};
use rand::rngs::StdRng;

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

/// How many accounts are registered: an own one, two to exhaust, one whose password is sprayed,
/// and ten to spray and to compare.
const REGISTERED: usize = 14;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The target is not on loopback and carries no proof.
    #[error(
        "failed to prove that {target} is yours; put the token that `doorwarden scan --prove \
         {target}` prints in {target}{file}{dns}, with the same key",
        file = target::WELL_KNOWN,
        dns = record.as_ref().map(|r| format!(" or in a DNS TXT record at {r}")).unwrap_or_default()
    )]
    NotOwned {
        /// The target.
        target: String,
        /// The DNS record that could hold the token.
        record: Option<String>,
    },
    /// No login was named, and none was found.
    #[error("failed to discover a login: {0}")]
    Discover(String),
    /// The login's answers make no sense.
    #[error("failed to learn the login: {0}")]
    Learn(String),
    /// Test accounts could not be registered.
    #[error("failed to register a test account: {0}")]
    Register(String),
    /// A check that doesn't exist.
    #[error("there is no check `{0}`; `doorwarden explain` lists them")]
    NoSuchCheck(String),
    /// The target can't be reached, or the scan was broken off.
    #[error("failed to scan {target}: {reason}")]
    Stopped {
        /// The target.
        target: String,
        /// Why.
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

    /// Whether it is a mistake in how the scan was asked for, rather than the target's state.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Stopped { .. })
    }
}

/// What a scan would send.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The target.
    pub target: String,
    /// Why it may be scanned; `None`: the target itself has to be asked.
    pub ownership: Option<Ownership>,
    /// The login, where one was named.
    pub login: Option<String>,
    /// Test accounts that were given.
    pub accounts: usize,
    /// Test accounts that would be registered.
    pub registered: usize,
    /// The checks, and the most that each sends.
    pub checks: Vec<PlannedCheck>,
    /// The most requests beside the checks: proof, discovery, learning, registering, tidying up.
    pub beside: u32,
    /// The most requests in all.
    pub budget: u32,
    /// Requests a second.
    pub pace: f64,
    /// The most failures in a row for an account.
    pub failures_per_account: u32,
    /// Where requests come from.
    pub sources: String,
}

/// A check in a plan.
#[derive(Clone, Copy, Debug)]
pub struct PlannedCheck {
    /// Its id.
    pub id: &'static str,
    /// The most requests that it sends.
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

/// What [`scan`] would do. Sends nothing.
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
        "one address; what a limit is keyed on can't be told (see --source)".to_owned()
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
        // The first twice, with the page between, where it wants something sent back.
        _ => REGISTERED as u32 + 2,
    };
    // Twice, with the login's page between, where it wants something sent back.
    let learning = 2 * LEARNING + 1;
    proof + finding + registering + learning + probe::RESERVE
}

/// Scans. `interrupted` ends it early, with what it knows; `on_progress` hears of each request.
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
            "the test accounts' names have no letters, so a name that nobody has can't be invented \
             in their form; give others, or use --register"
                .into(),
        ),
        Opening::NoAccount => ScanError::Learn(
            "it takes a test account to tell right from wrong; give one with --account, or let \
             one be registered with --register"
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

/// What of a target is understood, each route with what it is. Documents, metadata and a GraphQL
/// schema are read, once the target is proven; no login is tried.
pub async fn understand(
    options: &Options,
    interrupted: Arc<AtomicBool>,
) -> Result<Vec<(&'static str, String)>, ScanError> {
    let mut probe = Probe::new(options, interrupted, Box::new(|_| {}));
    let (_, found) = enter(options, None, &mut probe).await?;
    Ok(found.words())
}

/// The proof, and what the target's documents tell. With an account, the usual paths are tried too
/// where nothing names the login.
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
    probe.doing("proving ownership");
    probe.pin().await.map_err(stopped)?;
    let proof = target::prove(&options.target, options.key.as_ref(), probe).await;
    let ownership = proof.map_err(stopped)?.ok_or_else(not_owned)?;
    probe.doing("finding the login");
    let found = endpoints(options, account, probe).await;
    let found = found.map_err(|error| match error {
        Undiscovered::Stop(stop) => stopped(stop),
        other => ScanError::Discover(other.to_string()),
    })?;
    Ok((ownership, found))
}

/// The checks, in the order they run in. Several judge one measurement of the limits; the first
/// of those is charged with it.
fn chosen(options: &Options) -> Result<Vec<&'static Check>, ScanError> {
    let known = |id: &String| checks::find(id).ok_or_else(|| ScanError::NoSuchCheck(id.clone()));
    if options.only.is_empty() {
        return Ok(checks::ALL.to_vec());
    }
    options.only.iter().map(known).collect()
}

/// The login and the registration: named, or discovered.
async fn endpoints(
    options: &Options,
    account: Option<&Account>,
    probe: &mut Probe,
) -> Result<Discovered, Undiscovered> {
    let registers = options.registration == Registration::Discover;
    let needs_login = options.login.is_none();
    let mut found = match discover(probe, needs_login).await {
        Err(Undiscovered::Stop(stop)) => return Err(stop.into()),
        // What is named needs no document.
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
        // Named, so it is meant to ask for the token.
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

/// Who is tried. There are no other names: what was not given, registered or invented here can't
/// be named.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who<'a> {
    /// A test account.
    Own(&'a Account),
    /// A name that nobody has.
    Nobody(&'a Invented),
}

/// A name that nobody has.
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

/// A scan under way: the login is understood and there are accounts.
pub(crate) struct Session {
    pub(crate) probe: Probe,
    pub(crate) learned: Learned,
    /// What the login's page wants sent back.
    along: Option<Along>,
    inventor: Inventor<StdRng>,
    /// The first is the scanner's own: it never fails but to learn. The second and third get
    /// exhausted, the fourth's password is sprayed, the others are compared and sprayed. With
    /// fewer they stand in for each other; what then can't be told is said.
    accounts: Vec<Account>,
    /// Names that the coin did not register.
    unregistered: Vec<String>,
    failures: HashMap<String, u32>,
    most_failures: u32,
    /// Measured once, judged by several checks.
    pub(crate) limits: Option<Result<LimitFacts, Stop>>,
    pub(crate) spray: Option<checks::spray_unseen::Facts>,
    /// Whether there is an account that the scanner may log in with.
    has_account: bool,
    /// Whether one check has the whole budget.
    pub(crate) is_alone: bool,
    /// What the target's document told.
    pub(crate) found: Discovered,
    /// Measured once, judged by several checks.
    pub(crate) access: Option<Arc<Access>>,
    pub(crate) locks: Option<Result<Locks, Stop>>,
    pub(crate) long_passwords: Option<checks::long_passwords::Facts>,
    pub(crate) signing: Option<Arc<checks::signing::Controls>>,
    /// How accounts are registered here, where they are, and how that is answered.
    pub(crate) registration: Option<Registered>,
    /// The key that signs the target's JWTs, if the operator gave it.
    pub(crate) jwt_key: Option<Secret>,
    /// The word before the token, where it is not `Bearer`.
    pub(crate) token_word: Option<String>,
    /// Where the operator says that tokens are.
    pub(crate) token: Option<TokenPlace>,
    /// What the operator said of signed requests.
    pub(crate) signed: Option<Signed>,
}

/// A registration that worked.
#[derive(Clone, Debug)]
pub(crate) struct Registered {
    endpoint: Login,
    /// What the registration's page wants sent back.
    along: Option<Along>,
    /// How it answers a name that nobody has.
    pub(crate) usual: Signature,
}

/// Why a check can't tell without an account.
pub(crate) const NEEDS_ACCOUNT: &str =
    "it takes a test account; give one with --account, or let some be registered with --register";

/// So many accounts give each role an account of its own.
const ALL_ROLES: usize = 12;

/// Checks that run at once, of those that may.
const SIDE_BY_SIDE: usize = 4;

/// Logins that learning takes.
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
        // Registered accounts first, so that names that exist and names that don't are alike.
        let (mut accounts, unregistered, registration) = if registers {
            let missing = || {
                Opening::Register("the OpenAPI document names no registration; name it: --register 'POST /register json:/username json:/password'".into())
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
        probe.doing("learning right and wrong");
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
            access: None,
            has_account: true,
            is_alone: options.only.len() == 1,
            locks: None,
            long_passwords: None,
            signing: None,
            registration,
            jwt_key: options.jwt_key.clone(),
            token_word: None,
            token: options.token.clone(),
            signed: options.signed.clone(),
        })
    }

    /// A session in which nobody can log in: its own account is a name that nobody has.
    async fn without_account(
        options: &Options,
        mut probe: Probe,
        mut inventor: Inventor<StdRng>,
        login: Login,
        found: &Discovered,
    ) -> Result<Self, Opening> {
        probe.doing("learning how a login is refused");
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
            access: None,
            has_account: false,
            is_alone: options.only.len() == 1,
            locks: None,
            long_passwords: None,
            signing: None,
            registration: None,
            jwt_key: None,
            token_word: None,
            token: None,
            signed: None,
        };
        session.access = Some(Arc::new(access::of_nobody(&mut session).await?));
        Ok(session)
    }

    /// Runs the checks in their order. A stop ends the scan; the checks that did not run are
    /// skipped with its reason.
    /// Neighbours that may run side by side do, a few at a time.
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

    /// Runs one check; a stop that ends the scan comes back too.
    async fn judge(&mut self, check: &'static Check) -> (Judged, Option<String>) {
        let before = self.probe.sent_here();
        self.probe.doing(check.id);
        let mut ended = None;
        let can_tell = self.has_account || checks::WITHOUT_ACCOUNT.contains(&check.id);
        let outcome = match can_tell {
            true => (check.run)(self).await,
            false => Err(Stop::Check(NEEDS_ACCOUNT.into())),
        };
        let budget_exhausted = matches!(outcome, Err(Stop::Budget(_)));
        let verdict = match outcome {
            Ok(verdict) => verdict,
            Err(Stop::Check(reason)) => Verdict::inconclusive(reason),
            // Others may need none, or fewer.
            Err(stop @ Stop::Budget(_)) => Verdict::inconclusive(stop.to_string()),
            Err(stop) => {
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
        (judged, ended)
    }

    /// The same session for a check that runs beside others: it knows what this one knows, and what
    /// it learns ends with it.
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
            access: self.access.clone(),
            locks: None,
            long_passwords: None,
            signing: None,
            registration: self.registration.clone(),
            jwt_key: self.jwt_key.clone(),
            token_word: self.token_word.clone(),
            token: self.token.clone(),
            signed: self.signed.clone(),
        }
    }

    /// Logs in rightly where an account has failed, so that no failures are left standing, with
    /// the requests that were kept back for it. What can't be done is left: the failures are in
    /// the list of side effects.
    async fn tidy_up(&mut self) {
        self.probe.tidy_up();
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

    pub(crate) fn failures_of(&self, name: &str) -> u32 {
        self.failures.get(name).copied().unwrap_or_default()
    }

    /// How often an account may still fail in a row.
    pub(crate) fn failures_left(&self, name: &str) -> u32 {
        self.most_failures.saturating_sub(self.failures_of(name))
    }

    /// Accounts with failures that a last right login has not ended.
    pub(crate) fn left_failing(&self) -> impl Iterator<Item = (&str, u32)> {
        let failing = self.failures.iter().filter(|(_, failures)| **failures > 0);
        failing.map(|(name, failures)| (name.as_str(), *failures))
    }

    pub(crate) fn own(&self) -> Account {
        self.account(0)
    }

    /// The account for a role; the last one stands in where there are too few.
    pub(crate) fn account(&self, role: usize) -> Account {
        self.accounts[role.min(self.accounts.len() - 1)].clone()
    }

    /// How many accounts there are.
    pub(crate) fn accounts_known(&self) -> usize {
        self.accounts.len()
    }

    /// The account whose password is sprayed on the others.
    pub(crate) fn canary(&self) -> Account {
        if self.accounts.len() < ALL_ROLES {
            self.own()
        } else {
            self.account(3)
        }
    }

    /// Accounts to compare and to spray: those without another role. Where there are too few, the
    /// scanner's own and the first that gets exhausted are left out as long as there is another.
    pub(crate) fn pool(&self) -> Vec<Account> {
        let kept = match self.accounts.len() {
            n if n < ALL_ROLES => 2.min(n - 1),
            _ => 4,
        };
        self.accounts[kept..].to_vec()
    }

    /// A name that nobody has: one that was invented for registration and not registered, so that
    /// a coin decided which exist, or a new one.
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

    /// Ten letters that mean nothing.
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

    /// A fresh address where there are many, the default one where there is no choice, and an end
    /// of the check when the choice is used up.
    pub(crate) fn need_source(&mut self) -> Result<Source, Stop> {
        if !self.probe.has_sources() {
            return Ok(None);
        }
        let none = || Stop::Check("it needs more source addresses; give them with --source".into());
        self.fresh_source().ok_or_else(none)
    }

    /// Tries a password that is wrong for `who`.
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

    /// Tries one wrong password on two names, back to back.
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

    /// Logs in rightly.
    pub(crate) async fn right(
        &mut self,
        source: Source,
        account: &Account,
    ) -> Result<(Answer, Class), Stop> {
        self.right_with(source, account, Vec::new()).await
    }

    /// Logs in rightly, with more headers.
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

    /// Logs in rightly by a request of another form.
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

    /// The right login of an account under another spelling of its name.
    pub(crate) fn spelled(&self, account: &Account, spelling: &str) -> Request {
        self.request(spelling, &account.password)
    }

    /// The right login as a form, where it takes JSON.
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

    /// A login with what its page wants sent back.
    fn sent_along(&self, request: Request) -> Request {
        match &self.along {
            Some(along) => along.send_with(request),
            None => request,
        }
    }

    /// Tries wrong passwords on one name, all at once, each from its address.
    pub(crate) async fn wrong_together(
        &mut self,
        sources: Vec<Source>,
        who: Who<'_>,
    ) -> Result<Vec<Result<(Answer, Class), Stop>>, Stop> {
        if let Who::Own(account) = who
            && self.failures_left(&account.name) < sources.len() as u32
        {
            return Err(Stop::Check(
                "it needs more failures of an account than are allowed".into(),
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

    /// Sends so many wrong passwords of an account in one request.
    pub(crate) async fn wrong_as(
        &mut self,
        account: &Account,
        passwords: u32,
        request: Request,
    ) -> Result<(Answer, Class), Stop> {
        if self.failures_left(&account.name) < passwords {
            return Err(Stop::Check(
                "it needs more failures of an account than are allowed".into(),
            ));
        }
        let source = self.need_source()?;
        let request = self.sent_along(request);
        let answer = self.probe.send(source, request).await?;
        *self.failures.entry(account.name.clone()).or_default() += passwords;
        Ok(self.note(&account.name, &account.password, answer))
    }

    /// Whether a name was made up here: what is done to its spelling is nobody else's name.
    pub(crate) fn is_ours(&self, account: &Account) -> bool {
        account.name.starts_with("dwtest-")
    }

    /// Registers an account, where that worked before; what it is answered is masked.
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

    /// A name that nobody has, to be registered.
    pub(crate) fn new_name(&mut self) -> String {
        let Invented(name) = self.nobody();
        name
    }

    /// The last test account, if it was registered here: what it has may be changed.
    pub(crate) fn spare(&self) -> Option<Account> {
        let ours = |account: &&Account| account.name.starts_with("dwtest-");
        let spare = self.accounts.last().filter(ours);
        spare.filter(|_| self.accounts.len() >= ALL_ROLES).cloned()
    }

    /// Remembers that an account has another password now.
    pub(crate) fn password_changed(&mut self, account: &Account) {
        let known = self
            .accounts
            .iter_mut()
            .find(|known| known.name == account.name);
        if let Some(known) = known {
            known.password = account.password.clone();
        }
    }

    /// The time, in seconds since 1970.
    pub(crate) fn now(&self) -> f64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(0.0, |now| now.as_secs_f64())
    }

    /// Sends what names somebody and is no login.
    pub(crate) async fn ask_about(&mut self, name: &str, request: Request) -> Result<Answer, Stop> {
        let mut answer = self.ask(request).await?;
        answer.echoes.names.push(name.to_owned());
        Ok(answer)
    }

    /// Sends what is no login.
    pub(crate) async fn ask(&mut self, request: Request) -> Result<Answer, Stop> {
        self.ask_from(None, request).await
    }

    /// The same from another address.
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
            let reason = format!("it needs more than {most} failures in a row for an account");
            return Err(Stop::Check(reason));
        }
        Ok(self.request(who.name(), password))
    }

    fn request(&self, name: &str, password: &Secret) -> Request {
        self.sent_along(Request::login(&self.learned.login, name, password.expose()))
    }

    /// Notes a wrong login. Counts failures in a row of test accounts, as lockouts do.
    fn settle(&mut self, who: Who<'_>, password: &Secret, answer: Answer) -> (Answer, Class) {
        if let Who::Own(account) = who {
            *self.failures.entry(account.name.clone()).or_default() += 1;
        }
        self.note(who.name(), password, answer)
    }

    /// Notes what a login leaves on the target, and what its answer may echo.
    fn note(&mut self, name: &str, password: &Secret, mut answer: Answer) -> (Answer, Class) {
        answer.echoes = echoes(&self.accounts, name, password);
        let class = self.learned.class(&answer);
        self.probe.note_side_effect(match class {
            Class::Right => "right logins (sessions or tokens were issued)",
            Class::Wrong | Class::Other => "failed or refused logins",
        });
        (answer, class)
    }
}

/// All names and passwords that an answer may repeat: any answer may name any account, and what is
/// masked for one side of a comparison must be masked for the other.
fn echoes(accounts: &[Account], name: &str, password: &Secret) -> Echoes {
    let names = accounts.iter().map(|account| account.name.clone());
    let passwords = accounts.iter().map(|account| account.password.clone());
    Echoes {
        names: names.chain([name.to_owned()]).collect(),
        passwords: passwords.chain([password.clone()]).collect(),
    }
}

/// Learns the login; where the right password is refused, once more with what the login's page gives
/// to be sent back.
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

/// Learns from one right and two wrong logins of the scanner's own account, and holds that against
/// a second right one, from another address: where that is answered otherwise (a new device is
/// asked for more), addresses can't be changed in this scan. Returns the failures that are left too.
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

const REGISTERED_EFFECT: &str = "accounts named dwtest-… registered; they are left in place";

/// Whether names are mail addresses there.
fn takes_mail(registration: &Login) -> bool {
    let field = match &registration.shape {
        Shape::Json { account, .. } | Shape::Form { account, .. } => account.as_str(),
        // What stands before the name's place, back to the field before it.
        Shape::Body(body) => body
            .split("{{account}}")
            .next()
            .and_then(|before| before.rsplit(['{', ',', '&', '(']).next())
            .unwrap_or_default(),
        Shape::Basic => "",
    };
    field.to_lowercase().contains("mail")
}

/// Registers accounts: of each two names, a coin decides which exists, so that a difference between
/// existing and absent ones is caused by existence. The others come back too.
async fn register(
    registration: &Login,
    probe: &mut Probe,
    inventor: &mut Inventor<StdRng>,
) -> Result<(Vec<Account>, Vec<String>, Option<Registered>), Opening> {
    probe.doing("registering test accounts");
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
                return Err(Opening::Register(format!("{path} answered {told}")));
            }
            // A limit on registrations: what there is has to do.
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
