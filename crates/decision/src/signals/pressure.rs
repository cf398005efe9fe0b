//! How few logins from unknown devices succeed, site-wide.
//!
//! - **Sees** that an attack of any shape is going on, even one spread over accounts, addresses and
//!   passwords so thinly that no other counter reaches two.
//! - **Memory** four counters.
//! - **Evaded by** going slowly among many legitimate logins, or by adding successful logins to
//!   accounts of the attacker's own: each spelling of an account's name is credited
//!   three times per day.
//! - **Hurts** no one by itself: a site-wide limit that denies is a denial of service on every login.
//!   Under pressure the policy's larger budget for step-ups applies, and the limits of strangers per
//!   address and network shrink, to half at most.
//! - **Constants**: odds r = (p_benign − p_observed) / p_observed, from Herley and Schechter
//!   (NDSS 2019). p_benign is the policy's; it is believed for as long as 100 attempts do not
//!   say otherwise.

use super::{Ledger, Signal, take_back};
use crate::{Attempt, Case, Charges, Count, Ended, Limits, Movement, Policy};

/// A burst, and a slow attack that hides in a day's traffic.
pub(super) static WINDOWS: Limits = Limits::fixed(50_000, 600).and(50_000, 6 * 3_600);

/// Failures of one address that count. One host that goes on and on is its address's matter, and
/// should not make the whole site suspicious of strangers.
const MOST_OF_ONE_ADDRESS: u32 = 10;

/// How many attempts the expectation is worth.
const BELIEF: f64 = 100.0;

/// The odds that an attempt without a device is an attacker's, from the failures and successful logins
/// of one window.
pub(crate) fn odds(failures: u32, successes: u32, benign: f64) -> f64 {
    let (failures, successes) = (f64::from(failures), f64::from(successes));
    let observed = (successes + BELIEF * benign) / (failures + successes + BELIEF);
    ((benign - observed) / observed).max(0.0)
}

pub(super) struct Pressure;

impl Signal for Pressure {
    fn charges(&self, attempt: &Attempt, policy: &Policy, charges: &mut Charges) {
        let Some(one) = attempt.counted() else {
            return;
        };
        Ledger::Failures.charge(0, policy, one, charges);
        Ledger::Successes.charge(0, policy, Movement::Peek, charges);
    }

    fn settle(&self, count: &Count, case: &Case, ended: Ended, charges: &mut Charges) {
        let is_failures = count.charge.key.ledger == Ledger::Failures;
        let one_host = case.at_address > MOST_OF_ONE_ADDRESS;
        if is_failures && (ended != Ended::Wrong || one_host) {
            take_back(count, charges);
        }
        match ended {
            // What one host's failures did not add, its successes don't take.
            Ended::Right if is_failures && !one_host => {
                super::forgiveness::forgive(count, case, charges);
            }
            Ended::Right if is_failures => {}
            Ended::Right if case.credited && case.attempt.device.is_none() => {
                super::again(count, Movement::Add, charges);
            }
            _ => {}
        }
    }
}
