//! Attempts out of HTTP messages, and refusals into them.

pub mod client_addr;
pub mod credentials;
mod json;
pub mod refusal;
