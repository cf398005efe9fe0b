//! Counters in a fixed amount of memory: a table with two places for each key.

use std::{
    hint::black_box,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use zerocopy::{FromZeros, transmute};

use crate::{Charge, Count, Counter, Timestamp, Window, counter::Kind};

/// A counter and, before it, the bits that tell it from others of its bucket: 32 bytes. A tag of
/// zero is an empty place.
type Place = [AtomicU32; PLACE];

const PLACE: usize = 1 + size_of::<Counter>() / 4;

/// Counters that share a bucket: two cache lines of them. A key may be in either of two buckets.
const WAYS: usize = 4;

/// A bucket in words. All zero when empty, so that memory is only touched when it is used.
const BUCKET: usize = WAYS * PLACE;

/// The most buckets of a group; a power of two. Both buckets of a key are of one group, which is
/// four pages of memory at most.
const GROUP: usize = 128;

/// The counters of one ledger and limit, in memory that never grows: 32 bytes each.
///
/// A new key takes an empty place in its two buckets, or that of a counter which can move to its other
/// bucket, or else that of the counter with the least evidence in them. Counters that an attack has
/// filled are therefore never forgotten for invented names or addresses, which carry one event each. A
/// key is identified by 32 bits within its bucket; two keys collide with odds of 2 in 10⁹ per look-up.
///
/// The table is meant for many threads and has no lock of its own: callers must let only one charge at
/// a time into a [`group`](Table::group). Otherwise counts are lost.
pub struct Table {
    words: Vec<AtomicU32>,
    /// Where the first bucket begins: at a cache line.
    first: usize,
    buckets: usize,
    /// Buckets of a group, as a power of two.
    group_bits: u32,
    seed: u64,
    kind: Kind,
    window: Window,
}

/// Where a table keeps an id.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    tag: u32,
    bucket: u32,
}

impl Table {
    /// Creates a table of at most `bytes`, and at least one bucket of 128 bytes. `seed` should be random
    /// where attackers supply keys, or they could choose keys that share a bucket.
    pub fn new(kind: Kind, window: Window, bytes: usize, seed: u64) -> Self {
        let most = (bytes / (BUCKET * 4)).clamp(1, u32::MAX as usize);
        let group_bits = GROUP.ilog2().min(most.ilog2());
        let buckets = most >> group_bits << group_bits;
        // Zeroed by the system, page by page as they are used, which aligned memory would not be.
        let words = AtomicU32::new_vec_zeroed(buckets * BUCKET + BUCKET);
        let words = words.unwrap_or_else(|_| panic!("no memory for {bytes} bytes of counters"));
        let first = words.as_ptr().align_offset(BUCKET * 4).min(BUCKET);
        Self {
            words,
            first,
            buckets,
            group_bits,
            seed,
            kind,
            window,
        }
    }

    /// Returns where the counter of an id is, or would be.
    pub fn locate(&self, id: u64) -> Slot {
        let hash = mix(mix(id ^ self.seed).wrapping_add(self.seed.rotate_left(32)));
        Slot {
            tag: ((hash >> 32) as u32).max(1),
            bucket: ((u64::from(hash as u32) * self.buckets as u64) >> 32) as u32,
        }
    }

    /// Returns the number of the group of a slot.
    pub fn group(&self, slot: Slot) -> usize {
        slot.bucket as usize >> self.group_bits
    }

    /// Returns the number of groups.
    pub fn groups(&self) -> usize {
        self.buckets >> self.group_bits
    }

    /// Prefetches the memory that a charge on this slot will use, so that several charges wait for it
    /// once instead of one after the other. Needs no exclusive access to the group.
    pub fn fetch(&self, slot: Slot) {
        for bucket in self.choices(slot) {
            let places = self.places(bucket);
            // One of each cache line.
            black_box(places[0][0].load(Relaxed) ^ places[WAYS / 2][0].load(Relaxed));
        }
    }

    /// Applies a charge to the counter with its id.
    pub fn apply(&self, charge: Charge, now: Timestamp) -> Count {
        self.apply_at(self.locate(charge.key.id), charge, now)
    }

    /// Applies a charge to the counter at a located slot.
    pub fn apply_at(&self, slot: Slot, charge: Charge, now: Timestamp) -> Count {
        let place = match self.find(slot) {
            Some(place) => place,
            None if charge.movement.opens() => self.make_room(slot, now),
            None => return Counter::default().apply(charge, now),
        };
        let mut counter = read(place);
        let count = counter.apply(charge, now);
        if charge.movement.writes() {
            write(place, counter);
        }
        count
    }

