//! A running server, by its routes.

mod flows;
mod service;
mod tokens;
