//! The database: SQLite in the data directory, or PostgreSQL for several nodes.
//!
//! One thread writes. Waiting writes are grouped into one transaction, so that many share one `fsync`; each
//! is acknowledged after it, and survives a crash from then on. Reads run in parallel, each on its own
//! connection. In PostgreSQL the transaction begins by taking a lock that all nodes share: there, too,
//! nothing changes between what a job reads and what it writes.

mod connection;
mod postgres;
#[cfg(all(test, feature = "real-postgres"))]
#[path = "../../tests/postgres/server.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "a server for tests; other tests use more of it"
)]
mod server;
mod sqlite;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{
    Semaphore,
    mpsc::{Receiver, Sender, channel},
    oneshot,
};

pub use connection::QueryError;
pub(crate) use connection::{Connection, Parameter, Queried, Row, params};

use crate::Config;

/// The maximum number of writes in one transaction; more would delay the first of them.
const GROUP: usize = 256;

/// How long writes are added to a transaction; the first of them waits for all.
const GATHERED: Duration = Duration::from_millis(200);

/// The maximum number of queued writes; further ones wait for a place, and posted ones are dropped.
const WAITING: usize = 4096;

/// The number of connections that read.
const READERS: usize = 4;

/// The steps from one version of the tables to the next; the version is the number of steps applied.
const MIGRATIONS: [&str; 2] = [include_str!("tables-1.sql"), include_str!("tables-2.sql")];

/// Why a database operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database can't be opened.
    #[error("failed to open the database {place}: {reason}")]
    Open {
        /// Its file, or its name and its host.
        place: String,
        /// Why.
        reason: String,
    },
    /// The database was written by a newer version.
    #[error(
        "failed to open the database {place}: its version is {found}, and this program supports {known}; use the newer program, or the backup next to the database"
    )]
    Newer {
        /// Its file, or its name and its host.
        place: String,
        /// Its version.
        found: i64,
        /// The newest known.
        known: i64,
    },
    /// A query failed.
    #[error("failed to query the database: {0}")]
    Query(#[from] QueryError),
    /// The transaction was not committed.
    #[error("failed to write to the database: {0}")]
    Uncommitted(String),
    /// Nothing was written: the database is unavailable, or the program shuts down.
    #[error("failed to write to the database: it is unavailable or closed")]
    Closed,
}

type Done = Box<dyn FnOnce(Result<(), String>) + Send>;
type Job = Box<dyn FnOnce(&Connection) -> Done + Send>;

/// The database.
pub(crate) struct Store {
    jobs: Sender<Job>,
    readers: Arc<Readers>,
}

/// Connections that read. Readers wait for one here and not on a thread, which a connection needs to be
/// returned.
struct Readers {
    /// How many there are, free or in use.
    count: usize,
    free: Mutex<Vec<Connection>>,
    returned: Condvar,
    places: Semaphore,
}

impl Readers {
    fn free(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a connection and takes it for good.
    fn take(&self) -> Option<Connection> {
        let in_use = |free: &mut Vec<Connection>| free.is_empty();
        let free = self.returned.wait_while(self.free(), in_use);
        free.unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// A connection that is returned when dropped.
struct Reader(Arc<Readers>, Option<Connection>);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.free().extend(self.1.take());
        self.0.returned.notify_one();
        self.0.places.add_permits(1);
    }
}

impl Store {
    /// Opens a configuration's database, migrates it, and starts the writing thread.
    pub(crate) async fn open(config: &Config) -> Result<Self, StoreError> {
        match &config.database {
            None => Self::embedded(&config.data),
            Some(url) => {
                let place = postgres::Place::parse(url.expose(), config.danger_plain_database)?;
                let (writer, readers) = postgres::open(place, READERS).await?;
                let readers = readers.into_iter().map(Connection::Postgres);
                Self::of(Connection::Postgres(writer), readers)
            }
        }
    }

    /// SQLite in a directory.
    fn embedded(folder: &Path) -> Result<Self, StoreError> {
        let (writer, readers) = sqlite::open(folder, READERS)?;
        let readers = readers.into_iter().map(Connection::Sqlite);
        Self::of(Connection::Sqlite(writer), readers)
    }

    fn of(
        writer: Connection,
        readers: impl Iterator<Item = Connection>,
    ) -> Result<Self, StoreError> {
        let (jobs, waiting) = channel(WAITING);
        let free: Vec<Connection> = readers.collect();
        let readers = Arc::new(Readers {
            count: free.len(),
            places: Semaphore::new(free.len()),
            returned: Condvar::new(),
            free: Mutex::new(free),
        });
        let closed = Arc::clone(&readers);
        let started = std::thread::Builder::new().name("database".into());
        started
            .spawn(move || {
                write_all(&writer, waiting);
                close(writer, &closed);
            })
            .map_err(|error| StoreError::Open {
                place: "in its own thread".into(),
                reason: error.to_string(),
            })?;
        Ok(Self { jobs, readers })
    }

