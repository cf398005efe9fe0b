//! The database: SQLite in the data directory.
//!
//! One thread writes. What waits is written in one transaction, so that many writes share one
//! `fsync`; each is acknowledged after it, and survives a crash from then on (WAL,
//! `synchronous=FULL`). Reads run beside it, each on a connection of its own.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::oneshot;

/// Writes that share one transaction at most; more would make the first of them wait.
const GROUP: usize = 256;

/// Connections that read.
const READERS: usize = 4;

/// How long another process (the command line beside the server) may hold the database.
const BUSY: Duration = Duration::from_secs(10);

/// What the database can't do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It can't be opened.
    #[error("failed to open the database {path}: {reason}; check the directory's owner and space")]
    Open {
        /// Its file.
        path: String,
        /// Why.
        reason: String,
    },
    /// It was written by a newer version.
    #[error(
        "failed to open the database {path}: it is of version {found}, and this program knows {known}; use the newer program, or its backup beside it"
    )]
    Newer {
        /// Its file.
        path: String,
        /// Its version.
        found: i64,
        /// The newest known.
        known: i64,
    },
    /// A query failed.
    #[error("failed to ask the database: {0}")]
    Query(#[from] rusqlite::Error),
    /// The writing thread has ended.
    #[error("failed to write: the database is closed")]
    Closed,
}

type Done = Box<dyn FnOnce(Result<(), String>) + Send>;
type Job = Box<dyn FnOnce(&Connection) -> Done + Send>;

/// The database.
pub(crate) struct Store {
    jobs: Sender<Job>,
    readers: Vec<Arc<Mutex<Connection>>>,
    next: AtomicUsize,
}

impl Store {
    /// Opens the database of a directory, brings it up to date, and begins to write.
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join("doorwarden.sqlite3");
        let shown = || path.display().to_string();
        let failed = |reason: String| StoreError::Open {
            path: shown(),
            reason,
        };
        private_file(&path).map_err(|error| failed(error.to_string()))?;
        let writer = connect(&path, false).map_err(|error| failed(error.to_string()))?;
        migrate(&writer, &path)?;
        let readers =
            (0..READERS).map(|_| connect(&path, true).map(|one| Arc::new(Mutex::new(one))));
        let readers = readers
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| failed(error.to_string()))?;
        let (jobs, waiting) = channel();
        let started = std::thread::Builder::new().name("database".into());
        started
            .spawn(move || write_all(&writer, &waiting))
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            jobs,
            readers,
            next: AtomicUsize::new(0),
        })
    }

    /// Writes; comes back when it is on the disk. An error of the closure takes back what it did,
    /// and nothing else.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (tell, told) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let done = within_savepoint(connection, job);
            Box::new(move |committed| {
                let done = match (done, committed) {
                    (Ok(value), Ok(())) => Ok(value),
                    (Err(error), _) => Err(StoreError::Query(error)),
                    (_, Err(_)) => Err(StoreError::Closed),
                };
                // Whoever asked may be gone; it is written all the same.
                let _ = tell.send(done);
            })
        });
        self.jobs.send(job).map_err(|_| StoreError::Closed)?;
        told.await.map_err(|_| StoreError::Closed)?
    }

    /// Writes with the others, and does not wait for it: for what is told and not promised.
    pub(crate) fn post(
        &self,
        job: impl FnOnce(&Connection) -> rusqlite::Result<()> + Send + 'static,
    ) {
        let job: Job = Box::new(move |connection| {
            // There is nobody to tell; what fails is taken back.
            let _ = within_savepoint(connection, job);
            Box::new(|_| {})
        });
        let _ = self.jobs.send(job);
    }

    /// Reads, on a thread that may wait.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.readers.len();
        let reader = Arc::clone(&self.readers[next]);
        let reading = tokio::task::spawn_blocking(move || {
            query(&reader.lock().unwrap_or_else(PoisonError::into_inner))
        });
        Ok(reading.await.map_err(|_| StoreError::Closed)??)
    }
}

fn within_savepoint<T>(
    connection: &Connection,
    job: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    connection.execute_batch("SAVEPOINT job")?;
    let done = job(connection);
    connection.execute_batch(match done {
        Ok(_) => "RELEASE job",
        Err(_) => "ROLLBACK TO job; RELEASE job",
    })?;
    done
}

