//! What the tests need from Python's and Node's package indexes and from the system, in `target`.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

/// Makes what is missing or old. An error says what is missing and how to get it.
pub(crate) fn make() -> Result<(), String> {
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
    system("chromium", "chromium")
}

/// A virtual environment; what it was made from stands in it, so that it is made again only when
/// that changes.
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

/// A program of the system's, installed by Debian's package manager where that can be.
fn system(program: &str, package: &str) -> Result<(), String> {
    let there = || {
        let mut command = Command::new(program);
        command
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
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
