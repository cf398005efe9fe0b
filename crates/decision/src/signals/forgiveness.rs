//! Repeats and typos, which cost nothing.
//!
//! - **Sees** no attack. Repeating the same incorrect password on the same account is a program with
//!   an old password or a user who insists; it teaches an attacker nothing. An incorrect password
//!   followed by the correct one, from the same address within minutes, was a typo.
//! - **Memory** 32 bytes for each account that had a failure, for its last four incorrect passwords,
//!   and 32 for each account and address.
//! - **Evaded by** attackers behind the owner's address: three of their guesses are forgiven with each
//!   of the owner's first three successful logins per day. Repeating a guess gains nothing.
//! - **Hurts** no one. Two passwords share their 32 bits with odds of 1 in 4 billion; then a guess is
//!   free. The bits are of the password as sent: what a verifier may distinguish is not a repeat.
//! - **Constants**: Entra's smart lockout remembers three incorrect passwords, this four. StopGuessing
//!   refunds 90 % of a typo; here at most three are forgiven, whole.

use super::{Ledger, Signal, again, member, take_back};
use crate::{Attempt, Case, Charges, Count, Ended, Limits, Movement, Policy};

/// How long an incorrect password is known for one.
pub(super) static TRIED: Limits = Limits::fixed(4, 86_400);

/// How long the correct password may take to come. Less than any window of which a failure is
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

/// How a count of strangers' failures ends: an incorrect password stays, all else is taken back, and a
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