    /// Counts the counters in use, in linear time.
    pub fn len(&self) -> usize {
        let places = (0..self.buckets).flat_map(|bucket| self.places(bucket));
        places.filter(|place| !is_empty(place)).count()
    }

    /// Returns true if no counter is in use.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the number of counters that fit.
    pub fn capacity(&self) -> usize {
        self.buckets * WAYS
    }

    /// Returns the bytes that its counters take once all are in use.
    pub fn bytes(&self) -> usize {
        self.buckets * BUCKET * 4
    }

    /// Returns a group, for a snapshot. It contains no name, address or password, but with the seed one
    /// can test whether an id is in it.
    pub fn words(&self, group: usize) -> Vec<u32> {
        let places = self
            .buckets_of(group)
            .flat_map(|bucket| self.places(bucket));
        places.flatten().map(|word| word.load(Relaxed)).collect()
    }

    /// Restores a group that [`Table::words`] returned, for a table with the same seed and size; returns
    /// whether it fit. A counter from the future, written under a wrong clock, would never expire and is
    /// left out.
    #[must_use]
    pub fn restore(&self, group: usize, words: &[u32], now: Timestamp) -> bool {
        if words.len() != BUCKET << self.group_bits {
            return false;
        }
        let (slot, _) = self.window.cut(now);
        let places = self
            .buckets_of(group)
            .flat_map(|bucket| self.places(bucket));
        for (place, words) in places.zip(words.as_chunks::<PLACE>().0) {
            let [tag, counter @ ..] = *words;
            let counter: Counter = transmute!(counter);
            let kept = !counter.is_after(slot);
            place[0].store(if kept { tag } else { 0 }, Relaxed);
            write(place, if kept { counter } else { Counter::default() });
        }
        true
    }

    fn buckets_of(&self, group: usize) -> std::ops::Range<usize> {
        group << self.group_bits..(group + 1) << self.group_bits
    }

    /// Returns the two buckets in which a key may be.
    fn choices(&self, slot: Slot) -> [usize; 2] {
        let bucket = slot.bucket as usize;
        [bucket, self.other(bucket, slot.tag)]
    }

    /// Returns the other bucket in which a key with this tag may be; the function is its own inverse.
    fn other(&self, bucket: usize, tag: u32) -> usize {
        let mask = (1 << self.group_bits) - 1;
        bucket ^ (tag as usize & mask).max(mask & 1)
    }

    fn places(&self, bucket: usize) -> &[Place] {
        let words = &self.words[self.first + bucket * BUCKET..][..BUCKET];
        words.as_chunks().0
    }

    fn find(&self, slot: Slot) -> Option<&Place> {
        let mut places = self
            .choices(slot)
            .into_iter()
            .map(|bucket| self.places(bucket));
        let is_it = |place: &&Place| place[0].load(Relaxed) == slot.tag;
        places.find_map(|places| places.iter().find(is_it))
    }

    /// A place for a new key: free, or freed by forgetting the least.
    fn make_room(&self, slot: Slot, now: Timestamp) -> &Place {
        let free = |bucket| self.places(bucket).iter().find(|place| is_empty(place));
        // The emptier bucket first: so both fill evenly, and the table nearly to its end.
        let held = |bucket| {
            self.places(bucket)
                .iter()
                .filter(|place| !is_empty(place))
                .count()
        };
        let [mut one, mut other] = self.choices(slot);
        if held(other) < held(one) {
            (one, other) = (other, one);
        }
        let empty = free(one).or_else(|| self.move_one([one, other]));
        let place = empty.unwrap_or_else(|| self.least([one, other], now));
        place[0].store(slot.tag, Relaxed);
        write(place, Counter::default());
        place
    }

    /// Moves a counter out of one of these buckets into the other of its own, if there is room.
    fn move_one(&self, buckets: [usize; 2]) -> Option<&Place> {
        let moved = buckets.into_iter().find_map(|bucket| {
            self.places(bucket).iter().find_map(|from| {
                let other = self.other(bucket, from[0].load(Relaxed));
                let to = self.places(other).iter().find(|place| is_empty(place))?;
                Some((from, to))
            })
        });
        let (from, to) = moved?;
        to[0].store(from[0].load(Relaxed), Relaxed);
        write(to, read(from));
        Some(from)
    }

