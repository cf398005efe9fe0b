//! Failures from one address, one network or one autonomous system.
//!
//! - **Sees** one host that guesses at many accounts (ATT&CK T1110.003, T1110.004), even if it
//!   rotates through its /64 (one address here) or its /48 (one network).
//! - **Memory** 32 bytes for each limit and address, network and system that had a failure.
//! - **Evaded by** a botnet or residential proxies: two guesses per address pass any such limit.
//! - **Hurts** users who share an address (carrier NAT, a campus) with an attacker, if they are on a
//!   new device *and* their account does not know the network. The failures expected of an address
//!   grow with the successful logins that vouch for its network.
//! - **Constants**: limits are the policy's. Expected failures: one in five addresses has one in a
//!   day by chance, and one more for each twenty successful logins (3 to 5 % are mistyped). Nats are
//!   fitted on simulated traces (docs/scoreboard.md).

use super::{Familiarity, Ledger, Signal, Weight, forgiveness::settle_failures, surprise};
use crate::{Attempt, Case, Charges, Count, Ended, Limits, Policy};

/// Autonomous systems are too large for a limit that denies; what one does in a day informs.
pub(super) static ASN: Limits = Limits::fixed(1_000, 86_400);

const EXPECTED_OF_ADDRESS: f64 = 0.2;
const EXPECTED_OF_NETWORK: f64 = 0.5;
const EXPECTED_OF_ASN: f64 = 20.0;
const EXPECTED_PER_RIGHT_LOGIN: f64 = 0.05;

/// So many successful logins in 30 days give room for as many failures again; ten times at most.
const STANDING_FOR_AS_MUCH_AGAIN: f64 = 50.0;
const MOST_ROOM: f64 = 10.0;

const NATS_OF_ADDRESS: f64 = 1.0;
const NATS_OF_NETWORK: f64 = 0.7;
const NATS_OF_ASN: f64 = 0.3;
const MOST_SURPRISE: f64 = 5.0;

pub(super) struct Source;

/// How many times its limit an address or network may use, by the successful logins that vouch for it:
/// behind a campus's one address there are a thousand people.
fn room(standing: u32) -> f64 {
    (1.0 + f64::from(standing) / STANDING_FOR_AS_MUCH_AGAIN).min(MOST_ROOM)
}

impl Signal for Source {
    fn charges(&self, attempt: &Attempt, policy: &Policy, charges: &mut Charges) {
        let Some(one) = attempt.counted() else {
            return;
        };
        Ledger::Address.charge(attempt.source.as_u64(), policy, one, charges);
        Ledger::Network.charge(attempt.source.network(), policy, one, charges);
        if let Some(asn) = attempt.asn {
            Ledger::Asn.charge(asn.into(), policy, one, charges);
        }
    }

    fn weigh(&self, count: &Count, case: &Case) -> Weight {
        let (expected, nats) = match count.charge.key.ledger {
            Ledger::Address => (EXPECTED_OF_ADDRESS, NATS_OF_ADDRESS),
            Ledger::Network => (EXPECTED_OF_NETWORK, NATS_OF_NETWORK),
            _ => (EXPECTED_OF_ASN, NATS_OF_ASN),
        };
        let expected = expected + EXPECTED_PER_RIGHT_LOGIN * f64::from(case.standing);
        let before = count.with_own().saturating_sub(1);
        let speaks = count.charge.key.limit == 0;
        let limits =
            count.charge.key.ledger != Ledger::Asn && case.familiarity < Familiarity::Network;
        Weight {
            share: if limits {
                f64::from(count.with_own()) / (case.limit(count) * room(case.standing))
            } else {
                0.0
            },
            suspicion: if speaks {
                nats * surprise(before, expected, MOST_SURPRISE)
            } else {
                0.0
            },
        }
    }

    fn settle(&self, count: &Count, case: &Case, ended: Ended, charges: &mut Charges) {
        settle_failures(count, case, ended, charges);
    }
}
