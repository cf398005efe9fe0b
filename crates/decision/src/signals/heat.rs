//! Password heat: on how many distinct accounts has this password just failed?
//!
//! - **Sees** password spraying (ATT&CK T1110.003) at one guess an address and one an account,
//!   where counts by account and by address see nothing.
//! - **Memory** one counter for each recent mark of a failed password; 16 bytes an account in it,
//!   at the most twice its limit.
//! - **Evaded by** a different password for each account (stuffing), or by stopping below the
//!   limit: then each password is worth only that many guesses a window.
//! - **Hurts** people whose own password is the one being sprayed: they are refused while it is
//!   hot. A right password is never marked, so people who only *use* it heat nothing.
//! - **Constants**: the floor of 5 accounts is in [`Policy`](crate::Policy).
//!
//! An attempt holds a *place* in its mark's counter while it is verified. Without it, parallel
//! guesses would all read a cold counter.

use super::{Signal, SignalId, charge_each};
use crate::{Attempt, Charge, Count, Movement, Outcome, Policy};

pub(super) struct Heat;

impl Signal for Heat {
    fn charges(&self, attempt: &Attempt, policy: &Policy) -> Vec<Charge> {
        let reserve = Movement::Reserve {
            account: attempt.account.short(),
        };
        let charges =
            |mark: crate::Mark| charge_each(SignalId::Heat, mark.as_u64(), &policy.heat, reserve);
        attempt.marks.iter().flat_map(charges).collect()
    }

    /// The count is of *other* accounts, so this attempt makes one more.
    fn weigh(&self, count: &Count) -> f64 {
        f64::from(count.count.saturating_add(1)) / f64::from(count.charge.limit.count)
    }

    /// Its floor is what a few people do by chance, and they do not fewer under attack.
    fn bends(&self) -> bool {
        false
    }

    fn settle(&self, _: &Count, attempt: &Attempt, outcome: Outcome) -> Option<Movement> {
        Some(match outcome {
            Outcome::Failure => Movement::Confirm {
                account: attempt.account.short(),
            },
            Outcome::Success | Outcome::Unverified => Movement::Release,
        })
    }
}
