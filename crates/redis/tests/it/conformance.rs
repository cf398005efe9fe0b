//! One suite for every store: each charge does what `Counter::apply` does.

use std::time::{Duration, SystemTime};

use doorwarden_decision::{
    Charge, Counter, CounterKey, Counts, Kind, Ledger, Limit, Movement, Timestamp, Window,
};
use doorwarden_gate::{Away, MemoryStore, Secret, SharedStore};
use doorwarden_redis::RedisStore;
use futures_util::future::BoxFuture;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::server::{Cluster, Make, Server};

/// Counters in memory as a shared store, so that the suite runs on both.
struct InMemory(MemoryStore);

impl SharedStore for InMemory {
    fn charge<'a>(&'a self, charges: &'a [Charge]) -> BoxFuture<'a, Result<Counts, Away>> {
        Box::pin(async { Ok(self.0.charge(charges, now())) })
    }
}

fn now() -> Timestamp {
    let unix = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_millis(unix.as_millis() as u64)
}

/// Windows so long that no slot ends while the suite runs, but for those that are meant to.
fn window(seconds: u64) -> Window {
    Window::of(Limit {
        count: 10,
        window: Duration::from_secs(seconds),
    })
}

const YEAR: u64 = 365 * 86_400;

fn charge(ledger: Ledger, id: u64, movement: Movement) -> Charge {
    let key = CounterKey {
        ledger,
        limit: 0,
        id,
    };
    Charge {
        key,
        window: window(YEAR),
        movement,
    }
}

async fn counts(store: &dyn SharedStore, charges: &[Charge]) -> Vec<u32> {
    let counts = store.charge(charges).await.unwrap();
    counts.iter().map(|count| count.count).collect()
}

/// The suite. `fresh` keeps the keys of two runs on one store apart.
async fn conforms(store: &dyn SharedStore, fresh: u64) {
    answers_in_order(store, fresh + 1_000).await;
    does_as_the_model_does(store, fresh + 2_000).await;
    says_when_the_oldest_leaves(store, fresh + 3_000).await;
    loses_no_parallel_charge(store, fresh + 4_000).await;
}

async fn answers_in_order(store: &dyn SharedStore, fresh: u64) {
    let add = |id| charge(Ledger::Strikes, fresh + id, Movement::Add);
    let charges: Vec<Charge> = [0, 1, 0, 2, 0].into_iter().map(add).collect();
    assert_eq!(counts(store, &charges).await, [1, 1, 2, 1, 3]);
    assert!(store.charge(&[]).await.unwrap().is_empty());
}

/// Random movements on a few counters, beside `Counter` itself.
async fn does_as_the_model_does(store: &dyn SharedStore, fresh: u64) {
    let seed = rand::rng().random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut model = [Counter::default(); 6];
    let mut slot = 0;
    for step in 0..600 {
        let which = rng.random_range(0..model.len());
        let ledger = if which < 3 {
            Ledger::Strikes
        } else {
            Ledger::Networks
        };
        let member = rng.random_range(1..9) << rng.random_range(4..12);
        let movement = match (ledger.kind(), rng.random_range(0..5)) {
            (Kind::Events, 0) => Movement::TakeBack { slot },
            (Kind::Events, 1) => Movement::Forgive {
                most: rng.random_range(1..4),
            },
            (Kind::Events, 2) => Movement::Peek,
            (Kind::Events, _) => Movement::Add,
            (Kind::Members, 0..3) => Movement::Recall { member },
            (Kind::Members, _) => Movement::Remember { member },
        };
        let charge = charge(ledger, fresh + which as u64, movement);
        let ours = model[which].apply(charge, now());
        let theirs = store.charge(&[charge]).await.unwrap()[0];
        assert_eq!(theirs.count, ours.count, "step {step}: {charge:?}");
        if ledger.kind() == Kind::Events && movement.opens() {
            assert_eq!(theirs.slot, ours.slot, "step {step}: {charge:?}");
            slot = theirs.slot;
        }
    }
}