    /// Writes; returns when it is on disk. An error of the closure rolls back its own changes, and nothing
    /// else.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Queried<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let done = connection.within_savepoint(job);
            Box::new(move |committed| {
                let done = match (done, committed) {
                    (Ok(value), Ok(())) => Ok(value),
                    (Err(error), _) => Err(StoreError::Query(error)),
                    (_, Err(reason)) => Err(StoreError::Uncommitted(reason)),
                };
                // The caller may be gone; it is written all the same.
                let _ = tell.send(done);
            })
        });
        self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        told.await.map_err(|_| StoreError::Closed)?
    }

    /// Writes without waiting, for what need not be acknowledged. `failed` is called if it was not written,
    /// whatever became of the job.
    pub(crate) fn post(
        &self,
        job: impl FnOnce(&Connection) -> Queried<()> + Send + 'static,
        failed: impl FnOnce(&dyn std::fmt::Display) + Send + 'static,
    ) {
        let mut report = Posted(Some(Box::new(failed)));
        let job: Job = Box::new(move |connection| {
            let done = connection.within_savepoint(job);
            Box::new(move |committed| match (done, committed) {
                (Ok(()), Ok(())) => report.withdraw(),
                (Err(error), _) => report.fail(&error),
                (_, Err(reason)) => report.fail(&reason),
            })
        });
        // A job that finds no place in the queue is dropped here, and reports itself.
        let _ = self.jobs.try_send(job);
    }

    /// Returns when everything posted before is on disk.
    pub(crate) async fn flush(&self) -> Result<(), StoreError> {
        self.write(|_| Ok(())).await
    }

    /// Reads, on a thread that may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Queried<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let place = self.readers.places.acquire().await;
        place.map_err(|_| StoreError::Closed)?.forget();
        let connection = self.readers.free().pop();
        let reader = Reader(Arc::clone(&self.readers), connection);
        let reading = tokio::task::spawn_blocking(move || {
            let connection = reader.1.as_ref().ok_or(StoreError::Closed)?;
            Ok(query(connection)?)
        });
        reading.await.map_err(|_| StoreError::Closed)?
    }
}

/// What a posted write calls if it was not written. Jobs are dropped when the queue is full, when a
/// transaction can't begin, and when the one before them panics: then it is called as well.
struct Posted(Option<Failed>);

type Failed = Box<dyn FnOnce(&dyn std::fmt::Display) + Send>;

impl Posted {
    fn withdraw(&mut self) {
        self.0 = None;
    }

    fn fail(&mut self, reason: &dyn std::fmt::Display) {
        if let Some(failed) = self.0.take() {
            failed(reason);
        }
    }
}

impl Drop for Posted {
    fn drop(&mut self) {
        self.fail(&"the database is locked, gone or overloaded");
    }
}

/// Runs the writing thread: writes queued jobs in transactions, and acknowledges them.
fn write_all(connection: &Connection, mut waiting: Receiver<Job>) {
    while let Some(first) = waiting.blocking_recv() {
        let begun = connection.begin();
        let since = Instant::now();
        let more = std::iter::from_fn(|| match since.elapsed() < GATHERED {
            true => waiting.try_recv().ok(),
            false => None,
        });
        let mut jobs = std::iter::once(first).chain(more.take(GROUP - 1));
        if begun.is_err() {
            // Dropped, they report that nothing was written.
            jobs.for_each(drop);
            continue;
        }
        let mut told: Vec<Done> = Vec::new();
        let whole = jobs.try_for_each(|job| {
            // Outside of the transaction a job would be committed by itself and reported as failed: if the
            // last job's error has ended it, the rest is dropped, which reports that.
            if !connection.is_within() {
                return Some(());
            }
            // A job that panics leaves its savepoint open: the group can't be separated from it.
            let done = catch_unwind(AssertUnwindSafe(|| job(connection))).ok()?;
            told.push(done);
            Some(())
        });
        let committed = match whole {
            Some(()) => connection.commit().map_err(|error| error.to_string()),
            None => Err("another write of the same transaction panicked".to_owned()),
        };
        if committed.is_err() {
            // An error here means that there is nothing to roll back.
            let _ = connection.batch("ROLLBACK");
        }
        for tell in told {
            tell(committed.clone());
        }
    }
}

