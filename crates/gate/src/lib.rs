//! Asks [`doorwarden_decision`], moves the counters and hands out tickets.
//!
//! ```text
//! read(login, headers, body)  -> Credentials      the password is dropped right after its mark
//! Gate::admit(asked, now)     -> Ticket | Denial  charged before anything is verified
//! Ticket::settle(outcome)     -> device token     refunds, credit, familiarity; one audit event
//! ```
//!
//! A password may be verified only by whoever holds a [`Ticket`]. One that is dropped unsettled
//! counts as a failure.

mod asn;
mod clock;
mod deadline;
mod events;
mod gate;
pub mod http;
mod keyring;
mod metrics;
mod popularity;
mod private_url;
mod store;

pub use asn::{AsnTable, InvalidTable};
pub use clock::now;
pub use deadline::{Deadline, UnderWay};
pub use events::{AttemptEvent, Caught, Ended, Event, EventSink, Retroacted, Turned};
pub use gate::{Admission, Asked, Counters, Denial, Gate, Parts, Ticket};
pub use keyring::{Keyring, NoRandomness, Secret};
pub(crate) use metrics::Metrics;
pub use popularity::is_popular;
pub use private_url::PrivateUrl;
pub use store::{Away, MemoryStore, NotRestored, Outage, SharedCounters, SharedStore, Store};

/// Locks: shuttle's where its interleavings are tested.
mod sync {
    #[cfg(feature = "shuttle")]
    pub(crate) use shuttle::sync::{Mutex, MutexGuard, PoisonError};
    #[cfg(not(feature = "shuttle"))]
    pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError};
}
