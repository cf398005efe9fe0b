//! The binary, end to end.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod cli;
mod demo;
mod hostile;
mod process;
#[cfg(feature = "real-apps")]
mod real_apps;
