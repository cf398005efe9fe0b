//! Compares five counters with five of Python's `limits`, on the same Valkey in one run.
//!
//! `cargo xtask bench`
#![expect(clippy::print_stdout, reason = "a bench speaks")]

use std::{error::Error, path::Path, process::Command, time::Instant};

use doorwarden_decision::{Charge, CounterKey, Ledger, Limit, Movement, Window};
use doorwarden_gate::{Secret, SharedStore};
use doorwarden_redis::RedisStore;

#[path = "../tests/it/server.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "the tests use more of it, and a bench that can't go on has failed"
)]
mod server;

const TURNS: usize = 7;
const ATTEMPTS: u64 = 2_000;

fn main() -> Result<(), Box<dyn Error>> {
    let server = server::Server::start(server::Make::Valkey);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let store = RedisStore::new(&server.url(), &Secret::new([7; 32]))?;
    runtime.block_on(store.charge(&charges(0)))?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for turn in 0..TURNS as u64 {
        server.ask("CONFIG RESETSTAT");
        let started = Instant::now();
        for i in 0..ATTEMPTS {
            runtime.block_on(store.charge(&charges(turn * ATTEMPTS + i)))?;
        }
        let each = started.elapsed().as_secs_f64() * 1e6 / ATTEMPTS as f64;
        ours.push([each, server_time(&server.ask("INFO commandstats"), "fcall")]);
        server.ask("CONFIG RESETSTAT");
        let each = python(&server.url())?;
        theirs.push([
            each,
            server_time(&server.ask("INFO commandstats"), "evalsha"),
        ]);
    }
    let [ours, theirs] = [ours, theirs].map(|turns| [0, 1].map(|which| median(&turns, which)));
    println!(
        "Five counters on one Valkey, sequentially on one connection, {TURNS} rounds of {ATTEMPTS} attempts:"
    );
    println!(
        "limits (Python, five hits of a moving window)   {:>6.0} µs, server {:>5.1} µs",
        theirs[0], theirs[1]
    );
    println!(
        "doorwarden (one function for all five)          {:>6.0} µs, server {:>5.1} µs",
        ours[0], ours[1]
    );
    println!(
        "doorwarden takes {:.2} times as long, and {:.2} times the server time",
        ours[0] / theirs[0],
        ours[1] / theirs[1]
    );
    Ok(())
}

/// Five counters of one attempt.
fn charges(i: u64) -> Vec<Charge> {
    let limit = Limit {
        count: 10,
        window: std::time::Duration::from_secs(900),
    };
    let ledgers = [
        Ledger::Strikes,
        Ledger::Address,
        Ledger::Network,
        Ledger::Heat,
        Ledger::Failures,
    ];
    let charge = |ledger: Ledger| Charge {
        key: CounterKey {
            ledger,
            limit: 0,
            id: if ledger.is_sitewide() { 0 } else { i % 1_000 },
        },
        window: Window::of(limit),
        movement: Movement::Add,
    };
    ledgers.into_iter().map(charge).collect()
}

/// Microseconds an attempt that the server spent in a command.
fn server_time(stats: &str, command: &str) -> f64 {
    let line = stats
        .lines()
        .find(|line| line.starts_with(&format!("cmdstat_{command}:")));
    let field = line.and_then(|line| {
        line.split("usec=")
            .nth(1)?
            .split(',')
            .next()?
            .parse::<f64>()
            .ok()
    });
    field.unwrap_or(f64::NAN) / ATTEMPTS as f64
}

fn python(url: &str) -> Result<f64, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = folder.join("../../target/venv/bin/python");
    let script = folder.join("benches/limits_bench.py");
    let output = Command::new(python)
        .arg(script)
        .args([url, &ATTEMPTS.to_string()])
        .output()?;
    let text = String::from_utf8(output.stdout)?;
    text.trim()
        .parse()
        .map_err(|_| String::from_utf8_lossy(&output.stderr).into_owned().into())
}

fn median(turns: &[[f64; 2]], which: usize) -> f64 {
    let mut values: Vec<f64> = turns.iter().map(|turn| turn[which]).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
