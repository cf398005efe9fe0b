//! The counters themselves, as values. A store only finds them by key.

use std::time::Duration;

use crate::{Charge, Count, Limit, Movement, Timestamp, timestamp::millis};

/// Into how many slots a window is cut. An event is forgotten between one window and one window
/// and an eighth after it happened: never early, at most an eighth late.
const SLOTS: u64 = 8;

/// Slots in memory: an interval as long as the window can touch one more than it is cut into.
const RING: usize = SLOTS as usize + 1;

/// A counter of distinct accounts remembers this many times its limit; beyond, it forgets the
/// oldest. Twice is enough to stay over the limit while some leave the window.
const REMEMBERED: usize = 2;

/// One counter's state.
#[derive(Clone, Debug)]
pub enum Counter {
    /// Counts events.
    Events(Events),
    /// Counts distinct accounts.
    Distinct(Distinct),
}

impl Counter {
    /// A counter at zero of the kind that `movement` moves.
    pub fn new(movement: Movement) -> Self {
        match movement {
            Movement::Add | Movement::TakeBack { .. } => Self::Events(Events::default()),
            Movement::Reserve { .. } | Movement::Release | Movement::Confirm { .. } => {
                Self::Distinct(Distinct::default())
            }
        }
    }

    /// Applies one charge. A movement of the other kind changes nothing and counts zero.
    pub fn apply(&mut self, charge: Charge, now: Timestamp) -> Count {
        let slots = Slots::of(charge.limit);
        let (count, slot, oldest) = match (self, charge.movement) {
            (Self::Events(events), Movement::Add) => events.add(slots.at(now)),
            (Self::Events(events), Movement::TakeBack { slot }) => events.take_back(slot),
            (Self::Distinct(distinct), movement) => {
                let most = REMEMBERED * charge.limit.count as usize;
                distinct.apply(movement, slots.at(now), most)
            }
            (Self::Events(_), _) => (0, 0, None),
        };
        Count {
            charge,
            count,
            slot,
            oldest_leaves: oldest.map_or(Duration::ZERO, |slot| slots.leaves(slot, now)),
        }
    }

    /// How much evidence would be lost with this counter: what a full store weighs before it
    /// forgets one. Zero: nothing.
    pub fn evidence(&self, limit: Limit, now: Timestamp) -> u32 {
        let slot = Slots::of(limit).at(now);
        match self {
            Self::Events(events) => events.total_at(slot),
            Self::Distinct(distinct) => distinct.total_at(slot),
        }
    }
}

/// How a limit's window is cut.
struct Slots {
    length: u64,
}

impl Slots {
    fn of(limit: Limit) -> Self {
        Self {
            length: (millis(limit.window) / SLOTS).max(1),
        }
    }

    fn at(&self, now: Timestamp) -> u64 {
        now.as_millis() / self.length
    }

    fn leaves(&self, slot: u64, now: Timestamp) -> Duration {
        let end = (slot + RING as u64).saturating_mul(self.length);
        Duration::from_millis(end.saturating_sub(now.as_millis()))
    }
}

/// Counts events in a sliding window.
#[derive(Clone, Debug, Default)]
pub struct Events {
    newest: u64,
    ring: [u32; RING],
}

impl Events {
    fn add(&mut self, slot: u64) -> (u32, u64, Option<u64>) {
        let slot = self.advance(slot);
        let cell = &mut self.ring[index(slot)];
        *cell = cell.saturating_add(1);
        self.read()
    }

    fn take_back(&mut self, slot: u64) -> (u32, u64, Option<u64>) {
        if slot <= self.newest && slot + RING as u64 > self.newest {
            let cell = &mut self.ring[index(slot)];
            *cell = cell.saturating_sub(1);
        }
        self.read()
    }

    /// Forgets what has left the window and returns the slot to write in. A clock that went back
    /// writes in the newest slot, so that nothing is forgotten and nothing is counted early.
    fn advance(&mut self, slot: u64) -> u64 {
        if slot > self.newest {
            let passed = (slot - self.newest).min(RING as u64);
            for gone in 0..passed {
                self.ring[index(slot - gone)] = 0;
            }
            self.newest = slot;
        }
        self.newest
    }

    fn read(&self) -> (u32, u64, Option<u64>) {
        let total = self.ring.iter().fold(0u32, |sum, n| sum.saturating_add(*n));
        let oldest = (self.newest.saturating_sub(SLOTS)..=self.newest)
            .find(|slot| self.ring[index(*slot)] > 0);
        (total, self.newest, oldest)
    }

    fn total_at(&self, slot: u64) -> u32 {
        (self.newest.saturating_sub(SLOTS)..=self.newest)
            .filter(|held| held + RING as u64 > slot)
            .fold(0u32, |sum, held| sum.saturating_add(self.ring[index(held)]))
    }
}

fn index(slot: u64) -> usize {
    (slot % RING as u64) as usize
}

/// Counts distinct accounts in a sliding window, exactly up to a bound, and the places held by
/// attempts that are still being verified.
#[derive(Clone, Debug, Default)]
pub struct Distinct {
    newest: u64,
    reserved: u32,
    seen: Vec<Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    account: u32,
    slot: u64,
}

