//! A running server, by its routes.
