//! Benchmarks: built for release, run one after the other.

use std::{fs, process::Command};

use crate::{steps::cargo, venv};

/// Attempts that are counted beside a single one, so that what is done once does not count.
const ATTEMPTS: u64 = 1_001;

/// Instructions of an attempt when this was written, by rustc 1.95; more than a tenth more fails.
const INSTRUCTIONS: u64 = 14_800;

pub(crate) fn run() -> Result<(), String> {
    venv::make()?;
    cargo(&[
        "bench",
        "--package",
        "doorwarden",
        "--bench",
        "side_by_side",
    ])?;
    cargo(&[
        "bench",
        "--package",
        "doorwarden-redis",
        "--features",
        "real-redis",
        "--bench",
        "beside_limits",
    ])?;
    cargo(&[
        "bench",
        "--package",
        "doorwarden-serve",
        "--features",
        "measured",
        "--bench",
        "rates",
    ])?;
    instructions()
}

/// Instruction counts do not hear noise.
fn instructions() -> Result<(), String> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        println!("\nInstructions: not counted; install valgrind");
        return Ok(());
    }
    cargo(&[
        "build",
        "--release",
        "--package",
        "doorwarden-gate",
        "--example",
        "counted",
    ])?;
    let more = counted(ATTEMPTS)?.saturating_sub(counted(1)?);
    let each = more / (ATTEMPTS - 1);
    println!(
        "\nInstructions of a whole attempt (callgrind, {ATTEMPTS} less 1): {each}; {INSTRUCTIONS} when written"
    );
    if each > INSTRUCTIONS * 11 / 10 {
        return Err(format!(
            "an attempt takes {each} instructions, more than a tenth over {INSTRUCTIONS}; find out why, or set INSTRUCTIONS in xtask/src/bench.rs"
        ));
    }
    Ok(())
}

fn counted(attempts: u64) -> Result<u64, String> {
    const OUT: &str = "target/callgrind.out";
    let output = Command::new("valgrind")
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
        // A name that is not found counts nothing.
        None | Some(0) => Err(format!(
            "callgrind counted nothing: {}",
            String::from_utf8_lossy(&output.stderr)
        )),
        Some(count) => Ok(count),
    }
}
