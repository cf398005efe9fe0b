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
    AccountKey, Attempt, Charge, CounterKey, Kind, Ledger, Limit, Mark, Marks, Movement, Outcome,
    Policy, SignalId, SourceKey, Table, Thresholds, Timestamp, Window, decide, plan, settle,
};
use doorwarden_gate::MemoryStore;
use doorwarden_guard::{Config, Guard, ProtectedLogin};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// Times that each side has its turn, and what it does in one.
const TURNS: u64 = 15;
const ATTEMPTS: u64 = 200_000;
const REQUESTS: u32 = 1_000;

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

/// A million keys: far more than any cache holds.
const MANY: u64 = 1_000_000;

fn decisions() {
    one_counter();
    whole_decisions();
    threads();
    flat();
    flood();
}

fn governor() -> DefaultKeyedRateLimiter<u64> {
    RateLimiter::keyed(Quota::per_minute(NonZeroU32::MIN.saturating_add(9)))
}

/// A store that holds a million of each kind of counter, three quarters full.
fn store() -> MemoryStore {
    MemoryStore::new(&Policy::default(), 1_000 << 20, 7)
}

const NOW: u64 = 1_700_000_000_000;

fn strike(id: u64) -> [Charge; 1] {
    const LIMIT: Limit = Limit {
        count: 10,
        window: Duration::from_secs(900),
    };
    let key = CounterKey {
        ledger: Ledger::Strikes,
        limit: 0,
        id,
    };
    [Charge {
        key,
        window: Window::of(LIMIT),
        movement: Movement::Add,
    }]
}

/// Resident memory of this process, in bytes; zero where the system does not tell.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or_default() * 4096
}

fn one_counter() {
    let before = resident();
    let limiter = governor();
    (0..MANY).for_each(|key| drop(limiter.check_key(&mix(key))));
    let theirs = resident() - before;
    // Room for exactly these keys at three quarters: the share of one of eighteen tables.
    let (policy, now) = (Policy::default(), Timestamp::from_millis(NOW));
    let before = resident();
    let table = Table::new(
        Kind::Events,
        strike(0)[0].window,
        (MANY * 4 / 3 * 32) as usize,
        7,
    );
    for key in 0..MANY {
        std::hint::black_box(table.apply(strike(mix(key))[0], now));
    }
    let ours = resident() - before;
    drop((table, policy));
    let store = store();
    (0..MANY).for_each(|key| drop(store.charge(&strike(mix(key)), now)));
    let mut figures = Figures::default();
    for turn in 0..TURNS {
        let keys = (0..ATTEMPTS).map(|i| mix(mix(turn * ATTEMPTS + i) % MANY));
        let started = Instant::now();
        let passed = keys.clone().filter(|key| limiter.check_key(key).is_ok());
        std::hint::black_box(passed.count());
        figures.note("governor, one hit", ATTEMPTS, started.elapsed());
        let started = Instant::now();
        for key in keys {
            std::hint::black_box(store.charge(&strike(key), now));
        }
        figures.note("one counter of ours", ATTEMPTS, started.elapsed());
    }
    println!("One counter among {MANY} keys, one thread, {TURNS} turns of {ATTEMPTS}:");
    figures.print("governor, one hit", "governor, one hit");
    figures.print("one counter of ours", "governor, one hit");
    println!(
        "bytes a key, resident: governor {}, ours {}",
        theirs / MANY,
        ours / MANY
    );
}

fn attempt(key: u64, keys: u64) -> Attempt {
    let marks = Marks {
        current: Some(Mark::from_parts(1, (key >> 40) as u32 & 0x3f_ffff)),
        previous: None,
        exact: Some(key as u32),
    };
    let source = SourceKey::new(((mix(key) % keys) as u32).to_be_bytes().into());
    Attempt::new(AccountKey::from_u64(mix(key % keys)), source, marks)
}

/// Plan, charge, decide and settle one wrong guess; how many counters it charged.
fn decided(store: &MemoryStore, policy: &Policy, attempt: &Attempt, now: Timestamp) -> usize {
    let counts = store.charge(&plan(attempt, policy), now);
    let decision = decide(attempt, policy, &Thresholds::default(), &counts).decision;
    let outcome = if decision.verifies() {
        Outcome::Failure
    } else {
        Outcome::Unverified
    };
    store.charge(&settle(attempt, policy, &counts, decision, outcome), now);
    counts.len()
}

/// Five counters, heat and familiarity: what the goal is put for.
fn seven() -> Policy {
    let one = |words: &str| words.parse().expect("a limit written here");
    Policy {
        account: one("10 per 15 minutes; 50 per day"),
        address: one("20 per 10 minutes; 300 per day"),
        without: vec![
            SignalId::Standing,
            SignalId::Pressure,
            SignalId::Forgiveness,
        ],
        ..Policy::default()
    }
}

