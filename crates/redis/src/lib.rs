//! Counters shared by several nodes, in Redis 7, Valkey, or a cluster of either.
//!
//! All charges of an attempt take one round trip. Each affects one key, so that the keys may be on any
//! nodes of a cluster. `counters.lua` implements the charges as a server-side function; servers without
//! functions run it as a script. Time is that of the server.
//!
//! A key is `dw:` and 16 hexadecimal digits of a keyed hash: with access to the store alone, one sees
//! neither names nor addresses nor which counters belong together. Each key expires with its window.
//!
//! ```text
//! store.rs        the store: names the counters, charges them, notices an outage
//! connection.rs   connections to a server or a cluster; loads the code and sends the charges
//! script.rs       the code as a function or a script, and the command that calls it
//! counters.lua    what a charge does to a counter, on the server
//! breaker.rs      spares logins the time-out of an unavailable store
//! ```

mod breaker;
mod connection;
mod script;
mod store;

pub use store::{InvalidStore, RedisStore};
