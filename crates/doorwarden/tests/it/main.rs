//! The binary, end to end.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[cfg(unix)]
mod action;
mod cli;
mod demo;
mod docs;
#[cfg(feature = "real-apps")]
mod frameworks;
mod hostile;
mod logging;
mod nodes;
#[cfg(feature = "real-apps")]
mod pages;
#[cfg(feature = "real-postgres")]
#[path = "../../../serve/tests/postgres/server.rs"]
mod postgres;
mod process;
#[cfg(feature = "real-apps")]
mod real_apps;
mod score;
mod security;
mod serve;
#[cfg(feature = "real-postgres")]
mod serve_nodes;
#[cfg(feature = "real-redis")]
#[path = "../../../redis/tests/it/server.rs"]
#[expect(dead_code, reason = "the tests of the store itself use more of it")]
mod server;
mod watch;
mod wording;
