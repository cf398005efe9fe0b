//! `doorwarden scan`.

use std::{
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use doorwarden_decision::Login;
use doorwarden_scan::{
    Account, Baseline, Fields, InvalidFields, Options, Plan, Registration, Report, Route,
    ScanError, Secret, Severity, Signed, Target, TokenPlace,
};

use time::OffsetDateTime;

use crate::{Failure, interrupt, operator, policy, progress};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Print the token that proves the target to be yours, and where to put it
    #[arg(long)]
    prove: bool,
    /// Print what would be sent and what of the target is understood; tries no login, but reads the
    /// target's documents
    #[arg(long)]
    plan: bool,
    /// How to report (repeatable with --output)
    #[arg(long, value_enum, default_value = "text")]
    format: Vec<Format>,
    /// Write the reports into this folder: report.txt, .json, .html, .md, .sarif, .xml
    #[arg(long)]
    output: Option<PathBuf>,
    /// Exit with 1 at findings of this severity and over
    #[arg(long, value_enum, default_value = "low")]
    fail_on: FailOn,
    /// Findings that are accepted for now, each with a reason and an end; they don't count
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write a baseline of what was found, for its reasons to be written in
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
    /// Write a configuration of the guard that closes what was found
    #[arg(long, value_name = "FILE")]
    write_policy: Option<PathBuf>,
    /// The file that SARIF findings are placed in where the target has no OpenAPI document
    #[arg(long, value_name = "PATH", default_value = "doorwarden.toml")]
    sarif_file: String,
    /// Exit with 1 when the score is lower, or there is none
    #[arg(long)]
    min_score: Option<u32>,
}

