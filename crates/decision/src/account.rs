//! Which account an attempt is for, without keeping its name.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The longest account name that is accepted, in bytes of UTF-8.
///
/// An email address has at most 254 (RFC 5321 §4.5.3.1 with erratum 1690); the rest is room for
/// directory names. Longer names would only fill memory.
pub const MAX_ACCOUNT_BYTES: usize = 1024;

/// A keyed hash of an account's normalised name. Without the key it reveals nothing about the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountKey(u64);

impl AccountKey {
    /// Returns the 64 bits, for counters and audit events.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Restores a key from its 64 bits: an account of a simulation, or of a stored event.
    pub const fn from_u64(bits: u64) -> Self {
        Self(bits)
    }
}

/// A keyed hash of an account name as it was sent, byte for byte. What speaks *for* an attempt is
/// keyed by it: where two spellings are two accounts, one must not vouch for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerKey(u64);

impl OwnerKey {
    /// Returns the 64 bits, for counters.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Restores a key from its 64 bits.
    pub const fn from_u64(bits: u64) -> Self {
        Self(bits)
    }
}

/// Why an account name is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAccount {
    /// The name is empty after trimming. Counting it would let one empty form lock out every user.
    #[error("the account name is empty")]
    Empty,
    /// Over [`MAX_ACCOUNT_BYTES`].
    #[error("the account name is longer than {MAX_ACCOUNT_BYTES} bytes")]
    TooLong,
}

/// Turns names into [`AccountKey`]s.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct AccountKeyer {
    key: [u8; 32],
}

impl std::fmt::Debug for AccountKeyer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccountKeyer(redacted)")
    }
}

impl AccountKeyer {
    /// Creates a keyer from 32 random bytes. Keys of different keyers are unrelated.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// Returns the key of a name exactly as it was sent.
    pub fn owner(&self, name: &str) -> OwnerKey {
        let mut message = vec![0];
        message.extend(name.as_bytes());
        OwnerKey(keyed_hash(&self.key, &message))
    }

    /// Returns the key of a name. Names that some application treats as one account share a key: case,
    /// compatibility forms, accents, surrounding space and invisible characters make no difference, as
    /// in the default collations of some databases. What counts *against* an attempt is keyed by it, so
    /// merging two accounts that the application keeps apart only counts more; what speaks for an
    /// attempt is keyed by its [`OwnerKey`].
    ///
    /// Whether an account exists is never looked up: an unknown name is counted like a known one.
    pub fn key(&self, name: &str) -> Result<AccountKey, InvalidAccount> {
        if name.len() > MAX_ACCOUNT_BYTES {
            return Err(InvalidAccount::TooLong);
        }
        let folded = name
            .nfkd()
            .flat_map(char::to_uppercase)
            .flat_map(char::to_lowercase);
        let normalised: String = folded.nfkd().filter(|c| shows(*c)).collect();
        let normalised = normalised.trim();
        if normalised.is_empty() {
            return Err(InvalidAccount::Empty);
        }
        Ok(AccountKey(keyed_hash(&self.key, normalised.as_bytes())))
    }
}

/// Whether a character is more than a mark on another one or nothing at all.
fn shows(c: char) -> bool {
    // Default_Ignorable_Code_Point of Unicode 16, but for what `is_combining_mark` covers.
    let ignorable = matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    );
    !(ignorable || is_combining_mark(c) || (c.is_control() && !c.is_whitespace()))
}

/// The first 64 bits of HMAC-SHA256.
pub(crate) fn keyed_hash(key: &[u8; 32], message: &[u8]) -> u64 {
    // HMAC pads a short key with zeros to SHA-256's block (RFC 2104 §2); done here, so that the
    // length is right by type.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    block.zeroize();
    mac.update(message);
    let tag = mac.finalize().into_bytes();
    u64::from_be_bytes([
        tag[0], tag[1], tag[2], tag[3], tag[4], tag[5], tag[6], tag[7],
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_has_one_key() {
        let keyer = AccountKeyer::new([7; 32]);
        let alice = keyer.key("alice").unwrap();
        for variant in [
            "Alice",
            " alice\t",
            "ALICE",
            "ａｌｉｃｅ",
            "álice",
            "ali\u{ad}ce",
            "alice\0",
            "alice\u{200b}",
            "alice\u{e0041}\u{3164}",
        ] {
            assert_eq!(keyer.key(variant).unwrap(), alice, "{variant}");
        }
        assert_ne!(keyer.key("alice2").unwrap(), alice);
        assert_ne!(AccountKeyer::new([8; 32]).key("alice").unwrap(), alice);
    }

    #[test]
    fn empty_and_endless_names_are_refused() {
        let keyer = AccountKeyer::new([7; 32]);
        assert_eq!(keyer.key(" \t\n"), Err(InvalidAccount::Empty));
        let long = "a".repeat(MAX_ACCOUNT_BYTES + 1);
        assert_eq!(keyer.key(&long), Err(InvalidAccount::TooLong));
    }

    #[test]
    fn the_key_is_not_printed() {
        assert_eq!(
            format!("{:?}", AccountKeyer::new([7; 32])),
            "AccountKeyer(redacted)"
        );
    }
}
