//! Shared counters on real servers: one, a cluster of three, killed, paused and cut off.
#![cfg(feature = "real-redis")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests stop where something is wrong, and print their seed"
)]

mod conformance;
mod faults;
mod nodes;
mod server;
