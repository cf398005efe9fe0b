//! `doorwarden schema`: the JSON schemas of formats.

use doorwarden_scan::Report;

use crate::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The format
    #[arg(value_enum)]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// The report of `doorwarden scan --format json`
    Report,
}

pub(crate) fn schema(args: &Args) -> Result<u8, Failure> {
    let Format::Report = args.format;
    say!("{:#}", Report::json_schema());
    Ok(0)
}
