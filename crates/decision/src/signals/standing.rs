//! Does the site know the network?
//!
//! - **Sees** what sets a botnet's addresses apart even at one guess each: no one has ever logged in
//!   from there. Legitimate users in a new place are mostly behind a carrier, a campus or an office
//!   from which others log in.
//! - **Memory** 32 bytes for each network with a successful login, and for each account's credit.
//! - **Evaded by** proxies in the site's own networks, or by first logging in to accounts of the
//!   attacker's own from everywhere: each spelling of an account's name can
//!   vouch at most three times per day.
//! - **Hurts** no one by itself; users from networks without standing lack what speaks for others.
//! - **Constants**: StopGuessing caps an account's credit too (Herley, Schechter and Tian, EuroS&P
//!   2019). Windows and nats are fitted on simulated traces (docs/scoreboard.md).

use super::{Ledger, Signal, Weight, again, take_back};
use crate::{Attempt, Case, Charges, Count, Ended, Limits, Movement, Policy};

/// How long a successful login vouches for its network.
pub(super) static STANDING: Limits = Limits::fixed(50_000, 30 * 86_400);

/// How often an account may vouch for anything.
pub(super) static CREDIT: Limits = Limits::fixed(3, 86_400);

const NATS_PER_DOUBLING: f64 = 0.8;
const MOST_NATS: f64 = 3.5;

pub(super) struct Standing;

impl Signal for Standing {
    fn charges(&self, attempt: &Attempt, policy: &Policy, charges: &mut Charges) {
        let network = attempt.source.network();
        Ledger::Standing.charge(network, policy, Movement::Peek, charges);
        let owner = attempt.owner.as_u64();
        Ledger::Credit.charge(owner, policy, Movement::Add, charges);
    }

    fn weigh(&self, count: &Count, case: &Case) -> Weight {
        if count.charge.key.ledger == Ledger::Credit {
            return Weight::default();
        }
        let doublings = f64::from(case.standing + 1).log2();
        Weight::suspicion(-(NATS_PER_DOUBLING * doublings).min(MOST_NATS))
    }

    fn settle(&self, count: &Count, case: &Case, ended: Ended, charges: &mut Charges) {
        let vouches = ended == Ended::Right && case.credited;
        match count.charge.key.ledger {
            Ledger::Standing if vouches => again(count, Movement::Add, charges),
            Ledger::Credit if !vouches => take_back(count, charges),
            _ => {}
        }
    }
}
