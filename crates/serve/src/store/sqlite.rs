//! SQLite, in the data directory: WAL, `synchronous=FULL`.

use std::{
    fs, io,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::{MIGRATIONS, StoreError};

/// How long another process (the command line while a server runs) may hold the database.
const BUSY: Duration = Duration::from_secs(10);

/// SQLite 3.51.0 and 3.51.1 can deadlock while two threads of one process open or close connections to a
/// database in WAL mode: `unixClose` takes `unixBigLock` and then the file's `pLockMutex`, and
/// `unixIsSharingShmNode` took them the other way round. 3.51.2 fixed it
/// (<https://sqlite.org/releaselog/3_51_2.html>, item 20). The bundled SQLite is later; the check is for
/// builds that link the system's (`LIBSQLITE3_SYS_USE_PKG_CONFIG`).
const DEADLOCKING: RangeInclusive<i32> = 3_051_000..=3_051_001;

/// Opens the database of a directory and migrates it: a connection that writes, and some that read.
pub(super) fn open(
    folder: &Path,
    readers: usize,
) -> Result<(Connection, Vec<Connection>), StoreError> {
    let path = folder.join("doorwarden.sqlite3");
    let failed = |reason: String| StoreError::Open {
        place: path.display().to_string(),
        reason,
    };
    if DEADLOCKING.contains(&rusqlite::version_number()) {
        return Err(failed(format!(
            "SQLite {} can deadlock; link version 3.51.2 or later, or use the bundled one",
            rusqlite::version()
        )));
    }
    private_file(&path).map_err(|error| failed(error.to_string()))?;
    let writer = connect(&path, false).map_err(|error| failed(error.to_string()))?;
    // If a server and a command line start at once, the second finds nothing left to migrate.
    let lock = fs::File::create(folder.join("doorwarden.lock"));
    let lock = lock.and_then(|file| file.lock().map(|()| file));
    let _lock = lock.map_err(|error| failed(error.to_string()))?;
    migrate(&writer, &path)?;
    let readers = (0..readers).map(|_| connect(&path, true));
    let readers = readers.collect::<Result<Vec<_>, _>>();
    Ok((writer, readers.map_err(|error| failed(error.to_string()))?))
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
        // Deleted data is overwritten, including hashes and sealed secrets.
        connection.pragma_update(None, "secure_delete", true)?;
    }
    Ok(connection)
}

/// Creates the file, readable only by its owner.
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

/// Applies the missing steps, each in a transaction. A backup is kept next to the database.
fn migrate(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let failed = |place: &Path, reason: String| StoreError::Open {
        place: place.display().to_string(),
        reason,
    };
    let asked = |error: rusqlite::Error| failed(path, error.to_string());
    let version: i64 = connection
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .map_err(asked)?;
    let known = MIGRATIONS.len() as i64;
    if version > known {
        return Err(StoreError::Newer {
            place: path.display().to_string(),
            found: version,
            known,
        });
    }
    if version > 0 && version < known {
        let backup: PathBuf = path.with_extension(format!("before-{known}.sqlite3"));
        // One that was begun before may be incomplete.
        let _ = fs::remove_file(&backup);
        private_file(&backup).map_err(|error| failed(&backup, error.to_string()))?;
        connection
            .execute("VACUUM INTO ?1", [backup.display().to_string()])
            .map_err(|error| failed(&backup, error.to_string()))?;
    }
    for (step, tables) in (0..).zip(MIGRATIONS).skip(version as usize) {
        let next: i64 = step + 1;
        connection
            .execute_batch(&format!(
                "BEGIN IMMEDIATE; {tables}; PRAGMA user_version = {next}; COMMIT"
            ))
            .map_err(asked)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread};

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("doorwarden-sqlite-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_newer_database_is_told_and_left_alone() {
        let folder = folder("newer");
        drop(open(&folder, 0).unwrap());
        let path = folder.join("doorwarden.sqlite3");
        Connection::open(&path)
            .unwrap()
            .execute_batch("PRAGMA user_version = 99")
            .unwrap();
        assert!(matches!(
            open(&folder, 0),
            Err(StoreError::Newer { found: 99, .. })
        ));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_older_database_comes_along_and_is_kept_as_it_was() {
        let folder = folder("older");
        let path = folder.join("doorwarden.sqlite3");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(&format!(
            "{}; PRAGMA user_version = 1;
             INSERT INTO users (id, name, key, hash, created) VALUES ('u', 'Ann', 'ann', 'h', 1);
             INSERT INTO sessions (id, \"user\", device, created, used, expires) VALUES ('s', 'u', 'd', 1, 1, 9)",
            MIGRATIONS[0]
        ))
        .unwrap();
        drop(old);
        let (writer, _) = open(&folder, 0).unwrap();
        let owner = "SELECT name FROM users JOIN sessions ON account = users.id";
        let name: String = writer.query_row(owner, [], |row| row.get(0)).unwrap();
        assert_eq!(name, "Ann");
        let backup = path.with_extension(format!("before-{}.sqlite3", MIGRATIONS.len()));
        let kept = Connection::open(&backup).unwrap();
        let version: i64 = kept
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .unwrap();
        assert_eq!(version, 1);
        let session: String = kept
            .query_row("SELECT \"user\" FROM sessions", [], |row| row.get(0))
            .unwrap();
        assert_eq!(session, "u");
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&backup).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "for its owner alone");
        // Opened again, nothing is left to do.
        drop(writer);
        fs::remove_file(&backup).unwrap();
        drop(open(&folder, 0).unwrap());
        assert!(!backup.exists());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn two_threads_open_and_close_one_database_without_a_deadlock() {
        // SQLite 3.51.1 hangs within the first thousand rounds.
        const ROUNDS: usize = 3_000;
        const PATIENCE: Duration = Duration::from_secs(30);
        let folder = folder("closes");
        let path = folder.join("doorwarden.sqlite3");
        // No other connection stays open: only the last one takes the lock that deadlocked.
        drop(connect(&path, false).unwrap());
        let (done, is_done) = mpsc::channel();
        for _ in 0..2 {
            let (done, path) = (done.clone(), path.clone());
            thread::spawn(move || {
                for _ in 0..ROUNDS {
                    drop(connect(&path, false).unwrap());
                }
                done.send(()).unwrap();
            });
        }
        for _ in 0..2 {
            // The threads are not joined: a deadlocked one would keep the test from failing.
            is_done.recv_timeout(PATIENCE).unwrap_or_else(|error| {
                let version = rusqlite::version();
                panic!("opening and closing connections of SQLite {version} deadlocked: {error}")
            });
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
