//! A password hash that takes its time, and the traps around it.

use argon2::{Algorithm, Argon2, Params, Version};

/// Which passwords an account may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passwords {
    /// Whether common ones may be had.
    pub(crate) common: bool,
    /// Characters that count; what comes after them is forgotten.
    pub(crate) counted: Option<usize>,
    /// Characters that a password may have.
    pub(crate) most: usize,
}

pub(crate) const SOUND: Passwords = Passwords {
    common: false,
    counted: None,
    most: 1024,
};

/// The tops of all lists (SP 800-63B-4 section 3.1.1.2 wants a blocklist); a lab needs no more.
const COMMON: [&str; 5] = [
    "password123",
    "12345678",
    "123456789",
    "qwerty123",
    "password",
];

impl Passwords {
    /// Whether it may be had.
    pub(crate) fn allow(&self, password: &str) -> bool {
        let length = password.chars().count();
        let common = COMMON.contains(&password) && !self.common;
        (8..=self.most).contains(&length) && !common
    }

    /// What of it counts.
    pub(crate) fn counted<'a>(&self, password: &'a str) -> &'a str {
        let end = self
            .counted
            .and_then(|most| password.char_indices().nth(most));
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

/// What a hash costs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cost {
    Usual,
    /// The least that there is.
    Least,
}

impl Hash {
    pub(crate) fn of(password: &str, salt: u64, cost: Cost) -> Self {
        let salt: Vec<u8> = [salt.to_be_bytes(), salt.to_le_bytes()].concat();
        let output = compute(password, &salt, cost).unwrap_or_default();
        Self { salt, output, cost }
    }

    /// A dummy of the same cost as any other.
    pub(crate) fn dummy(cost: Cost) -> Self {
        Self::of("nobody's password", u64::MAX, cost)
    }

    /// A trap that real code has fallen into (netpulse #209): a dummy hash that is not valid, so
    /// that verifying against it fails at once and takes no time.
    pub(crate) fn invalid_dummy() -> Self {
        Self {
            salt: Vec::new(),
            output: [0; 32],
            cost: Cost::Usual,
        }
    }

    pub(crate) fn verify(&self, password: &str) -> bool {
        compute(password, &self.salt, self.cost) == Some(self.output)
    }
}

/// Far below what a real login should take (19 MiB, t=2), far above what a network hides.
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
