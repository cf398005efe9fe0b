//! The virtual environment of the example applications, in target/venv.

use std::{fs, path::Path, process::Command};

const FOLDER: &str = "target/venv";
const REQUIREMENTS: &str = "examples/requirements.txt";

/// What the environment was made from, so that it is made again only when that changes.
const STAMP: &str = "target/venv/requirements.installed";

/// Makes the environment where it is missing or old. An error says what is missing and how to
/// get it.
pub(crate) fn make() -> Result<(), String> {
    let wanted = fs::read_to_string(REQUIREMENTS).map_err(|e| format!("{REQUIREMENTS}: {e}"))?;
    if fs::read_to_string(STAMP).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    if Path::new(FOLDER).exists() {
        fs::remove_dir_all(FOLDER).map_err(|e| format!("failed to remove {FOLDER}: {e}"))?;
    }
    run(
        "python3",
        &["-m", "venv", FOLDER],
        "install Python 3.10 or newer with its venv module (Debian: python3-venv)",
    )?;
    let pip = format!("{FOLDER}/bin/pip");
    let install = [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--requirement",
        REQUIREMENTS,
    ];
    run(
        &pip,
        &install,
        "the packages of examples/requirements.txt are needed from a Python package index",
    )?;
    fs::write(STAMP, wanted).map_err(|e| format!("failed to write {STAMP}: {e}"))
}

fn run(program: &str, args: &[&str], help: &str) -> Result<(), String> {
    let status = Command::new(program).args(args).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!(
            "failed to run {program} {}: {status}; {help}",
            args.join(" ")
        )),
        Err(error) => Err(format!("failed to run {program}: {error}; {help}")),
    }
}