/// Closes all connections; nothing else does. They are closed on one thread, one after the other, each
/// reader once it is returned. The writer is last: only a connection that may write can move SQLite's log
/// into the database file and remove it.
fn close(writer: Connection, readers: &Readers) {
    for _ in 0..readers.count {
        drop(readers.take());
    }
    drop(writer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_fails_takes_back_itself_and_nothing_else() {
        let folder =
            std::env::temp_dir().join(format!("doorwarden-store-fails-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let store = Arc::new(Store::embedded(&folder).unwrap());
        let insert = |id: &'static str, fails: bool| {
            let store = Arc::clone(&store);
            async move {
                let job = move |connection: &Connection| {
                    let insert = "INSERT INTO revoked (jti, expires) VALUES (?1, 1)";
                    connection.execute(insert, params![id])?;
                    if fails {
                        return Err(QueryError::Slow);
                    }
                    Ok(())
                };
                store.write(job).await
            }
        };
        let (good, bad, other) =
            tokio::join!(insert("a", false), insert("b", true), insert("c", false));
        assert!(good.is_ok() && bad.is_err() && other.is_ok());
        let all = |connection: &Connection| {
            connection.all("SELECT jti FROM revoked ORDER BY jti", params![], |row| {
                row.get(0)
            })
        };
        let there: Vec<String> = store.read(all).await.unwrap();
        assert_eq!(there, ["a", "c"]);
        // One that panics takes its group with it, and nothing that comes after.
        let broken = store
            .write(|_| -> Queried<()> { panic!("a job that panics") })
            .await;
        assert!(broken.is_err());
        assert!(insert("d", false).await.is_ok());
        assert_eq!(store.read(all).await.unwrap(), ["a", "c", "d"]);
        drop(store);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn what_is_posted_and_not_written_is_reported_whatever_became_of_it() {
        let folder =
            std::env::temp_dir().join(format!("doorwarden-store-posts-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let store = Arc::new(Store::embedded(&folder).unwrap());
        let (reports, mut reported) = tokio::sync::mpsc::unbounded_channel::<String>();
        let post = |id: &'static str, panics: bool| {
            let reports = reports.clone();
            let job = move |connection: &Connection| {
                assert!(!panics, "a job that panics");
                let insert = "INSERT INTO revoked (jti, expires) VALUES (?1, 1)";
                connection.execute(insert, params![id])?;
                Ok(())
            };
            store.post(job, move |why| {
                reports.send(format!("{id}: {why}")).unwrap()
            });
        };
        post("written", false);
        store.flush().await.unwrap();
        post("panics", true);
        assert!(reported.recv().await.unwrap().starts_with("panics: "));

        // Another process holds the write lock for longer than a write waits.
        let other = rusqlite::Connection::open(folder.join("doorwarden.sqlite3")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        post("locked out", false);
        assert!(reported.recv().await.unwrap().starts_with("locked out: "));
        other.execute_batch("ROLLBACK").unwrap();
        // What was gathered with it is dropped too.
        while store.flush().await.is_err() {}
        post("written again", false);
        store.flush().await.unwrap();
        assert!(reported.try_recv().is_err());
        drop(store);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn more_may_read_than_there_are_connections() {
        let folder =
            std::env::temp_dir().join(format!("doorwarden-store-reads-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let store = Arc::new(Store::embedded(&folder).unwrap());
        let mut reading = tokio::task::JoinSet::new();
        for i in 0..100 {
            let store = Arc::clone(&store);
            reading.spawn(async move {
                let read = store.read(move |connection| match i % 10 {
                    0 => panic!("a reader that panics"),
                    _ => connection.first("SELECT 1", params![], |_| Ok(())),
                });
                read.await.is_ok()
            });
        }
        let read = reading.join_all().await;
        assert_eq!(read.iter().filter(|read| **read).count(), 90);
        assert_eq!(store.readers.free().len(), READERS);
        drop(store);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn connections_are_closed_when_the_last_reader_returns() {
        let folder =
            std::env::temp_dir().join(format!("doorwarden-store-closes-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let store = Store::embedded(&folder).unwrap();
        let readers = Arc::clone(&store.readers);
        let reader = Reader(Arc::clone(&readers), readers.free().pop());
        store.flush().await.unwrap();
        drop(store);
        // The last connection that is closed removes the log.
        let log = folder.join("doorwarden.sqlite3-wal");
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(log.exists());
        drop(reader);
        let is_removed = async {
            while log.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let removed = tokio::time::timeout(Duration::from_secs(10), is_removed).await;
        assert!(removed.is_ok(), "the connections stay open");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
