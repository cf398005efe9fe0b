//! Wrong passwords on one account, from devices that it does not know.
//!
//! - **Sees** password guessing on one account (ATT&CK T1110.001), however many addresses it
//!   comes from. *Strikes* count guesses; *mass* counts what they are worth: the share of people
//!   who have the guessed password, as DALock (PETS 2022) does. Fifty guesses from a list of
//!   popular passwords say more than fifty typos.
//! - **Memory** 32 bytes for each limit and one for the mass, for each name that was tried.
//! - **Evaded by** spraying: one guess on each of many accounts. [`heat`](super::heat) sees that.
//! - **Hurts** the owner, whom an attacker can keep out by failing on purpose: on a new device in
//!   a new place only. Devices have a lane of their own ([`device`](super::device)), and a network
//!   that the account knows may use as many failures again as strangers have used up.
//! - **Constants**: the limits are the policy's, from SP 800-63B-4 §3.2.2. A strike weighs a
//!   quarter of a nat: one of twenty honest logins fails, of an attacker's nearly all, but honest
//!   failures come in rows. The rest is fitted on simulated traces (docs/scoreboard.md).

use std::sync::LazyLock;

use super::{Familiarity, Ledger, Signal, Weight, take_back};
use crate::{Attempt, Case, Charges, Count, Ended, Limits, Movement, Policy, popularity};

/// How long guesses are weighed. In units of [`UNIT`]; the count is where it stops to say more.
pub(super) static MASS: LazyLock<Limits> = LazyLock::new(|| Limits::fixed(1_000, 86_400));

/// One unit of mass: a hundred-thousandth of all people.
const UNIT: f64 = 1e-5;

const NATS_PER_STRIKE: f64 = 0.25;
const MOST_STRIKES: f64 = 8.0;
const NATS_OF_FULL_MASS: f64 = 1.5;

pub(super) struct Account;

impl Signal for Account {
    fn charges(&self, attempt: &Attempt, policy: &Policy, charges: &mut Charges) {
        let id = attempt.account.as_u64();
        if let Some(one) = attempt.counted(1) {
            Ledger::Strikes.charge(id, policy, one, charges);
        }
        let worth = attempt.rank.map_or(0.0, popularity::share_of) / UNIT;
        if worth >= 1.0
            && let Some(mass) = attempt.counted(worth as u16)
        {
            Ledger::Mass.charge(id, policy, mass, charges);
        }
    }

    fn weigh(&self, count: &Count, case: &Case) -> Weight {
        let counted = f64::from(count.with_own());
        if count.charge.key.ledger == Ledger::Mass {
            return Weight::suspicion(NATS_OF_FULL_MASS * (counted * UNIT / 0.01).min(1.0));
        }
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

    /// The owner's right password forgives the failures from the same address before it.
    fn settle(&self, count: &Count, case: &Case, ended: Ended, charges: &mut Charges) {
        if ended != Ended::Wrong {
            take_back(count, charges);
        }
        if ended == Ended::Right && count.charge.key.ledger == Ledger::Strikes {
            super::forgiveness::forgive(count, case, charges);
        }
    }
}

impl Attempt {
    /// How a counter moves that is meant for strangers: an attempt with a device's token is not
    /// counted, and only looks where it was drawn for calibration.
    pub(super) fn counted(&self, n: u16) -> Option<Movement> {
        match (self.device, self.sampled) {
            (None, _) => Some(Movement::Add { n }),
            (Some(_), true) => Some(Movement::Peek),
            (Some(_), false) => None,
        }
    }
}
