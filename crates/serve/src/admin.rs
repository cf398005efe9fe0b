//! What operators and administrators do: accounts, clients, sessions, keys. The command line works on the
//! database itself, with or without a running server; the API does the same for administrators.
//!
//! Each change and its audit event are one write.

use std::path::Path;

use argon2::Block;
use doorwarden_gate::{Secret, http::credentials::Password};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Complain, Config, KeyError, StartError, StoreError, Stored, UnknownHash,
    accounts::{self, NewAccount, Unacceptable},
    audit::{self, Actor, Happened},
    breaches::Breaches,
    jwt::Algorithm,
    keys,
    passwords::{self, Cost, Unfit},
    seal::Seal,
    second_factor, server,
    store::{Connection, Queried, Store, params},
    tokens::{self, Random},
    unlocks,
    users::{self, InvalidName},
};

/// The database, for an operator.
pub struct Office {
    store: Store,
    seal: Seal,
    config: Config,
    complain: Complain,
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub enum OfficeError {
    /// The configuration, the database or its secret.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// An invalid account name.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// A password that may not be chosen.
    #[error(transparent)]
    Password(#[from] Unfit),
    /// The name is taken.
    #[error("account `{0}` already exists")]
    Taken(String),
    /// An unknown account.
    #[error("account `{0}` not found; `doorwarden users list` lists the accounts")]
    Unknown(String),
    /// An invalid email address.
    #[error("invalid email address `{0}`")]
    Mail(String),
    /// The system has no randomness, or the password can't be hashed at the configured cost.
    #[error("failed to hash the password or to get random bytes from the system")]
    Hash,
}

impl From<Unacceptable> for OfficeError {
    fn from(reason: Unacceptable) -> Self {
        match reason {
            Unacceptable::Name(reason) => Self::Name(reason),
            Unacceptable::Password(reason) => Self::Password(reason),
            Unacceptable::Email(email) => Self::Mail(email.escape_debug().to_string()),
        }
    }
}

impl From<getrandom::Error> for OfficeError {
    fn from(_: getrandom::Error) -> Self {
        Self::Hash
    }
}

/// An account, as it is listed.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// Its id, which is the subject of its tokens.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its email address.
    #[serde(rename = "email")]
    pub mail: Option<String>,
    /// Whether it is an administrator's.
    pub admin: bool,
    /// Whether it is disabled.
    pub disabled: bool,
    /// Whether it has a second factor.
    pub second_factor: bool,
    /// When it was created, in seconds since 1970.
    pub created: i64,
}

/// A session, as it is listed.
#[derive(Clone, Debug, Serialize)]
pub struct ListedSession {
    /// Its id.
    pub id: String,
    /// The device, from its user agent.
    pub device: String,
    /// When it began, in seconds since 1970.
    pub created: i64,
    /// When it was last refreshed.
    #[serde(rename = "last_used")]
    pub used: i64,
    /// When it ends.
    pub expires: i64,
}

/// A line of an import that was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotImported {
    /// The line, from 1.
    pub line: usize,
    /// Why.
    pub reason: String,
}

/// The result of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// The number of accounts created.
    #[serde(rename = "imported")]
    pub made: usize,
    /// The rejected lines; nothing of them is kept.
    #[serde(rename = "rejected")]
    pub not: Vec<NotImported>,
}

/// One account of an import.
struct Row {
    name: String,
    email: Option<String>,
    hash: String,
    disabled: bool,
}

/// Returns the account of a name, if it exists.
pub(crate) fn named(connection: &Connection, name: &str) -> Queried<Option<users::User>> {
    users::by_key(connection, &users::key(name).unwrap_or_default())
}

pub(crate) fn listed(user: users::User) -> Listed {
    Listed {
        second_factor: user.has_second_factor(),
        id: user.id,
        name: user.name,
        mail: user.mail,
        admin: user.admin,
        disabled: user.disabled,
        created: user.created,
    }
}

/// Adds a client; returns its id and its secret, of which only the hash is kept.
pub(crate) async fn add_client(
    store: &Store,
    name: &str,
    by: Actor,
    now: i64,
) -> Result<(String, Random), OfficeError> {
    let (id, secret) = (tokens::id()?, Random::new("dwc_")?);
    let (kept, name, hash) = (id.clone(), name.to_owned(), secret.hash());
    store
        .write(move |connection| {
            let insert = "INSERT INTO clients (id, name, hash, created) VALUES (?1, ?2, ?3, ?4)";
            connection.execute(insert, params![kept, name, hash, now])?;
            let detail = json!({"client": kept});
            audit::note_change(connection, now, "client-added", None, &by, detail)
        })
        .await?;
    Ok((id, secret))
}

