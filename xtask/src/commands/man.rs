//! Writes the man pages.

use super::{Command, no_arguments};
use crate::process::cargo;

pub(crate) const COMMAND: Command = Command {
    name: "man",
    arguments: "",
    about: "Write the man pages to target/man",
    run: |args| {
        no_arguments(args)?;
        Ok(cargo(
            "run --quiet --package doorwarden -- man --output target/man",
        )?)
    },
};
