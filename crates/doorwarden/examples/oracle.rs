//! Every check against every login of the lab: each must fire on its own fault and be silent on
//! all else. Then again with one account and with three, where less can be told, but nothing wrong
//! may be said. Prints the matrices; exits with 1 when a cell is wrong.
//!
//! `cargo xtask oracle [RUNS] [--write]`
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an oracle speaks"
)]

use std::{collections::BTreeMap, error::Error, path::Path, process::ExitCode};

use doorwarden_lab::Specimen;
use doorwarden_scan::{
    Account, Judgement, Options, Registration, Report, Route, Secret, Signed, VerdictKind, checks,
};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let writes = arguments.iter().any(|argument| argument == WRITE);
    arguments.retain(|argument| argument != WRITE);
    let runs: u32 = match arguments.first() {
        Some(runs) => runs.parse()?,
        None => 1,
    };
    let mut page = heading(runs);
    let mut wrong = Vec::new();
    let mut cells = 0;
    let mut most = 0;
    for accounts in [Accounts::Registered, Accounts::Given(3), Accounts::Given(1)] {
        let mut table = header(accounts);
        eprintln!("{}", accounts.title());
        for specimen in doorwarden_lab::specimens() {
            let mut row: BTreeMap<&str, String> = BTreeMap::new();
            for _ in 0..runs {
                let report = scan(&specimen, accounts).await?;
                most = most.max(report.requests);
                if let Some(reason) = &report.aborted {
                    wrong.push(format!("{} × the whole scan: {reason}", specimen.id));
                }
                for judgement in &report.verdicts {
                    let cut_short = judgement.reason.contains("the budget of");
                    cells += 1;
                    if cut_short || !accounts.allows(&specimen, judgement) {
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
        "\n{} of {cells} cells are right. The longest scan sent {most} requests of the 250 that are allowed.\n",
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

/// Writes the page to docs/oracle.md.
const WRITE: &str = "--write";

/// What the page is, and which column is which check.
fn heading(runs: u32) -> String {
    let mut page = format!(
        "# The oracle\n\n`cargo xtask oracle {runs} {WRITE}`: every check against every login of the lab, \
         runs: {runs}. Each must find its own fault and be silent on all else; with few accounts less can be \
         told, but nothing wrong may be said.\n\n\
         F found, . passed, - does not apply, ? could not decide; where runs differ, how often it found \
         something and how often not, as 2F1.\n\n"
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

    /// With all it needs, a check finds its fault and nothing else; with less, it accuses nobody
    /// wrongly and passes nobody wrongly.
    fn allows(self, specimen: &Specimen, judgement: &Judgement) -> bool {
        let fires = specimen.fires(&judgement.check);
        match (self, judgement.verdict) {
            (_, VerdictKind::Find) => fires,
            (Self::Registered, _) => !fires,
            (Self::Given(_), VerdictKind::Pass) => !fires,
            (Self::Given(_), VerdictKind::Skip) => true,
        }
    }
}

async fn scan(specimen: &Specimen, accounts: Accounts) -> Result<Report, Box<dyn Error>> {
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
            let account =
                |(name, password): &(String, String)| Account::parse(&format!("{name}:{password}"));
            options.accounts = given.iter().filter_map(account).collect();
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

fn letter(judgement: &Judgement) -> char {
    match judgement.verdict {
        VerdictKind::Find => 'F',
        VerdictKind::Pass => '.',
        VerdictKind::Skip if judgement.inconclusive => '?',
        VerdictKind::Skip => '-',
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
