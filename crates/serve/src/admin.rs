//! What an operator does: accounts, clients, sessions, keys. The command line does it on the database
//! itself, beside a running server or without one; the API does the same for administrators.

use std::path::Path;

use argon2::Block;
use doorwarden_gate::{Secret, http::credentials::Password};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Config, KeyError, StartError, StoreError, Stored, UnknownHash,
    audit::{self, Happened},
    jwt::Algorithm,
    keys, mail,
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
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum OfficeError {
    /// The database or its secret.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A name that is none.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// A password that may not be chosen.
    #[error(transparent)]
    Password(#[from] Unfit),
    /// The name is taken.
    #[error("failed to add `{0}`: there is such an account already")]
    Taken(String),
    /// There is no such account, client or session.
    #[error("failed to find `{0}`; `doorwarden users list` lists the accounts")]
    Unknown(String),
    /// A mail address that is none.
    #[error("failed to read the mail address `{0}`")]
    Mail(String),
    /// The system has no randomness, or the cost can't be computed.
    #[error("failed to hash the password")]
    Hash,
}

/// An account, as it is listed.
#[derive(Clone, Debug, Serialize)]
pub struct Listed {
    /// Its id, which tokens name it by.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its mail address.
    pub mail: Option<String>,
    /// Whether it administers.
    pub admin: bool,
    /// Whether it is disabled.
    pub disabled: bool,
    /// Whether it has a second factor.
    pub second_factor: bool,
    /// When it was made, in seconds since 1970.
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
    pub used: i64,
    /// When it ends.
    pub expires: i64,
}

/// A line of an import that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotImported {
    /// The line, from 1.
    pub line: usize,
    /// Why.
    pub reason: String,
}

/// What an import came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Accounts that were made.
    pub made: usize,
    /// Lines that were not taken; nothing of them is kept.
    pub not: Vec<NotImported>,
}

/// One account of an import.
struct Row {
    name: String,
    mail: Option<String>,
    hash: String,
    disabled: bool,
}

/// The account of a name, or the error that says there is none.
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

/// Makes a client; what comes back is its secret, which is not kept.
pub(crate) async fn add_client(
    store: &Store,
    name: &str,
    now: i64,
) -> Result<(String, Random), OfficeError> {
    let id = tokens::id().map_err(|_| OfficeError::Hash)?;
    let secret = Random::new("dwc_").map_err(|_| OfficeError::Hash)?;
    let (kept, name, hash) = (id.clone(), name.to_owned(), secret.hash());
    store
        .write(move |connection| {
            connection.execute(
                "INSERT INTO clients (id, name, hash, created) VALUES (?1, ?2, ?3, ?4)",
                params![kept, name, hash, now],
            )
        })
        .await?;
    Ok((id, secret))
}

