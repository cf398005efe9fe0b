//! Development commands: `cargo xtask COMMAND`.
//!
//! It has no dependencies: it is the first thing a newcomer compiles, and clap alone would take
//! longer than all of it.

mod commands;
mod insert;
mod junit;
mod process;
mod steps;
mod supervise;
mod tools;

use std::{env, path::Path, process::ExitCode};

use commands::COMMANDS;

/// Why a command ended without success.
enum Error {
    /// The arguments are wrong; exits with 2.
    Usage(String),
    /// The work failed; exits with 1.
    Failed(String),
}

impl From<String> for Error {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Failed(message)) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
        Err(Error::Usage(message)) => {
            eprintln!("error: {message}\n\n{}", help());
            ExitCode::from(2)
        }
    }
}

fn run(args: &[&str]) -> Result<(), Error> {
    let Some((name, rest)) = args.split_first() else {
        println!("{}", help());
        return Ok(());
    };
    if matches!(*name, "help" | "-h" | "--help") || matches!(rest, ["-h" | "--help"]) {
        println!("{}", help());
        return Ok(());
    }
    // All paths below are relative to the root, wherever it was called from.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    env::set_current_dir(&root)
        .map_err(|error| format!("failed to enter {}: {error}", root.display()))?;
    match (*name, rest) {
        // How `test` starts a step in a process of its own.
        ("run-step", [step]) => Ok((steps::find(step)?.run)()?),
        _ => match COMMANDS.iter().find(|command| command.name == *name) {
            Some(command) => (command.run)(rest),
            None => Err(Error::Usage(format!("unknown command `{name}`"))),
        },
    }
}

fn help() -> String {
    let mut help = String::from("Usage: cargo xtask COMMAND\n\nCommands:\n");
    for command in COMMANDS {
        let call = format!("{} {}", command.name, command.arguments);
        help.push_str(&format!("  {call:<44} {}\n", command.about));
    }
    help.push_str("  help                                         Print this help");
    help
}
