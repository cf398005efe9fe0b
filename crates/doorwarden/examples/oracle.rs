//! Every check against every login of the lab: each must fire on its own fault and be silent on
//! all else. Then again with one account and with three, where it may be inconclusive, but never
//! wrong. Prints the matrices; exits with 1 when a cell is wrong.
//!
//! `cargo xtask oracle [RUNS] [--write] [--load]`: with --load every core is kept busy beside it.
//! `cargo xtask oracle --timing [RUNS] [--write]`: how often the check of times is wrong, and whether
//! it finds a millisecond, with every core kept busy.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an oracle speaks"
)]

use std::{
    collections::BTreeMap,
    error::Error,
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use doorwarden_lab::Specimen;
use doorwarden_scan::{
    Account, Judgement, Options, Registration, Report, Route, Secret, Signed, VerdictKind, checks,
};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut takes = |word: &str| {
        let before = arguments.len();
        arguments.retain(|argument| argument != word);
        arguments.len() < before
    };
    let (writes, times, loaded) = (takes(WRITE), takes("--timing"), takes("--load"));
    if times {
        return timing(
            arguments.first().map_or(Ok(300), |runs| runs.parse())?,
            writes,
        )
        .await;
    }
    let _load = loaded.then(Load::start);
    let runs: u32 = match arguments.first() {
        Some(runs) => runs.parse()?,
        None => 1,
    };
    let mut page = heading(runs, loaded);
    let mut wrong = Vec::new();
    let mut cells = 0;
    let (mut most, mut cut) = (0, 0);
    for accounts in [Accounts::Registered, Accounts::Given(3), Accounts::Given(1)] {
        let mut table = header(accounts);
        eprintln!("{}", accounts.title());
        for specimen in doorwarden_lab::specimens() {
            let mut row: BTreeMap<&str, String> = BTreeMap::new();
            for report in scans(&specimen, accounts, accounts.runs(runs)).await? {
                most = most.max(report.requests);
                if let Some(reason) = &report.aborted {
                    wrong.push(format!("{} × the whole scan: {reason}", specimen.id));
                }
                for judgement in &report.verdicts {
                    let cut_short = judgement.budget_exhausted;
                    cells += 1;
                    cut += u32::from(cut_short);
                    if !accounts.allows(&specimen, judgement) {
                        let (id, check, reason) =
                            (specimen.id, &judgement.check, &judgement.reason);
                        wrong.push(format!(
                            "{} × {check}: {:?}: {reason}",
                            id, judgement.verdict
                        ));
                    }
                    let check = checks::find(&judgement.check).map_or("", |check| check.id);
                    row.entry(check).or_default().push(letter(judgement));
                }
            }
            let row = checks::ALL.iter().map(|check| summary(&row[check.id]));
            let row = row.collect::<Vec<_>>().join(" | ");
            table.push_str(&format!("| {:<24} | {row} |\n", specimen.id));
            eprintln!("  {:<24} at most {most} requests so far", specimen.id);
        }
        page.push_str(&table);
    }
    page.push_str(&format!(
        "\n{} of {cells} cells are right. The longest scan sent {most} requests of the 250 that are allowed; {cut} cells \
         were inconclusive because the budget was used up.\n",
        cells - wrong.len()
    ));
    println!("{page}");
    for line in &wrong {
        println!("WRONG {line}");
    }
    if writes {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/oracle.md");
        std::fs::write(docs, page)?;
    }
    Ok(if wrong.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Every core busy, until this is dropped.
struct Load(Arc<AtomicBool>);

impl Load {
    fn start() -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        for _ in 0..cores {
            let ended = Arc::clone(&ended);
            std::thread::spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    std::hint::black_box((0..10_000).fold(0u64, |sum, n| sum ^ n));
                }
            });
        }
        Self(ended)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Scans of the check of times that find something which is not there (the names that exist are
/// answered like those that don't), and that find a millisecond which is.
async fn timing(runs: u32, writes: bool) -> Result<ExitCode, Box<dyn Error>> {
    let _load = Load::start();
    let mut found = Vec::new();
    let powered = (runs / 50).clamp(20, 200);
    for (later, runs) in [(0, runs), (1_000, powered)] {
        let accounts = (0..24).map(|i| (format!("oracle-{i}-account"), format!("a password {i}")));
        let accounts: Vec<(String, String)> = accounts.collect();
        let login = doorwarden_lab::start(doorwarden_lab::timed(later), accounts.clone()).await?;
        let mut counts: BTreeMap<char, u32> = BTreeMap::new();
        let url = login.url();
        // Side by side where so many are needed that they would take an hour: each is load for the
        // others, as if there were not enough.
        let at_once = if later == 0 { SIDE_BY_SIDE } else { 1 };
        let mut scans = tokio::task::JoinSet::new();
        let mut begun = 0;
        while begun < runs || !scans.is_empty() {
            if begun < runs && scans.len() < at_once {
                scans.spawn(timed_scan(url.clone(), given(&accounts)));
                begun += 1;
                continue;
            }
            let Some(ended) = scans.join_next().await else {
                break;
            };
            let verdict = ended?.map_err(|error| error.to_string())?;
            *counts.entry(verdict).or_default() += 1;
            let done = counts.values().sum::<u32>();
            if done % 500 == 0 {
                eprintln!("  {later} µs: {done} of {runs} runs, {counts:?}");
            }
        }
        let count = |letter| counts.get(&letter).copied().unwrap_or_default();
        found.push((runs, count('F'), count('.'), count('?')));
    }
    let rows: Vec<String> = found
        .iter()
        .zip(["none", "1 ms"])
        .map(|((runs, found, passed, undecided), there)| {
            format!("| {there} | {runs} | {found} | {passed} | {undecided} |")
        })
        .collect();
    let (runs, alarms, ..) = found[0];
    let allowed = f64::from(runs) * 0.001;
    let page = format!(
        "# Error rates of enumeration-by-time\n\n`cargo xtask oracle --timing {runs} {WRITE}`: whole scans \
         of enumeration-by-time on loopback with every core kept busy; those without a difference run {SIDE_BY_SIDE} \
         at once as well. α is 0.001, so at most \
         {allowed:.0} of {runs} may be false findings.\n\n\
         | difference | scans | finding | passed | inconclusive |\n|---|---|---|---|---|\n{}\n",
        rows.join("\n")
    );
    println!("{page}");
    if writes {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/timing.md");
        std::fs::write(docs, page)?;
    }
    let (powered, seen, ..) = found[1];
    let sound = f64::from(alarms) <= allowed.max(1.0) && seen * 2 > powered;
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Scans at once.
const SIDE_BY_SIDE: usize = 16;

/// One scan of the check of times alone, and what it says.
async fn timed_scan(url: String, accounts: Vec<Account>) -> Result<char, Failed> {
    let mut options = Options::new(url.parse()?);
    options.login = Some("POST /login json:/username json:/password".parse()?);
    options.only = vec!["enumeration-by-time".into()];
    options.accounts = accounts;
    options.pace = 1000.0;
    let report = doorwarden_scan::scan(options, Default::default(), Box::new(|_| {})).await?;
    Ok(letter(&report.verdicts[0]))
}

/// Writes the page to docs/oracle.md.
const WRITE: &str = "--write";

/// What the page is, and which column is which check.
fn heading(runs: u32, loaded: bool) -> String {
    let load = if loaded { " --load" } else { "" };
    let mut page = format!(
        "# The oracle\n\n`cargo xtask oracle {runs} {WRITE}{load}`: every check against every login of the lab, \
         {runs} scans each, {AT_ONCE} at a time (with few accounts 3 at most). Each check must find its own fault and nothing else. With few accounts it may be \
         inconclusive, but never wrong.\n\n\
         F found, . passed, - not applicable, ? inconclusive. Where runs differ: the number of findings and of the \
         others, as 2F1.\n\n"
    );
    for (number, check) in checks::ALL.iter().enumerate() {
        page.push_str(&format!("{}. [{1}](checks/{1}.md)\n", number + 1, check.id));
    }
    page
}

fn header(accounts: Accounts) -> String {
    let numbers = (1..=checks::ALL.len()).map(|number| number.to_string());
    let numbers = numbers.collect::<Vec<_>>().join(" | ");
    let dashes = "---|".repeat(checks::ALL.len() + 1);
    format!(
        "\n## {}\n\n| login | {numbers} |\n|{dashes}\n",
        accounts.title()
    )
}

/// What the scanner has to work with.
#[derive(Clone, Copy)]
enum Accounts {
    Registered,
    Given(usize),
}

impl Accounts {
    fn title(self) -> String {
        match self {
            Self::Registered => "With as many accounts as it registers".into(),
            Self::Given(1) => "With one account".into(),
            Self::Given(n) => format!("With {n} accounts"),
        }
    }

    /// The whole matrix is played as often as was asked for, what less can be told of thrice.
    fn runs(self, asked: u32) -> u32 {
        match self {
            Self::Registered => asked,
            Self::Given(_) => asked.min(3),
        }
    }

    /// With all it needs, a check finds its fault and nothing else; with less, it accuses nobody
    /// wrongly and passes nobody wrongly.
    fn allows(self, specimen: &Specimen, judgement: &Judgement) -> bool {
        let fires = specimen.fires(&judgement.check);
        match (self, judgement.verdict) {
            (_, VerdictKind::Finding) => fires,
            (Self::Registered, _) => !fires,
            (Self::Given(_), VerdictKind::Passed) => !fires,
            (Self::Given(_), VerdictKind::Inconclusive | VerdictKind::NotApplicable) => true,
        }
    }
}

/// Scans at once of one login, each of an instance of its own: more than there are cores on most
/// machines that run this, so that each is load for the others.
const AT_ONCE: usize = 4;

async fn scans(
    specimen: &Specimen,
    accounts: Accounts,
    runs: u32,
) -> Result<Vec<Report>, Box<dyn Error>> {
    let mut scans: tokio::task::JoinSet<Result<Report, Failed>> = tokio::task::JoinSet::new();
    let mut reports = Vec::new();
    for _ in 0..runs {
        if scans.len() >= AT_ONCE
            && let Some(ended) = scans.join_next().await
        {
            reports.push(ended?.map_err(|error| error.to_string())?);
        }
        let specimen = specimen.clone();
        scans.spawn(async move { scan(&specimen, accounts).await });
    }
    while let Some(ended) = scans.join_next().await {
        reports.push(ended?.map_err(|error| error.to_string())?);
    }
    Ok(reports)
}

type Failed = Box<dyn Error + Send + Sync>;

async fn scan(specimen: &Specimen, accounts: Accounts) -> Result<Report, Failed> {
    let given: Vec<(String, String)> = match accounts {
        Accounts::Registered => Vec::new(),
        Accounts::Given(n) => (0..n)
            .map(|i| (format!("oracle-{i}-account"), format!("a password {i}")))
            .collect(),
    };
    let login = doorwarden_lab::start(specimen.clone(), given.clone()).await?;
    let mut options = Options::new(login.url().parse()?);
    match accounts {
        Accounts::Registered => options.registration = Registration::Discover,
        Accounts::Given(_) => {
            options.accounts = self::given(&given);
        }
    }
    options.pace = 1000.0;
    options.jwt_key = login.jwt_secret().map(Secret::new);
    if specimen.is_about_signatures() {
        options.signed = Some(Signed {
            route: Route::parse("/signed", "GET")?,
            scheme: "rfc9421".parse()?,
            key: Secret::new(login.signing_key().to_owned()),
            user: "oracle".into(),
        });
    }
    Ok(doorwarden_scan::scan(options, Default::default(), Box::new(|_| {})).await?)
}

fn given(accounts: &[(String, String)]) -> Vec<Account> {
    let account =
        |(name, password): &(String, String)| Account::parse(&format!("{name}:{password}"));
    accounts.iter().filter_map(account).collect()
}

fn letter(judgement: &Judgement) -> char {
    match judgement.verdict {
        VerdictKind::Finding => 'F',
        VerdictKind::Passed => '.',
        VerdictKind::Inconclusive => '?',
        VerdictKind::NotApplicable => '-',
    }
}

/// One letter where all runs agree, else how often each came out.
fn summary(outcomes: &str) -> String {
    let first = outcomes.chars().next().unwrap_or(' ');
    if outcomes.chars().all(|outcome| outcome == first) {
        return first.to_string();
    }
    let count = |wanted: char| {
        outcomes
            .chars()
            .filter(|outcome| *outcome == wanted)
            .count()
    };
    format!("{}F{}", count('F'), count('.') + count('-') + count('?'))
}
