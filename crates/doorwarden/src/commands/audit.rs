//! `doorwarden audit`: what happened on a server.

use super::administer::{ServerArgs, format_time, table};
use crate::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,
    /// Only events of this account
    #[arg(long)]
    user: Option<String>,
    /// How many events to list, newest first; at most 1000
    #[arg(long, default_value_t = 100)]
    last: i64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn audit(args: Args) -> Result<u8, Failure> {
    let office = args.server.office().await?.0;
    let entries = office.audit(args.user.as_deref(), args.last).await;
    let entries = entries.map_err(Failure::usage)?;
    if args.json {
        let text = serde_json::to_string_pretty(&entries).map_err(Failure::aborted)?;
        say!("{text}");
        return Ok(0);
    }
    let rows = entries.into_iter().map(|entry| {
        let detail = match &entry.detail {
            serde_json::Value::Object(members) if members.is_empty() => String::new(),
            detail => detail.to_string(),
        };
        let account = entry.name.or(entry.account).unwrap_or_default();
        [format_time(entry.at), entry.event, account, detail]
    });
    say!("{}", table(["time", "event", "account", "details"], rows));
    Ok(0)
}
