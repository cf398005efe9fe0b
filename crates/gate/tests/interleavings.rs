//! Parallel attempts on counters in memory, in every order that shuttle can think of.
//!
//! `cargo test -p doorwarden-gate --features shuttle --test interleavings`; a failure prints the
//! seed or the schedule that shows it again.

#![expect(clippy::unwrap_used, reason = "tests stop where something is wrong")]

use std::time::Duration;

use doorwarden_decision::{
    AccountKey, Attempt, Ledger, Mark, Marks, Outcome, Policy, SourceKey, Thresholds, Timestamp,
    decide, plan, settle,
};
use doorwarden_gate::MemoryStore;
use shuttle::{sync::Arc, thread};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn policy() -> Policy {
    Policy {
        account: "2 per hour".parse().unwrap(),
        ..Policy::default()
    }
}

fn guess(account: u64, guess: u8) -> Attempt {
    let marks = Marks {
        current: Some(Mark::from_parts(1, guess.into())),
        previous: None,
        exact: None,
    };
    let source = SourceKey::new([10, guess, 0, 1].into());
    Attempt::new(AccountKey::from_u64(account), source, marks)
}

/// Whether the password was verified.
fn attempt(store: &MemoryStore, attempt: &Attempt, outcome: Outcome) -> bool {
    let policy = policy();
    let counts = store.charge(&plan(attempt, &policy), NOW);
    let decision = decide(attempt, &policy, &Thresholds::default(), &counts).decision;
    let outcome = if decision.verifies() {
        outcome
    } else {
        Outcome::Unverified
    };
    store.charge(&settle(attempt, &policy, &counts, decision, outcome), NOW);
    decision.verifies()
}

fn at_once(threads: u8, work: impl Fn(u8) -> bool + Send + Sync + 'static) -> usize {
    let work = Arc::new(work);
    let running: Vec<_> = (0..threads)
        .map(|i| {
            let work = Arc::clone(&work);
            thread::spawn(move || work(i))
        })
        .collect();
    running
        .into_iter()
        .filter_map(|thread| thread.join().ok())
        .filter(|did| *did)
        .count()
}

fn guesses_on_one_account() {
    let store = MemoryStore::new(&policy(), 0, 1);
    let verified = at_once(5, move |i| attempt(&store, &guess(1, i), Outcome::Failure));
    assert!(verified <= 2, "{verified} guesses were verified");
}

fn one_password_on_many_accounts() {
    let store = MemoryStore::new(&policy(), 1 << 20, 1);
    let verified = at_once(8, move |i| {
        let sprayed = Attempt {
            source: SourceKey::new([10, i, 0, 1].into()),
            ..guess(u64::from(i) << 32, 7)
        };
        attempt(&store, &sprayed, Outcome::Failure)
    });
    assert!(verified <= 5, "{verified} accounts were tried");
}

/// Refunds beside charges: what stays is what was not refunded, and nothing goes below zero.
fn refunds_and_charges() {
    let store = Arc::new(MemoryStore::new(&policy(), 0, 1));
    let own = Arc::clone(&store);
    at_once(4, move |i| {
        let outcome = if i % 2 == 0 {
            Outcome::Unverified
        } else {
            Outcome::Failure
        };
        attempt(&own, &guess(1, i), outcome)
    });
    let last = guess(1, 99);
    let counts = store.charge(&plan(&last, &policy()), NOW.plus(Duration::from_secs(1)));
    let strikes = counts
        .iter()
        .find(|count| count.charge.key.ledger == Ledger::Strikes);
    // Both failures may have been denied while the refunded ones were held; no more than two stay.
    assert!(
        strikes.is_some_and(|count| (1..=3).contains(&count.count)),
        "{strikes:?}"
    );
}

#[test]
fn no_order_verifies_more_guesses_than_the_limit() {
    shuttle::check_random(guesses_on_one_account, 2_000);
    shuttle::check_pct(guesses_on_one_account, 2_000, 3);
}

#[test]
fn no_order_lets_a_spray_past_its_heat() {
    shuttle::check_random(one_password_on_many_accounts, 1_000);
    shuttle::check_pct(one_password_on_many_accounts, 1_000, 3);
}

#[test]
fn no_order_of_refunds_frees_what_was_charged() {
    shuttle::check_random(refunds_and_charges, 2_000);
}

/// Without this a printed seed would not show its failure again.
#[test]
fn nothing_but_the_order_is_left_to_chance() {
    shuttle::check_uncontrolled_nondeterminism(guesses_on_one_account, 200);
}