impl Office {
    /// Opens the database of a configuration.
    pub async fn open(config: Config, secret: &Secret) -> Result<Self, OfficeError> {
        let (store, seal) = server::open(&config, secret).await?;
        Ok(Self {
            store,
            seal,
            config,
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
        let key = users::key(name)?;
        passwords::fit(password, name, self.config.least_password(false))?;
        if let Some(mail) = mail.as_deref().filter(|mail| !mail::is_address(mail)) {
            return Err(OfficeError::Mail(mail.escape_debug().to_string()));
        }
        let hash = hash(password, self.config.cost)?;
        let new = users::New {
            id: tokens::id().map_err(|_| OfficeError::Hash)?,
            name: name.to_owned(),
            key,
            mail: mail.or_else(|| mail::is_address(name).then(|| name.to_owned())),
            hash,
            admin,
            now: crate::now(),
        };
        match self
            .store
            .write(move |connection| {
                let made = users::insert(connection, &new)?;
                if made {
                    let detail = json!({"by": COMMAND_LINE, "admin": new.admin});
                    audit::note(connection, new.now, "added", Some(&new.id), &detail)?;
                }
                Ok(made)
            })
            .await?
        {
            true => Ok(()),
            false => Err(OfficeError::Taken(name.escape_debug().to_string())),
        }
    }

    /// The accounts, by name.
    pub async fn users(&self) -> Result<Vec<Listed>, OfficeError> {
        let users = self.store.read(users::all).await?;
        Ok(users.into_iter().map(listed).collect())
    }

    /// Disables an account or enables it; disabled, its sessions end.
    pub async fn disable(&self, name: &str, disabled: bool) -> Result<(), OfficeError> {
        let id = self.id(name).await?;
        let now = crate::now();
        Ok(self
            .store
            .write(move |connection| {
                users::disable(connection, &id, disabled, now)?;
                let event = if disabled { "disabled" } else { "enabled" };
                by_command(connection, now, event, &id)
            })
            .await?)
    }

    /// Lets an account be tried again; running servers do it within five seconds.
    pub async fn unlock(&self, name: &str) -> Result<(), OfficeError> {
        let (account, now) = (self.id(name).await?, crate::now());
        let id = tokens::id().map_err(|_| OfficeError::Hash)?;
        Ok(self
            .store
            .write(move |connection| {
                by_command(connection, now, "unlocked", &account)?;
                unlocks::write(connection, &id, &account, now)
            })
            .await?)
    }

    /// Takes an account's passkeys, authenticator and recovery codes away; its sessions end.
    pub async fn reset_factors(&self, name: &str) -> Result<(), OfficeError> {
        let (id, now) = (self.id(name).await?, crate::now());
        Ok(self
            .store
            .write(move |connection| {
                by_command(connection, now, "factors-reset", &id)?;
                second_factor::reset(connection, &id, now)
            })
            .await?)
    }

    /// The last events, the newest first, of all accounts or of one.
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

    /// The sessions of an account.
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

    /// Ends the sessions of an account; says how many there were.
    pub async fn end_sessions(&self, name: &str) -> Result<usize, OfficeError> {
        let (id, now) = (self.id(name).await?, crate::now());
        Ok(self
            .store
            .write(move |connection| {
                by_command(connection, now, "sessions-ended", &id)?;
                tokens::end_all(connection, &id, now)
            })
            .await?)
    }

    /// Adds a client of the endpoints under `/oauth`: its id and its secret, which is shown once.
    pub async fn add_client(
        &self,
        name: &str,
    ) -> Result<(String, zeroize::Zeroizing<String>), OfficeError> {
        let (id, secret) = add_client(&self.store, name, crate::now()).await?;
        self.note("client-added", json!({"client": id})).await?;
        Ok((id, zeroize::Zeroizing::new(secret.expose().to_owned())))
    }

    /// Makes the next key that signs tokens; comes back with its id.
    pub async fn rotate_keys(&self, algorithm: Algorithm) -> Result<String, OfficeError> {
        let kid = keys::rotate(
            &self.store,
            &self.seal,
            algorithm,
            self.config.access(),
            crate::now(),
        )
        .await?;
        self.note("keys-rotated", json!({"kid": kid})).await?;
        Ok(kid)
    }

    async fn note(&self, event: &'static str, mut detail: Value) -> Result<(), OfficeError> {
        detail["by"] = COMMAND_LINE.into();
        let now = crate::now();
        Ok(self
            .store
            .write(move |connection| audit::note(connection, now, event, None, &detail))
            .await?)
    }

    /// Imports accounts with the hashes of another system; see [`import`].
    pub async fn import(&self, text: &str, is_csv: bool) -> Result<Imported, OfficeError> {
        let imported = import(&self.store, text, is_csv).await?;
        self.note("imported", json!({"made": imported.made}))
            .await?;
        Ok(imported)
    }
}

/// Reads accounts with the hashes of another system: CSV with a header, or a JSON object a line, with
/// `name` (or `username`, `email`), `hash` (or `password`), and perhaps `mail` and `disabled`. Lines
/// that can't be read are told, and nothing of them is kept.
pub(crate) async fn import(
    store: &Store,
    text: &str,
    is_csv: bool,
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
        let batch: Vec<_> = fit.by_ref().take(BATCH).collect();
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
                Ok((batch.len() - taken.len(), taken))
            })
            .await?;
        imported.made += made.0;
        let taken = made.1.into_iter().map(|line| NotImported {
            line,
            reason: "there is such an account already".into(),
        });
        imported.not.extend(taken);
    }
    imported.not.sort_by_key(|not| not.line);
    Ok(imported)
}

/// Who did what the command line does.
const COMMAND_LINE: &str = "command line";

fn by_command(connection: &Connection, now: i64, event: &str, account: &str) -> Queried<()> {
    let detail = json!({"by": COMMAND_LINE});
    audit::note(connection, now, event, Some(account), &detail)
}

fn hash(password: &Password, cost: Cost) -> Result<String, OfficeError> {
    let mut arena: Vec<Block> = Vec::new();
    passwords::hash(password, cost, &mut arena).ok_or(OfficeError::Hash)
}

fn checked(row: Row) -> Result<(users::New, bool), String> {
    let key = users::key(&row.name).map_err(|error| error.to_string())?;
    Stored::parse(&row.hash).map_err(|error: UnknownHash| error.to_string())?;
    if row
        .mail
        .as_deref()
        .is_some_and(|mail| !mail::is_address(mail))
    {
        return Err("the mail address is none".into());
    }
    let new = users::New {
        id: tokens::id().map_err(|_| "there is no randomness".to_owned())?,
        mail: row
            .mail
            .or_else(|| mail::is_address(&row.name).then(|| row.name.clone())),
        name: row.name,
        key,
        hash: row.hash.trim().to_owned(),
        admin: false,
        now: crate::now(),
    };
    Ok((new, row.disabled))
}

/// Accounts of an import that share a transaction.
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
        Some(_) => Err(format!("{name} is neither true nor false")),
    };
    let disabled = is("disabled")? == Some(true) || is("is_active")? == Some(false);
    Ok(Row {
        name: first(&NAMES).ok_or("there is no name (name, username or email)")?,
        hash: first(&HASHES).ok_or("there is no hash (hash or password)")?,
        mail: first(&["mail", "email"]),
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
                _ => Err("it is no JSON object".into()),
            };
            (i + 1, read)
        })
        .collect()
}

/// CSV by RFC 4180.
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
            Err("the first line has to name the columns, among them name and hash".into()),
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
                rows.push((line, Err("it is no CSV".to_owned())));
            }
        }
    }
    rows
}

/// Whether a file of this name holds CSV.
pub fn is_csv(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
}
