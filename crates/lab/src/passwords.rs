//! Which passwords are accepted, and a password hash that takes time.

use argon2::{Algorithm, Argon2, Params, Version};

/// The rules for passwords.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PasswordRules {
    /// Whether common passwords are accepted.
    pub(crate) common: bool,
    /// How many characters are compared; all if `None`.
    pub(crate) compared: Option<usize>,
    /// The maximum length in characters.
    pub(crate) max: usize,
}

pub(crate) const SOUND: PasswordRules = PasswordRules {
    common: false,
    compared: None,
    max: 1024,
};

/// A blocklist (required by SP 800-63B-4, section 3.1.1.2) that is long enough for a lab.
const COMMON: [&str; 5] = [
    "password123",
    "12345678",
    "123456789",
    "qwerty123",
    "password",
];

impl PasswordRules {
    /// Returns true if an account may have this password.
    pub(crate) fn allow(&self, password: &str) -> bool {
        let length = password.chars().count();
        let is_blocked = COMMON.contains(&password) && !self.common;
        (8..=self.max).contains(&length) && !is_blocked
    }

    /// Returns the part of a password that is compared.
    pub(crate) fn truncate<'a>(&self, password: &'a str) -> &'a str {
        let end = self
            .compared
            .and_then(|length| password.char_indices().nth(length));
        end.map_or(password, |(end, _)| &password[..end])
    }
}

/// A salted Argon2id hash.
#[derive(Clone, Debug)]
pub(crate) struct Hash {
    salt: Vec<u8>,
    output: [u8; 32],
    cost: Cost,
}

/// The cost of a hash.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cost {
    Usual,
    /// The least that Argon2 allows.
    Least,
}

impl Hash {
    /// Hashes a password.
    pub(crate) fn new(password: &str, salt: u64, cost: Cost) -> Self {
        let salt: Vec<u8> = [salt.to_be_bytes(), salt.to_le_bytes()].concat();
        let output = compute(password, &salt, cost).unwrap_or_default();
        Self { salt, output, cost }
    }

    /// Returns a dummy of the same cost as other hashes.
    pub(crate) fn dummy(cost: Cost) -> Self {
        Self::new("dummy password", u64::MAX, cost)
    }

    /// Returns a bug of real code (netpulse #209): a dummy hash that is invalid, so that verifying
    /// against it fails at once.
    pub(crate) fn invalid_dummy() -> Self {
        Self {
            salt: Vec::new(),
            output: [0; 32],
            cost: Cost::Usual,
        }
    }

    /// Returns true if the password is the one that was hashed.
    pub(crate) fn verify(&self, password: &str) -> bool {
        compute(password, &self.salt, self.cost) == Some(self.output)
    }
}

/// Far below the recommended cost (19 MiB, t=2), and far above what network jitter hides.
const MEMORY_KIB: u32 = 8 * 1024;
const PASSES: u32 = 2;

fn compute(password: &str, salt: &[u8], cost: Cost) -> Option<[u8; 32]> {
    let (memory, passes) = match cost {
        Cost::Usual => (MEMORY_KIB, PASSES),
        Cost::Least => (Params::MIN_M_COST, Params::MIN_T_COST),
    };
    let params = Params::new(memory, passes, 1, None).ok()?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut output = [0; 32];
    argon2
        .hash_password_into(password.as_bytes(), salt, &mut output)
        .ok()?;
    Some(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_rules_reject_short_long_and_common_passwords() {
        for rejected in ["", "1234567", "password123", &"x".repeat(1025)] {
            assert!(!SOUND.allow(rejected), "{rejected}");
        }
        for allowed in ["12345679", "ééééüüüü", &"é".repeat(1024)] {
            assert!(SOUND.allow(allowed), "{allowed}");
        }
    }

    #[test]
    fn each_rule_can_be_absent() {
        let common = PasswordRules {
            common: true,
            ..SOUND
        };
        assert!(common.allow("password123") && !common.allow("short"));
        let capped = PasswordRules { max: 32, ..SOUND };
        assert!(capped.allow(&"x".repeat(32)) && !capped.allow(&"x".repeat(33)));
    }

    #[test]
    fn truncation_counts_characters() {
        let rules = PasswordRules {
            compared: Some(3),
            ..SOUND
        };
        assert_eq!(rules.truncate("äöüß"), "äöü");
        assert_eq!(rules.truncate("äö"), "äö");
        assert_eq!(SOUND.truncate("äöüß"), "äöüß");
    }

    #[test]
    fn a_hash_verifies_its_password_only() {
        for cost in [Cost::Usual, Cost::Least] {
            let hash = Hash::new("secret", 1, cost);
            assert!(hash.verify("secret") && !hash.verify("Secret"));
            assert_ne!(hash.output, Hash::new("secret", 2, cost).output, "the salt");
            assert!(!Hash::dummy(cost).verify("secret"));
        }
    }

    #[test]
    fn an_invalid_dummy_verifies_nothing_and_computes_nothing() {
        let dummy = Hash::invalid_dummy();
        assert!(!dummy.verify("") && !dummy.verify("secret"));
        assert_eq!(compute("secret", &dummy.salt, dummy.cost), None);
    }
}
