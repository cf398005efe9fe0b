//! Every check against every login of the lab: each must fire on its own fault and be silent on
//! all else. Prints the matrix; exits with 1 when a cell is wrong.
//!
//! `cargo xtask oracle [RUNS]`
#![expect(clippy::print_stdout, reason = "an oracle speaks")]

use std::{collections::BTreeMap, error::Error, process::ExitCode};

use doorwarden_lab::Specimen;
use doorwarden_scan::{Options, Registration, Report, VerdictKind, checks};

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let runs: u32 = match std::env::args().nth(1) {
        Some(runs) => runs.parse()?,
        None => 1,
    };
    println!("{}\n", legend());
    let mut wrong = Vec::new();
    for specimen in doorwarden_lab::specimens() {
        let mut cells: BTreeMap<&str, String> = BTreeMap::new();
        for run in 1..=runs {
            let report = scan(&specimen).await?;
            for judgement in &report.verdicts {
                let expected = specimen.fires.contains(&judgement.check.as_str());
                let found = judgement.verdict == VerdictKind::Find;
                if expected != found {
                    let (id, check, reason) = (specimen.id, &judgement.check, &judgement.reason);
                    wrong.push(format!("run {run}: {id} × {check}: {reason}"));
                }
                let check = checks::find(&judgement.check).map_or("", |check| check.id);
                cells
                    .entry(check)
                    .or_default()
                    .push(match judgement.verdict {
                        VerdictKind::Find => 'F',
                        VerdictKind::Pass => '.',
                        VerdictKind::Skip if judgement.inconclusive => '?',
                        VerdictKind::Skip => '-',
                    });
            }
        }
        let row: Vec<String> = checks::ALL
            .iter()
            .map(|check| summary(&cells[check.id]))
            .collect();
        println!("{:<24} {}", specimen.id, row.join(" "));
    }
    println!();
    for line in &wrong {
        println!("WRONG {line}");
    }
    let cells = doorwarden_lab::specimens().len() * checks::ALL.len() * runs as usize;
    println!("{} of {cells} cells are right", cells - wrong.len());
    Ok(if wrong.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn scan(specimen: &Specimen) -> Result<Report, Box<dyn Error>> {
    let login = doorwarden_lab::start(specimen.clone(), Vec::new()).await?;
    let mut options = Options::new(login.url().parse()?);
    options.registration = Registration::Discover;
    options.pace = 1000.0;
    Ok(doorwarden_scan::scan(options, Default::default(), Box::new(|_| {})).await?)
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
