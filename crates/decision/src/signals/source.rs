//! Failures of one client address, on any account.
//!
//! - **Sees** one host that guesses at many accounts (ATT&CK T1110.003, T1110.004).
//! - **Memory** 56 bytes a limit for each address, or IPv6 /64, that made an attempt.
//! - **Evaded by** a botnet or residential proxies: two guesses an address pass any such limit.
//! - **Hurts** people who share an address (carrier NAT, a campus) with a robot.
//! - **Constants** in [`Policy`](crate::Policy).

use super::{Signal, SignalId, charge_each, share};
use crate::{Attempt, Charge, Count, Movement, Policy};

pub(super) struct Source;

impl Signal for Source {
    fn charges(&self, attempt: &Attempt, policy: &Policy) -> Vec<Charge> {
        let id = attempt.source.as_u64();
        charge_each(SignalId::Address, id, &policy.address, Movement::Add)
    }

    fn weigh(&self, count: &Count) -> f64 {
        share(count)
    }
}
