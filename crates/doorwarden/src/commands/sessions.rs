//! `doorwarden sessions`: the sessions of a server's accounts.

use super::administer::{ServerArgs, format_time, table};
use crate::Failure;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List an account's sessions
    List {
        /// The account's name
        name: String,
    },
    /// End all sessions of an account
    Revoke {
        /// The account's name
        name: String,
    },
}

pub(crate) async fn sessions(args: Args) -> Result<u8, Failure> {
    let (office, _) = args.server.office().await?;
    match args.command {
        Command::List { name } => {
            let sessions = office.sessions(&name).await.map_err(Failure::usage)?;
            let rows = sessions.into_iter().map(|session| {
                [
                    session.device,
                    format_time(session.created),
                    format_time(session.used),
                    format_time(session.expires),
                ]
            });
            say!(
                "{}",
                table(["device", "started", "last used", "expires"], rows)
            );
        }
        Command::Revoke { name } => {
            let ended = office.end_sessions(&name).await.map_err(Failure::usage)?;
            say!("ended {ended} sessions");
        }
    }
    Ok(0)
}
