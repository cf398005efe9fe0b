//! `doorwarden keys`: the keys that sign a server's tokens.

use doorwarden_serve::jwt::Algorithm;

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
    /// Create the next key. It is published at once and signs after ten minutes; a running server picks it up
    Rotate {
        /// Its algorithm: RS256, ES256 or EdDSA [default: the configuration's]
        #[arg(long)]
        alg: Option<Algorithm>,
    },
}

pub(crate) async fn keys(args: Args) -> Result<u8, Failure> {
    let (office, config) = args.server.office().await?;
    let Command::Rotate { alg } = args.command;
    let kid = office
        .rotate_keys(alg.unwrap_or(config.algorithm))
        .await
        .map_err(Failure::usage)?;
    say!("kid={kid}");
    Ok(0)
}
