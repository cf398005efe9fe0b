//! Runs the benchmarks, one after the other.

use std::{fs, process};

use super::{Command, no_arguments, setup};
use crate::process::{cargo, is_installed};

pub(crate) const COMMAND: Command = Command {
    name: "bench",
    arguments: "",
    about: "Measure decisions, proxied requests and logins beside their rivals",
    run: |args| {
        no_arguments(args)?;
        Ok(run()?)
    },
};

/// Attempts that are counted; those of a run with one attempt are subtracted, which takes out what is done once.
const ATTEMPTS: u64 = 1_001;

/// Instructions per attempt when this was written, with rustc 1.95; 10 % more fails.
const INSTRUCTIONS: u64 = 14_800;

fn run() -> Result<(), String> {
    setup::install()?;
    cargo("bench --package doorwarden --bench side_by_side")?;
    cargo("bench --package doorwarden-redis --features real-redis --bench beside_limits")?;
    cargo("bench --package doorwarden-serve --features measured --bench rates")?;
    instructions()
}

/// Counts the instructions of an attempt, which noise does not change.
fn instructions() -> Result<(), String> {
    if !is_installed(&mut process::Command::new("valgrind")) {
        println!("\ninstructions were not counted; install valgrind");
        return Ok(());
    }
    cargo("build --release --package doorwarden-gate --example counted")?;
    let more = counted(ATTEMPTS)?.saturating_sub(counted(1)?);
    let each = more / (ATTEMPTS - 1);
    println!(
        "\nInstructions per attempt (callgrind, {ATTEMPTS} attempts less 1): {each}; {INSTRUCTIONS} when written"
    );
    if each > INSTRUCTIONS * 11 / 10 {
        return Err(format!(
            "an attempt takes {each} instructions, over 10 % more than {INSTRUCTIONS}; find out why, or change INSTRUCTIONS in xtask/src/commands/bench.rs"
        ));
    }
    Ok(())
}

/// Returns the instructions of a run.
fn counted(attempts: u64) -> Result<u64, String> {
    const OUT: &str = "target/callgrind.out";
    let output = process::Command::new("valgrind")
        .args([
            "--quiet",
            "--tool=callgrind",
            "--toggle-collect=counted::counted",
        ])
        .arg(format!("--callgrind-out-file={OUT}"))
        .args(["target/release/examples/counted", &attempts.to_string()])
        .output()
        .map_err(|error| format!("failed to run valgrind: {error}"))?;
    let text = fs::read_to_string(OUT).map_err(|error| format!("failed to read {OUT}: {error}"))?;
    let totals = text.lines().find_map(|line| line.strip_prefix("totals: "));
    match totals.and_then(|totals| totals.trim().parse().ok()) {
        // Zero if the function to count is not found.
        None | Some(0) => Err(format!(
            "callgrind counted nothing: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
        Some(count) => Ok(count),
    }
}
