//! `new-check` and `new-signal` must leave a repository that compiles.

use std::{env, fs, path::Path, process::Command};

use crate::{
    commands::{new_check, new_signal},
    process::{self, output, target},
};

/// Always the same folder, so that cargo finds what it compiled there before.
const COPY: &str = "target/scaffolds";

/// Adds one of each to a copy of the repository, and compiles the copy.
pub(super) fn run() -> Result<(), String> {
    copy()?;
    let target = target()?;
    env::set_current_dir(COPY).map_err(|error| format!("failed to enter {COPY}: {error}"))?;
    new_check::add("scaffolded-check")?;
    new_signal::add("scaffolded_signal")?;
    let mut check = Command::new(env!("CARGO"));
    check.args(["check", "--tests", "--package", "doorwarden-scan"]);
    check.args([
        "--package",
        "doorwarden-decision",
        "--package",
        "doorwarden-sim",
    ]);
    process::run(check.env("CARGO_TARGET_DIR", target))
}

/// Copies the files that git knows, and new ones that it does not ignore.
fn copy() -> Result<(), String> {
    let _ = fs::remove_dir_all(COPY);
    let list = [
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ];
    let files = output(Command::new("git").args(list))?;
    // Some may have been deleted and not yet committed.
    for file in files
        .split_terminator('\0')
        .filter(|file| Path::new(file).exists())
    {
        let to = Path::new(COPY).join(file);
        let failed = |error| format!("failed to copy {file}: {error}");
        fs::create_dir_all(to.parent().unwrap_or(&to)).map_err(failed)?;
        fs::copy(file, &to).map_err(failed)?;
    }
    Ok(())
}
