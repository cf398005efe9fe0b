//! The guard as a proxy, over real sockets on loopback.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod devices;
mod logins;
mod smuggling;
mod streaming;
mod world;
