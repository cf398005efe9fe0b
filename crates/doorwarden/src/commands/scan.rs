//! `doorwarden scan`.

use std::{
    fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use doorwarden_decision::Login;
use doorwarden_scan::{
    Account, Baseline, Fields, InvalidFields, Options, Registration, Report, Route, ScanError,
    Secret, Severity, Signed, Target, TokenPlace,
};

use time::OffsetDateTime;

use crate::{Failure, interrupt, logging::Output, operator, out, policy, progress};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) request: ScanArgs,
    /// Print the token that proves that the target is yours, and where to publish it
    #[arg(long)]
    prove: bool,
    /// Show the planned requests and the discovered endpoints. Reads the target's API documents but
    /// attempts no login
    #[arg(long)]
    plan: bool,
    /// The report's format (repeatable with --output)
    #[arg(long, value_enum, default_value = "text")]
    format: Vec<Format>,
    /// Write the reports to this directory: report.txt, .json, .html, .md, .sarif, .xml
    #[arg(long)]
    output: Option<PathBuf>,
    /// Exit with 1 on findings of this severity or higher
    #[arg(long, value_enum, default_value = "low")]
    fail_on: FailOn,
    /// A file of accepted findings, each with a reason and an expiry date; they do not count
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write a baseline of the current findings, with a `reason` to fill in for each
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
    /// Write a guard configuration that fixes the findings a guard can fix
    #[arg(long, value_name = "FILE")]
    write_policy: Option<PathBuf>,
    /// The file that SARIF results refer to if the target has no OpenAPI document
    #[arg(long, value_name = "PATH", default_value = "doorwarden.toml")]
    sarif_file: String,
    /// Exit with 1 if the score is lower, or missing
    #[arg(long)]
    min_score: Option<u32>,
}

