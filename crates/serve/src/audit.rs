//! The audit log: logins, changes of credentials, administrative changes. Without secrets and names: an
//! account is recorded by its id, which outlives a change of its name.
//!
//! Attempts that are rejected before a password is compared are not in it: the gate's own audit trail has
//! every attempt.

use serde::Serialize;
use serde_json::Value;

use crate::{
    App,
    store::{Connection, Queried, params},
};

/// The most events that are returned at once.
pub const MOST: i64 = 1000;

/// An event of the audit log.
#[derive(Clone, Debug, Serialize)]
pub struct Happened {
    /// When, in seconds since 1970.
    pub at: i64,
    /// What: `login`, `logout`, `password-changed`, `passkey-added` and so on.
    pub event: String,
    /// The id of the account, if the event has one.
    pub account: Option<String>,
    /// The account's current name.
    pub name: Option<String>,
    /// Details, by name.
    pub detail: Value,
}

/// Who makes an administrative change.
#[derive(Clone, Debug)]
pub(crate) enum Actor {
    /// An operator at the command line.
    CommandLine,
    /// An administrator at the API, by the account's id.
    Administrator(String),
}

impl App {
    /// Records an event together with the next write.
    pub(crate) fn audit(&self, event: &'static str, user: Option<&str>, detail: Value) {
        let (now, user, complain) = (self.now(), user.map(str::to_owned), self.complain());
        self.store.post(
            move |connection| note(connection, now, event, user.as_deref(), &detail),
            move |reason| {
                complain(&format!(
                    "failed to record the audit event `{event}`: {reason}"
                ))
            },
        );
    }
}

/// Records an event.
pub(crate) fn note(
    connection: &Connection,
    now: i64,
    event: &str,
    account: Option<&str>,
    detail: &Value,
) -> Queried<()> {
    let insert = "INSERT INTO audit (at, event, account, detail) VALUES (?1, ?2, ?3, ?4)";
    let parameters = params![now, event, account, detail.to_string()];
    connection.execute(insert, parameters).map(drop)
}

/// Records an administrative change, within the write that makes it. A change that concerns no account is
/// recorded under that of the administrator.
pub(crate) fn note_change(
    connection: &Connection,
    now: i64,
    event: &str,
    account: Option<&str>,
    by: &Actor,
    mut detail: Value,
) -> Queried<()> {
    let (actor, own) = match by {
        Actor::CommandLine => ("command line", None),
        Actor::Administrator(id) => (id.as_str(), Some(id.as_str())),
    };
    detail["by"] = actor.into();
    note(connection, now, event, account.or(own), &detail)
}

/// Returns the last events, the newest first, of all accounts or of one.
pub(crate) fn last(
    connection: &Connection,
    account: Option<&str>,
    most: i64,
) -> Queried<Vec<Happened>> {
    let of = match account {
        Some(_) => "WHERE account = ?2",
        None => "",
    };
    let query = format!(
        "SELECT at, event, account, name, detail FROM audit LEFT JOIN users ON users.id = account \
         {of} ORDER BY at DESC LIMIT ?1"
    );
    let most = most.clamp(1, MOST);
    let both = params![most, account.unwrap_or_default()];
    let parameters = if account.is_some() { both } else { &both[..1] };
    connection.all(&query, parameters, |row| {
        let detail: String = row.get(4)?;
        Ok(Happened {
            at: row.get(0)?,
            event: row.get(1)?,
            account: row.get(2)?,
            name: row.get(3)?,
            detail: serde_json::from_str(&detail).unwrap_or_default(),
        })
    })
}