impl Office {
    /// Opens the database of a configuration. Problems that don't stop an operation go to `complain`.
    pub async fn open(
        config: Config,
        secret: &Secret,
        complain: Complain,
    ) -> Result<Self, OfficeError> {
        let (store, seal) = server::open(&config, secret).await?;
        Ok(Self {
            store,
            seal,
            config,
            complain,
        })
    }

    /// Adds an account.
    pub async fn add_user(
        &self,
        name: &str,
        password: &Password,
        mail: Option<String>,
        admin: bool,
    ) -> Result<(), OfficeError> {
        let new = NewAccount {
            name,
            password,
            email: mail,
            admin,
        };
        // Read here and not with the database: a filter may take gigabytes, and nothing else needs it.
        let breaches = Breaches::of(&self.config).map_err(StartError::from)?;
        let complain = |error: &dyn std::fmt::Display| (self.complain)(&error.to_string());
        let accepted = new.check(&self.config, &breaches, complain).await?;
        let new = accepted.with_hash(hash(password, self.config.cost)?, crate::now())?;
        match self
            .store
            .write(move |connection| {
                let created = users::insert(connection, &new)?;
                if created {
                    by_command(
                        connection,
                        new.now,
                        "account-added",
                        &new.id,
                        json!({"admin": new.admin}),
                    )?;
                }
                Ok(created)
            })
            .await?
        {
            true => Ok(()),
            false => Err(OfficeError::Taken(name.escape_debug().to_string())),
        }
    }

    /// Lists the accounts, by name.
    pub async fn users(&self) -> Result<Vec<Listed>, OfficeError> {
        let users = self.store.read(users::all).await?;
        Ok(users.into_iter().map(listed).collect())
    }

    /// Disables an account, which ends its sessions, or enables it.
    pub async fn disable(&self, name: &str, disabled: bool) -> Result<(), OfficeError> {
        let id = self.id(name).await?;
        let now = crate::now();
        Ok(self
            .store
            .write(move |connection| {
                users::disable(connection, &id, disabled, now)?;
                let event = if disabled {
                    "account-disabled"
                } else {
                    "account-enabled"
                };
                by_command(connection, now, event, &id, json!({}))
            })
            .await?)
    }

    /// Resets an account's failed attempts; running servers do it within five seconds.
    pub async fn unlock(&self, name: &str) -> Result<(), OfficeError> {
        let (account, now) = (self.id(name).await?, crate::now());
        let id = tokens::id()?;
        Ok(self
            .store
            .write(move |connection| {
                by_command(connection, now, "account-unlocked", &account, json!({}))?;
                unlocks::write(connection, &id, &account, now)
            })
            .await?)
    }

    /// Removes an account's passkeys, authenticator and recovery codes, and ends its sessions.
    pub async fn reset_factors(&self, name: &str) -> Result<(), OfficeError> {
        let (id, now) = (self.id(name).await?, crate::now());
        Ok(self
            .store
            .write(move |connection| {
                by_command(connection, now, "second-factors-reset", &id, json!({}))?;
                second_factor::reset(connection, &id, now)
            })
            .await?)
    }

    /// Returns the last audit events, the newest first, of all accounts or of one.
    pub async fn audit(&self, name: Option<&str>, most: i64) -> Result<Vec<Happened>, OfficeError> {
        let account = match name {
            Some(name) => Some(self.id(name).await?),
            None => None,
        };
        Ok(self
            .store
            .read(move |connection| audit::last(connection, account.as_deref(), most))
            .await?)
    }

    async fn id(&self, name: &str) -> Result<String, OfficeError> {
        let wanted = name.to_owned();
        let user = self
            .store
            .read(move |connection| named(connection, &wanted))
            .await?;
        user.map(|user| user.id)
            .ok_or_else(|| OfficeError::Unknown(name.escape_debug().to_string()))
    }

