//! Generates the pages that are made from the code.

use std::process;

use super::{Command, no_arguments};
use crate::process::run;

pub(crate) const COMMAND: Command = Command {
    name: "docs",
    arguments: "",
    about: "Regenerate the pages of the checks in docs/checks",
    run: |args| {
        no_arguments(args)?;
        // The tests that compare the pages with the code write them when told to.
        let mut command = process::Command::new(env!("CARGO"));
        command
            .args(["test", "--package", "doorwarden-scan", "not_stale"])
            .env("DOORWARDEN_BLESS", "1");
        Ok(run(&mut command)?)
    },
};
