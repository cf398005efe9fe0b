//! What an attempt does to counters, and what the counters answer.

use std::time::Duration;

use crate::{Limit, SignalId};

/// Names one counter: a signal, which of its limits, and what it counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CounterKey {
    /// The signal that owns the counter.
    pub signal: SignalId,
    /// The position of its limit in the policy, from 0.
    pub limit: u8,
    /// Account, source or mark, as 64 bits.
    pub id: u64,
}

/// One movement of one counter. Charges are independent of each other, so that a store may
/// apply them in any order and a cluster may hold them on different nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The counter.
    pub key: CounterKey,
    /// The limit it counts for.
    pub limit: Limit,
    /// How it moves.
    pub movement: Movement,
}

/// How a counter moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Movement {
    /// One more.
    Add,
    /// One less, in the slot that [`Count::slot`] named when it was added. Never below zero.
    TakeBack {
        /// The slot of the addition.
        slot: u64,
    },
    /// A distinct-accounts counter holds a place for an attempt that is being verified.
    Reserve {
        /// The account, shortened.
        account: u32,
    },
    /// The place is given up, nothing is counted.
    Release,
    /// The place becomes a counted account.
    Confirm {
        /// The account, shortened.
        account: u32,
    },
}

/// What a counter said after a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The charge it answers.
    pub charge: Charge,
    /// How many there are in the window. After [`Movement::Add`] this attempt is among them;
    /// after [`Movement::Reserve`] it counts *other* accounts and places only.
    pub count: u32,
    /// The slot that took the charge, for [`Movement::TakeBack`].
    pub slot: u64,
    /// How long until the oldest of them leaves the window; zero when there is none.
    pub oldest_leaves: Duration,
}
