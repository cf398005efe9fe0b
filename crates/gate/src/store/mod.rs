//! Where counters live.
//!
//! A store applies each [`Charge`](doorwarden_decision::Charge) to the counter of its key and
//! answers with the counts, in the order of the charges. Charges are independent: no transaction
//! spans two keys. Its memory is bounded under keys that an attacker chooses, and when it is full
//! it forgets what carries the least evidence first: a flood of invented names is no amnesty.

mod memory;
mod shared;

pub use memory::{MemoryStore, NotRestored};
pub(crate) use shared::Place;
pub use shared::{Away, Outage, SharedCounters, SharedStore};

/// The counters of a gate.
pub enum Store {
    /// In this process's memory.
    Memory(MemoryStore),
    /// Shared with other nodes.
    Shared(Box<SharedCounters>),
}

impl From<MemoryStore> for Store {
    fn from(memory: MemoryStore) -> Self {
        Self::Memory(memory)
    }
}
