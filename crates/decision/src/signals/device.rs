//! Failures on one known device of an account.
//!
//! - **Sees** guessing on a stolen device, or with a stolen token.
//! - **Memory** 32 bytes for each limit and device that had a failure.
//! - **Evaded by** no one without a token, which is a signed proof of an earlier successful login on
//!   this account (see [`device`](mod@crate::device)).
//! - **Hurts** only the device itself: its attempts meet no other budget, so no one else can use up
//!   the owner's attempts. That is OWASP's "device cookie".
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
