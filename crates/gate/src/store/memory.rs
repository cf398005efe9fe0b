//! Counters in the memory of this process.

use std::io::{self, Read, Write};

use arrayvec::ArrayVec;
use doorwarden_decision::{
    Charge, CounterKey, Counts, Ledger, Policy, Slot, Table, Timestamp, Window,
};

use crate::sync::{Mutex, MutexGuard, PoisonError};

/// Locks to spread the groups of all tables over; a power of two.
const LOCKS: usize = 1024;

/// What a snapshot begins with: the format's name and version.
const MAGIC: &[u8; 8] = b"dwsnap02";

/// Counters in a bounded amount of memory: each ledger and limit has its share of a fixed number of
/// bytes, so that a flood of addresses can't displace accounts. A counter takes 32 bytes.
#[derive(Debug)]
pub struct MemoryStore {
    slices: Vec<Slice>,
    /// Where the slices of a ledger's number begin.
    first: [u8; Ledger::ALL.len()],
    /// Each for the groups that fall on it.
    locks: Vec<Mutex<()>>,
    seed: u64,
}

/// The counters of one ledger and limit.
#[derive(Debug)]
struct Slice {
    ledger: Ledger,
    window: Window,
    table: Table,
    number: usize,
}

impl Slice {
    /// The lock of a group: groups of a table that follow each other have locks of their own.
    fn lock(&self, group: usize) -> usize {
        (group * 32 + self.number) % LOCKS
    }

    /// Returns its header in a snapshot.
    fn head(&self) -> [u32; 2] {
        [self.ledger as u32, self.window.slot_millis()]
    }
}

/// Why a snapshot was not restored. Nothing of it is, then.
#[derive(Debug, thiserror::Error)]
pub enum NotRestored {
    /// It could not be read.
    #[error("failed to read the snapshot: {0}")]
    Unreadable(#[from] io::Error),
    /// It is not a snapshot, or of another version.
    #[error("not a snapshot of this version")]
    Unknown,
    /// It was made with a different policy, budget or key.
    #[error("the snapshot was made with a different policy, memory budget or key")]
    Other,
}

impl MemoryStore {
    /// Creates a store of at most `bytes` for the counters of a policy, plus a bucket of 128 bytes for
    /// each site-wide counter. `seed` should be random: with it, keys can be made that share a bucket.
    pub fn new(policy: &Policy, bytes: usize, seed: u64) -> Self {
        let own = Ledger::ALL
            .into_iter()
            .filter(|ledger| !ledger.is_sitewide());
        let tables: usize = own.map(|ledger| ledger.limits(policy).len()).sum();
        let share = bytes / tables.max(1);
        let mut first = [0; Ledger::ALL.len()];
        let mut slices = Vec::new();
        for ledger in Ledger::ALL {
            first[ledger as usize] = slices.len() as u8;
            for limit in ledger.limits(policy).iter() {
                let window = Window::of(limit);
                let bytes = if ledger.is_sitewide() { 0 } else { share };
                slices.push(Slice {
                    ledger,
                    window,
                    table: Table::new(ledger.kind(), window, bytes, seed),
                    // What there is one counter of is moved by every attempt: under one lock.
                    number: if ledger.is_sitewide() {
                        0
                    } else {
                        1 + slices.len()
                    },
                });
            }
        }
        Self {
            slices,
            first,
            locks: (0..LOCKS).map(|_| Mutex::new(())).collect(),
            seed,
        }
    }

    /// Applies each charge and returns the counts in their order.
    pub fn charge(&self, charges: &[Charge], now: Timestamp) -> Counts {
        // All memory is fetched before any of it is used, so that an attempt waits for it about once.
        let mut slots = ArrayVec::<Slot, { doorwarden_decision::MOST_CHARGES }>::new();
        for charge in charges {
            let table = &self.slice(charge.key).table;
            let slot = table.locate(charge.key.id);
            table.fetch(slot);
            slots.push(slot);
        }
        let mut counts = Counts::new();
        let mut turn: Option<(usize, MutexGuard<()>)> = None;
        for (charge, slot) in charges.iter().zip(slots) {
            let slice = self.slice(charge.key);
            let number = slice.lock(slice.table.group(slot));
            // A turn that the next charge needs too is kept.
            if turn.as_ref().is_none_or(|(held, _)| *held != number) {
                // Given up before the next is taken: nobody waits for two.
                drop(turn.take());
                turn = Some((number, self.turn(number)));
            }
            counts.push(slice.table.apply_at(slot, *charge, now));
        }
        counts
    }

