//! Asks [`doorwarden_decision`], moves the counters and hands out tickets.
//!
//! ```text
//! read(login, headers, body)  -> Credentials      the password is dropped right after its mark
//! Gate::admit(who, now)       -> Ticket | Denial  charged before anything is verified
//! Ticket::settle(outcome)                         refunds and marks; one audit event
//! ```
//!
//! A password may be verified only by whoever holds a [`Ticket`]. One that is dropped unsettled
//! counts as a failure.

mod clock;
mod events;
mod gate;
pub mod http;
mod keyring;
mod store;

pub use clock::now;
pub use events::{Ended, Event, EventSink};
pub use gate::{Admission, Denial, Gate, Ticket};
pub use keyring::{Keyring, NoRandomness};
pub use store::MemoryStore;
