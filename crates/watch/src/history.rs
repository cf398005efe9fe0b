//! The scans so far, in one SQLite file, and the messages that are still to be delivered.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params};
use time::OffsetDateTime;

use crate::{Message, Summary};

/// A file of scans.
pub struct History {
    connection: Connection,
}

/// One scan that is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// When it ended.
    pub at: OffsetDateTime,
    /// What it said.
    pub summary: Summary,
}

/// Why a history can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The file, or SQLite.
    #[error("failed to use the history: {0}; name another file with --history")]
    Sqlite(#[from] rusqlite::Error),
    /// What stands in it is not what this version writes.
    #[error(
        "failed to read the history: scan {0} is not of this format; name another file with --history"
    )]
    Malformed(i64),
}

/// The version of the tables; SQLite's own field for it.
const VERSION: i64 = 1;

impl History {
    /// Opens a history, and makes it where there is none.
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        Self::prepared(Connection::open(path)?)
    }

    fn prepared(connection: Connection) -> Result<Self, HistoryError> {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version > VERSION {
            return Err(HistoryError::Malformed(0));
        }
        connection.execute_batch(
            "BEGIN;
             CREATE TABLE IF NOT EXISTS scan (
                 id INTEGER PRIMARY KEY, target TEXT NOT NULL, at INTEGER NOT NULL, summary TEXT NOT NULL
             );
             CREATE INDEX IF NOT EXISTS scan_of_target ON scan (target, at);
             CREATE TABLE IF NOT EXISTS outbox (id TEXT PRIMARY KEY, at INTEGER NOT NULL, body TEXT NOT NULL);
             COMMIT;",
        )?;
        connection.pragma_update(None, "user_version", VERSION)?;
        Ok(Self { connection })
    }

    /// Remembers a scan and, in the same transaction, the message about it: none is lost when the
    /// process ends in between.
    pub fn record(
        &mut self,
        target: &str,
        scan: &Recorded,
        message: Option<&Message>,
    ) -> Result<(), HistoryError> {
        // Nothing in a summary fails to be written.
        let summary = serde_json::to_string(&scan.summary).unwrap_or_default();
        let transaction = self.connection.transaction()?;
        transaction.execute(
            "INSERT INTO scan (target, at, summary) VALUES (?1, ?2, ?3)",
            params![target, scan.at.unix_timestamp(), summary],
        )?;
        if let Some(message) = message {
            transaction.execute(
                "INSERT INTO outbox (id, at, body) VALUES (?1, ?2, ?3)",
                params![message.id, message.at, message.body],
            )?;
        }
        Ok(transaction.commit()?)
    }

    /// The last scan of a target.
    pub fn last(&self, target: &str) -> Result<Option<Recorded>, HistoryError> {
        let row = self
            .connection
            .query_row(
                "SELECT id, at, summary FROM scan WHERE target = ?1 ORDER BY at DESC, id DESC LIMIT 1",
                [target],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .optional()?;
        row.map(recorded).transpose()
    }

    /// The last scans of a target, the oldest first.
    pub fn scans(&self, target: &str, most: u32) -> Result<Vec<Recorded>, HistoryError> {
        let mut query = self.connection.prepare(
            "SELECT id, at, summary FROM scan WHERE target = ?1 ORDER BY at DESC, id DESC LIMIT ?2",
        )?;
        let rows = query.query_map(params![target, most], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        let mut scans = Vec::new();
        for row in rows {
            scans.push(recorded(row?)?);
        }
        scans.reverse();
        Ok(scans)
    }

    /// Messages that were not delivered yet, the oldest first.
    pub fn undelivered(&self) -> Result<Vec<Message>, HistoryError> {
        let mut query = self
            .connection
            .prepare("SELECT id, at, body FROM outbox ORDER BY at, id")?;
        let rows = query.query_map([], |row| {
            Ok(Message {
                id: row.get(0)?,
                at: row.get(1)?,
                body: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Forgets a message.
    pub fn delivered(&self, message: &Message) -> Result<(), HistoryError> {
        self.connection
            .execute("DELETE FROM outbox WHERE id = ?1", [&message.id])?;
        Ok(())
    }
}

fn recorded((id, at, summary): (i64, i64, String)) -> Result<Recorded, HistoryError> {
    let at = OffsetDateTime::from_unix_timestamp(at);
    let summary = serde_json::from_str(&summary);
    match (at, summary) {
        (Ok(at), Ok(summary)) => Ok(Recorded { at, summary }),
        _ => Err(HistoryError::Malformed(id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded_at(at: i64, score: u32) -> Recorded {
        Recorded {
            at: OffsetDateTime::from_unix_timestamp(at).unwrap(),
            summary: Summary {
                score: Some(score),
                ..Summary::default()
            },
        }
    }

    #[test]
    fn what_is_recorded_is_read_back() {
        let mut history = History::prepared(Connection::open_in_memory().unwrap()).unwrap();
        assert_eq!(history.last("a").unwrap(), None);
        for (at, score) in [(10, 1), (20, 2), (30, 3)] {
            history.record("a", &recorded_at(at, score), None).unwrap();
        }
        history.record("b", &recorded_at(40, 9), None).unwrap();
        assert_eq!(history.last("a").unwrap(), Some(recorded_at(30, 3)));
        let last_two = [recorded_at(20, 2), recorded_at(30, 3)];
        assert_eq!(history.scans("a", 2).unwrap(), last_two);
    }

    #[test]
    fn a_message_stays_until_it_is_delivered() {
        let mut history = History::prepared(Connection::open_in_memory().unwrap()).unwrap();
        let message = Message::new(7, "{}".into());
        history
            .record("a", &recorded_at(7, 1), Some(&message))
            .unwrap();
        assert_eq!(
            history.undelivered().unwrap(),
            std::slice::from_ref(&message)
        );
        history.delivered(&message).unwrap();
        assert!(history.undelivered().unwrap().is_empty());
    }

    #[test]
    fn what_is_no_history_is_told() {
        let connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let Err(error) = History::prepared(connection) else {
            panic!()
        };
        assert!(error.to_string().contains("--history"), "{error}");
    }
}