impl Distinct {
    fn apply(&mut self, movement: Movement, slot: u64, most: usize) -> (u32, u64, Option<u64>) {
        self.newest = self.newest.max(slot);
        let newest = self.newest;
        self.seen.retain(|seen| seen.slot + RING as u64 > newest);
        let mut count = self.reserved;
        let mut own = None;
        match movement {
            Movement::Reserve { account } => {
                self.reserved = self.reserved.saturating_add(1);
                own = Some(account);
            }
            Movement::Release => self.reserved = self.reserved.saturating_sub(1),
            Movement::Confirm { account } => {
                self.reserved = self.reserved.saturating_sub(1);
                self.remember(account, most);
            }
            Movement::Add | Movement::TakeBack { .. } => {}
        }
        if own.is_none() {
            count = self.reserved;
        }
        let others = || self.seen.iter().filter(|seen| Some(seen.account) != own);
        count = count.saturating_add(others().count() as u32);
        (count, newest, others().map(|seen| seen.slot).min())
    }

    fn remember(&mut self, account: u32, most: usize) {
        let slot = self.newest;
        if let Some(seen) = self.seen.iter_mut().find(|seen| seen.account == account) {
            seen.slot = slot;
        } else if self.seen.len() < most {
            self.seen.push(Seen { account, slot });
        } else if let Some(oldest) = self.seen.iter_mut().min_by_key(|seen| seen.slot) {
            *oldest = Seen { account, slot };
        }
    }

    fn total_at(&self, slot: u64) -> u32 {
        let live = self.seen.iter().filter(|s| s.slot + RING as u64 > slot);
        self.reserved.saturating_add(live.count() as u32)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{CounterKey, SignalId};

    const MINUTE: Limit = Limit {
        count: 5,
        window: Duration::from_secs(60),
    };

    fn charge(movement: Movement) -> Charge {
        let key = CounterKey {
            signal: SignalId::Account,
            limit: 0,
            id: 1,
        };
        Charge {
            key,
            limit: MINUTE,
            movement,
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + seconds * 1000)
    }

    fn add(counter: &mut Counter, seconds: u64) -> Count {
        counter.apply(charge(Movement::Add), at(seconds))
    }

    #[test]
    fn events_leave_after_the_window_and_say_when() {
        let mut counter = Counter::new(Movement::Add);
        assert_eq!(add(&mut counter, 0).count, 1);
        let second = add(&mut counter, 30);
        assert_eq!(second.count, 2);
        let wait = second.oldest_leaves.as_secs();
        assert!((30..=38).contains(&wait), "{wait}");
        assert_eq!(add(&mut counter, 30 + wait + 1).count, 2);
        assert_eq!(add(&mut counter, 500).count, 1);
    }

    #[test]
    fn a_refund_finds_its_own_slot_and_stops_at_zero() {
        let mut counter = Counter::new(Movement::Add);
        let first = add(&mut counter, 0);
        let back = charge(Movement::TakeBack { slot: first.slot });
        add(&mut counter, 50);
        assert_eq!(counter.apply(back, at(51)).count, 1);
        assert_eq!(counter.apply(back, at(52)).count, 1);
        assert_eq!(counter.apply(back, at(5_000)).count, 1);
    }

    #[test]
    fn distinct_counts_other_accounts_once() {
        let mut counter = Counter::new(Movement::Reserve { account: 0 });
        for account in [1, 2, 2, 3] {
            counter.apply(charge(Movement::Reserve { account }), at(0));
            counter.apply(charge(Movement::Confirm { account }), at(0));
        }
        let reserve = |account| charge(Movement::Reserve { account });
        assert_eq!(counter.apply(reserve(9), at(1)).count, 3);
        // The place of 9 is held; 3's own failure does not count against 3.
        assert_eq!(counter.apply(reserve(3), at(1)).count, 3);
        counter.apply(charge(Movement::Release), at(1));
        counter.apply(charge(Movement::Release), at(1));
        assert_eq!(counter.apply(reserve(9), at(100)).count, 0);
    }

    #[test]
    fn distinct_memory_is_bounded() {
        let mut counter = Counter::new(Movement::Reserve { account: 0 });
        for account in 0..10_000 {
            counter.apply(charge(Movement::Confirm { account }), at(0));
        }
        assert_eq!(counter.evidence(MINUTE, at(0)), 2 * MINUTE.count);
    }

    proptest! {
        /// Whatever the clock does, an event is never forgotten before its window is over by the
        /// furthest time that was shown.
        #[test]
        fn never_undercounts(mut steps in prop::collection::vec(-90i64..120, 1..60)) {
            steps.insert(0, 0);
            let mut counter = Counter::new(Movement::Add);
            let (mut now, mut furthest) = (1_000i64, 0i64);
            let mut events: Vec<i64> = Vec::new();
            for step in steps {
                now = (now + step).max(0);
                furthest = furthest.max(now);
                events.push(furthest);
                let counted = add(&mut counter, now as u64).count as usize;
                let truth = events.iter().filter(|e| **e > furthest - 60).count();
                prop_assert!(counted >= truth, "{counted} < {truth}");
            }
        }

        /// Refunds in any number and order leave no less than what was never refunded.
        #[test]
        fn refunds_take_only_what_was_charged(times in prop::collection::vec((0u64..200, any::<bool>()), 1..60)) {
            let mut counter = Counter::new(Movement::Add);
            let mut kept = Vec::new();
            let mut furthest = 0;
            for (now, refund) in times {
                furthest = furthest.max(now);
                let slot = add(&mut counter, now).slot;
                if refund {
                    counter.apply(charge(Movement::TakeBack { slot }), at(now));
                } else {
                    kept.push(furthest);
                }
            }
            let truth = kept.iter().filter(|e| **e + 60 > furthest).count() as u32;
            prop_assert!(counter.evidence(MINUTE, at(furthest)) >= truth);
        }
    }
}
