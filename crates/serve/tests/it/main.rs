//! A running server, by its routes.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod flows;
mod operation;
mod service;
mod times;
mod tokens;
mod traces;
mod wycheproof;
