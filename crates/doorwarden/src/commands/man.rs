//! `doorwarden man`: what `cargo xtask man` runs.

use std::path::PathBuf;

use clap::CommandFactory;

use super::Cli;
use crate::{Failure, out};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The directory to write to
    #[arg(long, default_value = "man")]
    output: PathBuf,
}

/// Writes a page for the program and one for each command.
pub(crate) fn man(args: &Args) -> Result<u8, Failure> {
    out::prepare_directory(&args.output)?;
    clap_mangen::generate_to(Cli::command(), &args.output).map_err(|error| {
        Failure::aborted(format!(
            "failed to write to {}: {error}",
            args.output.display()
        ))
    })?;
    Ok(0)
}
