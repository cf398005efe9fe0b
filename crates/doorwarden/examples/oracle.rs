//! Every check against every login of the lab: each must fire on its own fault and be silent on
//! all else. Then again with one account and with three, where less can be told, but nothing wrong
//! may be said. Prints the matrices; exits with 1 when a cell is wrong.
//!
//! `cargo xtask oracle [RUNS]`
#![expect(clippy::print_stdout, reason = "an oracle speaks")]

use std::{collections::BTreeMap, error::Error, process::ExitCode};

use doorwarden_lab::Specimen;
use doorwarden_scan::{Account, Judgement, Options, Registration, Report, VerdictKind, checks};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let runs: u32 = match std::env::args().nth(1) {
        Some(runs) => runs.parse()?,
        None => 1,
    };
    let mut wrong = Vec::new();
    let mut cells = 0;
    for accounts in [Accounts::Registered, Accounts::Given(3), Accounts::Given(1)] {
        println!("{}{}\n", accounts.title(), legend());
        for specimen in doorwarden_lab::specimens() {
            let mut row: BTreeMap<&str, String> = BTreeMap::new();
            for _ in 0..runs {
                for judgement in &scan(&specimen, accounts).await?.verdicts {
                    cells += 1;
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
            let row: Vec<String> = checks::ALL
                .iter()
                .map(|check| summary(&row[check.id]))
                .collect();
            println!("{:<24} {}", specimen.id, row.join(" "));
        }
        println!();
    }
    for line in &wrong {
        println!("WRONG {line}");
    }
    println!("{} of {cells} cells are right", cells - wrong.len());
    Ok(if wrong.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
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
            Self::Registered => "With as many accounts as it registers. ".into(),
            Self::Given(n) => format!("With {n} given. "),
        }
    }

    /// With all it needs, a check finds its fault and nothing else; with less, it accuses nobody
    /// wrongly and passes nobody wrongly.
    fn allows(self, specimen: &Specimen, judgement: &Judgement) -> bool {
        let fires = specimen.fires.contains(&judgement.check.as_str());
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
        return format!("{first:<4}");
    }
    let count = |wanted: char| {
        outcomes
            .chars()
            .filter(|outcome| *outcome == wanted)
            .count()
    };
    format!("{}F{}", count('F'), count('.') + count('-') + count('?'))
}

fn legend() -> String {
    let mut legend = String::from("F found, . passed, - does not apply, ? could not decide\n\n");
    for (i, check) in checks::ALL.iter().enumerate() {
        let indent = 25 + 5 * i;
        legend.push_str(&format!("{:indent$}{}\n", "", check.id));
    }
    legend
}
