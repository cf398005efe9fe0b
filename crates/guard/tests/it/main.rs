//! The guard as a proxy, over real sockets on loopback.

mod logins;
mod smuggling;
mod streaming;
mod world;