    /// Lists the sessions of an account.
    pub async fn sessions(&self, name: &str) -> Result<Vec<ListedSession>, OfficeError> {
        let (id, now) = (self.id(name).await?, crate::now());
        let sessions = self
            .store
            .read(move |connection| tokens::of_user(connection, &id, now))
            .await?;
        let listed = sessions.into_iter().map(|session| ListedSession {
            id: session.id,
            device: session.device,
            created: session.created,
            used: session.used,
            expires: session.expires,
        });
        Ok(listed.collect())
    }

    /// Ends the sessions of an account; returns their number.
    pub async fn end_sessions(&self, name: &str) -> Result<usize, OfficeError> {
        let (id, now) = (self.id(name).await?, crate::now());
        Ok(self
            .store
            .write(move |connection| {
                by_command(connection, now, "sessions-ended", &id, json!({}))?;
                tokens::end_all(connection, &id, now)
            })
            .await?)
    }

    /// Adds a client of the endpoints under `/oauth`; returns its id and its secret, which is shown once.
    pub async fn add_client(
        &self,
        name: &str,
    ) -> Result<(String, zeroize::Zeroizing<String>), OfficeError> {
        let adding = add_client(&self.store, name, Actor::CommandLine, crate::now());
        let (id, secret) = adding.await?;
        Ok((id, zeroize::Zeroizing::new(secret.expose().to_owned())))
    }

    /// Creates the next key that signs tokens; returns its id.
    pub async fn rotate_keys(&self, algorithm: Algorithm) -> Result<String, OfficeError> {
        let rotating = keys::rotate(
            &self.store,
            &self.seal,
            algorithm,
            self.config.access(),
            Actor::CommandLine,
            crate::now(),
        );
        Ok(rotating.await?)
    }

    /// Imports accounts with the password hashes of another system: CSV with a header, or one JSON object
    /// per line, with `name` (or `username`, `email`), `hash` (or `password`), and optionally `email` and
    /// `disabled` (or `is_active`).
    pub async fn import(&self, text: &str, is_csv: bool) -> Result<Imported, OfficeError> {
        Ok(import(&self.store, text, is_csv, Actor::CommandLine).await?)
    }
}

/// Imports accounts with the password hashes of another system, in batches; see [`Office::import`]. Lines
/// that can't be read are returned, and nothing of them is kept.
pub(crate) async fn import(
    store: &Store,
    text: &str,
    is_csv: bool,
    by: Actor,
) -> Result<Imported, StoreError> {
    let rows = if is_csv {
        from_csv(text)
    } else {
        from_json_lines(text)
    };
    let mut imported = Imported::default();
    let mut fit = Vec::new();
    for (line, row) in rows {
        match row.and_then(checked) {
            Ok(new) => fit.push((line, new)),
            Err(reason) => imported.not.push(NotImported { line, reason }),
        }
    }
    let mut fit = fit.into_iter().peekable();
    while fit.peek().is_some() {
        let (batch, by): (Vec<_>, _) = (fit.by_ref().take(BATCH).collect(), by.clone());
        let made = store
            .write(move |connection| {
                let mut taken = Vec::new();
                for (line, (new, disabled)) in &batch {
                    if !users::insert(connection, new)? {
                        taken.push(*line);
                    } else if *disabled {
                        users::disable(connection, &new.id, true, new.now)?;
                    }
                }
                let made = batch.len() - taken.len();
                if made > 0 {
                    let (now, detail) = (crate::now(), json!({"imported": made}));
                    audit::note_change(connection, now, "accounts-imported", None, &by, detail)?;
                }
                Ok((made, taken))
            })
            .await?;
        imported.made += made.0;
        let taken = made.1.into_iter().map(|line| NotImported {
            line,
            reason: "the account already exists".into(),
        });
        imported.not.extend(taken);
    }
    imported.not.sort_by_key(|not| not.line);
    Ok(imported)
}

fn by_command(
    connection: &Connection,
    now: i64,
    event: &str,
    account: &str,
    detail: Value,
) -> Queried<()> {
    audit::note_change(
        connection,
        now,
        event,
        Some(account),
        &Actor::CommandLine,
        detail,
    )
}

fn hash(password: &Password, cost: Cost) -> Result<String, OfficeError> {
    let mut arena: Vec<Block> = Vec::new();
    passwords::hash(password, cost, &mut arena).ok_or(OfficeError::Hash)
}