/// The target and how to scan it: the options that `scan` and `watch` share.
#[derive(clap::Args)]
pub(crate) struct ScanArgs {
    /// The application: http://127.0.0.1:8000, or https://HOST with a proof of ownership
    pub(crate) url: Target,
    /// The login, such as 'POST /token form:username form:password' [default: discovered]
    #[arg(long)]
    login: Option<Login>,
    /// A test account and its password, as name:password (repeatable)
    #[arg(long, value_name = "NAME:PASSWORD")]
    account: Vec<String>,
    /// A file of test accounts, one name:password per line
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// Register test accounts, at this endpoint or at the one that the OpenAPI document names
    #[arg(long, value_name = "ENDPOINT", num_args = 0..=1, default_missing_value = "discover")]
    register: Option<String>,
    /// Where the login response holds the token, and how to send it: 'json:/data/token',
    /// 'json:/token Token', 'json:/token header:X-Auth', 'cookie:session' [default: discovered]
    #[arg(long, value_name = "PLACE")]
    token: Option<TokenPlace>,
    /// A route that requires the login's token, such as /me [default: discovered]
    #[arg(long, value_name = "ROUTE")]
    protected: Option<String>,
    /// The logout, such as 'POST /logout' [default: discovered]
    #[arg(long, value_name = "ROUTE")]
    logout: Option<String>,
    /// The endpoint that exchanges refresh tokens, such as 'POST /refresh' [default: discovered]
    #[arg(long, value_name = "ROUTE")]
    refresh: Option<String>,
    /// The endpoint that requests a password-reset email, such as 'POST /forgot json:/email'
    /// [default: discovered]
    #[arg(long, value_name = "ROUTE FIELD")]
    reset: Option<String>,
    /// The endpoint that changes a password, such as 'POST /password json:/old json:/new'
    /// [default: discovered]; used only with accounts that --register created
    #[arg(long, value_name = "ROUTE OLD NEW")]
    change_password: Option<String>,
    /// A route that requires signed requests, such as 'GET /orders'; the key is read from
    /// DOORWARDEN_SIGNING_KEY
    #[arg(long, value_name = "ROUTE")]
    signed: Option<String>,
    /// How its requests are signed: rfc9421, plain, or a template:
    /// '{user}|{timestamp}|{nonce}; X-User: {user}; X-Timestamp: {timestamp}; X-Nonce: {nonce};
    /// X-Signature: {signature}'
    #[arg(long, value_name = "SCHEME", default_value = "rfc9421")]
    signing: String,
    /// The owner of the signing key: the keyid, or the user
    #[arg(long, value_name = "NAME", default_value = "doorwarden")]
    signing_as: String,
    /// The maximum number of requests
    #[arg(long, default_value_t = 250)]
    budget: u32,
    /// The maximum number of requests per second
    #[arg(long, default_value_t = 5.0)]
    pace: f64,
    /// The maximum number of consecutive failed logins per test account
    #[arg(long, default_value_t = 12)]
    failures: u32,
    /// An IP address of this machine to send from (repeatable); not needed on loopback.
    /// Measuring what a limit counts takes 64 addresses in different networks
    #[arg(long)]
    source: Vec<IpAddr>,
    /// Run only this check (repeatable)
    #[arg(long)]
    check: Vec<String>,
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

/// Test accounts, one name:password per line; kept out of process lists and shell histories.
const ACCOUNTS_VARIABLE: &str = "DOORWARDEN_ACCOUNTS";
/// The key that signs the target's JWTs: a secret, or a private key in PEM.
const JWT_KEY_VARIABLE: &str = "DOORWARDEN_JWT_KEY";
/// The key of the route that requires signed requests.
const SIGNING_KEY_VARIABLE: &str = "DOORWARDEN_SIGNING_KEY";

pub(crate) async fn scan(args: Args, output: &Output) -> Result<u8, Failure> {
    if args.prove {
        return prove(&args.request.url);
    }
    if args.output.is_none() && args.format.len() > 1 {
        return Err(Failure::usage(
            "several formats need a directory: --output DIR",
        ));
    }
    let options = options(&args.request)?;
    let baseline = args.baseline.as_deref().map(read_baseline).transpose()?;
    if !args.plan {
        if let Some(folder) = &args.output {
            out::prepare_directory(folder)?;
        }
        for new in [&args.write_baseline, &args.write_policy] {
            new.as_deref().map_or(Ok(()), out::check_new_file)?;
        }
    }
    let plan = doorwarden_scan::plan(&options).map_err(Failure::usage)?;
    if args.plan {
        say!("{}", plan.to_string().trim_end());
        return print_discovered(&options).await;
    }
    if !output.quiet {
        eprint!("{plan}");
    }
    let scanned = with_progress(options, interrupt::flag(), output.has_progress()).await;
    let mut report = scanned.map_err(failure)?;
    report.baseline = baseline.map(|baseline| baseline.compare(&report, &today()));
    write(&report, &args, output)?;
    if let Some(path) = &args.write_baseline {
        let until = day(OffsetDateTime::now_utc().date() + BASELINE_VALIDITY);
        let text = toml::to_string(&Baseline::of(&report, &until)).map_err(Failure::aborted)?;
        write_new(path, &text, output)?;
    }
    if let Some(path) = &args.write_policy {
        let text = policy::guard_for(&report, &args.request.url).map_err(Failure::aborted)?;
        write_new(path, &text, output)?;
    }
    let fail_on = args.fail_on.severity();
    Ok(report.exit_status(fail_on, args.min_score).code())
}

/// Prints the endpoints that the target's documents name. An unreachable target still has a plan.
async fn print_discovered(options: &Options) -> Result<u8, Failure> {
    match doorwarden_scan::understand(options, interrupt::flag()).await {
        Ok(routes) => {
            say!("discovered");
            for (what, route) in routes {
                say!("  {what:<24} {route}");
            }
            Ok(0)
        }
        Err(error @ ScanError::NotOwned { .. }) => Err(Failure::usage(error)),
        Err(error) => {
            say!("discovered nothing: {error}");
            Ok(0)
        }
    }
}

/// Scans, with a progress bar.
pub(crate) async fn with_progress(
    options: Options,
    interrupted: Arc<AtomicBool>,
    has_progress: bool,
) -> Result<Report, ScanError> {
    let bar = progress::bar("scanning", u64::from(options.budget), has_progress);
    let updated = bar.clone();
    let on_progress = move |now: doorwarden_scan::Progress| {
        updated.set_position(u64::from(now.requests));
        updated.set_message(now.doing);
    };
    let scanned = doorwarden_scan::scan(options, interrupted, Box::new(on_progress)).await;
    bar.finish_and_clear();
    scanned
}

/// How long the entries of a new baseline are valid: long enough to fix them, short enough to be reviewed.
const BASELINE_VALIDITY: time::Duration = time::Duration::days(90);

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

fn write_new(path: &Path, text: &str, output: &Output) -> Result<(), Failure> {
    fs::File::create_new(path)
        .and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()))
        .map_err(|error| Failure::usage(format!("failed to write {}: {error}", path.display())))?;
    if !output.quiet {
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

pub(crate) fn options(request: &ScanArgs) -> Result<Options, Failure> {
    let mut options = Options::new(request.url.clone());
    if !request.url.is_loopback() {
        options.key = operator::read()?;
    }
    options.login = request.login.clone();
    options.accounts = accounts(request)?;
    options.registration = match request.register.as_deref() {
        None => Registration::None,
        Some("discover") => Registration::Discover,
        Some(words) => Registration::At(words.parse().map_err(Failure::usage)?),
    };
    let route = |words: &Option<String>, method| {
        let read = words.as_ref().map(|words| Route::parse(words, method));
        read.transpose().map_err(Failure::usage)
    };
    options.token = request.token.clone();
    options.protected = route(&request.protected, "GET")?;
    options.logout = route(&request.logout, "POST")?;
    options.refresh = route(&request.refresh, "POST")?;
    let fields = |words: &Option<String>, read: fn(&str) -> Result<Fields, InvalidFields>| {
        let read = words.as_deref().map(read);
        read.transpose().map_err(Failure::usage)
    };
    options.reset = fields(&request.reset, Fields::reset)?;
    options.change_password = fields(&request.change_password, Fields::change)?;
    options.jwt_key = secret(JWT_KEY_VARIABLE);
    if let Some(route) = route(&request.signed, "GET")? {
        let missing = format!("--signed needs the key in {SIGNING_KEY_VARIABLE}");
        options.signed = Some(Signed {
            route,
            scheme: request.signing.parse().map_err(Failure::usage)?,
            key: secret(SIGNING_KEY_VARIABLE).ok_or_else(|| Failure::usage(missing))?,
            user: request.signing_as.clone(),
        });
    }
    if !(0.1..=1000.0).contains(&request.pace) {
        return Err(Failure::usage(
            "--pace must be between 0.1 and 1000 requests per second",
        ));
    }
    if request.budget == 0 || request.budget > 10_000 {
        return Err(Failure::usage(
            "--budget must be between 1 and 10000 requests",
        ));
    }
    options.budget = request.budget;
    options.pace = request.pace;
    options.failures_per_account = request.failures;
    options.sources = request.source.clone();
    options.only = request.check.clone();
    Ok(options)
}

fn secret(variable: &str) -> Option<Secret> {
    let text = std::env::var(variable).ok()?;
    (!text.is_empty()).then(|| Secret::new(text))
}

/// Collects the accounts of the command line, the file and the environment, in this order.
fn accounts(request: &ScanArgs) -> Result<Vec<Account>, Failure> {
    // Parsed here and not by clap, whose error would repeat the password.
    let wrong = || Failure::usage("--account must be name:password");
    let given = request
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
    if let Some(path) = &request.accounts {
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
        say!("{target} is on this machine and needs no proof of ownership.");
        return Ok(0);
    }
    let token = operator::read_or_create()?.token(target);
    say!("{token}\n");
    say!("Publish this line at {target}/.well-known/doorwarden.txt");
    if let Some(record) = target.dns_record() {
        say!("or as a DNS TXT record at {record}.");
    }
    say!("It is useless without your operator key.");
    Ok(0)
}

fn write(report: &Report, args: &Args, output: &Output) -> Result<(), Failure> {
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
        fs::write(&path, text).map_err(|error| {
            Failure::usage(format!("failed to write {}: {error}", path.display()))
        })?;
        if !output.quiet {
            eprintln!("wrote {}", path.display());
        }
    }
    Ok(())
}

impl FailOn {
    fn severity(self) -> Option<Severity> {
        match self {
            Self::Info => Some(Severity::Info),
            Self::Low => Some(Severity::Low),
            Self::Medium => Some(Severity::Medium),
            Self::High => Some(Severity::High),
            Self::Never => None,
        }
    }
}
