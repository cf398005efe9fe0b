//! What it counts, in one line.
//!
//! - **Detects** which attack, with its ATT&CK id.
//! - **Memory** per key.
//! - **Evaded by** what.
//! - **Affects** which legitimate users when it is wrong.
//! - **Constants** and their sources.

use super::{Ledger, Signal, Weight};
use crate::{Attempt, Case, Charges, Count, Policy};

pub(super) struct {Name};

impl Signal for {Name} {
    fn charges(&self, attempt: &Attempt, policy: &Policy, charges: &mut Charges) {
        if let Some(one) = attempt.counted() {
            Ledger::{Name}.charge(attempt.account.as_u64(), policy, one, charges);
        }
    }

    fn weigh(&self, count: &Count, case: &Case) -> Weight {
        Weight {
            share: f64::from(count.with_own()) / case.limit(count),
            suspicion: 0.0,
        }
    }
}
