//! `doorwarden breach`: the filter of leaked passwords that a server rejects.

use std::path::PathBuf;

use crate::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Build a filter of leaked passwords from a downloaded corpus: lines of SHA1:COUNT
    Build {
        /// The corpus file
        corpus: PathBuf,
        /// The filter to write, for the setting `breach_filter`
        #[arg(long, default_value = "doorwarden-breaches")]
        output: PathBuf,
        /// Leave out passwords that were seen less often than this
        #[arg(long, default_value_t = 1)]
        min_count: u64,
    },
}

pub(crate) fn breach(args: Args) -> Result<u8, Failure> {
    let Command::Build {
        corpus,
        output,
        min_count,
    } = args.command;
    let report_progress = |lines: u64| eprintln!("{} million lines", lines / 1_000_000);
    let built = doorwarden_serve::build_breach_filter(&corpus, &output, min_count, report_progress);
    let passwords = built.map_err(Failure::usage)?;
    say!("{passwords} passwords in {}", output.display());
    Ok(0)
}