/// What is scanned, and how: what `scan` and `watch` share.
#[derive(clap::Args)]
pub(crate) struct Asked {
    /// The application: http://127.0.0.1:8000, or https://HOST with a proof that it is yours
    pub(crate) url: Target,
    /// The login, such as 'POST /token form:username form:password' [default: from its OpenAPI]
    #[arg(long)]
    login: Option<Login>,
    /// A test account with its right password, as name:password (repeatable)
    #[arg(long, value_name = "NAME:PASSWORD")]
    account: Vec<String>,
    /// A file of test accounts, a name:password a line
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// Register test accounts, at this endpoint or the one that its OpenAPI names
    #[arg(long, value_name = "ENDPOINT", num_args = 0..=1, default_missing_value = "discover")]
    register: Option<String>,
    /// Where the login's answer has its token, and how it is carried: 'json:/data/token',
    /// 'json:/token Token', 'json:/token header:X-Auth', 'cookie:session' [default: found]
    #[arg(long, value_name = "PLACE")]
    token: Option<TokenPlace>,
    /// A route that asks for the login's token, such as /me [default: from its OpenAPI]
    #[arg(long, value_name = "ROUTE")]
    protected: Option<String>,
    /// The logout, such as 'POST /logout' [default: from its OpenAPI]
    #[arg(long, value_name = "ROUTE")]
    logout: Option<String>,
    /// Where refresh tokens are exchanged, such as 'POST /refresh' [default: from its OpenAPI]
    #[arg(long, value_name = "ROUTE")]
    refresh: Option<String>,
    /// Where a new password is asked for by mail, such as 'POST /forgot json:/email' [default: from
    /// its OpenAPI]
    #[arg(long, value_name = "ROUTE FIELD")]
    reset: Option<String>,
    /// Where a password is changed, such as 'POST /password json:/old json:/new' [default: from its
    /// OpenAPI]; tried on accounts that --register made only
    #[arg(long, value_name = "ROUTE OLD NEW")]
    change_password: Option<String>,
    /// A route that wants signed requests, such as 'GET /orders'; its key is in
    /// DOORWARDEN_SIGNING_KEY
    #[arg(long, value_name = "ROUTE")]
    signed: Option<String>,
    /// How its requests are signed: rfc9421, plain, or the words of a scheme:
    /// '{user}|{timestamp}|{nonce}; X-User: {user}; X-Timestamp: {timestamp}; X-Nonce: {nonce};
    /// X-Signature: {signature}'
    #[arg(long, value_name = "SCHEME", default_value = "rfc9421")]
    signing: String,
    /// Whose key it is: the keyid, or the user
    #[arg(long, value_name = "NAME", default_value = "doorwarden")]
    signing_as: String,
    /// The most requests in all
    #[arg(long, default_value_t = 250)]
    budget: u32,
    /// The most requests a second
    #[arg(long, default_value_t = 5.0)]
    pace: f64,
    /// The most failures in a row for a test account
    #[arg(long, default_value_t = 12)]
    failures: u32,
    /// An address of this machine to send from (repeatable); loopback has enough without.
    /// What a limit is keyed on takes 64, of different networks
    #[arg(long)]
    source: Vec<IpAddr>,
    /// Only this check (repeatable)
    #[arg(long)]
    check: Vec<String>,
    /// Print no plan and no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
    Html,
    Markdown,
    Sarif,
    Junit,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum FailOn {
    Info,
    Low,
    Medium,
    High,
    Never,
}

/// Test accounts, a name:password a line; kept out of process lists and shell histories.
const ACCOUNTS_VARIABLE: &str = "DOORWARDEN_ACCOUNTS";
/// The key that signs the target's JWTs: a secret, or a private key in PEM.
const JWT_KEY_VARIABLE: &str = "DOORWARDEN_JWT_KEY";
/// The key of the route that wants signed requests.
const SIGNING_KEY_VARIABLE: &str = "DOORWARDEN_SIGNING_KEY";

pub(crate) async fn scan(args: Args) -> Result<u8, Failure> {
    if args.prove {
        return prove(&args.asked.url);
    }
    if args.output.is_none() && args.format.len() > 1 {
        return Err(Failure::usage(
            "several formats need a folder: --output DIR",
        ));
    }
    let options = options(&args.asked)?;
    let baseline = args.baseline.as_deref().map(read_baseline).transpose()?;
    for new in [&args.write_baseline, &args.write_policy]
        .into_iter()
        .flatten()
    {
        if new.exists() {
            let there = format!("{} is there already; nothing is overwritten", new.display());
            return Err(Failure::usage(there));
        }
    }
    let plan = doorwarden_scan::plan(&options).map_err(Failure::usage)?;
    if args.plan {
        say!("{}", words(&plan).trim_end());
        return understood(&options).await;
    }
    if !args.asked.quiet {
        eprint!("{}", words(&plan));
    }
    let scanned = with_progress(options, interrupt::flag(), args.asked.quiet).await;
    let mut report = scanned.map_err(failure)?;
    report.baseline = baseline.map(|baseline| baseline.compare(&report, &today()));
    write(&report, &args)?;
    if let Some(path) = &args.write_baseline {
        let until = day(OffsetDateTime::now_utc().date() + BASELINE_HOLDS);
        let text = toml::to_string(&Baseline::of(&report, &until)).map_err(Failure::aborted)?;
        write_new(path, &text, &args)?;
    }
    if let Some(path) = &args.write_policy {
        let text = policy::closing(&report, &args.asked.url).map_err(Failure::aborted)?;
        write_new(path, &text, &args)?;
    }
    Ok(exit_code(&report, &args))
}

/// Prints what the target's documents tell. One that can't be asked yet has a plan all the same.
async fn understood(options: &Options) -> Result<u8, Failure> {
    match doorwarden_scan::understand(options, interrupt::flag()).await {
        Ok(routes) => {
            say!("understood");
            for (what, route) in routes {
                say!("  {what:<24} {route}");
            }
            Ok(0)
        }
        Err(error @ ScanError::NotOwned { .. }) => Err(Failure::usage(error)),
        Err(error) => {
            say!("understood nothing: {error}");
            Ok(0)
        }
    }
}

/// One scan, with a bar while it runs.
pub(crate) async fn with_progress(
    options: Options,
    interrupted: Arc<AtomicBool>,
    quiet: bool,
) -> Result<Report, ScanError> {
    let bar = progress::bar("scanning", u64::from(options.budget), quiet);
    let told = bar.clone();
    let on_progress = move |now: doorwarden_scan::Progress| {
        told.set_position(u64::from(now.requests));
        told.set_message(now.doing);
    };
    let scanned = doorwarden_scan::scan(options, interrupted, Box::new(on_progress)).await;
    bar.finish_and_clear();
    scanned
}

/// How long a new baseline's entries hold: long enough to mend them, short enough to be looked at.
const BASELINE_HOLDS: time::Duration = time::Duration::days(90);

fn today() -> String {
    day(OffsetDateTime::now_utc().date())
}

fn day(date: time::Date) -> String {
    format!(
        "{:04}-{:02}-{:02}",
        date.year(),
        u8::from(date.month()),
        date.day()
    )
}

fn read_baseline(path: &Path) -> Result<Baseline, Failure> {
    let failed = |error: &dyn std::fmt::Display| {
        Failure::usage(format!("failed to read {}: {error}", path.display()))
    };
    let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
    Baseline::parse(&text).map_err(|error| failed(&error))
}

fn write_new(path: &Path, text: &str, args: &Args) -> Result<(), Failure> {
    fs::File::create_new(path)
        .and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()))
        .map_err(|error| Failure::usage(format!("failed to write {}: {error}", path.display())))?;
    if !args.asked.quiet {
        eprintln!("wrote {}", path.display());
    }
    Ok(())
}

