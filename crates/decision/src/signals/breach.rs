//! Is exactly this name and password known to have leaked?
//!
//! - **Sees** stuffing of known pairs (ATT&CK T1110.004), from the first attempt on.
//! - **Memory** none: the shell looks it up, where it has a list.
//! - **Evaded by** pairs that leaked lately, or only to the attacker.
//! - **Hurts** people who still use a pair that has leaked, on a new device in a new place.
//! - **Constants**: 1.5 % of right logins use a pair that has leaked (Thomas et al., USENIX Security
//!   2019); of stuffed pairs nearly all are known sooner or later. The logarithm of that ratio, less
//!   a nat for what the other signals already know of such an attack.
//!
//! That a password is *popular* does not speak here: the ablation showed that it stepped up more
//! honest people and caught nobody whom heat did not. It counts where it says what to expect:
//! [`heat`](super::heat).

use super::Signal;
use crate::{Attempt, Case, Charges, Policy};

const NATS_OF_BREACHED: f64 = 3.2;

pub(super) struct Breach;

impl Signal for Breach {
    fn charges(&self, _: &Attempt, _: &Policy, _: &mut Charges) {}

    fn testify(&self, case: &Case) -> f64 {
        if case.attempt.breached {
            NATS_OF_BREACHED
        } else {
            0.0
        }
    }
}
