//! Failures of one account, from anywhere.
//!
//! - **Sees** password guessing on one account (ATT&CK T1110.001), however many addresses it
//!   comes from.
//! - **Memory** 56 bytes a limit for each name that was tried.
//! - **Evaded by** spraying: one guess on each of many accounts. [`heat`](super::heat) sees that.
//! - **Hurts** the owner, whom an attacker can keep out by failing on purpose. Until familiar
//!   devices have a lane of their own, the windows are kept short (see SECURITY.md).
//! - **Constants** in [`Policy`](crate::Policy), from SP 800-63B-4 §3.2.2.

use super::{Signal, SignalId, charge_each, share};
use crate::{Attempt, Charge, Count, Movement, Policy};

pub(super) struct Account;

impl Signal for Account {
    fn charges(&self, attempt: &Attempt, policy: &Policy) -> Vec<Charge> {
        let id = attempt.account.as_u64();
        charge_each(SignalId::Account, id, &policy.account, Movement::Add)
    }

    fn weigh(&self, count: &Count) -> f64 {
        share(count)
    }
}
