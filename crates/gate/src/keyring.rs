//! The keys for hashing names and passwords, and for signing device tokens.

use std::sync::Arc;

use doorwarden_decision::{
    AccountKey, AccountKeyer, DeviceId, DeviceSigner, InvalidAccount, MarkKey, Marks, OwnerKey,
    Timestamp,
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::sync::{Mutex, PoisonError};

/// How long a mark key is the current one, in milliseconds. It is then the previous one for as
/// long again, so that a day's window of heat survives the rotation.
const EPOCH: u64 = 86_400_000;

/// The operating system gave no random bytes, so no keys can be made.
#[derive(Debug, thiserror::Error)]
#[error("failed to get random bytes from the operating system: {0}")]
pub struct NoRandomness(getrandom::Error);

/// The 32 bytes that all keys are derived from.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

impl Secret {
    /// Creates a secret from 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Generates a secret.
    pub fn generate() -> Result<Self, NoRandomness> {
        random().map(Self)
    }

    /// Derives a key for one purpose, by HMAC-SHA-256 as in HKDF-Expand (RFC 5869 §2.3) for one block.
    pub fn derive(&self, purpose: &str, number: u64) -> [u8; 32] {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        block.zeroize();
        mac.update(b"doorwarden ");
        mac.update(purpose.as_bytes());
        mac.update(&number.to_be_bytes());
        mac.update(&[1]);
        mac.finalize().into_bytes().into()
    }

    /// Returns the seed for the counter tables in memory.
    pub fn table_seed(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.derive("tables", 0);
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

/// Where the keys of marks come from.
#[derive(Debug)]
enum MarkSecret {
    /// Fresh random bytes for each epoch: an old key can't be derived again.
    Random,
    /// The shared secret and the number of the epoch, so that all nodes have the same marks. With the
    /// secret, old keys can be derived again, so it should be changed now and then.
    Derived(Secret),
}

/// The keys for accounts, marks and device tokens.
#[derive(Debug)]
pub struct Keyring {
    accounts: AccountKeyer,
    devices: DeviceSigner,
    secret: MarkSecret,
    /// Taken out of the lock to be used: marking a long password takes time.
    marks: Mutex<Arc<MarkKeys>>,
}

#[derive(Debug)]
struct MarkKeys {
    epoch: u32,
    current: Arc<MarkKey>,
    previous: Option<Arc<MarkKey>>,
}

impl Keyring {
    /// Creates the keys of a single node. With the same secret, account keys and device tokens remain
    /// valid after a restart; marks never do.
    pub fn own(secret: &Secret, now: Timestamp) -> Result<Self, NoRandomness> {
        Self::new(secret, MarkSecret::Random, now)
    }

    /// Creates the keys that all nodes with this secret share.
    pub fn shared(secret: &Secret, now: Timestamp) -> Result<Self, NoRandomness> {
        Self::new(secret, MarkSecret::Derived(secret.clone()), now)
    }

    fn new(secret: &Secret, marks: MarkSecret, now: Timestamp) -> Result<Self, NoRandomness> {
        let epoch = epoch(now);
        let previous = match &marks {
            MarkSecret::Random => None,
            MarkSecret::Derived(_) => Some(Arc::new(marks.key(epoch.wrapping_sub(1))?)),
        };
        Ok(Self {
            accounts: AccountKeyer::new(secret.derive("accounts", 0)),
            devices: DeviceSigner::new(secret.derive("devices", 0)),
            marks: Mutex::new(Arc::new(MarkKeys {
                epoch,
                current: Arc::new(marks.key(epoch)?),
                previous,
            })),
            secret: marks,
        })
    }

    /// Returns the key of an account name.
    pub fn account(&self, name: &str) -> Result<AccountKey, InvalidAccount> {
        self.accounts.key(name)
    }

    /// Returns the key of an account name exactly as it was sent.
    pub fn owner(&self, name: &str) -> OwnerKey {
        self.accounts.owner(name)
    }

    /// Returns the device that one of these tokens proves.
    pub fn device(&self, tokens: &[String], owner: OwnerKey, now: Timestamp) -> Option<DeviceId> {
        let mut devices = tokens.iter();
        devices.find_map(|token| self.devices.check(token, owner, now))
    }

    /// Signs a token for a device on which the account has just logged in; creates the device if
    /// there is none. `None` without randomness.
    pub fn token(
        &self,
        owner: OwnerKey,
        device: Option<DeviceId>,
        now: Timestamp,
    ) -> Option<String> {
        let fresh = || {
            random()
                .ok()
                .map(|bytes: [u8; 8]| DeviceId::from_u64(u64::from_be_bytes(bytes)))
        };
        let device = device.or_else(fresh)?;
        Some(self.devices.sign(owner, device, now))
    }

    /// Returns the marks of a password. Rotates the keys when their epoch has ended; without randomness
    /// the old key stays, which only delays forgetting.
    pub fn marks(&self, password: &str, now: Timestamp) -> Marks {
        let keys = self.current(now);
        Marks {
            current: Some(keys.current.mark(password)),
            previous: keys.previous.as_ref().map(|key| key.mark(password)),
            exact: Some(keys.current.exact(password)),
        }
    }

    fn current(&self, now: Timestamp) -> Arc<MarkKeys> {
        let mut keys = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = epoch(now);
        if epoch > keys.epoch
            && let Ok(fresh) = self.secret.key(epoch)
        {
            *keys = Arc::new(keys.rotated(fresh, epoch));
        }
        Arc::clone(&keys)
    }
}

impl MarkSecret {
    fn key(&self, epoch: u32) -> Result<MarkKey, NoRandomness> {
        let key = match self {
            Self::Random => random()?,
            Self::Derived(secret) => secret.derive("marks", epoch.into()),
        };
        Ok(MarkKey::new(key, epoch))
    }
}

impl MarkKeys {
    fn rotated(&self, fresh: MarkKey, epoch: u32) -> Self {
        let overdue = epoch > self.epoch + 1;
        Self {
            epoch,
            current: Arc::new(fresh),
            previous: (!overdue).then(|| Arc::clone(&self.current)),
        }
    }
}

fn epoch(now: Timestamp) -> u32 {
    (now.as_millis() / EPOCH) as u32
}

pub(crate) fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(NoRandomness)?;
    Ok(bytes)
}

#[cfg(not(feature = "shuttle"))]
#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const DAY: Duration = Duration::from_millis(EPOCH);

    #[test]
    fn mark_keys_overlap_for_one_epoch_and_then_die() {
        let start = Timestamp::from_millis(0);
        let secret = Secret::new([1; 32]);
        let keys = Keyring::own(&secret, start).unwrap();
        let first = keys.marks("Winter2026", start);
        let second = keys.marks("Winter2026", start.plus(DAY));
        assert_eq!(second.previous, first.current);
        assert_ne!(second.current, first.current);
        let third = keys.marks("Winter2026", start.plus(DAY * 2));
        assert_eq!(third.previous, second.current);
        let later = keys.marks("Winter2026", start.plus(DAY * 9));
        assert_eq!(later.previous, None);
        let again = Keyring::own(&secret, start).unwrap();
        assert_ne!(again.marks("Winter2026", start), first);
        assert_eq!(again.account("alice"), keys.account("alice"));
    }

    #[test]
    fn nodes_with_one_secret_agree_and_others_do_not() {
        let now = Timestamp::from_millis(5 * EPOCH + 77);
        let node = |byte| Keyring::shared(&Secret::new([byte; 32]), now).unwrap();
        let (one, two, other) = (node(1), node(1), node(2));
        assert_eq!(one.marks("Winter2026", now), two.marks("Winter2026", now));
        assert!(one.marks("Winter2026", now).previous.is_some());
        assert_ne!(one.marks("Winter2026", now), other.marks("Winter2026", now));
        let alice = one.owner("alice");
        assert_ne!(alice, one.owner("Alice"), "another account, maybe");
        let token = one.token(alice, None, now).unwrap();
        assert!(
            two.device(std::slice::from_ref(&token), alice, now)
                .is_some()
        );
        assert!(other.device(&[token], alice, now).is_none());
    }
}
