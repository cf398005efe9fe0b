//! Repeats and typos, which cost nothing.
//!
//! - **Sees** no attack. The same wrong password again on the same account is a robot that was
//!   never told the new one, or a person who does not believe it; it teaches a guesser nothing.
//!   A wrong password that the right one follows, from the same address within minutes, was a typo.
//! - **Memory** 32 bytes for each account that had a failure, for its last four wrong passwords,
//!   and 32 for each account and address.
//! - **Evaded by** who shares an address with the owner: three of its guesses are forgiven with each of
//!   the owner's first three right logins a day. Who repeats a guess wins nothing by it.
//! - **Hurts** nobody. Two passwords share their 32 bits with odds of 1 in 4 billion: then a guess is
//!   free. They are of the password as it was sent: what a verifier may tell apart is no repeat.
//! - **Constants**: Entra's smart lockout remembers three wrong passwords, this four. StopGuessing
//!   refunds 90 % of a typo; here at most three are forgiven, whole.

use super::{Ledger, Signal, again, member, take_back};
use crate::{Attempt, Case, Charges, Count, Ended, Limits, Movement, Policy};

/// How long a wrong password is known for one.
pub(super) static TRIED: Limits = Limits::fixed(4, 86_400);

/// How long the right password may take to come. Less than any window of which a failure is
/// forgiven, so that none is forgiven that has left already.
pub(super) static TYPOS: Limits = Limits::fixed(MOST_TYPOS as u32, 300);

const MOST_TYPOS: u16 = 3;

/// Takes an account's and address's own recent failures off a counter: off one that it shares with
/// others only as often as the account has credit, since attempts that run side by side are among
/// them.
pub(super) fn forgive(count: &Count, case: &Case, charges: &mut Charges) {
    let most = case.typos.min(MOST_TYPOS);
    let own = count.charge.key.ledger == Ledger::Strikes;
    if most > 0 && (own || case.credited) && case.outlasts_typos(count) {
        again(count, Movement::Forgive { most }, charges);
    }
}

/// How a count of strangers' failures ends: a wrong password stays, all else is taken back, and a
/// right one forgives what came before it.
pub(super) fn settle_failures(count: &Count, case: &Case, ended: Ended, charges: &mut Charges) {
    if ended != Ended::Wrong {
        take_back(count, charges);
    }
    if ended == Ended::Right {
        forgive(count, case, charges);
    }
}

pub(super) struct Forgiveness;

impl Signal for Forgiveness {
    fn charges(&self, attempt: &Attempt, policy: &Policy, charges: &mut Charges) {
        if attempt.device.is_some() {
            return;
        }
        let owner = attempt.owner.as_u64();
        if let Some(exact) = attempt.marks.exact {
            let member = member(owner, exact.into(), exact.into());
            Ledger::Tried.charge(owner, policy, Movement::Recall { member }, charges);
        }
        let pair = crate::table::mix(owner ^ attempt.source.as_u64().rotate_left(17));
        Ledger::Typos.charge(pair, policy, Movement::Add, charges);
    }

    fn settle(&self, count: &Count, _: &Case, ended: Ended, charges: &mut Charges) {
        match (ended, count.charge.movement) {
            (Ended::Wrong, Movement::Recall { member }) => {
                again(count, Movement::Remember { member }, charges);
            }
            (Ended::Right, Movement::Add) => {
                let most = u16::try_from(count.count).unwrap_or(u16::MAX);
                again(count, Movement::Forgive { most }, charges);
            }
            (Ended::Wrong, _) => {}
            _ => take_back(count, charges),
        }
    }
}
