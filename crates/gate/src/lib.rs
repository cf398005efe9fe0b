//! Asks [`doorwarden_decision`], updates the counters and issues tickets.
//!
//! ```text
//! Place::read(headers, query, body) -> Credentials      the password is dropped as soon as it is marked
//! Gate::admit(asked, now)           -> Ticket | Denial  charged before anything is verified
//! Ticket::settle(outcome, now)      -> device token     refunds, credit, familiarity; one audit event
//! ```
//!
//! Verifying a password requires a [`Ticket`]. A ticket that is dropped unsettled counts as a failure.
//!
//! ```text
//! gate.rs                 admits attempts and settles them
//! http/credentials.rs     credentials from a login request; ambiguous requests are rejected
//! http/json.rs            JSON without duplicate keys
//! http/client_addr.rs     the client address, through trusted proxies only
//! http/device.rs          device tokens as a cookie or a header
//! http/refusal.rs         problem documents for denied and rejected requests
//! keyring.rs              the keys for names, passwords and device tokens
//! popularity.rs           the rank of a password in zxcvbn's lists
//! asn.rs                  the autonomous system of an address
//! store/memory.rs         counters in the memory of this process, and snapshots of them
//! store/shared.rs         counters shared by several nodes, and the outage modes
//! memory_budget.rs        the configured memory for counters
//! deadline.rs             one deadline for all failed logins
//! events.rs               the audit trail
//! metrics.rs              metrics for Prometheus
//! clock.rs                a clock that ignores changes of the system time
//! private_url.rs          URLs that may contain a password
//! ```

mod asn;
mod clock;
mod deadline;
mod events;
mod gate;
pub mod http;
mod keyring;
mod memory_budget;
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
pub use memory_budget::{InvalidMemoryBudget, MemoryBudget};
pub(crate) use metrics::Metrics;
pub use popularity::is_popular;
pub use private_url::PrivateUrl;
pub use store::{Away, MemoryStore, NotRestored, Outage, SharedCounters, SharedStore, Store};

/// Locks; those of shuttle where interleavings are tested.
mod sync {
    #[cfg(feature = "shuttle")]
    pub(crate) use shuttle::sync::{Mutex, MutexGuard, PoisonError};
    #[cfg(not(feature = "shuttle"))]
    pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError};
}