fn whole_decisions() {
    let limiter = governor();
    let policies = [
        ("five counters, heat, familiarity", seven()),
        ("the whole ladder", Policy::default()),
    ];
    let stores = policies
        .each_ref()
        .map(|(_, policy)| MemoryStore::new(policy, 1_000 << 20, 7));
    let mut figures = Figures::default();
    let mut counters = [0; 2];
    for turn in 0..TURNS {
        let keys = (0..ATTEMPTS).map(|i| mix(turn * ATTEMPTS + i));
        let started = Instant::now();
        let passed = keys
            .clone()
            .filter(|key| limiter.check_key(&mix(key % MANY)).is_ok());
        std::hint::black_box(passed.count());
        figures.note("governor, one hit", ATTEMPTS, started.elapsed());
        for (number, (side, policy)) in policies.iter().enumerate() {
            let started = Instant::now();
            for (i, key) in keys.clone().enumerate() {
                let now = Timestamp::from_millis(NOW + turn * 1_000_000 + i as u64);
                counters[number] = decided(&stores[number], policy, &attempt(key, MANY), now);
            }
            figures.note(side, ATTEMPTS, started.elapsed());
        }
    }
    println!("\nA whole decision with its settlement, over {MANY} accounts and addresses:");
    figures.print("governor, one hit", "governor, one hit");
    for (number, (side, _)) in policies.iter().enumerate() {
        println!("{} charges:", counters[number]);
        figures.print(side, "governor, one hit");
    }
}

fn threads() {
    let (store, policy) = (store(), Policy::default());
    let mut figures = Figures::default();
    for turn in 0..TURNS {
        for (side, threads) in [("one thread", 1u64), ("two threads", 2)] {
            let started = Instant::now();
            std::thread::scope(|scope| {
                for thread in 0..threads {
                    let (store, policy) = (&store, &policy);
                    scope.spawn(move || {
                        for i in 0..ATTEMPTS / threads {
                            let key = mix((turn * threads + thread) * ATTEMPTS + i);
                            decided(
                                store,
                                policy,
                                &attempt(key, MANY),
                                Timestamp::from_millis(NOW + i),
                            );
                        }
                    });
                }
            });
            figures.note(side, ATTEMPTS, started.elapsed());
        }
    }
    println!("\nThe same on two threads:");
    figures.print("one thread", "one thread");
    figures.print("two threads", "one thread");
    let times = figures.median("one thread") / figures.median("two threads");
    println!("two threads do {times:.2} times as much as one");
}

fn flat() {
    let policy = Policy::default();
    println!("\nThe same by the number of accounts:");
    let mut figures = Figures::default();
    let sizes = [
        ("1,000 accounts", 1_000u64),
        ("100,000 accounts", 100_000),
        ("10,000,000 accounts", 10_000_000),
    ];
    let stores = sizes.map(|_| store());
    for turn in 0..TURNS {
        for ((side, keys), store) in sizes.iter().zip(&stores) {
            let started = Instant::now();
            for i in 0..ATTEMPTS / 4 {
                let key = mix(turn * ATTEMPTS + i);
                decided(
                    store,
                    &policy,
                    &attempt(key, *keys),
                    Timestamp::from_millis(NOW + i),
                );
            }
            figures.note(side, ATTEMPTS / 4, started.elapsed());
        }
    }
    for (side, _) in sizes {
        figures.print(side, "1,000 accounts");
    }
}

/// Ten million invented names on a guard's default memory: the bound holds, nothing that was under
/// attack is forgotten.
fn flood() {
    const ATTACKED: u64 = 10_000;
    const INVENTED: u64 = 10_000_000;
    let store = MemoryStore::new(&Policy::default(), 64 << 20, 7);
    let now = Timestamp::from_millis(NOW);
    for id in (0..ATTACKED).flat_map(|id| [id; 10]) {
        store.charge(&strike(mix(id)), now);
    }
    for id in 0..INVENTED {
        store.charge(&strike(mix(1 << 40 | id)), now);
    }
    let peek = |id| Charge {
        movement: Movement::Peek,
        ..strike(mix(id))[0]
    };
    let kept = (0..ATTACKED).filter(|id| store.charge(&[peek(*id)], now)[0].count >= 10);
    println!(
        "\nAfter {INVENTED} invented names: {} MiB of 64, and {} of {ATTACKED} accounts under attack remembered",
        store.bytes() >> 20,
        kept.count()
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
