//! Password heat: on how many distinct accounts has this password just failed?
//!
//! - **Sees** password spraying (ATT&CK T1110.003) with one guess per address and per account, where
//!   counts per account and per address see nothing.
//! - **Memory** 32 bytes for each recent mark of a failed password.
//! - **Evaded by** a different password for each account (stuffing), or by stopping below the
//!   limit: then each password is worth only that many guesses per window, and
//!   [`pressure`](super::pressure) still sees it.
//! - **Hurts** users whose own password is being sprayed, on a new device in a place that their
//!   account does not know. A correct password is refunded as soon as it is verified, so merely
//!   *using* it heats nothing. An attacker can heat a popular password on purpose (T1110.003 turned
//!   around): that denies those users and no one else.
//! - **Constants**: the floor of 5 accounts is in [`Policy`]. What is expected by chance follows
//!   the password's popularity: of a day's incorrect passwords, as large a share as of all passwords.
//!
//! A failure is one account's: the same incorrect password again on the same account is taken back
//! ([`forgiveness`](super::forgiveness)). An attempt is counted while it is verified, or parallel
//! guesses would all read a cold counter.

use super::{Familiarity, Ledger, Signal, Weight, surprise};
use crate::{Attempt, Case, Charges, Count, Policy, popularity};

/// By chance, in a window, whatever the password: two of a day's incorrect passwords share a mark with
/// odds of 1 in 400 (see [`MarkKey`](crate::MarkKey)), and people share habits.
const EXPECTED: f64 = 0.3;

/// How surprising a count must be to deny: odds of 1 in 100 that it came about by chance, for each
/// password of a day; the limit's own count guards the rest.
const DENIES: f64 = 2.0;

const NATS: f64 = 1.6;
const MOST_SURPRISE: f64 = 6.0;

pub(super) struct Heat;

impl Signal for Heat {
    fn charges(&self, attempt: &Attempt, policy: &Policy, charges: &mut Charges) {
        let Some(one) = attempt.counted() else {
            return;
        };
        for mark in attempt.marks.iter() {
            Ledger::Heat.charge(mark.as_u64(), policy, one, charges);
        }
    }

    fn weigh(&self, count: &Count, case: &Case) -> Weight {
        // Its own account's failure, if it had one, says nothing of other accounts.
        let accounts = count.with_own() - u32::from(case.repeat && count.with_own() > 1);
        let share = case.attempt.rank.map_or(0.0, popularity::share_of);
        let expected = EXPECTED + share * case.failures_a_day;
        let surprise = surprise(accounts, expected, MOST_SURPRISE);
        let hot = surprise >= DENIES && case.familiarity < Familiarity::Network;
        let used = f64::from(accounts) / case.limit(count);
        let others = super::surprise(accounts - 1, expected, MOST_SURPRISE);
        Weight {
            // A place short of the limit for what is not surprising.
            share: if hot { used } else { used.min(1.0) },
            suspicion: if count.charge.key.limit == 0 {
                NATS * others
            } else {
                0.0
            },
        }
    }
}
