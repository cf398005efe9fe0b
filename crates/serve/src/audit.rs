//! What happened, for whoever asks later: logins, changes of credentials, what administrators did. No
//! secrets and no names: the account's id, which outlives a change of its name.
//!
//! What is refused before a password is compared is not here: the gate's own audit trail has every attempt.

use serde::Serialize;
use serde_json::Value;

use crate::{
    App,
    store::{Connection, Queried, params},
};

/// Events that are told at once, at the most.
pub const MOST: i64 = 1000;

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
pub struct Happened {
    /// When, in seconds since 1970.
    pub at: i64,
    /// What: `login`, `logout`, `password-changed`, `passkey-added` and so on.
    pub event: String,
    /// The id of the account, where there is one.
    pub account: Option<String>,
    /// Its name today.
    pub name: Option<String>,
    /// More of it, by name.
    pub detail: Value,
}

impl App {
    /// Notes what happened, together with what is written next.
    pub(crate) fn audit(&self, event: &'static str, user: Option<&str>, detail: Value) {
        let (now, user, complain) = (self.now(), user.map(str::to_owned), self.complain());
        self.store.post(
            move |connection| note(connection, now, event, user.as_deref(), &detail),
            move |reason| complain(&format!("failed to note `{event}`: {reason}")),
        );
    }
}

/// Notes what happened.
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

/// The last events, the newest first; of one account, where one is named.
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
