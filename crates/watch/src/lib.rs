//! Records the scans of a login and reports what changed from one to the next.
//!
//! ```text
//! summary.rs   the part of a report that is recorded, and what changed between two (pure)
//! history.rs   recorded scans and undelivered messages, in SQLite
//! webhook.rs   messages signed by the Standard Webhooks specification, and their delivery
//! page.rs      the history as one HTML file
//! ```

mod history;
mod page;
mod summary;
mod webhook;

pub use history::{History, HistoryError, ScanRecord};
pub use page::render_page;
pub use summary::{Change, GradeChange, Summary};
pub use webhook::{InvalidSecret, Webhook};

use webhook::Message;
