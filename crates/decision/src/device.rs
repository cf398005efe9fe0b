//! Device tokens: proof that a device has logged in to an account before.
//!
//! After a successful login the device gets a signed token, bound to the account; OWASP calls it a
//! device cookie. A device with a token has a budget of failures of its own, which no one else can
//! use up. The token proves no identity and grants no access: the password is required as before.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{OwnerKey, Timestamp};

/// A device, as a random number that its token carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeviceId(u64);

impl DeviceId {
    /// Creates an id from 64 random bits.
    pub const fn from_u64(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns the 64 bits, for counters.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// The lifetime of a token in seconds: 90 days. It is renewed at each successful login.
pub const TOKEN_SECONDS: u64 = 90 * 86_400;

/// Bytes of a token: device, when it was issued, and half of an HMAC-SHA-256 (RFC 2104 §5 allows
/// to cut it to half).
const DEVICE: usize = 8;
const ISSUED: usize = 4;
const MAC: usize = 16;
const TOKEN: usize = DEVICE + ISSUED + MAC;

/// Characters of a token as it is sent.
pub const TOKEN_CHARS: usize = (TOKEN * 4).div_ceil(3);

/// Signs and verifies device tokens.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct DeviceSigner {
    key: [u8; 32],
}

impl std::fmt::Debug for DeviceSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DeviceSigner(redacted)")
    }
}

impl DeviceSigner {
    /// Creates a signer from 32 random bytes that nothing else uses. All nodes need the same bytes.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// Signs a token for a device on which this account has just logged in.
    pub fn sign(&self, owner: OwnerKey, device: DeviceId, now: Timestamp) -> String {
        let mut token = [0; TOKEN];
        token[..DEVICE].copy_from_slice(&device.0.to_be_bytes());
        let seconds = (now.as_millis() / 1000) as u32;
        token[DEVICE..DEVICE + ISSUED].copy_from_slice(&seconds.to_be_bytes());
        let tag = self.mac(owner, &token[..DEVICE + ISSUED]).finalize();
        token[DEVICE + ISSUED..].copy_from_slice(&tag.into_bytes()[..MAC]);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Returns the device if the token is valid, of this account and not expired. A token issued up to
    /// a minute in the future is accepted, since the clocks of two nodes differ.
    pub fn check(&self, token: &str, owner: OwnerKey, now: Timestamp) -> Option<DeviceId> {
        if token.len() != TOKEN_CHARS {
            return None;
        }
        let token = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (said, tag) = token.split_at_checked(DEVICE + ISSUED)?;
        self.mac(owner, said).verify_truncated_left(tag).ok()?;
        let (device, issued) = said.split_first_chunk()?;
        let issued = u64::from(u32::from_be_bytes(issued.try_into().ok()?));
        let now = now.as_millis() / 1000;
        let fresh = now < issued + TOKEN_SECONDS && issued <= now + 60;
        fresh.then_some(DeviceId(u64::from_be_bytes(*device)))
    }

    fn mac(&self, owner: OwnerKey, said: &[u8]) -> Hmac<Sha256> {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.key);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        block.zeroize();
        mac.update(b"doorwarden device 1");
        mac.update(&owner.as_u64().to_be_bytes());
        mac.update(said);
        mac
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALICE: OwnerKey = OwnerKey::from_u64(1);
    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn signer() -> DeviceSigner {
        DeviceSigner::new([7; 32])
    }

    #[test]
    fn a_token_is_its_accounts_for_ninety_days() {
        let device = DeviceId::from_u64(42);
        let token = signer().sign(ALICE, device, NOW);
        assert_eq!(token.len(), TOKEN_CHARS);
        assert_eq!(signer().check(&token, ALICE, NOW), Some(device));
        let days = |days: u64| NOW.plus(std::time::Duration::from_secs(days * 86_400));
        assert_eq!(signer().check(&token, ALICE, days(89)), Some(device));
        assert_eq!(signer().check(&token, ALICE, days(90)), None);
        assert_eq!(signer().check(&token, OwnerKey::from_u64(2), NOW), None);
        let other = DeviceSigner::new([8; 32]);
        assert_eq!(other.check(&token, ALICE, NOW), None);
        let future = signer().sign(ALICE, device, days(1));
        assert_eq!(signer().check(&future, ALICE, NOW), None);
    }

    proptest! {
        #[test]
        fn nothing_else_is_a_token(token in ".{0,60}") {
            prop_assert_eq!(signer().check(&token, ALICE, NOW), None);
        }

        #[test]
        fn no_changed_byte_is_believed(place in 0..TOKEN, bit in 0u8..8) {
            let token = signer().sign(ALICE, DeviceId::from_u64(42), NOW);
            let mut bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
            bytes[place] ^= 1 << bit;
            let forged = URL_SAFE_NO_PAD.encode(bytes);
            prop_assert_eq!(signer().check(&forged, ALICE, NOW), None);
        }
    }
}
