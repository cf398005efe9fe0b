//! Counters that several nodes share, in Redis 7, Valkey, or a cluster of either.
//!
//! All of an attempt's charges go out in one round trip, each on one key, so that a cluster may
//! hold them anywhere. What a charge does is `counters.lua`, a server-side function; a server
//! without functions runs it as a script. Time is the server's.
//!
//! A key is `dw:` and 16 hexadecimal digits of a keyed hash: who reads the store sees neither
//! names nor addresses nor which counters belong together. Each key expires when its window is
//! over.

mod breaker;
mod script;
mod store;

pub use store::{InvalidStore, RedisStore};
