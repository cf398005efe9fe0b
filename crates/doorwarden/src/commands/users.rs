//! `doorwarden users`: the accounts of a server.

use std::{
    fs,
    io::{self, BufRead, IsTerminal},
    path::{Path, PathBuf},
};

use doorwarden_gate::http::credentials::Password;
use doorwarden_serve::admin::{self, Office};
use zeroize::Zeroizing;

use super::administer::{ServerArgs, table};
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
    /// Add an account; prompts for its password, or reads it from the first line of standard input
    Add {
        /// The account's name
        name: String,
        /// Its email address, for password resets
        #[arg(long)]
        email: Option<String>,
        /// Make it an administrator
        #[arg(long)]
        admin: bool,
    },
    /// List the accounts
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Disable an account and end its sessions
    Disable {
        /// The account's name
        name: String,
    },
    /// Enable an account again
    Enable {
        /// The account's name
        name: String,
    },
    /// Forget the failed logins of an account; running servers do so within 5 seconds
    Unlock {
        /// The account's name
        name: String,
    },
    /// Remove an account's passkeys, authenticator and recovery codes, and end its sessions
    ResetFactors {
        /// The account's name
        name: String,
    },
    /// Import accounts with hashes of Django, Werkzeug, passlib or bcrypt: a CSV file with a header, or one
    /// JSON object per line, with name, hash, and optionally email and disabled
    Import {
        /// The file to import
        file: PathBuf,
    },
}

pub(crate) async fn users(args: Args) -> Result<u8, Failure> {
    let (office, _) = args.server.office().await?;
    match args.command {
        Command::Add { name, email, admin } => {
            let password = Password::new(read_password()?.to_string());
            office
                .add_user(&name, &password, email, admin)
                .await
                .map_err(Failure::usage)?;
            say!("added {}", name.escape_debug());
            Ok(0)
        }
        Command::List { json } => {
            let users = office.users().await.map_err(Failure::aborted)?;
            if json {
                say!(
                    "{}",
                    serde_json::to_string_pretty(&users).map_err(Failure::aborted)?
                );
                return Ok(0);
            }
            let rows = users.into_iter().map(|user| {
                let mark = |is: bool| if is { "yes" } else { "" }.to_owned();
                let mail = user.mail.unwrap_or_default();
                [
                    user.name,
                    mail,
                    mark(user.admin),
                    mark(user.second_factor),
                    mark(user.disabled),
                ]
            });
            say!(
                "{}",
                table(
                    ["name", "email", "admin", "second factor", "disabled"],
                    rows
                )
            );
            Ok(0)
        }
        Command::Disable { name } => {
            office.disable(&name, true).await.map_err(Failure::usage)?;
            say!("disabled {}", name.escape_debug());
            Ok(0)
        }
        Command::Enable { name } => {
            office.disable(&name, false).await.map_err(Failure::usage)?;
            say!("enabled {}", name.escape_debug());
            Ok(0)
        }
        Command::Unlock { name } => {
            office.unlock(&name).await.map_err(Failure::usage)?;
            say!("unlocked {}", name.escape_debug());
            Ok(0)
        }
        Command::ResetFactors { name } => {
            office.reset_factors(&name).await.map_err(Failure::usage)?;
            say!("reset the second factors of {}", name.escape_debug());
            Ok(0)
        }
        Command::Import { file } => import(&office, &file).await,
    }
}

async fn import(office: &Office, file: &Path) -> Result<u8, Failure> {
    let shown = file.display();
    let text = Zeroizing::new(
        fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("failed to read {shown}: {error}")))?,
    );
    let imported = office
        .import(&text, admin::is_csv(file))
        .await
        .map_err(Failure::aborted)?;
    say!("imported {} accounts", imported.made);
    for not in &imported.not {
        eprintln!("{shown}:{}: {}", not.line, not.reason);
    }
    if imported.not.is_empty() {
        return Ok(0);
    }
    Err(Failure::usage(format!(
        "{} lines of {shown} were not imported. Fix them and import the file again; existing accounts are left unchanged.",
        imported.not.len()
    )))
}

/// Prompts for a password without echo, or reads the first line of piped input.
fn read_password() -> Result<Zeroizing<String>, Failure> {
    let failed = |error: io::Error| Failure::usage(format!("failed to read the password: {error}"));
    let password = if io::stdin().is_terminal() {
        rpassword::prompt_password("Password: ").map_err(failed)?
    } else {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(failed)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    Ok(Zeroizing::new(password))
}
