//! `doorwarden clients`: the OAuth clients of a server.

use super::administer::ServerArgs;
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
    /// Add a client; its secret is printed once
    Add {
        /// A name to recognise it by
        name: String,
    },
}

pub(crate) async fn clients(args: Args) -> Result<u8, Failure> {
    let (office, _) = args.server.office().await?;
    let Command::Add { name } = args.command;
    let (id, secret) = office.add_client(&name).await.map_err(Failure::aborted)?;
    say!("client_id={id}\nclient_secret={}", *secret);
    Ok(0)
}