async fn says_when_the_oldest_leaves(store: &dyn SharedStore, fresh: u64) {
    let quick = |movement| Charge {
        window: window(1),
        ..charge(Ledger::Strikes, fresh, movement)
    };
    let first = store.charge(&[quick(Movement::Add)]).await.unwrap()[0];
    assert!((1_000..=1_125).contains(&first.leaves), "{}", first.leaves);
    tokio::time::sleep(Duration::from_millis(first.leaves.into())).await;
    assert_eq!(counts(store, &[quick(Movement::Peek)]).await, [0]);
    assert_eq!(counts(store, &[quick(Movement::Add)]).await, [1]);
}

async fn loses_no_parallel_charge(store: &dyn SharedStore, fresh: u64) {
    let charges = [charge(Ledger::Strikes, fresh, Movement::Add)];
    let all = (0..100).map(|_| counts(store, &charges));
    let mut seen: Vec<u32> = futures_util::future::join_all(all).await.concat();
    seen.sort_unstable();
    assert_eq!(seen, (1..=100).collect::<Vec<u32>>());
}

fn store(url: &str) -> RedisStore {
    RedisStore::new(url, &Secret::new([7; 32])).unwrap()
}

#[tokio::test]
async fn memory_conforms() {
    let policy = doorwarden_decision::Policy::default();
    let windows = InMemory(MemoryStore::new(&policy, 1 << 20, 1));
    // A table has the window of its policy; the model's is told with each charge, so both agree.
    conforms(&windows, 0).await;
}

#[tokio::test]
async fn valkey_conforms_by_functions_and_by_scripts() {
    let server = Server::start(Make::Valkey);
    conforms(&store(&server.url()), 0).await;
    conforms(&store(&server.url()).with_scripts(), 10_000).await;
    let functions = server.ask("INFO commandstats");
    assert!(functions.contains("cmdstat_fcall") && functions.contains("cmdstat_evalsha"));
}

#[tokio::test]
async fn redis_conforms() {
    let server = Server::start(Make::Redis);
    conforms(&store(&server.url()), 0).await;
}

#[tokio::test]
async fn a_cluster_of_three_conforms() {
    let cluster = Cluster::start(Make::Valkey);
    conforms(&store(&cluster.url()), 0).await;
    for node in &cluster.0 {
        assert_ne!(node.ask("DBSIZE"), ":0\r\n", "every node holds keys");
    }
}

#[tokio::test]
async fn what_lies_in_the_store_tells_nothing_and_expires() {
    let server = Server::start(Make::Valkey);
    let source = u64::from(u32::from_be_bytes([192, 0, 2, 1]));
    let add = charge(Ledger::Address, source, Movement::Add);
    store(&server.url()).charge(&[add]).await.unwrap();
    let keys = server.ask("KEYS *");
    assert!(keys.contains("dw:"), "{keys}");
    for said in ["address", "192", "c0000201", &source.to_string()] {
        assert!(!keys.contains(said), "{keys}");
    }
    let key = keys.lines().last().unwrap();
    let left: i64 = server.ask(&format!("PTTL {key}"))[1..]
        .trim()
        .parse()
        .unwrap();
    let nine_eighths = (YEAR * 1000 * 9 / 8) as i64;
    assert!(
        (nine_eighths - 60_000..=nine_eighths).contains(&left),
        "{left}"
    );
    let other = RedisStore::new(&server.url(), &Secret::new([8; 32])).unwrap();
    assert_eq!(
        counts(&other, &[add]).await,
        [1],
        "another secret, another key"
    );
}

#[test]
fn an_address_that_is_none_is_told_without_its_password() {
    let secret = Secret::new([7; 32]);
    for url in ["", "http://user:hunter2@x", "redis://:hunter2@"] {
        let error = RedisStore::new(url, &secret).unwrap_err().to_string();
        assert!(error.contains("redis://HOST:PORT"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
