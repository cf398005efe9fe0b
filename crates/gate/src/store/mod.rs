//! Counter stores.
//!
//! A store applies each [`Charge`](doorwarden_decision::Charge) to the counter of its key and
//! returns the counts in the order of the charges. Charges are independent: no transaction spans two
//! keys. Its memory is bounded under keys that an attacker chooses, and when full it forgets the
//! counters with the least evidence first, so a flood of invented names does not reset real counters.

mod memory;
mod shared;

pub use memory::{MemoryStore, NotRestored};
pub(crate) use shared::Place;
pub use shared::{Away, Outage, SharedCounters, SharedStore};

/// The counters of a gate.
pub enum Store {
    /// In the memory of this process.
    Memory(MemoryStore),
    /// Shared with other nodes.
    Shared(Box<SharedCounters>),
}

impl From<MemoryStore> for Store {
    fn from(memory: MemoryStore) -> Self {
        Self::Memory(memory)
    }
}
