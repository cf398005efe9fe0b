//! Password marks: enough to detect one password tried on many accounts, too little to reveal it.

use unicode_normalization::UnicodeNormalization;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::account::keyed_hash;

/// How many bits of the keyed hash a mark keeps.
///
/// 2²² cells: a mark reveals only which of four million classes a password falls in, and two of a
/// day's 10,000 incorrect passwords share one with odds of about 1 in 400 each.
const MARK_BITS: u32 = 22;

/// Longer passwords, in bytes, are marked as they are: normalisation can make them eighteen times as
/// long, and attackers do not spray them.
const LONGEST: usize = 1024;

/// A few keyed bits of a password. Without the key, which is kept only in memory and for two
/// epochs, it reveals nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark(u64);

impl Mark {
    /// Returns epoch and bits as the id of a counter.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Creates a mark for a simulation, which has password ranks instead of passwords.
    pub const fn from_parts(epoch: u32, bits: u32) -> Self {
        Self(((epoch as u64) << 32) | bits as u64)
    }
}

/// The marks of one attempt: under this epoch's key, and under the previous one's while their
/// windows overlap. Empty where the password was not seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// Under the current key.
    pub current: Option<Mark>,
    /// Under the key before it.
    pub previous: Option<Mark>,
    /// 32 keyed bits of the password exactly as it was sent, to recognise a repeat.
    pub exact: Option<u32>,
}

impl Marks {
    /// Iterates over the marks that are present.
    pub fn iter(self) -> impl Iterator<Item = Mark> {
        [self.current, self.previous].into_iter().flatten()
    }
}

/// The key of one epoch's marks. Keep it in memory only and drop it after its second epoch.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct MarkKey {
    key: [u8; 32],
    epoch: u32,
}

impl std::fmt::Debug for MarkKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MarkKey(redacted, epoch {})", self.epoch)
    }
}

impl MarkKey {
    /// Creates the key of `epoch` from 32 random bytes that nothing else uses.
    pub fn new(key: [u8; 32], epoch: u32) -> Self {
        Self { key, epoch }
    }

    /// Returns 32 keyed bits of a password exactly as it was sent.
    pub fn exact(&self, password: &str) -> u32 {
        // The lower half; a mark is of the upper one.
        keyed_hash(&self.key, password.as_bytes()) as u32
    }

    /// Returns the mark of a password, in the NFKC form that SP 800-63B-4 §3.1.1.2 has verifiers
    /// compare. What some verifiers ignore makes no difference, or a spray could vary it: space around
    /// the password (PHP applications trim it) and everything from a NUL on (bcrypt in C ends there).
    pub fn mark(&self, password: &str) -> Mark {
        if password.len() > LONGEST {
            let hash = keyed_hash(&self.key, password.as_bytes());
            return Mark::from_parts(self.epoch, (hash >> (64 - MARK_BITS)) as u32);
        }
        let mut normalised: String = password.nfkc().collect();
        let seen = normalised.split('\0').next().unwrap_or_default().trim();
        let hash = keyed_hash(&self.key, seen.as_bytes());
        normalised.zeroize();
        Mark::from_parts(self.epoch, (hash >> (64 - MARK_BITS)) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_passwords_share_a_mark_and_keys_part_them() {
        let key = MarkKey::new([1; 32], 3);
        for variant in ["Ｗinter2026", " Winter2026  ", "Winter2026\0junk"] {
            assert_eq!(key.mark(variant), key.mark("Winter2026"));
        }
        assert_ne!(key.mark("Winter2026"), key.mark("Winter2027"));
        assert_ne!(
            key.mark("Winter2026"),
            MarkKey::new([2; 32], 3).mark("Winter2026")
        );
    }

    #[test]
    fn a_mark_is_22_bits_in_its_epoch() {
        let mark = MarkKey::new([1; 32], 3).mark("Winter2026").as_u64();
        assert_eq!(mark >> 32, 3);
        assert!(mark & 0xffff_ffff < 1 << MARK_BITS);
    }
}
