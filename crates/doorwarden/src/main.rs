//! Keeps attackers from guessing their way into logins, and proves it.
//!
//! ```text
//! main.rs       commands, exit codes
//! commands/     one file per command
//! config.rs     doorwarden.toml
//! counting.rs   the counters of guard and serve, and what is kept over a restart
//! secret.rs     the secret of guard and serve
//! trail.rs      the audit trail of guard and serve
//! warnings.rs   the service's warnings, on their way to the log
//! policy.rs     from findings to a guard configuration
//! operator.rs   the key that proves ownership of a target
//! logging.rs    --verbose, --quiet, --log-format, --color
//! out.rs progress.rs interrupt.rs   standard output, progress bars, Ctrl-C
//! ```
#![expect(clippy::print_stderr, reason = "a command line program")]

#[macro_use]
mod out;

mod commands;
#[cfg(any(feature = "guard", feature = "serve"))]
mod config;
#[cfg(any(feature = "guard", feature = "serve"))]
mod counting;
#[cfg(any(feature = "scan", feature = "guard", feature = "serve"))]
mod interrupt;
mod logging;
#[cfg(feature = "scan")]
mod operator;
#[cfg(feature = "scan")]
mod policy;
#[cfg(any(feature = "scan", feature = "sim"))]
mod progress;
#[cfg(any(feature = "guard", feature = "serve"))]
mod secret;
#[cfg(any(feature = "guard", feature = "serve"))]
mod trail;
#[cfg(feature = "serve")]
mod warnings;

use std::process::ExitCode;

use clap::{
    CommandFactory, FromArgMatches,
    error::{ContextKind, ContextValue},
};

use commands::Cli;

/// An error for the user, and the exit code that goes with it.
struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// A usage or configuration error.
    fn usage(message: impl ToString) -> Self {
        Self {
            code: 2,
            message: message.to_string(),
        }
    }

    /// A failure that the command line is not the cause of.
    fn aborted(message: impl ToString) -> Self {
        Self {
            code: 3,
            message: message.to_string(),
        }
    }
}

/// Prints clap's error, or names the feature of a command that this build lacks.
fn reject(error: &clap::Error) -> ExitCode {
    let command = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(command)) => command.as_str(),
        _ => "",
    };
    // `users scan` is an unknown command too, in a build that has `scan`.
    let is_built = Cli::command().find_subcommand(command).is_some();
    if let Some(feature) = commands::feature_of(command).filter(|_| !is_built) {
        eprintln!("doorwarden: this build has no `{command}`; install with --features {feature}");
        return ExitCode::from(2);
    }
    // The reader may have gone away.
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// Columns of a terminal below which help puts descriptions under the options.
const NARROW: u16 = 72;

fn main() -> ExitCode {
    // Beside long options a narrow terminal has no room for their descriptions.
    let is_narrow = terminal_size::terminal_size().is_some_and(|(width, _)| width.0 < NARROW);
    let command = Cli::command()
        .color(logging::early_color())
        .next_line_help(is_narrow);
    let parsed = command.try_get_matches();
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return reject(&error),
    };
    cli.output.install();
    match commands::run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("doorwarden: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}