fn failure(error: ScanError) -> Failure {
    if error.is_usage() {
        Failure::usage(error)
    } else {
        Failure::aborted(error)
    }
}

pub(crate) fn options(asked: &Asked) -> Result<Options, Failure> {
    let mut options = Options::new(asked.url.clone());
    if !asked.url.is_loopback() {
        options.key = operator::read()?;
    }
    options.login = asked.login.clone();
    options.accounts = accounts(asked)?;
    options.registration = match asked.register.as_deref() {
        None => Registration::None,
        Some("discover") => Registration::Discover,
        Some(words) => Registration::At(words.parse().map_err(Failure::usage)?),
    };
    let route = |words: &Option<String>, method| {
        let read = words.as_ref().map(|words| Route::parse(words, method));
        read.transpose().map_err(Failure::usage)
    };
    options.token = asked.token.clone();
    options.protected = route(&asked.protected, "GET")?;
    options.logout = route(&asked.logout, "POST")?;
    options.refresh = route(&asked.refresh, "POST")?;
    let fields = |words: &Option<String>, read: fn(&str) -> Result<Fields, InvalidFields>| {
        let read = words.as_deref().map(read);
        read.transpose().map_err(Failure::usage)
    };
    options.reset = fields(&asked.reset, Fields::reset)?;
    options.change_password = fields(&asked.change_password, Fields::change)?;
    options.jwt_key = secret(JWT_KEY_VARIABLE);
    if let Some(route) = route(&asked.signed, "GET")? {
        let missing = format!("--signed needs the key in {SIGNING_KEY_VARIABLE}");
        options.signed = Some(Signed {
            route,
            scheme: asked.signing.parse().map_err(Failure::usage)?,
            key: secret(SIGNING_KEY_VARIABLE).ok_or_else(|| Failure::usage(missing))?,
            user: asked.signing_as.clone(),
        });
    }
    if !(0.1..=1000.0).contains(&asked.pace) {
        return Err(Failure::usage(
            "--pace is from 0.1 to 1000 requests a second",
        ));
    }
    if asked.budget == 0 || asked.budget > 10_000 {
        return Err(Failure::usage("--budget is from 1 to 10000 requests"));
    }
    options.budget = asked.budget;
    options.pace = asked.pace;
    options.failures_per_account = asked.failures;
    options.sources = asked.source.clone();
    options.only = asked.check.clone();
    Ok(options)
}

fn secret(variable: &str) -> Option<Secret> {
    let text = std::env::var(variable).ok()?;
    (!text.is_empty()).then(|| Secret::new(text))
}

/// From the command line, then the file, then the environment.
fn accounts(asked: &Asked) -> Result<Vec<Account>, Failure> {
    // Parsed here and not by clap, whose error would repeat the password.
    let wrong = || Failure::usage("--account is written as name:password");
    let given = asked
        .account
        .iter()
        .map(|words| Account::parse(words).ok_or_else(wrong));
    let mut accounts = given.collect::<Result<Vec<_>, _>>()?;
    let mut add = |text: &str, place: &str| {
        let read = Account::parse_lines(text);
        let read =
            read.map_err(|error| Failure::usage(format!("failed to read {place}: {error}")))?;
        accounts.extend(read);
        Ok::<_, Failure>(())
    };
    if let Some(path) = &asked.accounts {
        let place = path.display().to_string();
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::usage(format!("failed to read {place}: {error}")))?;
        add(&text, &place)?;
    }
    if let Ok(text) = std::env::var(ACCOUNTS_VARIABLE) {
        add(&text, ACCOUNTS_VARIABLE)?;
    }
    Ok(accounts)
}

