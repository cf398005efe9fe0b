//! Runs programs.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
};

/// Runs a command to its end; an error names the command.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{}: {status}", words(command))),
        Err(error) => Err(format!("failed to run {}: {error}", words(command))),
    }
}

/// Runs cargo with arguments that contain no spaces.
pub(crate) fn cargo(args: &str) -> Result<(), String> {
    run(Command::new(env!("CARGO")).args(args.split_whitespace()))
}

/// Runs a command and returns what it prints.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let ran = command.stderr(Stdio::inherit()).output();
    let ran = ran.map_err(|error| format!("failed to run {}: {error}", words(command)))?;
    if ran.status.success() {
        Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
    } else {
        Err(format!("{}: {}", words(command), ran.status))
    }
}

/// Returns true if `program --version` runs.
pub(crate) fn is_installed(command: &mut Command) -> bool {
    let command = command.arg("--version");
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Returns cargo's target directory, which this program is in.
pub(crate) fn target() -> Result<PathBuf, String> {
    let program = env::current_exe().map_err(|error| format!("failed to find xtask: {error}"))?;
    let target = program.ancestors().nth(2);
    target
        .map(PathBuf::from)
        .ok_or_else(|| format!("{} is not in a target directory", program.display()))
}

/// Returns a command as one would type it.
fn words(command: &Command) -> String {
    let args = command.get_args().map(|arg| arg.to_string_lossy());
    let program = command.get_program().to_string_lossy();
    // Cargo is known by its absolute path.
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    let words: Vec<_> = std::iter::once(program.into()).chain(args).collect();
    words.join(" ")
}
