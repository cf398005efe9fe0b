//! Accounts in the database. Looking one up by name takes an [`Entry`].

use unicode_normalization::UnicodeNormalization;

use crate::{
    door::Entry,
    passwords::Stored,
    store::{Connection, Queried, Row, Store, StoreError, params},
    tokens,
};

/// An account.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) mail: Option<String>,
    /// `None` if the hash in the database can't be read: no password matches.
    pub(crate) stored: Option<Stored>,
    pub(crate) admin: bool,
    pub(crate) disabled: bool,
    pub(crate) created: i64,
    /// The sealed secret of the second factor.
    pub(crate) totp: Option<Vec<u8>>,
    pub(crate) totp_step: i64,
    /// The number of passkeys.
    pub(crate) passkeys: i64,
    /// Incremented by each change of the password or a factor: what was verified before is void after.
    pub(crate) credentials: i64,
}

const COLUMNS: &str = "id, name, mail, hash, admin, disabled, created, totp, totp_step, credentials, \
     (SELECT count(*) FROM passkeys WHERE account = users.id)";

fn user(row: &Row<'_>) -> Queried<User> {
    let hash: String = row.get(3)?;
    Ok(User {
        id: row.get(0)?,
        name: row.get(1)?,
        mail: row.get(2)?,
        stored: Stored::parse(&hash).ok(),
        admin: row.is(4)?,
        disabled: row.is(5)?,
        created: row.get(6)?,
        totp: row.get(7)?,
        totp_step: row.get(8)?,
        credentials: row.get(9)?,
        passkeys: row.get(10)?,
    })
}

impl User {
    /// Returns true if a password alone is not enough.
    pub(crate) fn has_second_factor(&self) -> bool {
        self.totp.is_some() || self.passkeys > 0
    }
}

/// The maximum length of a name, in characters: an email address's (RFC 5321 §4.5.3.1.3).
const LONGEST_NAME: usize = 254;

/// An invalid account name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "The name must have 1 to {LONGEST_NAME} characters, no control characters, and no leading or trailing spaces."
)]
pub struct InvalidName;

/// Returns a name as it is compared: NFKC, lower case.
pub(crate) fn key(name: &str) -> Result<String, InvalidName> {
    let fits = (1..=LONGEST_NAME).contains(&name.chars().count())
        && name.trim() == name
        && !name.chars().any(char::is_control);
    let key: String = name
        .nfkc()
        .collect::<String>()
        .to_lowercase()
        .nfkc()
        .collect();
    if fits && !key.trim().is_empty() {
        Ok(key)
    } else {
        Err(InvalidName)
    }
}

/// Finds an account by its name.
pub(crate) async fn find(
    store: &Store,
    _: &Entry<'_>,
    name: &str,
) -> Result<Option<User>, StoreError> {
    // The same work for invalid names.
    let key = key(name).unwrap_or_default();
    store.read(move |connection| by_key(connection, &key)).await
}

pub(crate) fn by_key(connection: &Connection, key: &str) -> Queried<Option<User>> {
    let query = format!("SELECT {COLUMNS} FROM users WHERE key = ?1");
    connection.first(&query, params![key], user)
}

pub(crate) fn by_id(connection: &Connection, id: &str) -> Queried<Option<User>> {
    let query = format!("SELECT {COLUMNS} FROM users WHERE id = ?1");
    connection.first(&query, params![id], user)
}

pub(crate) fn all(connection: &Connection) -> Queried<Vec<User>> {
    let query = format!("SELECT {COLUMNS} FROM users ORDER BY key");
    connection.all(&query, params![], user)
}

/// A new account.
pub(crate) struct New {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) mail: Option<String>,
    pub(crate) hash: String,
    pub(crate) admin: bool,
    pub(crate) now: i64,
}

/// Inserts an account; returns false if the name is taken.
pub(crate) fn insert(connection: &Connection, new: &New) -> Queried<bool> {
    let made = connection.execute(
        "INSERT INTO users (id, name, key, mail, hash, admin, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
         ON CONFLICT (key) DO NOTHING",
        params![new.id, new.name, new.key, new.mail, new.hash, new.admin, new.now],
    )?;
    Ok(made == 1)
}

/// Changes the password of an account, unless its credentials have changed since; ends its sessions, its
/// signing secrets and its pending logins, resets and enrollments.
pub(crate) fn set_password(
    connection: &Connection,
    id: &str,
    credentials: i64,
    hash: &str,
    now: i64,
) -> Queried<bool> {
    let set = connection.execute(
        "UPDATE users SET hash = ?1, credentials = credentials + 1 WHERE id = ?2 AND credentials = ?3",
        params![hash, id, credentials],
    )?;
    if set == 0 {
        return Ok(false);
    }
    tokens::end_all(connection, id, now)?;
    connection.execute("DELETE FROM pending WHERE account = ?1", params![id])?;
    connection.execute("DELETE FROM signers WHERE account = ?1", params![id])?;
    Ok(true)
}

/// Replaces the hash of the same password, unless it has changed since.
pub(crate) fn renew_hash(
    connection: &Connection,
    id: &str,
    credentials: i64,
    hash: &str,
) -> Queried<usize> {
    connection.execute(
        "UPDATE users SET hash = ?1 WHERE id = ?2 AND credentials = ?3",
        params![hash, id, credentials],
    )
}

/// Disables an account, which ends its sessions, or enables it.
pub(crate) fn disable(connection: &Connection, id: &str, disabled: bool, now: i64) -> Queried<()> {
    connection.execute(
        "UPDATE users SET disabled = ?1 WHERE id = ?2",
        params![disabled, id],
    )?;
    if disabled {
        tokens::end_all(connection, id, now)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_in_one_form() {
        assert_eq!(key("Alice"), key("ａｌｉｃｅ"));
        assert_eq!(key("STRASSE").unwrap(), "strasse");
        for invalid in ["", " alice", "al\u{0}ice", "x\n", &"x".repeat(255)] {
            assert_eq!(key(invalid), Err(InvalidName), "{invalid:?}");
        }
    }
}
