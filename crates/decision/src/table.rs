//! Counters in a fixed amount of memory: a table with two places for each key.

use crate::{Charge, Count, Counter, Timestamp, Window, counter::Kind};

/// Counters that share a bucket. A key may stand in either of two buckets.
const WAYS: usize = 8;

/// A bucket: the tags of its counters side by side, then the counters. 256 bytes, all zero when
/// empty, so that memory is only touched when it is used.
const BUCKET: usize = WAYS * (1 + Counter::WORDS);

/// The counters of one ledger and limit, in memory that never grows: 32 bytes each.
///
/// A new key takes an empty place in its two buckets, else that of the counter with the least
/// evidence in them. What an attack has filled is therefore never forgotten for names or
/// addresses that are merely invented: those carry one event each. A key is known by 32 bits
/// within its bucket; two share one with odds of 4 in 10⁹ for each look-up.
pub struct Table {
    words: Vec<u32>,
    seed: u64,
    kind: Kind,
    window: Window,
    used: usize,
}

impl Table {
    /// A table of at most `bytes`, and of at least one bucket of 256. `seed` should be random
    /// where keys come from attackers, or they could choose keys that share a bucket.
    pub fn new(kind: Kind, window: Window, bytes: usize, seed: u64) -> Self {
        let most = (bytes / (BUCKET * 4)).max(1);
        Self {
            words: vec![0; BUCKET * most],
            seed,
            kind,
            window,
            used: 0,
        }
    }

    /// Applies a charge to the counter with this id.
    pub fn apply(&mut self, charge: Charge, now: Timestamp) -> Count {
        let hash = self.hash(charge.key.id);
        let place = match self.find(hash) {
            Some(place) => place,
            None if charge.movement.opens() => self.make_room(hash, now),
            None => return Counter::default().apply(charge, now),
        };
        let words = &mut self.words[place.counter..place.counter + Counter::WORDS];
        let Ok(words) = <&mut [u32; Counter::WORDS]>::try_from(words) else {
            return Counter::default().apply(charge, now);
        };
        let mut counter = Counter::from_words(words);
        let count = counter.apply(charge, now);
        *words = counter.to_words();
        count
    }

    /// How many counters there are.
    pub fn len(&self) -> usize {
        self.used
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// How many counters there is room for.
    pub fn capacity(&self) -> usize {
        self.words.len() / BUCKET * WAYS
    }

    /// All of it, for a snapshot. It holds no name, address or password, but who has the seed can
    /// ask whether an id is in it.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// Takes over a snapshot that [`Table::words`] gave of a table with this seed and size; says
    /// whether it fitted. A counter from the future, by a clock that was wrong, would never leave: it
    /// begins anew.
    #[must_use]
    pub fn restore(&mut self, words: &[u32], now: Timestamp) -> bool {
        let fits = words.len() == self.words.len();
        if fits {
            self.words.copy_from_slice(words);
            self.forget_the_future(now);
            let buckets = (0..self.words.len()).step_by(BUCKET);
            self.used = buckets.map(|bucket| self.held(bucket)).sum();
        }
        fits
    }

    fn forget_the_future(&mut self, now: Timestamp) {
        let slot = self.window.slot(now);
        let counters = self.words.chunks_exact_mut(BUCKET);
        for counter in counters.flat_map(|bucket| bucket[WAYS..].chunks_exact_mut(Counter::WORDS)) {
            // Its first word is the slot of its last change.
            if counter[0].wrapping_sub(slot) as i32 > 1 {
                counter.fill(0);
            }
        }
    }

    fn hash(&self, id: u64) -> u64 {
        mix(mix(id ^ self.seed).wrapping_add(self.seed.rotate_left(32)))
    }

    fn find(&self, hash: u64) -> Option<Place> {
        let tag = tag(hash);
        self.buckets(hash).into_iter().find_map(|bucket| {
            let tags = &self.words[bucket..bucket + WAYS];
            let way = tags.iter().position(|held| *held == tag)?;
            Some(Place::new(bucket, way))
        })
    }

    fn make_room(&mut self, hash: u64, now: Timestamp) -> Place {
        let mut buckets = self.buckets(hash);
        // The emptier one first: so both fill evenly, and the table nearly to its end.
        if self.held(buckets[1]) < self.held(buckets[0]) {
            buckets.swap(0, 1);
        }
        let places = || {
            let of = |bucket| (0..WAYS).map(move |way| Place::new(bucket, way));
            buckets.into_iter().flat_map(of)
        };
        let empty = places().find(|place| self.words[place.tag] == 0);
        let least = || places().min_by_key(|place| self.worth(*place, now));
        let place = empty.or_else(least).unwrap_or(Place::new(buckets[0], 0));
        self.used += usize::from(self.words[place.tag] == 0);
        self.words[place.tag] = tag(hash);
        self.words[place.counter..place.counter + Counter::WORDS].fill(0);
        place
    }

    fn held(&self, bucket: usize) -> usize {
        let tags = &self.words[bucket..bucket + WAYS];
        tags.iter().filter(|tag| **tag != 0).count()
    }

    /// What would be lost with a place that is taken.
    fn worth(&self, place: Place, now: Timestamp) -> Option<(u32, u32)> {
        let words = self.words[place.counter..].first_chunk()?;
        let counter = Counter::from_words(words);
        Some(counter.evidence(self.kind, self.window, now))
    }

    /// Where the two buckets of a key begin.
    fn buckets(&self, hash: u64) -> [usize; 2] {
        let count = self.words.len() / BUCKET;
        let place = |half: u32| ((u64::from(half) * count as u64) >> 32) as usize * BUCKET;
        [place(hash as u32), place(mix(hash) as u32)]
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({} of {} counters)", self.used, self.capacity())
    }
}

#[derive(Clone, Copy)]
struct Place {
    tag: usize,
    counter: usize,
}

impl Place {
    fn new(bucket: usize, way: usize) -> Self {
        Self {
            tag: bucket + way,
            counter: bucket + WAYS + way * Counter::WORDS,
        }
    }
}

/// The bits that tell a bucket's counters apart; zero is an empty place.
fn tag(hash: u64) -> u32 {
    ((hash >> 32) as u32).max(1)
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
        charge(id, Movement::Add { n: 1 })
    }

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn a_flood_of_invented_names_stays_in_bounds_and_is_no_amnesty() {
        let mut table = table(4096);
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
        let mut table = table(1 << 16);
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
        let mut table = table(64);
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
        let mut table = table(8);
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
        let mut one = table(512);
        for id in 0..300 {
            one.apply(failure(id % 100), NOW);
        }
        let mut two = table(512);
        assert!(two.restore(one.words(), NOW));
        assert_eq!(two.len(), 100);
        assert_eq!(two.apply(failure(5), NOW).count, 4);
        assert!(!table(1024).restore(one.words(), NOW));
        let earlier = Timestamp::from_millis(NOW.as_millis() - 86_400_000);
        assert!(two.restore(one.words(), earlier));
        assert_eq!(two.apply(charge(5, Movement::Peek), earlier).count, 0);
    }
}
