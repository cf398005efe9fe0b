//! Reads attempts from HTTP messages and writes denials.

pub mod client_addr;
pub mod credentials;
pub mod device;
mod json;
pub mod refusal;

pub use json::Unambiguous;
