//! Remembers scans and says what changed from one to the next.
//!
//! ```text
//! summary.rs   what of a report is remembered, and what changed between two (pure)
//! history.rs   the scans so far, in SQLite, and the messages that are still to be delivered
//! webhook.rs   a signed message by the Standard Webhooks specification
//! page.rs      the history as one HTML file
//! ```

mod history;
mod page;
mod summary;
mod webhook;

pub use history::{History, HistoryError, Recorded};
pub use page::page;
pub use summary::{Change, Summary};
pub use webhook::{DeliveryError, InvalidSecret, Message, Webhook};
