//! The counters themselves, as values. A store only finds them by key.

use std::cmp::Reverse;

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::{
    Charge, Count, Movement, Timestamp, Window,
    charge::{Match, SLOTS},
};

/// Slots in memory: an interval as long as the window can touch one more than it is cut into.
const RING: usize = SLOTS as usize + 1;

/// Members that a counter remembers: one more than the three incorrect passwords that Entra's smart
/// lockout does not count again.
const MEMBERS: usize = 4;

/// Cells of a member: two for its bits, one for the slot in which it was last seen.
const MEMBER_CELLS: usize = 3;

/// What a counter is made of.
const CELLS: usize = MEMBERS * MEMBER_CELLS;

/// What the counters of a ledger hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The number of events in a sliding window.
    Events,
    /// The most recent members.
    Members,
}

/// One counter's state: 28 bytes, no pointers. All zero is a counter that was never used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Counter {
    /// The slot of the last change.
    newest: u32,
    /// Events: how many in the newest slot, in the one before it, and so on. Members: each one's
    /// lower half, upper half and slot.
    cells: [u16; CELLS],
}

impl Counter {
    /// Applies one charge.
    pub fn apply(&mut self, charge: Charge, now: Timestamp) -> Count {
        let (slot, into) = charge.window.cut(now);
        match charge.movement {
            Movement::Add => {
                self.advance(slot);
                self.cells[0] = self.cells[0].saturating_add(1);
            }
            Movement::TakeBack { slot } => self.take_back(slot),
            Movement::Forgive { most } => self.forgive(most),
            Movement::Peek => {}
            Movement::Remember { member } => {
                self.remember(member, slot);
                return Count {
                    slot,
                    ..Count::none(charge)
                };
            }
            Movement::Recall { member } => {
                return Count {
                    count: self.recall(member, slot) as u32,
                    slot,
                    ..Count::none(charge)
                };
            }
        }
        let (count, age) = self.read(slot);
        Count {
            charge,
            count,
            slot: self.newest,
            leaves: age.map_or(0, |age| charge.window.leaves(age, into)),
        }
    }

    /// Returns how much evidence would be lost with this counter: a full store forgets the counter with
    /// the least. Of two with equal evidence, the one changed last is worth more.
    pub fn evidence(&self, kind: Kind, window: Window, now: Timestamp) -> (u32, u32) {
        let (slot, _) = window.cut(now);
        let live = match kind {
            Kind::Events => self.read(slot).0,
            Kind::Members => {
                let live = self.members().filter(|(_, seen)| is_live(*seen, slot));
                live.count() as u32
            }
        };
        (live, self.newest)
    }

    /// Whether its last change is more than a slot after this one: by a clock that was wrong.
    pub(crate) fn is_after(&self, slot: u32) -> bool {
        self.newest.wrapping_sub(slot) as i32 > 1
    }

    /// Shifts out what has left the window. A clock that went back writes in the newest slot, so
    /// that nothing is forgotten and nothing is counted early.
    fn advance(&mut self, slot: u32) {
        let passed = self.age(slot);
        if passed > 0 {
            let (ring, oldest) = self.aged(passed);
            for (place, cell) in self.cells[..RING - 1].iter_mut().enumerate() {
                *cell = (ring >> (16 * place)) as u16;
            }
            self.cells[RING - 1] = oldest;
            self.newest = slot;
        }
    }

    /// Returns the counts `passed` slots later, the newest in the lowest bits, and the oldest of the nine.
    fn aged(&self, passed: usize) -> (u128, u16) {
        let oldest = (RING - 1).checked_sub(passed);
        let oldest = oldest.map_or(0, |place| self.cells[place]);
        let cells = self.cells[..RING - 1].iter().enumerate();
        let ring = cells.fold(0, |ring, (place, cell)| {
            ring | u128::from(*cell) << (16 * place)
        });
        let ring = if passed < RING - 1 {
            ring << (16 * passed)
        } else {
            0
        };
        (ring, oldest)
    }

    /// How many slots have begun since the newest; 0 for a clock that went back.
    fn age(&self, slot: u32) -> usize {
        if self.newest == 0 && *self == Self::default() {
            return RING;
        }
        let passed = slot.wrapping_sub(self.newest) as i32;
        usize::try_from(passed).unwrap_or(0)
    }

    fn take_back(&mut self, slot: u32) {
        let age = self.newest.wrapping_sub(slot) as usize;
        if let Some(cell) = self.cells[..RING].get_mut(age) {
            *cell = cell.saturating_sub(1);
        }
    }

    fn forgive(&mut self, most: u16) {
        let mut left = most;
        for cell in &mut self.cells[..RING] {
            let taken = left.min(*cell);
            *cell -= taken;
            left -= taken;
        }
    }

    /// How many events are in the window that ends in `slot`, and the age of the oldest.
    fn read(&self, slot: u32) -> (u32, Option<u32>) {
        let (ring, oldest) = self.aged(self.age(slot));
        let age = match (oldest, ring) {
            (0, 0) => None,
            (0, ring) => Some(ring.ilog2() / 16),
            _ => Some(SLOTS),
        };
        (sum(ring) + u32::from(oldest), age)
    }

