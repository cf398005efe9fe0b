//! A decision beside `governor`, and a proxied request beside the direct one: each pair in turns
//! in one run, with the ratio of their medians.
//!
//! `cargo xtask bench`
#![expect(clippy::print_stdout, reason = "a bench speaks")]

use std::{
    collections::BTreeMap,
    error::Error,
    num::NonZeroU32,
    time::{Duration, Instant},
};

use doorwarden_decision::{
    AccountKey, Attempt, Mark, Marks, Outcome, Policy, SourceKey, Thresholds, Timestamp, decide,
    plan, settle,
};
use doorwarden_gate::MemoryStore;
use doorwarden_guard::{Config, Guard, ProtectedLogin};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Times that each side has its turn, and what it does in one.
const TURNS: u64 = 15;
const ATTEMPTS: u64 = 200_000;
const REQUESTS: u32 = 1_000;
/// Accounts and addresses that attempts are spread over.
const KEYS: u64 = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    decisions();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(requests())
}

#[derive(Default)]
struct Figures(BTreeMap<&'static str, Vec<f64>>);

impl Figures {
    /// Runs one side and notes the time of one of its `n` in nanoseconds.
    fn note(&mut self, side: &'static str, n: u64, took: Duration) {
        let each = took.as_nanos() as f64 / n as f64;
        self.0.entry(side).or_default().push(each);
    }

    fn median(&self, side: &str) -> f64 {
        let mut figures = self.0[side].clone();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    }

    fn print(&self, side: &str, base: &str) {
        let (figures, median) = (&self.0[side], self.median(side));
        let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
        let most = figures.iter().copied().fold(0.0, f64::max);
        println!(
            "{side:<44} {median:>9.0} ns (from {least:.0} to {most:.0})   {:.2} × {base}",
            median / self.median(base)
        );
    }
}

fn decisions() {
    let limiter = || -> DefaultKeyedRateLimiter<u64> {
        let quota = Quota::per_minute(NonZeroU32::MIN.saturating_add(9));
        RateLimiter::keyed(quota)
    };
    let one = limiter();
    let six: Vec<_> = (0..6).map(|_| limiter()).collect();
    let policy = Policy::default();
    let store = MemoryStore::new(&policy, 64 << 20, 7);
    let mut figures = Figures::default();
    for turn in 0..TURNS {
        let keys = (0..ATTEMPTS).map(|i| mix(turn * ATTEMPTS + i));
        let started = Instant::now();
        let passed = keys
            .clone()
            .filter(|key| one.check_key(&(key % KEYS)).is_ok())
            .count();
        figures.note("governor, one limit", ATTEMPTS, started.elapsed());
        std::hint::black_box(passed);

        let started = Instant::now();
        let passed = keys.clone().filter(|key| {
            // All are asked, as ours are: a limit that is passed over does not count.
            let asked = six
                .iter()
                .enumerate()
                .map(|(i, limiter)| limiter.check_key(&((key >> i) % KEYS)));
            asked.filter(Result::is_ok).count() == six.len()
        });
        std::hint::black_box(passed.count());
        figures.note("governor, six limits", ATTEMPTS, started.elapsed());

        let started = Instant::now();
        for (i, key) in keys.enumerate() {
            let now = Timestamp::from_millis(1_000_000_000 + turn * 1_000_000 + i as u64);
            let marks = Marks {
                current: Some(Mark::from_parts(1, (key >> 40) as u32 & 0x3f_ffff)),
                previous: None,
            };
            let attempt = Attempt::new(
                AccountKey::from_u64(mix(key % KEYS)),
                SourceKey::new(((key % KEYS) as u32).to_be_bytes().into()),
                marks,
            );
            let counts = store.charge(&plan(&attempt, &policy), now);
            let decision = decide(&attempt, &policy, &Thresholds::default(), &counts).decision;
            let outcome = if decision.verifies() {
                Outcome::Failure
            } else {
                Outcome::Unverified
            };
            store.charge(&settle(&attempt, &policy, &counts, decision, outcome), now);
        }
        figures.note(
            "plan, charge, decide, settle (six counters)",
            ATTEMPTS,
            started.elapsed(),
        );
    }
    println!(
        "A decision, over {KEYS} accounts and addresses, one thread, {TURNS} turns of {ATTEMPTS}:"
    );
    figures.print("governor, one limit", "governor, one limit");
    figures.print("governor, six limits", "governor, one limit");
    figures.print(
        "plan, charge, decide, settle (six counters)",
        "governor, six limits",
    );
}

/// SplitMix64: keys in no order, the same in every run.
fn mix(i: u64) -> u64 {
    let z = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

async fn requests() -> Result<(), Box<dyn Error>> {
    let app = doorwarden_lab::start(doorwarden_lab::sound(), Vec::new()).await?;
    let login = ProtectedLogin::new("POST /login json:/username json:/password".parse()?)?;
    let mut config = Config::new(app.url().parse()?, vec![login]);
    config.listen = ([127, 0, 0, 1], 0).into();
    let guard = Guard::bind(config, Policy::default(), Box::new(|_| {})).await?;
    let guarded = format!("http://{}", guard.address());
    tokio::spawn(guard.run(std::future::pending()));
    let client = reqwest::Client::new();
    let mut figures = Figures::default();
    for _ in 0..TURNS {
        for (side, url) in [
            ("direct", app.url()),
            ("through the guard", guarded.clone()),
        ] {
            let url = format!("{url}/openapi.json");
            let started = Instant::now();
            for _ in 0..REQUESTS {
                client.get(&url).send().await?.bytes().await?;
            }
            figures.note(side, u64::from(REQUESTS), started.elapsed());
        }
    }
    println!(
        "\nA request that is no login, one after the other on one connection, {TURNS} turns of {REQUESTS}:"
    );
    figures.print("direct", "direct");
    figures.print("through the guard", "direct");
    let more = figures.median("through the guard") - figures.median("direct");
    println!("the guard adds {:.0} µs", more / 1000.0);
    Ok(())
}
