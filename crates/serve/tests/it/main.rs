//! A running server, by its routes.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod flows;
#[allow(dead_code, reason = "others use more of it")]
mod postgres;
mod service;
mod tokens;
mod wycheproof;