    /// Returns the number of counters in use.
    pub fn len(&self) -> usize {
        self.sum(Table::len)
    }

    /// Returns true if no counter is in use.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes that its counters take once all are in use.
    pub fn bytes(&self) -> usize {
        self.sum(Table::bytes)
    }

    /// Writes the counters that are worth keeping over a restart. Marks become useless with their keys,
    /// so their counters are left out. Takes the locks one after the other: attempts charged in the
    /// meantime may or may not be included.
    pub fn snapshot(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(MAGIC)?;
        to.write_all(&self.seed.to_le_bytes())?;
        for slice in self.kept() {
            write_words(to, &slice.head())?;
            for group in 0..slice.table.groups() {
                let turn = self.turn(slice.lock(group));
                let words = slice.table.words(group);
                drop(turn);
                write_sparse(to, &words)?;
            }
        }
        Ok(())
    }

    /// Restores a snapshot of a store with the same policy, bytes and seed.
    pub fn restore(&self, from: &mut impl Read, now: Timestamp) -> Result<(), NotRestored> {
        let mut head = [0; 16];
        from.read_exact(&mut head)?;
        if head[..8] != MAGIC[..] {
            return Err(NotRestored::Unknown);
        }
        if head[8..] != self.seed.to_le_bytes() {
            return Err(NotRestored::Other);
        }
        let mut read = Vec::new();
        for slice in self.kept() {
            if read_words::<2>(from)? != slice.head() {
                return Err(NotRestored::Other);
            }
            for group in 0..slice.table.groups() {
                let length = slice.table.bytes() / 4 / slice.table.groups();
                let words = read_sparse(from, length)?.ok_or(NotRestored::Other)?;
                read.push((slice, group, words));
            }
        }
        let mut fit = true;
        for (slice, group, words) in read {
            let _turn = self.turn(slice.lock(group));
            fit &= slice.table.restore(group, &words, now);
        }
        if fit { Ok(()) } else { Err(NotRestored::Other) }
    }

    fn kept(&self) -> impl Iterator<Item = &Slice> {
        let under_marks = |slice: &&Slice| matches!(slice.ledger, Ledger::Heat | Ledger::Tried);
        self.slices.iter().filter(move |slice| !under_marks(slice))
    }

    fn sum(&self, of: impl Fn(&Table) -> usize) -> usize {
        self.slices.iter().map(|slice| of(&slice.table)).sum()
    }

    /// The right to change the groups that fall on a lock.
    fn turn(&self, lock: usize) -> MutexGuard<'_, ()> {
        self.locks[lock]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn slice(&self, key: CounterKey) -> &Slice {
        &self.slices[usize::from(self.first[key.ledger as usize] + key.limit)]
    }
}

/// Runs of words that are not zero: where, how many, and they themselves; then two zeros.
fn write_sparse(to: &mut impl Write, words: &[u32]) -> io::Result<()> {
    const RUN: usize = 64;
    write_words(to, &[words.len() as u32])?;
    for (place, run) in words.chunks(RUN).enumerate() {
        if run.iter().any(|word| *word != 0) {
            write_words(to, &[(place * RUN) as u32, run.len() as u32])?;
            write_words(to, run)?;
        }
    }
    write_words(to, &[0, 0])
}

/// `None` where the runs don't fit `length`, which is this store's own: what the file says is not
/// believed before anything is allocated.
fn read_sparse(from: &mut impl Read, length: usize) -> io::Result<Option<Vec<u32>>> {
    let [said] = read_words::<1>(from)?;
    if said as usize != length {
        return Ok(None);
    }
    let mut words = vec![0; length];
    loop {
        let [place, count] = read_words::<2>(from)?.map(|word| word as usize);
        if count == 0 {
            return Ok(Some(words));
        }
        let Some(run) = words.get_mut(place..place.saturating_add(count)) else {
            return Ok(None);
        };
        for word in run {
            [*word] = read_words::<1>(from)?;
        }
    }
}

fn write_words(to: &mut impl Write, words: &[u32]) -> io::Result<()> {
    words
        .iter()
        .try_for_each(|word| to.write_all(&word.to_le_bytes()))
}

fn read_words<const N: usize>(from: &mut impl Read) -> io::Result<[u32; N]> {
    let mut words = [0; N];
    for word in &mut words {
        let mut bytes = [0; 4];
        from.read_exact(&mut bytes)?;
        *word = u32::from_le_bytes(bytes);
    }
    Ok(words)
}

#[cfg(not(feature = "shuttle"))]
#[cfg(test)]
mod tests {
    use doorwarden_decision::Movement;
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn failure(ledger: Ledger, id: u64) -> Charge {
        charge(ledger, id, Movement::Add)
    }

