//! Wrong passwords on a device that the account knows.
//!
//! - **Sees** guessing on a device that was stolen, or whose token was.
//! - **Memory** 32 bytes for each limit and device that had a failure.
//! - **Evaded by** nobody without a token, which is a signed proof of an earlier right login on
//!   this account (see [`device`](mod@crate::device)).
//! - **Hurts** nobody but the device itself: this is the only budget that its attempts meet, so
//!   nobody can use up its owner's logins from elsewhere. That is OWASP's "device cookie".
//! - **Constants**: the policy's, as for strangers.

use super::{Ledger, Signal, Weight};
use crate::{Attempt, Case, Charges, Count, Movement, Policy};

pub(super) struct Device;

impl Signal for Device {
    fn charges(&self, attempt: &Attempt, policy: &Policy, charges: &mut Charges) {
        if let Some(device) = attempt.device {
            Ledger::Device.charge(device.as_u64(), policy, Movement::Add, charges);
        }
    }

    fn weigh(&self, count: &Count, case: &Case) -> Weight {
        Weight {
            share: f64::from(count.count) / case.limit(count),
            suspicion: 0.0,
        }
    }
}
