//! What the commands that administer a server share: which server, its secret, tables.

use std::path::{Path, PathBuf};

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use doorwarden_gate::Secret;
use doorwarden_serve::{Config, admin::Office};

use crate::{Failure, config, secret, warnings};

/// The options that name a server: its configuration and its data.
#[derive(clap::Args)]
pub(crate) struct ServerArgs {
    /// The configuration file [default: doorwarden.toml, if it exists]
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    /// The directory of its database and secret [default: doorwarden-data]
    #[arg(long)]
    pub(crate) data: Option<PathBuf>,
}

impl ServerArgs {
    /// Reads the configuration, with these options applied, and its policy.
    pub(crate) fn read(self) -> Result<(Config, Option<doorwarden_decision::Policy>), Failure> {
        let path = match self.config {
            Some(path) => Some(path),
            None => Path::new(config::FILE)
                .exists()
                .then(|| config::FILE.into()),
        };
        let (serve, policy) = match path {
            Some(path) => {
                let read = config::read(&path)?;
                (read.serve, read.policy)
            }
            None => (None, None),
        };
        let mut serve = serve.unwrap_or_default();
        if let Some(data) = self.data {
            serve.data = data;
        }
        Ok((serve, policy))
    }

    /// Opens the server's database for administration.
    pub(crate) async fn office(self) -> Result<(Office, Config), Failure> {
        let (config, _) = self.read()?;
        let secret = find_secret(&config)?;
        let office = Office::open(config.clone(), &secret, warnings::log()).await;
        Ok((office.map_err(Failure::usage)?, config))
    }
}

/// Finds the server's secret: a program's, a file's, that of the environment, or that of its data.
pub(crate) fn find_secret(config: &Config) -> Result<Secret, Failure> {
    if let Some((program, arguments)) = config.secret_command.split_first() {
        return secret::from_command(program, arguments);
    }
    if let Some(path) = &config.secret_file {
        return secret::from_file(path);
    }
    match secret::from_environment()? {
        Some(secret) => Ok(secret),
        None => secret::of_directory(&config.data),
    }
}

/// Escapes control characters: account names are chosen by users, and a terminal would obey them.
fn escape_controls(text: &str) -> String {
    let escape = |c: char| {
        if c.is_control() {
            c.escape_debug().to_string()
        } else {
            c.to_string()
        }
    };
    text.chars().map(escape).collect()
}

/// Lays out rows as a table for a terminal.
pub(crate) fn table<const N: usize>(
    header: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(header);
    for row in rows {
        table.add_row(row.map(|cell| escape_controls(&cell)));
    }
    table
}

/// Formats a time as RFC 3339.
pub(crate) fn format_time(seconds: i64) -> String {
    let time = time::OffsetDateTime::from_unix_timestamp(seconds).ok();
    let format = &time::format_description::well_known::Rfc3339;
    time.and_then(|time| time.format(format).ok())
        .unwrap_or_default()
}
