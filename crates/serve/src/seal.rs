//! Encryption at rest: AES-256-GCM under keys that come from the one secret.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use doorwarden_gate::Secret;
use zeroize::Zeroizing;

/// Seals what is kept, bound to what it is (`purpose`), so that it can't be put elsewhere.
pub(crate) struct Seal(RandomizedNonceKey);

/// What can't be sealed or opened: the secret is not the one that sealed it, or it was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "failed to open what is encrypted in the data directory; the secret is not the one that encrypted it (its file, DOORWARDEN_SECRET or the secret's command)"
)]
pub struct Unsealable;

impl Seal {
    /// For what is kept.
    pub(crate) fn new(secret: &Secret) -> Result<Self, Unsealable> {
        Self::under(secret, "serve-at-rest")
    }

    /// For what is handed out: as often as anybody asks, so under a key of its own (SP 800-38D §8.3 lets one
    /// seal 2^32 times with random nonces).
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

    /// Nonce, ciphertext and tag.
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
