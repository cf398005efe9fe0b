//! Generates the pages that are made from the code.

use std::process;

use super::{Command, no_arguments};
use crate::process::run;

pub(crate) const COMMAND: Command = Command {
    name: "docs",
    arguments: "",
    about: "Regenerate the pages that are made from code or from other pages",
    run: |args| {
        no_arguments(args)?;
        // The tests that compare the pages with the code write them when told to.
        for tests in [
            "--package doorwarden-scan --lib",
            "--package doorwarden --all-features --test it",
        ] {
            let mut command = process::Command::new(env!("CARGO"));
            command
                .arg("test")
                .args(tests.split_whitespace())
                .arg("not_stale")
                .env("DOORWARDEN_BLESS", "1");
            run(&mut command)?;
        }
        Ok(())
    },
};
