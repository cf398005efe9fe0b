//! `doorwarden man`: what `cargo xtask man` runs.

use std::{fs, path::PathBuf};

use clap::CommandFactory;

use super::Cli;
use crate::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The directory to write to
    #[arg(long, default_value = "man")]
    output: PathBuf,
}

/// Writes a page for the program and one for each command.
pub(crate) fn man(args: &Args) -> Result<u8, Failure> {
    fs::create_dir_all(&args.output)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), &args.output))
        .map_err(|error| {
            Failure::usage(format!(
                "failed to write {}: {error}",
                args.output.display()
            ))
        })?;
    Ok(0)
}