    fn charge(ledger: Ledger, id: u64, movement: Movement) -> Charge {
        let limit = ledger.limits(&Policy::default()).get(0).unwrap();
        Charge {
            key: CounterKey {
                ledger,
                limit: 0,
                id,
            },
            window: Window::of(limit),
            movement,
        }
    }

    fn store(bytes: usize) -> MemoryStore {
        MemoryStore::new(&Policy::default(), bytes, 7)
    }

    #[test]
    fn a_restart_forgets_no_failure_and_no_network() {
        let before = store(1 << 20);
        for id in 0..500 {
            before.charge(&[failure(Ledger::Strikes, id % 100)], NOW);
        }
        before.charge(
            &[charge(
                Ledger::Networks,
                5,
                Movement::Remember { member: 0x300 },
            )],
            NOW,
        );
        let mut kept = Vec::new();
        before.snapshot(&mut kept).unwrap();
        assert!(kept.len() < 200_000, "{}", kept.len());
        let after = store(1 << 20);
        after.restore(&mut kept.as_slice(), NOW).unwrap();
        assert_eq!(
            after.charge(&[failure(Ledger::Strikes, 42)], NOW)[0].count,
            6
        );
        let recall = charge(Ledger::Networks, 5, Movement::Recall { member: 0x300 });
        assert_eq!(after.charge(&[recall], NOW)[0].count, 2);
        assert_eq!(after.len(), before.len());
    }

    #[test]
    fn a_snapshot_of_something_else_is_not_taken() {
        let mut kept = Vec::new();
        store(1 << 20).snapshot(&mut kept).unwrap();
        let other = |store: MemoryStore| store.restore(&mut kept.as_slice(), NOW).unwrap_err();
        assert!(matches!(other(store(1 << 21)), NotRestored::Other));
        let other_key = MemoryStore::new(&Policy::default(), 1 << 20, 8);
        assert!(matches!(other(other_key), NotRestored::Other));
        let unknown = store(1 << 20)
            .restore(&mut [0; 64].as_slice(), NOW)
            .unwrap_err();
        assert!(matches!(unknown, NotRestored::Unknown));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Untrusted bytes never panic and never allocate by what they say.
        #[test]
        fn any_bytes_are_a_snapshot_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut kept = Vec::new();
            store(4096).snapshot(&mut kept).unwrap();
            kept.truncate(24);
            kept.extend(bytes);
            let _ = store(4096).restore(&mut kept.as_slice(), NOW);
        }

        /// However names are invented around them, accounts under attack are not forgotten and the
        /// store stays within its bytes.
        #[test]
        fn a_flood_is_no_amnesty(seed in any::<u64>(), attacked in 1u64..40, flood in 1u64..30_000) {
            let store = MemoryStore::new(&Policy::default(), 1 << 20, seed);
            for _ in 0..10 {
                for id in 0..attacked {
                    store.charge(&[failure(Ledger::Strikes, id)], NOW);
                }
            }
            for id in 0..flood {
                store.charge(&[failure(Ledger::Strikes, 1_000 + id)], NOW);
            }
            prop_assert!(store.bytes() <= (1 << 20) + 4 * 256);
            for id in 0..attacked {
                prop_assert_eq!(store.charge(&[failure(Ledger::Strikes, id)], NOW)[0].count, 11);
            }
        }
    }
}
