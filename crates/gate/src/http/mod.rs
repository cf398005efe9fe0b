//! Attempts out of HTTP messages, and refusals into them.

pub mod client_addr;
pub mod credentials;
pub mod device;
mod json;
pub mod refusal;

pub use json::Unambiguous;
