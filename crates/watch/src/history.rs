//! Recorded scans and undelivered messages, in one SQLite file.

use std::path::Path;

use doorwarden_scan::Target;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use time::OffsetDateTime;

use crate::{Change, Message, Summary, Webhook};

/// A history file.
///
/// It owns the only connection of this process to the file; dropping it closes the connection.
pub struct History {
    connection: Connection,
}

/// A recorded scan.
#[derive(Clone, Debug, PartialEq)]
pub struct ScanRecord {
    /// When the scan finished.
    pub finished_at: OffsetDateTime,
    /// The scan's summary, with what [`Summary::carry_over`] keeps of the previous one.
    pub summary: Summary,
}

/// An error of reading or writing a history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// SQLite failed.
    #[error("failed to access the history: {0}; choose another file with --history")]
    Sqlite(#[from] rusqlite::Error),
    /// The file was written by a newer version.
    #[error(
        "failed to open the history: its format is version {0}, and this program supports {VERSION}; \
         use the newer program, or choose another file with --history"
    )]
    Newer(i64),
    /// A record has an unknown format.
    #[error(
        "failed to read the history: record {0} is malformed; choose another file with --history"
    )]
    Malformed(i64),
}

/// The format's version, in SQLite's `user_version`.
const VERSION: i64 = 1;

const LAST_SCANS: &str =
    "SELECT id, at, summary FROM scan WHERE target = ?1 ORDER BY at DESC, id DESC LIMIT ?2";

