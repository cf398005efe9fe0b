//! The score against the simulator: what a scan would predict of a defence, and what the attacker that
//! the score is about takes there.

use std::fmt::Write;

use doorwarden_scan::{Limited, predicted};
use doorwarden_sim::{DefenceId, Met, PlainLimit, PlainLimits, probe, taken_in_a_day};

/// Rivals that limit in fixed windows, and limits one by one and together. Not among them: waits that
/// grow (Keycloak, Kanidm, Rauthy), of which a scan sees the first, and CrowdSec, whose ban comes ten
/// seconds late; of those the score says too much, on purpose.
fn defences() -> [DefenceId; 10] {
    let limit = |most, window| Some(PlainLimit { most, window });
    let account = PlainLimits {
        account: limit(10, 900),
        ..PlainLimits::default()
    };
    let both = PlainLimits {
        address: limit(20, 600),
        ..account
    };
    let all = PlainLimits {
        password: limit(5, 86_400),
        ..both
    };
    [
        DefenceId::None,
        DefenceId::AddressWindow,
        DefenceId::AccountLockout,
        DefenceId::Articles,
        DefenceId::AutheliaUser,
        DefenceId::AutheliaAddress,
        DefenceId::Plain(account),
        DefenceId::Plain(both),
        DefenceId::Plain(all),
        DefenceId::Plain(PlainLimits {
            account: limit(5, 86_400),
            ..PlainLimits::default()
        }),
    ]
}

const ACCOUNTS: u32 = 300;
const SEEDS: u64 = 3;

/// Nearer than this are two defences alike: of 300 accounts some sixty are taken at most.
const ALIKE: f64 = 1.25;

#[test]
fn the_ranking_by_score_is_the_simulators_by_accounts_taken() {
    let limited = |met: Option<Met>| {
        met.map(|met| Limited {
            most: met.most,
            retry_after: met.retry_after,
        })
    };
    let (mut rows, mut table) = (Vec::new(), String::new());
    for defence in defences() {
        let met = probe(defence);
        let predicted = predicted(
            limited(met.account),
            limited(met.address),
            limited(met.password),
        );
        let predicted = predicted.thousand_addresses;
        let taken = (0..SEEDS).map(|seed| taken_in_a_day(defence, ACCOUNTS, seed));
        let taken = taken.sum::<f64>() / SEEDS as f64;
        writeln!(
            table,
            "{predicted:>8.1} predicted, {taken:>8.1} taken: {}",
            defence.name()
        )
        .unwrap();
        rows.push((predicted, taken));
    }
    let apart = |one: f64, other: f64| (one.max(other) + 1.0) / (one.min(other) + 1.0) > ALIKE;
    let mut decided = 0;
    for (place, one) in rows.iter().enumerate() {
        for other in &rows[place + 1..] {
            if apart(one.0, other.0) && apart(one.1, other.1) {
                decided += 1;
                assert_eq!(
                    one.0 > other.0,
                    one.1 > other.1,
                    "{one:?} {other:?}\n{table}"
                );
            }
        }
    }
    assert!(decided >= 30, "only {decided} of 45 pairs differ\n{table}");
}
