//! What `test` does, step by step; every step is tried, so that one run tells all that is wrong.

use std::{process::Command, time::Instant};

use crate::venv;

type Step = (&'static str, fn() -> Result<(), String>);

const STEPS: [Step; 6] = [
    ("Python packages of the example applications", venv::make),
    ("formatting", || cargo(&["fmt", "--all", "--check"])),
    ("clippy", clippy),
    ("tests, with the real applications", tests),
    ("oracle", || oracle(None)),
    ("licences, bans and sources", deny),
];

pub(crate) fn test() -> Result<(), String> {
    let mut failed = Vec::new();
    for (name, step) in STEPS {
        eprintln!("\n== {name}");
        let started = Instant::now();
        let done = step();
        let seconds = started.elapsed().as_secs();
        match done {
            Ok(()) => eprintln!("== {name}: done in {seconds} s"),
            Err(error) => {
                eprintln!("== {name}: FAILED after {seconds} s: {error}");
                failed.push(name);
            }
        }
    }
    println!(
        "steps: {} passed, {} failed",
        STEPS.len() - failed.len(),
        failed.len()
    );
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("failed: {}", failed.join("; ")))
    }
}

fn clippy() -> Result<(), String> {
    cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--features",
        "doorwarden/real-apps",
        "--",
        "--deny",
        "warnings",
    ])
}

fn tests() -> Result<(), String> {
    cargo(&["test", "--workspace", "--features", "doorwarden/real-apps"])
}

pub(crate) fn oracle(runs: Option<&str>) -> Result<(), String> {
    // With the tests' features, so that nothing is built twice.
    let mut args = vec![
        "run",
        "--package",
        "doorwarden",
        "--features",
        "doorwarden/real-apps",
        "--example",
        "oracle",
        "--",
    ];
    args.extend(runs);
    cargo(&args)
}

/// The generated pages and schemas are written by the tests that hold them against the code.
pub(crate) fn docs() -> Result<(), String> {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["test", "--package", "doorwarden-scan", "not_stale"])
        .env("DOORWARDEN_BLESS", "1");
    run(command)
}

fn deny() -> Result<(), String> {
    let there = Command::new(env!("CARGO"))
        .args(["deny", "--version"])
        .output();
    if !there.is_ok_and(|output| output.status.success()) {
        eprintln!(
            "cargo-deny is not installed, so this step is left to CI; to run it here: cargo install cargo-deny --locked"
        );
        return Ok(());
    }
    cargo(&["deny", "check", "bans", "licenses", "sources"])
}

pub(crate) fn cargo(args: &[&str]) -> Result<(), String> {
    let mut command = Command::new(env!("CARGO"));
    command.args(args);
    run(command)
}

fn run(mut command: Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
