//! Whether times tell which accounts exist.
//!
//! Of each pair of logins a coin says which comes first. If both take equally long, however noisy the
//! machine is, each is the slower one in half of the pairs: exactly a coin's odds, so that the bound below
//! holds without any assumption on the noise (the sign test).

use std::time::{Duration, Instant};

use doorwarden_decision::{Policy, SignalId};

use crate::service::{PASSWORD, Service};

const PAIRS: u32 = 60;

/// So many fair coins lie as far off their half or farther once in a million runs (two-sided binomial
/// tail).
const FAR: u32 = 20;

/// The odds of `PAIRS` fair coins lying `FAR` or more off their half.
#[test]
fn the_bound_is_what_it_says() {
    let mut ways = vec![1.0_f64];
    for _ in 0..PAIRS {
        let (tails, heads) = ([&ways[..], &[0.0]].concat(), [&[0.0], &ways[..]].concat());
        let both = tails.iter().zip(&heads);
        ways = both.map(|(one, other)| (one + other) / 2.0).collect();
    }
    let far = |heads: usize| heads.abs_diff(PAIRS as usize / 2) >= FAR as usize;
    let odds: f64 = ways
        .iter()
        .enumerate()
        .filter(|(heads, _)| far(*heads))
        .map(|(_, odds)| odds)
        .sum();
    assert!(odds < 1.0 / 1_000_000.0, "1 in {}", 1.0 / odds);
}

async fn lasts(service: &Service, name: &str, password: &str) -> Duration {
    let started = Instant::now();
    let fields = [("username", name), ("password", password)];
    let answer = service.send("/login", &fields).await;
    assert_eq!(answer.status(), 401, "{name}");
    started.elapsed()
}

/// In how many of the pairs the first kind was slower.
async fn slower(service: &Service, one: &[(String, String)], other: &[(String, String)]) -> u32 {
    let mut slower = 0;
    let mut coins = [0; PAIRS as usize];
    getrandom::fill(&mut coins).unwrap();
    for ((one, other), coin) in one.iter().zip(other).zip(coins) {
        let (first, second);
        if coin % 2 == 0 {
            first = lasts(service, &one.0, &one.1).await;
            second = lasts(service, &other.0, &other.1).await;
        } else {
            second = lasts(service, &other.0, &other.1).await;
            first = lasts(service, &one.0, &one.1).await;
        }
        slower += u32::from(first > second);
    }
    slower
}

fn of_each(name: impl Fn(u32) -> String, password: &str) -> Vec<(String, String)> {
    (0..PAIRS).map(|i| (name(i), password.to_owned())).collect()
}

/// Without limits, so that many failures can be timed.
async fn unlimited(name: &str) -> Service {
    let policy = Policy {
        without: SignalId::ALL.to_vec(),
        ..Policy::default()
    };
    let service = Service::by_policy(name, policy, |_| {}).await;
    // Right logins show how long one takes; until then failures wait for what is usual.
    service.register("somebody").await;
    for _ in 0..3 {
        service.token("somebody").await;
    }
    service
}

async fn are_alike(service: &Service, one: &[(String, String)], other: &[(String, String)]) {
    let slower = slower(service, one, other).await;
    let off = slower.abs_diff(PAIRS / 2);
    assert!(off < FAR, "the first was slower in {slower} of {PAIRS}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_names_and_wrong_passwords_take_equally_long() {
    let service = unlimited("times").await;
    service.register("alice").await;
    let unknown = of_each(|i| format!("nobody-{i}"), "wrong");
    let wrong = of_each(|_| "alice".into(), "wrong");
    are_alike(&service, &unknown, &wrong).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn disabled_accounts_take_as_long_as_unknown_ones() {
    let service = unlimited("times-disabled").await;
    service.register("gone").await;
    service.office().await.disable("gone", true).await.unwrap();
    // The same password: how long one takes to be read depends on it, and tells nothing.
    let unknown = of_each(|i| format!("nobody-{i}"), PASSWORD);
    let right = of_each(|_| "gone".into(), PASSWORD);
    are_alike(&service, &unknown, &right).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_hashes_take_as_long_as_ours() {
    let service = unlimited("times-foreign").await;
    let foreign: &[(&str, &str)] = include!("../../src/foreign_hashes.in");
    let hash = foreign.iter().find(|(form, _)| form.contains("bcrypt"));
    let line = format!("{{\"name\":\"old\",\"hash\":\"{}\"}}\n", hash.unwrap().1);
    let imported = service.office().await.import(&line, false).await.unwrap();
    assert_eq!(imported.made, 1);
    let unknown = of_each(|i| format!("nobody-{i}"), "wrong");
    let wrong = of_each(|_| "old".into(), "wrong");
    are_alike(&service, &unknown, &wrong).await;
    service.stop().await;
}