/// The writing thread: takes what waits, writes it in one transaction, and tells.
fn write_all(connection: &Connection, waiting: &Receiver<Job>) {
    while let Ok(first) = waiting.recv() {
        let begun = connection.execute_batch("BEGIN IMMEDIATE");
        let mut told: Vec<Done> = Vec::new();
        let more = std::iter::from_fn(|| waiting.try_recv().ok());
        for job in std::iter::once(first).chain(more.take(GROUP - 1)) {
            // Outside of the transaction a job would be committed by itself and told to have failed: where
            // none was begun, or the last job's error has ended it, it is dropped, which tells that.
            if begun.is_ok() && !connection.is_autocommit() {
                told.push(job(connection));
            }
        }
        let committed = begun.and_then(|()| connection.execute_batch("COMMIT"));
        if committed.is_err() {
            // What could not be committed is taken back; an error here says that there is nothing.
            let _ = connection.execute_batch("ROLLBACK");
        }
        for tell in told {
            let outcome = committed.as_ref().map(|_| ()).map_err(ToString::to_string);
            tell(outcome);
        }
    }
}

fn connect(path: &Path, reads: bool) -> rusqlite::Result<Connection> {
    let mode = if reads {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    } else {
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
    };
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(BUSY)?;
    if !reads {
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // What is deleted is overwritten: hashes and sealed secrets too.
        connection.pragma_update(None, "secure_delete", true)?;
    }
    Ok(connection)
}

/// Makes the file, for its owner alone.
fn private_file(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = fs::OpenOptions::new();
    options
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map(drop)
}

/// The steps from one version of the tables to the next; the version is how many were taken.
const MIGRATIONS: [&str; 1] = [include_str!("tables.sql")];

/// Takes the steps that are missing, each in a transaction. What there was before is kept beside
/// it.
fn migrate(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = MIGRATIONS.len() as i64;
    if version > known {
        return Err(StoreError::Newer {
            path: path.display().to_string(),
            found: version,
            known,
        });
    }
    if version > 0 && version < known {
        let backup: PathBuf = path.with_extension(format!("before-{known}.sqlite3"));
        let failed = |error: io::Error| StoreError::Open {
            path: backup.display().to_string(),
            reason: error.to_string(),
        };
        private_file(&backup).map_err(failed)?;
        connection.execute("VACUUM INTO ?1", [backup.display().to_string()])?;
    }
    for (step, tables) in (0..).zip(MIGRATIONS).skip(version as usize) {
        let next: i64 = step + 1;
        connection.execute_batch(&format!(
            "BEGIN; {tables}; PRAGMA user_version = {next}; COMMIT"
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("doorwarden-store-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[tokio::test]
    async fn what_fails_takes_back_itself_and_nothing_else() {
        let folder = folder("fails");
        let store = Arc::new(Store::open(&folder).unwrap());
        let insert = |id: &'static str, fails: bool| {
            let store = Arc::clone(&store);
            async move {
                let job = move |connection: &Connection| {
                    connection
                        .execute("INSERT INTO revoked (jti, expires) VALUES (?1, 1)", [id])?;
                    if fails {
                        return Err(rusqlite::Error::InvalidQuery);
                    }
                    Ok(())
                };
                store.write(job).await
            }
        };
        let (good, bad, other) =
            tokio::join!(insert("a", false), insert("b", true), insert("c", false));
        assert!(good.is_ok() && bad.is_err() && other.is_ok());
        let count = |connection: &Connection| {
            connection.query_row("SELECT group_concat(jti) FROM revoked", [], |row| {
                row.get(0)
            })
        };
        let there: String = store.read(count).await.unwrap();
        assert_eq!(there, "a,c");
        drop(store);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_newer_database_is_told_and_left_alone() {
        let folder = folder("newer");
        drop(Store::open(&folder).unwrap());
        let path = folder.join("doorwarden.sqlite3");
        Connection::open(&path)
            .unwrap()
            .execute_batch("PRAGMA user_version = 99")
            .unwrap();
        assert!(matches!(
            Store::open(&folder),
            Err(StoreError::Newer { found: 99, .. })
        ));
        fs::remove_dir_all(folder).unwrap();
    }
}
