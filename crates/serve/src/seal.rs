//! Encryption at rest: AES-256-GCM with keys derived from the secret.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use doorwarden_gate::Secret;
use zeroize::Zeroizing;

/// Encrypts stored values, each bound to its `purpose`, so that it can't be used elsewhere.
pub(crate) struct Seal(RandomizedNonceKey);

/// A value that can't be encrypted or decrypted: it was encrypted with another secret, or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "failed to decrypt stored data: it was encrypted with another secret; check the secret file, DOORWARDEN_SECRET or `secret_command`"
)]
pub struct Unsealable;

impl Seal {
    /// For stored values.
    pub(crate) fn new(secret: &Secret) -> Result<Self, Unsealable> {
        Self::under(secret, "serve-at-rest")
    }

    /// For values that are handed out to unauthenticated clients, so with a key of its own (SP 800-38D §8.3
    /// allows 2^32 encryptions per key with random nonces).
    #[cfg(feature = "passkeys")]
    pub(crate) fn for_tokens(secret: &Secret) -> Result<Self, Unsealable> {
        Self::under(secret, "serve-tokens")
    }

    fn under(secret: &Secret, purpose: &str) -> Result<Self, Unsealable> {
        let key = Zeroizing::new(secret.derive(purpose, 0));
        RandomizedNonceKey::new(&AES_256_GCM, &*key)
            .map(Self)
            .map_err(|_| Unsealable)
    }

    /// Encrypts; returns nonce, ciphertext and tag.
    pub(crate) fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let mut sealed = plain.to_vec();
        let aad = Aad::from(purpose.as_bytes());
        let nonce = self
            .0
            .seal_in_place_append_tag(aad, &mut sealed)
            .map_err(|_| Unsealable)?;
        Ok([&nonce.as_ref()[..], &sealed].concat())
    }

    pub(crate) fn open(
        &self,
        purpose: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        let (nonce, sealed) = sealed.split_at_checked(12).ok_or(Unsealable)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| Unsealable)?;
        let mut plain = Zeroizing::new(sealed.to_vec());
        let aad = Aad::from(purpose.as_bytes());
        let opened = self
            .0
            .open_in_place(nonce, aad, &mut plain)
            .map_err(|_| Unsealable)?
            .len();
        plain.truncate(opened);
        Ok(plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_purpose_alone() {
        let seal = Seal::new(&Secret::new([7; 32])).unwrap();
        let sealed = seal.seal("key 1", b"private").unwrap();
        assert_eq!(seal.open("key 1", &sealed).unwrap().as_slice(), b"private");
        assert!(seal.open("key 2", &sealed).is_err());
        assert!(
            Seal::new(&Secret::new([8; 32]))
                .unwrap()
                .open("key 1", &sealed)
                .is_err()
        );
        for cut in 0..sealed.len() {
            assert!(seal.open("key 1", &sealed[..cut]).is_err());
        }
    }
}