fn checked(row: Row) -> Result<(users::New, bool), String> {
    let key = users::key(&row.name).map_err(|error| error.to_string())?;
    Stored::parse(&row.hash).map_err(|error: UnknownHash| error.to_string())?;
    let email = accounts::email_of(&row.name, row.email);
    let new = users::New {
        id: tokens::id().map_err(|_| "failed to get random bytes from the system".to_owned())?,
        mail: email.map_err(|_| "invalid email address".to_owned())?,
        name: row.name,
        key,
        hash: row.hash.trim().to_owned(),
        admin: false,
        now: crate::now(),
    };
    Ok((new, row.disabled))
}

/// Accounts of an import that are written in one transaction.
const BATCH: usize = 1000;

type Rows = Vec<(usize, Result<Row, String>)>;

const NAMES: [&str; 3] = ["name", "username", "email"];
const HASHES: [&str; 2] = ["hash", "password"];

fn row(get: impl Fn(&str) -> Option<String>) -> Result<Row, String> {
    let first = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| get(name).filter(|value| !value.is_empty()))
    };
    let is = |name: &str| match first(&[name]).map(|word| word.to_lowercase()).as_deref() {
        None => Ok(None),
        Some("true" | "t" | "yes" | "y" | "1") => Ok(Some(true)),
        Some("false" | "f" | "no" | "n" | "0") => Ok(Some(false)),
        Some(_) => Err(format!("`{name}` must be true or false")),
    };
    // Skipped, it would leave the account without the address that resets its password.
    if get("mail").is_some() {
        return Err("`mail` is not read; rename it to `email`".into());
    }
    let disabled = is("disabled")? == Some(true) || is("is_active")? == Some(false);
    Ok(Row {
        name: first(&NAMES).ok_or("missing name (`name`, `username` or `email`)")?,
        hash: first(&HASHES).ok_or("missing hash (`hash` or `password`)")?,
        email: first(&["email"]),
        disabled,
    })
}

fn from_json_lines(text: &str) -> Rows {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(i, line)| {
            let read = match serde_json::from_str::<Value>(line) {
                Ok(Value::Object(object)) => row(|name| match object.get(name)? {
                    Value::String(text) => Some(text.clone()),
                    Value::Bool(bool) => Some(bool.to_string()),
                    Value::Number(number) => Some(number.to_string()),
                    _ => None,
                }),
                _ => Err("not a JSON object".into()),
            };
            (i + 1, read)
        })
        .collect()
}

/// Reads CSV (RFC 4180).
fn from_csv(text: &str) -> Rows {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(text.as_bytes());
    let header: Vec<String> = match reader.headers() {
        Ok(header) => header
            .iter()
            .map(|name| name.trim().to_lowercase())
            .collect(),
        Err(error) => return vec![(1, Err(error.to_string()))],
    };
    let known = |names: &[&str]| header.iter().any(|name| names.contains(&name.as_str()));
    if !known(&NAMES) || !known(&HASHES) {
        return vec![(
            1,
            Err("the first line must name the columns, at least `name` and `hash`".into()),
        )];
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        match record {
            Ok(record) => {
                let line = record
                    .position()
                    .map_or(0, |position| position.line() as usize);
                let get = |name: &str| {
                    let column = header.iter().position(|one| one == name)?;
                    record.get(column).map(str::to_owned)
                };
                rows.push((line, row(get)));
            }
            Err(error) => {
                let line = error
                    .position()
                    .map_or(0, |position| position.line() as usize);
                rows.push((line, Err("malformed CSV".to_owned())));
            }
        }
    }
    rows
}

/// Returns true if a file is CSV by its extension.
pub fn is_csv(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_that_would_be_lost_is_an_error() {
        let csv = "name,mail,hash\nann,ann@example.org,x\n";
        let json = r#"{"name":"ann","mail":"ann@example.org","hash":"x"}"#;
        for rows in [from_csv(csv), from_json_lines(json)] {
            let error = rows[0].1.as_ref().err().unwrap();
            assert!(error.contains("rename it to `email`"), "{error}");
        }
        let csv = "name,email,hash,joined\nann,ann@example.org,x,2020\n";
        let row = from_csv(csv).remove(0).1.unwrap();
        assert_eq!(row.email.as_deref(), Some("ann@example.org"));
    }
}