    /// The counter with the least evidence.
    fn least(&self, [one, other]: [usize; 2], now: Timestamp) -> &Place {
        let places = self.places(one).iter().chain(self.places(other));
        let least = places.min_by_key(|place| read(place).evidence(self.kind, self.window, now));
        least.unwrap_or(&self.places(one)[0])
    }
}

fn is_empty(place: &Place) -> bool {
    place[0].load(Relaxed) == 0
}

fn read([_, words @ ..]: &Place) -> Counter {
    let words: [u32; PLACE - 1] = std::array::from_fn(|i| words[i].load(Relaxed));
    transmute!(words)
}

fn write([_, words @ ..]: &Place, counter: Counter) {
    let counter: [u32; PLACE - 1] = transmute!(counter);
    for (word, value) in words.iter().zip(counter) {
        word.store(value, Relaxed);
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({} counters)", self.capacity())
    }
}

/// The finaliser of SplitMix64: every bit of the input moves every bit of the output.
pub(crate) fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{CounterKey, Ledger, Limit, Movement};

    const WINDOW: Limit = Limit {
        count: 10,
        window: Duration::from_secs(900),
    };

    fn table(counters: usize) -> Table {
        Table::new(Kind::Events, Window::of(WINDOW), counters * 32, 7)
    }

    fn charge(id: u64, movement: Movement) -> Charge {
        let key = CounterKey {
            ledger: Ledger::Strikes,
            limit: 0,
            id,
        };
        Charge {
            key,
            window: Window::of(WINDOW),
            movement,
        }
    }

    fn failure(id: u64) -> Charge {
        charge(id, Movement::Add)
    }

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn a_flood_of_invented_names_stays_in_bounds_and_is_no_amnesty() {
        let table = table(4096);
        let attacked = 1_000_000_000..1_000_000_100;
        for id in attacked.clone().cycle().take(1000) {
            table.apply(failure(id), NOW);
        }
        for invented in 0..200_000 {
            table.apply(failure(invented), NOW);
        }
        assert!(table.len() <= 4096, "{}", table.len());
        for id in attacked {
            assert_eq!(table.apply(failure(id), NOW).count, 11, "account {id}");
        }
    }

    #[test]
    fn three_quarters_full_it_has_forgotten_next_to_nothing() {
        let table = table(1 << 16);
        let kept = (1u64 << 16) * 3 / 4;
        for id in 0..kept {
            table.apply(failure(id), NOW);
        }
        let known = (0..kept).filter(|id| table.apply(charge(*id, Movement::Peek), NOW).count == 1);
        let forgotten = kept - known.count() as u64;
        assert!(forgotten * 10_000 < kept, "{forgotten} of {kept}");
    }

    #[test]
    fn looking_takes_no_room() {
        let table = table(64);
        for movement in [
            Movement::Peek,
            Movement::Recall { member: 1 },
            Movement::Forgive { most: 1 },
        ] {
            assert_eq!(table.apply(charge(1, movement), NOW).count, 0);
        }
        assert!(table.is_empty());
    }

    #[test]
    fn what_left_its_window_goes_first() {
        let table = table(8);
        for id in (0..8).flat_map(|id| [id; 5]) {
            table.apply(failure(id), NOW);
        }
        let later = NOW.plus(Duration::from_secs(3_600));
        table.apply(failure(99), later);
        assert_eq!(table.apply(failure(99), later).count, 2);
        assert_eq!(table.len(), 8);
    }

    #[test]
    fn a_snapshot_goes_on_where_it_was() {
        let restore = |to: &Table, from: &Table, now| {
            (0..from.groups()).all(|group| to.restore(group, &from.words(group), now))
        };
        let one = table(512);
        for id in 0..300 {
            one.apply(failure(id % 100), NOW);
        }
        let two = table(512);
        assert!(restore(&two, &one, NOW));
        assert_eq!(two.len(), 100);
        assert_eq!(two.apply(failure(5), NOW).count, 4);
        assert!(!restore(&table(64), &one, NOW));
        let earlier = Timestamp::from_millis(NOW.as_millis() - 86_400_000);
        assert!(restore(&two, &one, earlier));
        assert_eq!(two.apply(charge(5, Movement::Peek), earlier).count, 0);
    }
}
