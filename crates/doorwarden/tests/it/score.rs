//! The score against the simulator: what a scan would predict of a defence, and what the same attacker
//! takes there.

use doorwarden_scan::{Limited, predicted};
use doorwarden_sim::{DefenceId, Met, probe, taken_in_a_day};

/// Those that limit and nothing else; what the others do depends on who asks, which three arms of
/// failures can't see.
const DEFENCES: [DefenceId; 10] = [
    DefenceId::None,
    DefenceId::AddressWindow,
    DefenceId::AccountLockout,
    DefenceId::Articles,
    DefenceId::CrowdSec,
    DefenceId::Keycloak,
    DefenceId::Kanidm,
    DefenceId::AutheliaUser,
    DefenceId::AutheliaAddress,
    DefenceId::Rauthy,
];

const ACCOUNTS: u32 = 300;
const SEEDS: u64 = 3;

#[test]
fn the_scores_ranking_is_the_simulators() {
    let limited = |met: Option<Met>| {
        met.map(|met| Limited {
            most: met.most,
            retry_after: met.retry_after,
        })
    };
    let mut rows = Vec::new();
    for defence in DEFENCES {
        let met = probe(defence);
        let predicted = predicted(
            limited(met.account),
            limited(met.address),
            limited(met.password),
        );
        let taken = (0..SEEDS).map(|seed| taken_in_a_day(defence, ACCOUNTS, seed));
        let taken = taken.sum::<f64>() / SEEDS as f64;
        println!(
            "{:<22} predicted {:>8.1} taken {taken:>8.1} {met:?}",
            defence.name(),
            predicted.thousand_addresses
        );
        rows.push((defence, predicted.thousand_addresses, taken));
    }
    panic!("look");
}
