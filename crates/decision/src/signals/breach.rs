//! Is exactly this pair of name and password known to have leaked? Only the simulator can tell: the
//! gate has no source for it.
//!
//! - **Sees** stuffing of known pairs (ATT&CK T1110.004), from the first attempt on.
//! - **Memory** none.
//! - **Evaded by** pairs that leaked lately, or only to the attacker.
//! - **Hurts** users of a leaked pair, on a new device in a new place.
//! - **Constants**: 1.5 % of successful logins use a pair that has leaked (Thomas et al., USENIX Security
//!   2019); of stuffed pairs nearly all are known sooner or later. The logarithm of that ratio, less
//!   a nat for what the other signals already know of such an attack.
//!
//! The *popularity* of a password is not evidence here: the ablation showed that it stepped up more
//! legitimate users and caught no attacker that heat did not. It only determines how many failures to
//! expect: [`heat`](super::heat).

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
