//! Words about checks and formats.

use doorwarden_scan::{Report, checks};

use crate::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The check's id; without one, all are listed
    check: Option<String>,
}

pub(crate) fn explain(args: &Args) -> Result<u8, Failure> {
    match &args.check {
        Some(id) => {
            let unknown = || {
                Failure::usage(format!(
                    "there is no check `{id}`; `doorwarden explain` lists them"
                ))
            };
            say!(
                "{}",
                checks::find(id).ok_or_else(unknown)?.page().trim_end()
            );
        }
        None => {
            for check in checks::ALL {
                say!("{:<24} {}", check.id, check.title);
            }
        }
    }
    Ok(0)
}

#[derive(clap::Args)]
pub(crate) struct SchemaArgs {
    /// Which format
    #[arg(value_enum)]
    format: SchemaFormat,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum SchemaFormat {
    /// The JSON of `doorwarden scan --format json`
    Report,
}

pub(crate) fn schema(args: &SchemaArgs) -> Result<u8, Failure> {
    let SchemaFormat::Report = args.format;
    say!("{:#}", Report::json_schema());
    Ok(0)
}
