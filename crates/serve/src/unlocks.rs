//! Unlocking accounts. The command line and the API record it in the database; each node polls it and
//! resets its own counters of the account.

use std::collections::HashSet;

use crate::{
    App, login,
    store::{Connection, Queried, StoreError, params},
};

/// How long an unlock is kept, in seconds: far longer than the polling interval.
const LOOKED_FOR: i64 = 600;

/// Records that an account is to be unlocked.
pub(crate) fn write(connection: &Connection, id: &str, account: &str, now: i64) -> Queried<()> {
    let old = "DELETE FROM unlocks WHERE at < ?1";
    connection.execute(old, params![now - LOOKED_FOR])?;
    let insert = "INSERT INTO unlocks (id, account, at) VALUES (?1, ?2, ?3)";
    connection
        .execute(insert, params![id, account, now])
        .map(drop)
}

/// An unlock of an account.
struct Unlock {
    id: String,
    account: String,
    name: String,
}

fn all(connection: &Connection, now: i64) -> Queried<Vec<Unlock>> {
    let query = "SELECT unlocks.id, account, name FROM unlocks JOIN users ON users.id = account \
         WHERE at > ?1";
    connection.all(query, params![now - LOOKED_FOR], |row| {
        Ok(Unlock {
            id: row.get(0)?,
            account: row.get(1)?,
            name: row.get(2)?,
        })
    })
}

/// The unlocks that this node has applied. None at its start: its counters may be older.
#[derive(Default)]
pub(crate) struct Done(HashSet<String>);

impl Done {
    /// Applies new unlocks.
    pub(crate) async fn look(&mut self, app: &App) -> Result<(), StoreError> {
        let now = app.now();
        let there = app
            .store
            .read(move |connection| all(connection, now))
            .await?;
        for unlock in &there {
            if self.0.contains(&unlock.id) {
                continue;
            }
            for name in login::counted_under(&unlock.account, &unlock.name) {
                // Invalid names were never counted.
                let _ = app.door.gate().unlock(&name, doorwarden_gate::now()).await;
            }
        }
        self.0 = there.into_iter().map(|unlock| unlock.id).collect();
        Ok(())
    }
}
