//! Failures of the whole site.
//!
//! - **Sees** that an attack of any shape is going on, by its volume.
//! - **Memory** one counter a limit.
//! - **Evaded by** going slowly.
//! - **Hurts** nobody by itself: a site-wide limit that refuses is a denial of service on every
//!   login. It only tightens the other limits, to half at twice its count.
//! - **Constants** in [`Policy`](crate::Policy).

use super::{Signal, SignalId, charge_each, share};
use crate::{Attempt, Charge, Count, Movement, Policy};

pub(super) struct Site;

impl Signal for Site {
    fn charges(&self, _: &Attempt, policy: &Policy) -> Vec<Charge> {
        charge_each(SignalId::Site, 0, &policy.site, Movement::Add)
    }

    fn weigh(&self, count: &Count) -> f64 {
        share(count)
    }

    fn tightens(&self) -> bool {
        true
    }

    fn bends(&self) -> bool {
        false
    }
}
