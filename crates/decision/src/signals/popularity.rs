//! How popular the password is, and whether the pair has leaked.
//!
//! - **Sees** guessing from lists (ATT&CK T1110.003) and stuffing of known pairs (T1110.004), from
//!   the first attempt on.
//! - **Memory** none: the shell looks both up.
//! - **Evaded by** passwords that are in no list: a company's name and the season. Heat sees those.
//! - **Hurts** people who chose a popular password, on a new device in a new place.
//! - **Constants**: of people, 4.6 % have one of the 100 most popular passwords and 21 % one of
//!   10,000 ([`popularity`](crate::popularity)); of sprayed guesses nearly all are. 1.5 % of right
//!   logins use a pair that has leaked (Thomas et al., USENIX Security 2019). The logarithms of
//!   those ratios, less a nat for what the other signals already know of such an attack.

use super::Signal;
use crate::{Attempt, Case, Charges, Policy};

const NATS_OF_TOP_HUNDRED: f64 = 2.0;
const NATS_OF_TOP_TEN_THOUSAND: f64 = 0.6;
const NATS_OF_BREACHED: f64 = 3.2;

pub(super) struct Popularity;

impl Signal for Popularity {
    fn charges(&self, _: &Attempt, _: &Policy, _: &mut Charges) {}

    fn testify(&self, case: &Case) -> f64 {
        let popular = match case.attempt.rank {
            Some(..=100) => NATS_OF_TOP_HUNDRED,
            Some(..=10_000) => NATS_OF_TOP_TEN_THOUSAND,
            _ => 0.0,
        };
        let breached = if case.attempt.breached {
            NATS_OF_BREACHED
        } else {
            0.0
        };
        popular + breached
    }
}