impl History {
    /// Opens a history, or creates it if the file does not exist.
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        Self::from_connection(Connection::open(path)?)
    }

    fn from_connection(connection: Connection) -> Result<Self, HistoryError> {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version > VERSION {
            return Err(HistoryError::Newer(version));
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

    /// Records a scan and returns what changed since the last one of the target. With `notify`, a
    /// message about the change is queued in the same transaction, so that it isn't lost if the
    /// process ends in between.
    pub fn record_scan(
        &mut self,
        target: &Target,
        finished_at: OffsetDateTime,
        summary: &Summary,
        notify: bool,
    ) -> Result<Option<Change>, HistoryError> {
        // One that reads before it writes: begun as a reader, it could not become a writer after another
        // process has written, and SQLite's busy timeout does not wait for that.
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let previous = last_scan(&transaction, target)?.map(|record| record.summary);
        let change = previous.as_ref().and_then(|last| last.diff(summary));
        let carried = match &previous {
            Some(previous) => summary.carry_over(previous),
            None => summary.clone(),
        };
        // Serializing a summary can't fail.
        let carried = serde_json::to_string(&carried).unwrap_or_default();
        let at = finished_at.unix_timestamp();
        transaction.execute(
            "INSERT INTO scan (target, at, summary) VALUES (?1, ?2, ?3)",
            params![target.to_string(), at, carried],
        )?;
        if let Some(change) = change.as_ref().filter(|_| notify) {
            let message =
                Message::about_change(target, finished_at, change, previous.as_ref(), summary);
            transaction.execute(
                "INSERT INTO outbox (id, at, body) VALUES (?1, ?2, ?3)",
                params![message.id, message.created_at, message.body],
            )?;
        }
        transaction.commit()?;
        trace_scan(target, summary, change.as_ref());
        Ok(change)
    }

    /// Returns the last scan of a target.
    pub fn last_scan(&self, target: &Target) -> Result<Option<ScanRecord>, HistoryError> {
        last_scan(&self.connection, target)
    }

    /// Returns at most `limit` of the last scans of a target, oldest first.
    pub fn list_scans(&self, target: &Target, limit: u32) -> Result<Vec<ScanRecord>, HistoryError> {
        let mut query = self.connection.prepare(LAST_SCANS)?;
        let rows = query.query_map(params![target.to_string(), limit], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        let mut scans = Vec::new();
        for row in rows {
            scans.push(parse_record(row?)?);
        }
        scans.reverse();
        Ok(scans)
    }

    /// Delivers the queued messages, oldest first. If one can't be delivered, a warning is logged, and
    /// it and those after it stay queued.
    pub async fn deliver_queued(&self, webhook: &Webhook) -> Result<(), HistoryError> {
        for message in self.list_queued()? {
            if let Err(error) = webhook.deliver(&message).await {
                let receiver = webhook.receiver();
                tracing::warn!(receiver, "{error}; will retry after the next scan");
                break;
            }
            self.remove_message(&message)?;
        }
        Ok(())
    }

    fn list_queued(&self) -> Result<Vec<Message>, HistoryError> {
        let mut query = self
            .connection
            .prepare("SELECT id, at, body FROM outbox ORDER BY at, id")?;
        let rows = query.query_map([], |row| {
            Ok(Message {
                id: row.get(0)?,
                created_at: row.get(1)?,
                body: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn remove_message(&self, message: &Message) -> Result<(), HistoryError> {
        self.connection
            .execute("DELETE FROM outbox WHERE id = ?1", [&message.id])?;
        Ok(())
    }
}

fn last_scan(connection: &Connection, target: &Target) -> Result<Option<ScanRecord>, HistoryError> {
    let row = connection
        .query_row(LAST_SCANS, params![target.to_string(), 1], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .optional()?;
    row.map(parse_record).transpose()
}

fn parse_record((id, at, summary): (i64, i64, String)) -> Result<ScanRecord, HistoryError> {
    let finished_at = OffsetDateTime::from_unix_timestamp(at);
    let summary = serde_json::from_str(&summary);
    match (finished_at, summary) {
        (Ok(finished_at), Ok(summary)) => Ok(ScanRecord {
            finished_at,
            summary,
        }),
        _ => Err(HistoryError::Malformed(id)),
    }
}

fn trace_scan(target: &Target, summary: &Summary, change: Option<&Change>) {
    // A target is a scheme, a host and a port: it holds no secret.
    tracing::info!(
        scan.target = %target,
        score = summary.score,
        grade = summary.grade.map(tracing::field::display),
        findings = summary.findings.len(),
        failed = summary.failure.is_some(),
        "scan recorded"
    );
    if let Some(change) = change {
        tracing::info!(
            scan.target = %target,
            new = change.new.len(),
            worse = change.worse.len(),
            fixed = change.fixed.len(),
            grade = change.grade.map(tracing::field::display),
            failed = change.failure.is_some(),
            recovered = change.recovered,
            "change recorded"
        );
    }
}

#[cfg(test)]
mod tests {
    use doorwarden_scan::Severity;

    use super::*;

    fn history() -> History {
        History::from_connection(Connection::open_in_memory().unwrap()).unwrap()
    }

    fn target(host: &str) -> Target {
        format!("http://{host}").parse().unwrap()
    }

    fn at(seconds: i64) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap()
    }

    fn summary(score: u32) -> Summary {
        Summary {
            score: Some(score),
            ..Summary::default()
        }
    }

    fn with_finding(check: &str) -> Summary {
        Summary {
            findings: [(check.to_owned(), Severity::High)].into(),
            ..Summary::default()
        }
    }

    #[test]
    fn recorded_scans_are_read_back() {
        let (mut history, a) = (history(), target("a"));
        assert_eq!(history.last_scan(&a).unwrap(), None);
        for (time, score) in [(10, 1), (20, 2), (30, 3)] {
            let recorded = history.record_scan(&a, at(time), &summary(score), false);
            assert_eq!(recorded.unwrap(), None);
        }
        let other = history.record_scan(&target("b"), at(40), &summary(9), false);
        assert_eq!(other.unwrap(), None);
        let record = |time, score| ScanRecord {
            finished_at: at(time),
            summary: summary(score),
        };
        assert_eq!(history.last_scan(&a).unwrap(), Some(record(30, 3)));
        let last_two = [record(20, 2), record(30, 3)];
        assert_eq!(history.list_scans(&a, 2).unwrap(), last_two);
    }

    #[test]
    fn a_failed_scan_keeps_what_was_known() {
        let (mut history, a) = (history(), target("a"));
        let failed = Summary::from_failure("timeout");
        for (time, summary) in [(1, with_finding("spray-unseen")), (2, failed)] {
            history.record_scan(&a, at(time), &summary, false).unwrap();
        }
        let last = history.last_scan(&a).unwrap().unwrap().summary;
        assert_eq!(last.failure.as_deref(), Some("timeout"));
        assert!(last.findings.contains_key("spray-unseen"));
    }

    #[test]
    fn a_change_is_queued_until_its_message_is_removed() {
        let (mut history, a) = (history(), target("a"));
        let mut record = |time, check, notify| {
            let recorded = history.record_scan(&a, at(time), &with_finding(check), notify);
            (recorded.unwrap(), history.list_queued().unwrap())
        };
        assert_eq!(record(1, "cookie-flags", true), (None, Vec::new()));
        let (change, queued) = record(2, "spray-unseen", false);
        assert!(change.is_some() && queued.is_empty());
        let (change, queued) = record(3, "cookie-flags", true);
        assert_eq!(change.unwrap().new, ["cookie-flags"]);
        let [message] = &queued[..] else {
            panic!("{queued:?}")
        };
        history.remove_message(message).unwrap();
        assert!(history.list_queued().unwrap().is_empty());
    }

    #[test]
    fn a_newer_history_is_rejected() {
        let connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let error = History::from_connection(connection).err().unwrap();
        assert!(matches!(error, HistoryError::Newer(99)), "{error}");
        assert!(error.to_string().contains("--history"), "{error}");
    }

    #[test]
    fn a_malformed_record_is_named() {
        let (mut history, a) = (history(), target("a"));
        history.record_scan(&a, at(1), &summary(1), false).unwrap();
        let update = "UPDATE scan SET summary = 'x'";
        history.connection.execute(update, []).unwrap();
        let error = history.last_scan(&a).unwrap_err();
        assert!(matches!(error, HistoryError::Malformed(1)), "{error}");
    }
}
