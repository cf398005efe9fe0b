//! Installs into `target` what the tests need from Python's, Node's and Rust's package indexes, and on
//! the system what Debian has.

use std::{fs, path::Path, process};

use super::{Command, no_arguments};
use crate::{process::is_installed, tools::cargo_tool};

pub(crate) const COMMAND: Command = Command {
    name: "setup",
    arguments: "",
    about: "Install what the tests need into target",
    run: |args| {
        no_arguments(args)?;
        Ok(install()?)
    },
};

/// Installs what is missing or outdated. An error says what is missing and how to get it.
pub(crate) fn install() -> Result<(), String> {
    // What CI would miss first.
    cargo_tool("nextest")?;
    python("target/venv", "examples/requirements.txt")?;
    python("target/frameworks", "examples/frameworks/requirements.txt")?;
    let clients = "crates/doorwarden/tests/clients";
    python("target/clients", &format!("{clients}/requirements.txt"))?;
    node("target/clients-node", &format!("{clients}/package.json"))?;
    node(
        "target/postgres",
        "crates/serve/tests/postgres/package.json",
    )?;
    node("target/node", "examples/frameworks/package.json")?;
    node(
        "target/browser",
        "crates/doorwarden/tests/browser/package.json",
    )?;
    system("chromium", "chromium")?;
    cargo_tool("deny").map(drop)
}

/// Makes a virtual environment.
fn python(folder: &str, requirements: &str) -> Result<(), String> {
    made_from(folder, requirements, || {
        run(
            "python3",
            &["-m", "venv", folder],
            "install Python 3.10 or newer with its venv module (Debian: python3-venv)",
        )?;
        let install = [
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--requirement",
            requirements,
        ];
        let help = format!("the packages of {requirements} are needed from a Python package index");
        run(&format!("{folder}/bin/pip"), &install, &help)
    })
}

/// Makes a folder of Node packages.
fn node(folder: &str, manifest: &str) -> Result<(), String> {
    system("npm", "npm")?;
    made_from(folder, manifest, || {
        let failed = |error| format!("failed to make {folder}: {error}");
        fs::create_dir_all(folder).map_err(failed)?;
        fs::copy(manifest, Path::new(folder).join("package.json")).map_err(failed)?;
        let install = [
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--prefix",
            folder,
        ];
        let help = format!("the packages of {manifest} are needed from a Node package index");
        run("npm", &install, &help)
    })
}

/// Makes a folder, which keeps a copy of `source` so that it is made again only when that changes.
fn made_from(
    folder: &str,
    source: &str,
    make: impl FnOnce() -> Result<(), String>,
) -> Result<(), String> {
    let stamp = Path::new(folder).join("made-from");
    let wanted = fs::read_to_string(source).map_err(|error| format!("{source}: {error}"))?;
    if fs::read_to_string(&stamp).is_ok_and(|made| made == wanted) {
        return Ok(());
    }
    if Path::new(folder).exists() {
        fs::remove_dir_all(folder).map_err(|e| format!("failed to remove {folder}: {e}"))?;
    }
    make()?;
    fs::write(&stamp, wanted).map_err(|e| format!("failed to write {}: {e}", stamp.display()))
}

/// Installs a program of the system with Debian's package manager where there is one.
fn system(program: &str, package: &str) -> Result<(), String> {
    let there = || is_installed(&mut process::Command::new(program));
    if there() {
        return Ok(());
    }
    eprintln!("installing {package}");
    let help = format!("install {program} (Debian: apt-get install {package})");
    run("apt-get", &["update", "--quiet"], &help)?;
    run(
        "apt-get",
        &[
            "install",
            "--yes",
            "--quiet",
            "--no-install-recommends",
            package,
        ],
        &help,
    )?;
    if there() { Ok(()) } else { Err(help) }
}

fn run(program: &str, args: &[&str], help: &str) -> Result<(), String> {
    let ran = crate::process::run(process::Command::new(program).args(args));
    ran.map_err(|error| format!("{error}; {help}"))
}
