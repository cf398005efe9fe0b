//! What `test` does, step by step; every step is tried, so that one run tells all that is wrong.

use std::{path::Path, process::Command, time::Instant};

use crate::venv;

type Step = (&'static str, fn() -> Result<(), String>);

/// The features whose tests need what the first step installs.
const FEATURES: &str = "doorwarden/real-apps,doorwarden/real-postgres,doorwarden-redis/real-redis";

const STEPS: [Step; 7] = [
    ("Python packages and servers for the tests", venv::make),
    ("formatting", || cargo(&["fmt", "--all", "--check"])),
    ("clippy", clippy),
    ("tests, with real applications and real stores", tests),
    ("interleavings of parallel attempts", interleavings),
    ("oracle", || oracle(&[])),
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
    // The benches too, which look at the service from within.
    let features = format!("{FEATURES},doorwarden-serve/measured");
    cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--features",
        &features,
        "--",
        "--deny",
        "warnings",
    ])
}

fn tests() -> Result<(), String> {
    cargo(&["test", "--workspace", "--features", FEATURES])
}

/// Locks of shuttle's instead of the system's, so in a build of its own.
fn interleavings() -> Result<(), String> {
    cargo(&[
        "test",
        "--package",
        "doorwarden-gate",
        "--features",
        "shuttle",
        "--test",
        "interleavings",
    ])
}

pub(crate) fn oracle(arguments: &[&str]) -> Result<(), String> {
    // With the tests' features, so that nothing is built twice.
    let mut args = vec![
        "run",
        "--package",
        "doorwarden",
        "--features",
        FEATURES,
        "--example",
        "oracle",
    ];
    // Without optimisation the one run that CI makes is quick enough; thousands are not.
    if !arguments.is_empty() {
        args.push("--release");
    }
    args.push("--");
    args.extend(arguments);
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

/// cargo-deny: the newcomer's own, or one in target/tools. The advisory database is not asked, so
/// that the step needs nothing but the registry.
fn deny() -> Result<(), String> {
    const OWN: &str = "target/tools/bin/cargo-deny";
    let installed = Command::new(env!("CARGO"))
        .args(["deny", "--version"])
        .output();
    let program = if installed.is_ok_and(|output| output.status.success()) {
        "cargo-deny"
    } else {
        if !Path::new(OWN).exists() {
            eprintln!("building cargo-deny into target/tools, once");
            // Without optimisation: it runs for a second, and builds for minutes.
            cargo(&[
                "install",
                "cargo-deny",
                "--locked",
                "--debug",
                "--quiet",
                "--root",
                "target/tools",
            ])?;
        }
        OWN
    };
    let mut command = Command::new(program);
    command.args(["check", "bans", "licenses", "sources"]);
    run(command)
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
