//! Signals: what an attempt is judged by, one file each.
//!
//! To add one: write `signals/<name>.rs` with a unit struct that implements [`Signal`] (or run
//! `cargo xtask new-signal NAME`), add a variant to [`SignalId`] and a line to
//! [`SignalId::signal`], and give it its limits in [`Policy`].

mod account;
mod heat;
mod site;
mod source;

use crate::{Attempt, Charge, Count, CounterKey, Limits, Movement, Outcome, Policy};

/// Which signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignalId {
    /// Failures of one account.
    Account,
    /// Failures of one client address.
    Address,
    /// Distinct accounts on which one password failed.
    Heat,
    /// Failures of the whole site.
    Site,
}

impl SignalId {
    /// All of them, in the order they are asked.
    pub const ALL: [Self; 4] = [Self::Account, Self::Address, Self::Heat, Self::Site];

    /// Its name in policies and audit events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Address => "address",
            Self::Heat => "heat",
            Self::Site => "site",
        }
    }

    /// Its code.
    pub fn signal(self) -> &'static dyn Signal {
        match self {
            Self::Account => &account::Account,
            Self::Address => &source::Source,
            Self::Heat => &heat::Heat,
            Self::Site => &site::Site,
        }
    }
}

/// One kind of evidence.
///
/// The file of a signal says which attack it sees (with its MITRE ATT&CK id), how much memory a
/// key costs, how an attacker evades it, whom it hurts when it is wrong, and where its constants
/// come from. All methods are pure.
///
/// A mistake here is paid by people: a charge that [`settle`](Signal::settle) never takes back
/// counts right passwords as guesses; one that is taken back too freely gives free guesses.
pub trait Signal: Sync {
    /// The counters that this attempt moves before anything is verified.
    fn charges(&self, attempt: &Attempt, policy: &Policy) -> Vec<Charge>;

    /// How much of what is allowed is used up: over 1.0 is too much. `count` answers one of this
    /// signal's own [`charges`](Signal::charges).
    fn weigh(&self, count: &Count) -> f64;

    /// What the outcome moves, for one counter that was charged. By default a failure stays and
    /// anything else is taken back.
    fn settle(&self, count: &Count, attempt: &Attempt, outcome: Outcome) -> Option<Movement> {
        let _ = attempt;
        match outcome {
            Outcome::Failure => None,
            Outcome::Success | Outcome::Unverified => Some(Movement::TakeBack { slot: count.slot }),
        }
    }

    /// Whether it decides, or (like [`SignalId::Site`]) only tightens what others allow.
    fn tightens(&self) -> bool {
        false
    }

    /// Whether site-wide pressure tightens what it allows.
    fn bends(&self) -> bool {
        true
    }
}

/// One charge for each of a signal's limits.
fn charge_each(signal: SignalId, id: u64, limits: &Limits, movement: Movement) -> Vec<Charge> {
    let charge = |(position, limit)| Charge {
        key: CounterKey {
            signal,
            limit: position as u8,
            id,
        },
        limit,
        movement,
    };
    limits.iter().enumerate().map(charge).collect()
}

/// The used share where the attempt itself is already counted.
fn share(count: &Count) -> f64 {
    f64::from(count.count) / f64::from(count.charge.limit.count)
}