    fn members(&self) -> impl Iterator<Item = (u32, u16)> + '_ {
        let member = |cells: &[u16]| (u32::from(cells[0]) | u32::from(cells[1]) << 16, cells[2]);
        self.cells
            .chunks_exact(MEMBER_CELLS)
            .map(member)
            .filter(|(member, _)| *member != 0)
    }

    fn recall(&self, member: u32, slot: u32) -> Match {
        let matched = |(known, seen): (u32, u16)| match known ^ member {
            _ if !is_live(seen, slot) => Match::No,
            0 => Match::Same,
            differs if differs >> 8 == 0 => Match::Group,
            _ => Match::No,
        };
        self.members().map(matched).max().unwrap_or_default()
    }

    /// Notes a member in its own place, an empty one, or that of the one seen longest ago.
    fn remember(&mut self, member: u32, slot: u32) {
        let bits = [member as u16, (member >> 16) as u16];
        let unseen = |cells: &[u16]| match (cells[..2] == bits, cells[..2] == [0, 0]) {
            (true, _) => u32::MAX,
            (_, true) => u32::MAX - 1,
            _ => u32::from((slot as u16).wrapping_sub(cells[2])),
        };
        let places = self.cells.chunks_exact_mut(MEMBER_CELLS);
        // Of equals the first, as in every store.
        if let Some(place) = places.min_by_key(|cells| Reverse(unseen(cells))) {
            place.copy_from_slice(&[bits[0], bits[1], slot as u16]);
        }
        self.newest = slot;
    }
}

/// The sum of the eight counts in a ring.
fn sum(ring: u128) -> u32 {
    const EVEN: u128 = 0x0000_ffff_0000_ffff_0000_ffff_0000_ffff;
    let fours = (ring & EVEN) + (ring >> 16 & EVEN);
    let twos = fours as u64 + (fours >> 64) as u64;
    twos as u32 + (twos >> 32) as u32
}

/// Whether a member last seen in a slot is still in the window. Its slot is cut to 16 bits: after
/// 32,768 slots without a word, which are eleven years of a day's window, it would look new.
fn is_live(seen: u16, slot: u32) -> bool {
    ((slot as u16).wrapping_sub(seen) as i16) <= SLOTS as i16
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{CounterKey, Ledger, Limit};

    const MINUTE: Limit = Limit {
        count: 5,
        window: Duration::from_secs(60),
    };

    fn charge(movement: Movement) -> Charge {
        let key = CounterKey {
            ledger: Ledger::Strikes,
            limit: 0,
            id: 1,
        };
        Charge {
            key,
            window: Window::of(MINUTE),
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
        let mut counter = Counter::default();
        assert_eq!(add(&mut counter, 0).count, 1);
        let second = add(&mut counter, 30);
        assert_eq!(second.count, 2);
        let wait = u64::from(second.leaves / 1000);
        assert!((30..=38).contains(&wait), "{wait}");
        assert_eq!(
            counter
                .apply(charge(Movement::Peek), at(30 + wait + 1))
                .count,
            1
        );
        assert_eq!(add(&mut counter, 30 + wait + 1).count, 2);
        assert_eq!(add(&mut counter, 500).count, 1);
    }

    #[test]
    fn a_refund_finds_its_own_slot_and_stops_at_zero() {
        let mut counter = Counter::default();
        let slot = add(&mut counter, 0).slot;
        let back = charge(Movement::TakeBack { slot });
        add(&mut counter, 50);
        assert_eq!(counter.apply(back, at(51)).count, 1);
        assert_eq!(counter.apply(back, at(52)).count, 1);
        assert_eq!(
            counter
                .apply(charge(Movement::Forgive { most: 9 }), at(53))
                .count,
            0
        );
        assert_eq!(counter.apply(back, at(5_000)).count, 0);
        assert_eq!(add(&mut counter, 5_001).count, 1);
    }

    #[test]
    fn the_last_four_members_are_known_for_a_window() {
        let mut counter = Counter::default();
        let recall = |counter: &mut Counter, member, seconds| {
            counter
                .apply(charge(Movement::Recall { member }), at(seconds))
                .count
        };
        for member in [0x100, 0x200, 0x300, 0x400, 0x500] {
            counter.apply(
                charge(Movement::Remember { member }),
                at(u64::from(member >> 6)),
            );
        }
        assert_eq!(recall(&mut counter, 0x100, 20), Match::No as u32);
        assert_eq!(recall(&mut counter, 0x200, 20), Match::Same as u32);
        assert_eq!(recall(&mut counter, 0x2ff, 20), Match::Group as u32);
        assert_eq!(recall(&mut counter, 0x200, 100), Match::No as u32);
    }

    #[test]
    fn a_counter_and_its_tag_are_half_a_cache_line() {
        assert_eq!(size_of::<Counter>() + size_of::<u32>(), 32);
    }

    proptest! {
        /// Whatever the clock does, an event is never forgotten before its window is over by the
        /// furthest time that was shown.
        #[test]
        fn never_undercounts(mut steps in prop::collection::vec(-90i64..120, 1..60)) {
            steps.insert(0, 0);
            let mut counter = Counter::default();
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
            let mut counter = Counter::default();
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
            let counted = counter.evidence(Kind::Events, Window::of(MINUTE), at(furthest)).0;
            prop_assert!(counted >= truth);
        }
    }
}
