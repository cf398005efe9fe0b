//! The keys under which names and passwords are hashed. In memory only.

use std::{sync::Mutex, sync::PoisonError, time::Duration};

use doorwarden_decision::{AccountKey, AccountKeyer, InvalidAccount, MarkKey, Marks, Timestamp};

/// How long a mark key is the current one. It is then the previous one for as long again, so
/// that a day's window of heat survives the change.
const EPOCH: Duration = Duration::from_secs(86_400);

/// The operating system gave no random bytes, so no keys can be made.
#[derive(Debug, thiserror::Error)]
#[error("failed to get random bytes from the operating system: {0}")]
pub struct NoRandomness(getrandom::Error);

/// Account and mark keys. They die with the process: what a store holds can't be read back.
#[derive(Debug)]
pub struct Keyring {
    accounts: AccountKeyer,
    marks: Mutex<MarkKeys>,
}

#[derive(Debug)]
struct MarkKeys {
    epoch: u32,
    ends: Timestamp,
    current: MarkKey,
    previous: Option<MarkKey>,
}

impl Keyring {
    /// Fresh random keys.
    pub fn generate(now: Timestamp) -> Result<Self, NoRandomness> {
        Ok(Self {
            accounts: AccountKeyer::new(random()?),
            marks: Mutex::new(MarkKeys {
                epoch: 0,
                ends: now.plus(EPOCH),
                current: MarkKey::new(random()?, 0),
                previous: None,
            }),
        })
    }

    /// The key of an account's name.
    pub fn account(&self, name: &str) -> Result<AccountKey, InvalidAccount> {
        self.accounts.key(name)
    }

    /// The marks of a password. Rotates the keys when their epoch is over; without randomness
    /// the old key stays, which weakens nothing but the forgetting.
    pub fn marks(&self, password: &str, now: Timestamp) -> Marks {
        let mut keys = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= keys.ends
            && let Ok(fresh) = random()
        {
            keys.rotate(fresh, now);
        }
        Marks {
            current: Some(keys.current.mark(password)),
            previous: keys.previous.as_ref().map(|key| key.mark(password)),
        }
    }
}

impl MarkKeys {
    fn rotate(&mut self, fresh: [u8; 32], now: Timestamp) {
        let overdue = now >= self.ends.plus(EPOCH);
        self.epoch = self.epoch.wrapping_add(1);
        let retired = std::mem::replace(&mut self.current, MarkKey::new(fresh, self.epoch));
        self.previous = (!overdue).then_some(retired);
        self.ends = now.plus(EPOCH);
    }
}

fn random() -> Result<[u8; 32], NoRandomness> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(NoRandomness)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mark_keys_overlap_for_one_epoch_and_then_die() {
        let start = Timestamp::from_millis(0);
        let keys = Keyring::generate(start).unwrap();
        let first = keys.marks("Winter2026", start);
        let second = keys.marks("Winter2026", start.plus(EPOCH));
        assert_eq!(second.previous, first.current);
        assert_ne!(second.current, first.current);
        let third = keys.marks("Winter2026", start.plus(EPOCH * 2));
        assert_eq!(third.previous, second.current);
        let later = keys.marks("Winter2026", start.plus(EPOCH * 9));
        assert_eq!(later.previous, None);
    }
}
