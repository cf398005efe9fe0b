//! Failures of one account on unknown devices.
//!
//! - **Sees** password guessing on one account (ATT&CK T1110.001), however many addresses it
//!   comes from.
//! - **Memory** 32 bytes for each limit, for each name that was tried.
//! - **Evaded by** spraying: one guess on each of many accounts. [`heat`](super::heat) sees that.
//! - **Hurts** the owner, whom an attacker can keep out by failing on purpose, but only on a new
//!   device in a new place. Known devices have a budget of their own ([`device`](super::device)), and
//!   from a network that the account knows the limit is doubled.
//! - **Constants**: the limits are the policy's, from SP 800-63B-4 §3.2.2. A strike weighs a
//!   quarter of a nat: one of twenty legitimate logins fails, of an attacker's nearly all, but honest
//!   failures come in rows.
//!
//! DALock (PETS 2022) also weighs guesses by their popularity. Beside the other signals that made no
//! difference in the ablation, so it was removed: docs/decisions/0011-limits-then-evidence.md.

use super::{Familiarity, Ledger, Signal, Weight, forgiveness::settle_failures};
use crate::{Attempt, Case, Charges, Count, Ended, Movement, Policy};

const NATS_PER_STRIKE: f64 = 0.25;
const MOST_STRIKES: f64 = 8.0;

pub(super) struct Account;

impl Signal for Account {
    fn charges(&self, attempt: &Attempt, policy: &Policy, charges: &mut Charges) {
        let id = attempt.account.as_u64();
        if let Some(one) = attempt.counted() {
            Ledger::Strikes.charge(id, policy, one, charges);
        }
    }

    fn weigh(&self, count: &Count, case: &Case) -> Weight {
        let counted = f64::from(count.with_own());
        // Strangers stop at the limit; who comes from a known network has as much again.
        let lanes = if case.familiarity >= Familiarity::Network {
            2.0
        } else {
            1.0
        };
        let share = counted / (case.limit(count) * lanes);
        let strikes = (counted - 1.0).min(MOST_STRIKES);
        // Each strike once, though it stands in each limit's counter.
        let speaks = count.charge.key.limit == 0;
        Weight {
            share,
            suspicion: if speaks {
                NATS_PER_STRIKE * strikes
            } else {
                0.0
            },
        }
    }

    /// The owner's correct password forgives the failures from the same address before it.
    fn settle(&self, count: &Count, case: &Case, ended: Ended, charges: &mut Charges) {
        settle_failures(count, case, ended, charges);
    }
}

impl Attempt {
    /// How a counter moves that is meant for strangers: an attempt with a device's token is not
    /// counted, and only looks where it was drawn for calibration.
    pub(super) fn counted(&self) -> Option<Movement> {
        match (self.device, self.sampled) {
            (None, _) => Some(Movement::Add),
            (Some(_), true) => Some(Movement::Peek),
            (Some(_), false) => None,
        }
    }
}
