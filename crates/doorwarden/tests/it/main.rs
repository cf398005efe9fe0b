//! The binary, end to end.

mod cli;
mod demo;
mod hostile;
mod process;
#[cfg(feature = "real-apps")]
mod real_apps;
