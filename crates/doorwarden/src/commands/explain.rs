//! `doorwarden explain`: the page of a check, or the list of checks.

use doorwarden_scan::checks;

use crate::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The check's id [default: list all]
    check: Option<String>,
}

pub(crate) fn explain(args: &Args) -> Result<u8, Failure> {
    match &args.check {
        Some(id) => {
            let unknown = || {
                Failure::usage(format!(
                    "unknown check `{id}`; `doorwarden explain` lists all checks"
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