fn prove(target: &Target) -> Result<u8, Failure> {
    if target.is_loopback() {
        say!("{target} is on this machine and needs no proof.");
        return Ok(0);
    }
    let token = operator::read_or_make()?.token(target);
    say!("{token}\n");
    say!("Put this line in {target}/.well-known/doorwarden.txt");
    if let Some(record) = target.dns_record() {
        say!("or in a DNS TXT record at {record}");
    }
    say!("It proves nothing to whoever does not have your operator key.");
    Ok(0)
}

fn words(plan: &Plan) -> String {
    let login = plan.login.as_deref().unwrap_or("from its OpenAPI document");
    let ownership = match plan.ownership {
        Some(_) => "on this machine",
        None => "to be proven by the operator's token on it or in its DNS",
    };
    let mut text = format!(
        "target    {} ({ownership})\nlogin     {login}\naccounts  {} given, {} to be registered\n\
         sources   {}\nlimits    {} requests, {} a second, {} failures in a row for an account\n",
        plan.target,
        plan.accounts,
        plan.registered,
        plan.sources,
        plan.budget,
        plan.pace,
        plan.failures_per_account
    );
    let beside = "proof, discovery, registering, learning, tidying";
    text.push_str(&format!("  {beside}: at most {} requests\n", plan.beside));
    for check in &plan.checks {
        let sends = match check.requests {
            0 => "reads what others were answered".to_owned(),
            most => format!("at most {most} requests"),
        };
        text.push_str(&format!("  {:<24} {sends}\n", check.id));
    }
    text
}

fn write(report: &Report, args: &Args) -> Result<(), Failure> {
    let render = |format| match format {
        Format::Text => Ok(report.text()),
        Format::Json => report.json().map_err(Failure::aborted),
        Format::Html => report.html().map_err(Failure::aborted),
        Format::Markdown => Ok(report.markdown()),
        Format::Sarif => Ok(format!("{:#}", report.sarif(&args.sarif_file))),
        Format::Junit => report.junit().map_err(Failure::aborted),
    };
    let Some(folder) = &args.output else {
        for format in &args.format {
            say!("{}", render(*format)?.trim_end());
        }
        return Ok(());
    };
    for format in &args.format {
        let name = match format {
            Format::Text => "report.txt",
            Format::Json => "report.json",
            Format::Html => "report.html",
            Format::Markdown => "report.md",
            Format::Sarif => "report.sarif",
            Format::Junit => "report.xml",
        };
        let path = folder.join(name);
        let text = render(*format)?;
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| {
                Failure::usage(format!("failed to write {}: {error}", path.display()))
            })?;
        if !args.asked.quiet {
            eprintln!("wrote {}", path.display());
        }
    }
    Ok(())
}

fn exit_code(report: &Report, args: &Args) -> u8 {
    let least = match args.fail_on {
        FailOn::Info => Some(Severity::Info),
        FailOn::Low => Some(Severity::Low),
        FailOn::Medium => Some(Severity::Medium),
        FailOn::High => Some(Severity::High),
        FailOn::Never => None,
    };
    let accepted = |check: &str| {
        let baseline = report.baseline.as_ref();
        baseline.is_some_and(|baseline| baseline.accepts(check))
    };
    let counts = report
        .verdicts
        .iter()
        .filter(|verdict| !accepted(&verdict.check));
    let worst = counts.filter_map(|verdict| verdict.severity).max();
    let failing = least.is_some_and(|least| worst.is_some_and(|worst| worst >= least));
    let score = report.score.as_ref().map_or(0, |score| score.score);
    let poor = args.min_score.is_some_and(|least| score < least);
    if failing || poor {
        1
    } else if report.aborted.is_some() {
        3
    } else if worst.is_none_or(|worst| worst == Severity::Info)
        && report.verdicts.iter().any(|verdict| verdict.inconclusive)
    {
        4
    } else {
        0
    }
}
