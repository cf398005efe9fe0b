//! Counters in this process's memory.

use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    sync::{Mutex, PoisonError},
};

use doorwarden_decision::{Charge, Count, Counter, CounterKey, Limit, SignalId, Timestamp};

/// Locks to spread the keys of one signal over.
const SHARDS: usize = 64;

/// How many counters a full shard looks at before it forgets the one with the least evidence.
const CANDIDATES: usize = 16;

/// Counters in memory, bounded: each signal has room for `capacity` counters of its own, so that
/// a flood of addresses can't push out accounts.
///
/// A counter costs about 140 bytes (heat: 16 more for each account that it remembers).
#[derive(Debug)]
pub struct MemoryStore {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Shard {
    capacity: usize,
    places: HashMap<CounterKey, usize>,
    entries: Vec<Entry>,
    /// Where the next search for something to forget begins.
    hand: usize,
}

#[derive(Debug)]
struct Entry {
    key: CounterKey,
    limit: Limit,
    counter: Counter,
}

impl MemoryStore {
    /// A store with room for `capacity` counters for each signal (at least one a shard).
    pub fn new(capacity: usize) -> Self {
        let shard = || Shard {
            capacity: (capacity / SHARDS).max(1),
            places: HashMap::new(),
            entries: Vec::new(),
            hand: 0,
        };
        let all = SHARDS * SignalId::ALL.len();
        Self {
            shards: (0..all).map(|_| Mutex::new(shard())).collect(),
            hasher: RandomState::new(),
        }
    }

    /// Applies each charge and answers in their order.
    pub fn charge(&self, charges: &[Charge], now: Timestamp) -> Vec<Count> {
        let apply = |charge: &Charge| {
            let mut shard = self
                .shard(charge.key)
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            shard.counter(charge, now).apply(*charge, now)
        };
        charges.iter().map(apply).collect()
    }

    /// How many counters there are.
    pub fn len(&self) -> usize {
        let len = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.entries.len()
        };
        self.shards.iter().map(len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, key: CounterKey) -> &Mutex<Shard> {
        let spread = self.hasher.hash_one(key) as usize % SHARDS;
        &self.shards[key.signal as usize * SHARDS + spread]
    }
}

impl Shard {
    fn counter(&mut self, charge: &Charge, now: Timestamp) -> &mut Counter {
        let place = match self.places.get(&charge.key) {
            Some(place) => *place,
            None => self.make_room(charge, now),
        };
        &mut self.entries[place].counter
    }

    fn make_room(&mut self, charge: &Charge, now: Timestamp) -> usize {
        let entry = Entry {
            key: charge.key,
            limit: charge.limit,
            counter: Counter::new(charge.movement),
        };
        let place = if self.entries.len() < self.capacity {
            self.entries.push(entry);
            self.entries.len() - 1
        } else {
            let place = self.least_evidence(now);
            self.places.remove(&self.entries[place].key);
            self.entries[place] = entry;
            place
        };
        self.places.insert(charge.key, place);
        place
    }

    fn least_evidence(&mut self, now: Timestamp) -> usize {
        let len = self.entries.len();
        let candidates = (0..CANDIDATES.min(len)).map(|step| (self.hand + step) % len);
        let evidence = |place: &usize| {
            let entry = &self.entries[*place];
            entry.counter.evidence(entry.limit, now)
        };
        let least = candidates.min_by_key(evidence).unwrap_or(0);
        self.hand = (self.hand + CANDIDATES) % len;
        least
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use doorwarden_decision::Movement;

    use super::*;

    fn failure(id: u64) -> Charge {
        Charge {
            key: CounterKey {
                signal: SignalId::Account,
                limit: 0,
                id,
            },
            limit: Limit {
                count: 10,
                window: Duration::from_secs(900),
            },
            movement: Movement::Add,
        }
    }

    #[test]
    fn a_flood_of_invented_names_stays_in_bounds_and_is_no_amnesty() {
        let store = MemoryStore::new(4096);
        let now = Timestamp::from_millis(1_000_000_000);
        let attacked = 1_000_000_000..1_000_000_100;
        for _ in 0..10 {
            for id in attacked.clone() {
                store.charge(&[failure(id)], now);
            }
        }
        for invented in 0..200_000 {
            store.charge(&[failure(invented)], now);
        }
        assert!(store.len() <= 4096, "{}", store.len());
        for id in attacked {
            assert_eq!(
                store.charge(&[failure(id)], now)[0].count,
                11,
                "account {id}"
            );
        }
    }

    #[test]
    fn what_left_its_window_goes_first() {
        let store = MemoryStore::new(1);
        let then = Timestamp::from_millis(1_000_000_000);
        for id in 0..1000 {
            for _ in 0..5 {
                store.charge(&[failure(id)], then);
            }
        }
        let later = then.plus(Duration::from_secs(3_600));
        for id in 5_000..6_000 {
            store.charge(&[failure(id)], later);
        }
        assert!(store.len() <= SHARDS);
    }
}
