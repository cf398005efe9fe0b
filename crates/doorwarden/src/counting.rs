//! The counters of `guard` and `serve`: where they count, and what is kept over a restart.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Write},
    num::NonZeroU32,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use doorwarden_decision::{Calibration, Policy};
use doorwarden_gate::{
    Counters, Gate, Keyring, MemoryBudget, MemoryStore, Outage, PrivateUrl, Secret, SharedCounters,
    Store, now,
};
use doorwarden_redis::RedisStore;

use crate::{Failure, interrupt, trail::AuditTrail};

/// How often the state is written while running; it is written once more at the end.
const EVERY: Duration = Duration::from_secs(300);

/// Only the owner may read a secret.
const PRIVATE: u32 = 0o600;

/// Where a configuration counts attempts.
pub(crate) struct Counting<'a> {
    /// The store shared with other nodes; `None` counts in memory.
    pub(crate) store: Option<&'a PrivateUrl>,
    pub(crate) nodes: NonZeroU32,
    pub(crate) outage: Outage,
    pub(crate) memory_mib: MemoryBudget,
    /// The directory of the state that the last run left.
    pub(crate) state: Option<&'a Path>,
}

impl Counting<'_> {
    /// Returns the counters, restored from the last run.
    pub(crate) fn open(&self, policy: &Policy, secret: &Secret) -> Result<Counters, Failure> {
        let bytes = self.memory_mib.bytes();
        let memory = MemoryStore::new(policy, bytes, secret.table_seed());
        let kept = self.store.is_none().then_some(&memory);
        let restored = self.state.map(|folder| restore(folder, kept));
        let keyring = match self.store {
            None => Keyring::own(secret, now()),
            Some(_) => Keyring::shared(secret, now()),
        };
        let store = match self.store {
            None => Store::Memory(memory),
            Some(url) => {
                let store = RedisStore::new(url.expose(), secret).map_err(Failure::usage)?;
                let nodes = self.nodes.get();
                let shared =
                    SharedCounters::new(Box::new(store), memory, policy, self.outage, nodes);
                Store::Shared(Box::new(shared))
            }
        };
        Ok(Counters {
            store,
            keyring: keyring.map_err(Failure::aborted)?,
            calibration: restored.unwrap_or_default(),
        })
    }
}

/// Runs `guard` or `serve` to its end. Its state, where it keeps one, is saved at intervals and at the end.
pub(crate) async fn run(
    server: impl Future<Output = ()>,
    gate: Arc<Gate>,
    state: Option<PathBuf>,
    trail: AuditTrail,
) -> Result<u8, Failure> {
    interrupt::end_at_second();
    let keeping = state
        .clone()
        .map(|folder| tokio::spawn(keep(folder, Arc::clone(&gate))));
    server.await;
    if let Some(keeping) = keeping {
        keeping.abort();
    }
    let saved = state.map_or(Ok(()), |folder| save(&folder, &gate));
    // After the state is saved: a reader of the trail that has stopped holds this up for ever.
    let closed = tokio::task::spawn_blocking(|| trail.close()).await;
    saved?;
    closed.map_err(Failure::aborted)?;
    Ok(0)
}

/// Writes the state at intervals until it is dropped.
async fn keep(folder: PathBuf, gate: Arc<Gate>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let (folder, gate) = (folder.clone(), Arc::clone(&gate));
        let saved = tokio::task::spawn_blocking(move || save(&folder, &gate)).await;
        if let Ok(Err(failure)) = saved {
            tracing::error!("{}", failure.message);
        }
    }
}

/// Writes the state, atomically.
fn save(folder: &Path, gate: &Gate) -> Result<(), Failure> {
    // The final save may start while a periodic one is being written.
    static SAVING: Mutex<()> = Mutex::new(());
    let _saving = SAVING.lock().unwrap_or_else(PoisonError::into_inner);
    let (path, fresh) = (folder.join("state"), folder.join("state.new"));
    let write = || -> io::Result<()> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(PRIVATE)
            .open(&fresh)?;
        let mut file = BufWriter::new(file);
        let words = gate.calibration().to_words();
        file.write_all(&(words.len() as u32).to_le_bytes())?;
        for word in words {
            file.write_all(&word.to_le_bytes())?;
        }
        if let Some(memory) = gate.memory() {
            memory.snapshot(&mut file)?;
        }
        file.into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()?;
        fs::rename(&fresh, &path)
    };
    write()
        .map_err(|error| Failure::aborted(format!("failed to write {}: {error}", path.display())))
}

/// Restores the state; logs and leaves out what can't be read.
fn restore(folder: &Path, memory: Option<&MemoryStore>) -> Calibration {
    let path = folder.join("state");
    let Ok(file) = File::open(&path) else {
        return Calibration::default();
    };
    let mut file = BufReader::new(file);
    let calibration = calibration(&mut file).unwrap_or_default();
    let restored = memory.map_or(Ok(()), |memory| memory.restore(&mut file, now()));
    if let Err(error) = restored {
        tracing::warn!("{}: {error}; counters start empty", path.display());
    }
    calibration
}

fn calibration(from: &mut impl Read) -> Option<Calibration> {
    let mut word = || {
        let mut bytes = [0; 4];
        from.read_exact(&mut bytes).ok()?;
        Some(u32::from_le_bytes(bytes))
    };
    // Bounded before anything is allocated: the file may be damaged.
    let length = word()?.min(1024);
    let words: Vec<u32> = (0..length).map_while(|_| word()).collect();
    Calibration::from_words(&words)
}
