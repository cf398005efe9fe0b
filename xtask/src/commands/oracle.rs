//! Scans every login of the lab with every check.

use std::process;

use super::Command;
use crate::{
    process::{cargo, run, target},
    steps::WORKSPACE,
};

pub(crate) const COMMAND: Command = Command {
    name: "oracle",
    arguments: "[--timing] [RUNS] [--load] [--write]",
    about: "Scan every login of the lab with every check (docs/oracle.md)",
    run: |args| match args {
        [] => Ok(once()?),
        _ => Ok(optimized(args)?),
    },
};

/// Makes the one run of the tests, in the build of the tests.
pub(crate) fn once() -> Result<(), String> {
    cargo(&format!("build {WORKSPACE} --example oracle"))?;
    run(&mut process::Command::new(
        target()?.join("debug/examples/oracle"),
    ))
}

/// Makes as many runs as wanted, optimized.
fn optimized(args: &[&str]) -> Result<(), String> {
    cargo(&format!(
        "run --release --package doorwarden --example oracle -- {}",
        args.join(" ")
    ))
}
