//! What an attempt does to counters, and what they return.

use std::time::Duration;

use arrayvec::ArrayVec;

use crate::{Ledger, Limit, Timestamp, timestamp::millis};

/// The most charges that one attempt makes: every ledger, with as many limits as a policy may
/// give it.
pub const MOST_CHARGES: usize = 28;

/// The charges of one attempt.
pub type Charges = ArrayVec<Charge, MOST_CHARGES>;

/// The answers to [`Charges`], in their order.
pub type Counts = ArrayVec<Count, MOST_CHARGES>;

/// Names one counter: its ledger, which of the ledger's limits, and what it counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CounterKey {
    /// Its ledger.
    pub ledger: Ledger,
    /// The position of its limit in the policy, from 0.
    pub limit: u8,
    /// Account, source, mark or a mix of two, as 64 bits.
    pub id: u64,
}

/// One movement of one counter. Charges are independent of each other, so that a store may
/// apply them in any order and a cluster may hold them on different nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The counter.
    pub key: CounterKey,
    /// The window, and the slots that it is cut into.
    pub window: Window,
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
        slot: u32,
    },
    /// At most `most` less, the newest first. Never below zero.
    Forgive {
        /// How many.
        most: u16,
    },
    /// No change; returns the count.
    Peek,
    /// No change; returns whether a member is known.
    Recall {
        /// The member, see [`Match`].
        member: u32,
    },
    /// The member is known from now on.
    Remember {
        /// The member.
        member: u32,
    },
}

impl Movement {
    /// Returns whether it can change an unused counter. Other movements need no room for one.
    pub fn opens(self) -> bool {
        matches!(self, Self::Add | Self::Remember { .. })
    }

    /// Returns whether it can change a counter at all.
    pub fn writes(self) -> bool {
        !matches!(self, Self::Peek | Self::Recall { .. })
    }
}

/// The state of a counter after a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    /// The charge it answers.
    pub charge: Charge,
    /// Events: how many there are in the window, this attempt's among them after
    /// [`Movement::Add`]. Members: a [`Match`] as a number after [`Movement::Recall`].
    pub count: u32,
    /// The slot that took the charge, for [`Movement::TakeBack`].
    pub slot: u32,
    /// How long until the oldest of them leaves the window, in milliseconds; zero when there is
    /// none.
    pub leaves: u32,
}

impl Count {
    /// Returns the count of an unused counter.
    pub fn none(charge: Charge) -> Self {
        Self {
            charge,
            count: 0,
            slot: 0,
            leaves: 0,
        }
    }

    /// The count with this attempt in it, also where it only looked.
    pub(crate) fn with_own(&self) -> u32 {
        self.count + u32::from(self.charge.movement == Movement::Peek)
    }

    pub(crate) fn leaves(&self) -> Duration {
        Duration::from_millis(self.leaves.into())
    }
}

/// How well a set of members knows one. Of a member's 32 bits the upper 24 are a group: a network
/// with an address in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Match {
    /// Not at all.
    #[default]
    No,
    /// Another of its group.
    Group,
    /// Itself.
    Same,
}

impl Match {
    pub(crate) fn of(count: u32) -> Self {
        match count {
            0 => Self::No,
            1 => Self::Group,
            _ => Self::Same,
        }
    }
}

/// Into how many slots a window is cut. An event is forgotten between one window and one window
/// and an eighth after it happened: never early, at most an eighth late.
pub(crate) const SLOTS: u32 = 8;

/// How a limit's window is cut: milliseconds a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window(u32);

impl Window {
    /// The window of a limit.
    pub fn of(limit: Limit) -> Self {
        let slot = (millis(limit.window) / u64::from(SLOTS)).max(1);
        Self(u32::try_from(slot).unwrap_or(u32::MAX))
    }

    /// Milliseconds a slot.
    pub const fn slot_millis(self) -> u32 {
        self.0
    }

    /// The slot that a moment falls in, which wraps after 17 years of the shortest window, and how
    /// many milliseconds of it have passed.
    pub fn cut(self, now: Timestamp) -> (u32, u32) {
        let (now, slot) = (now.as_millis(), u64::from(self.0));
        ((now / slot) as u32, (now % slot) as u32)
    }

    /// How long a counter that is not charged any more can still say something.
    pub fn lifetime(self) -> Duration {
        Duration::from_millis(u64::from(self.0) * u64::from(SLOTS + 1))
    }

    /// How long until what happened `age` slots ago leaves, so far into the present slot; all in
    /// milliseconds.
    pub(crate) fn leaves(self, age: u32, into: u32) -> u32 {
        let end = u64::from((SLOTS + 1).saturating_sub(age)) * u64::from(self.0);
        u32::try_from(end.saturating_sub(into.into())).unwrap_or(u32::MAX)
    }
}
