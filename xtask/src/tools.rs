//! Cargo subcommands that the tests need.

use std::{path::Path, process::Command};

use crate::process::{cargo, is_installed};

/// Where missing ones are installed.
const FOLDER: &str = "target/tools";

/// Returns `cargo NAME`: the installed one, or one that is built into target/tools.
pub(crate) fn cargo_tool(name: &str) -> Result<Command, String> {
    let mut installed = Command::new(env!("CARGO"));
    if is_installed(installed.arg(name)) {
        let mut command = Command::new(env!("CARGO"));
        command.arg(name);
        return Ok(command);
    }
    let own = format!("{FOLDER}/bin/cargo-{name}");
    if !Path::new(&own).exists() {
        eprintln!("building cargo-{name} into {FOLDER}, once");
        // Without optimization: it builds for minutes and runs for seconds.
        cargo(&format!(
            "install cargo-{name} --locked --debug --quiet --root {FOLDER}"
        ))?;
    }
    let mut command = Command::new(own);
    command.arg(name);
    Ok(command)
}
