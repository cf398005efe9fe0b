//! `doorwarden completions SHELL`.

use std::io::{self, ErrorKind, Write};

use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;
use crate::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script. Buffered: the generator panics when its writer fails.
pub(crate) fn completions(args: &Args) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "doorwarden", &mut script);
    match io::stdout().write_all(&script) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure {
            code: 3,
            message: format!("failed to write to standard output: {error}"),
        }),
        _ => Ok(0),
    }
}
