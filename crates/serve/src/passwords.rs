//! Password hashes, ours and those of other systems, and the rules for new passwords.
//!
//! New hashes are Argon2id in PHC format. Hashes of other systems are read as they are; the first
//! successful login replaces them.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD},
};
use doorwarden_gate::http::credentials::Password;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::breaches::Breaches;

/// The cost of Argon2id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Number of passes.
    pub passes: u32,
    /// Number of lanes.
    pub lanes: u32,
}

impl Default for Cost {
    /// The first choice of OWASP's Password Storage Cheat Sheet: 19 MiB, two passes, one lane.
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            passes: 2,
            lanes: 1,
        }
    }
}

impl Cost {
    pub(crate) fn params(self) -> Result<Params, argon2::Error> {
        Params::new(self.memory_kib, self.passes, self.lanes, Some(HASH))
    }
}

/// Bytes of a hash and of a salt.
const HASH: usize = 32;
const SALT: usize = 16;

/// Imported hashes that cost more than this are rejected: each login would be an attack on ourselves.
const MOST_MEMORY_KIB: u32 = 1024 * 1024;
const MOST_PASSES: u32 = 64;
const MOST_ROUNDS: u32 = 10_000_000;
const MOST_BCRYPT_COST: u32 = 16;
const MOST_SCRYPT_LOG_N: u8 = 20;

/// A password hash, of any supported system.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Argon2 {
        algorithm: Algorithm,
        version: Version,
        cost: Cost,
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
    Bcrypt {
        before: Before,
        hash: String,
    },
    Pbkdf2 {
        digest: Sha,
        rounds: u32,
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
    Scrypt {
        log_n: u8,
        r: u32,
        p: u32,
        salt: Vec<u8>,
        hash: Vec<u8>,
    },
}

/// How a password is prepared for bcrypt, which reads 72 bytes.
#[derive(Clone, PartialEq, Eq)]
enum Before {
    Nothing,
    /// Django: SHA-256 in hexadecimal digits.
    Sha256Hex,
    /// passlib, version 2: HMAC-SHA-256 under the salt, in Base64.
    HmacBase64(String),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sha {
    One,
    Two256,
    Two512,
}

/// Why a hash can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownHash {
    /// Its format is not supported.
    #[error(
        "unsupported hash format; supported are Argon2 (PHC), bcrypt, and PBKDF2, scrypt, bcrypt and Argon2 as written by Django, Werkzeug and passlib"
    )]
    Form,
    /// Verifying it would cost too much.
    #[error("the hash is too expensive to verify")]
    Costly,
}

impl std::fmt::Debug for Stored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stored(redacted)")
    }
}

/// passlib's Base64: `.` for `+`, no padding.
fn ab64(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD_NO_PAD.decode(text.replace('.', "+")).ok()
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let lenient =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(&alphabet::STANDARD, lenient)
        .decode(text)
        .ok()
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let pairs = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.len() == 2)?;
        pair.bytes()
            .all(|byte| byte.is_ascii_hexdigit())
            .then(|| u8::from_str_radix(pair, 16).ok())?
    });
    pairs.collect()
}

fn digest(name: &str) -> Option<Sha> {
    match name {
        "sha1" => Some(Sha::One),
        "sha256" => Some(Sha::Two256),
        "sha512" => Some(Sha::Two512),
        _ => None,
    }
}

impl Stored {
    /// Reads a hash. The cost of verifying it is bounded: hashes may come from elsewhere.
    pub fn parse(text: &str) -> Result<Self, UnknownHash> {
        let kind = Kind::parse(text.trim()).ok_or(UnknownHash::Form)?;
        let affordable = match &kind {
            Kind::Argon2 { cost, .. } => {
                cost.memory_kib <= MOST_MEMORY_KIB && cost.passes <= MOST_PASSES && cost.lanes <= 16
            }
            Kind::Bcrypt { hash, .. } => hash
                .get(4..6)
                .and_then(|cost| cost.parse().ok())
                .is_some_and(|cost: u32| cost <= MOST_BCRYPT_COST),
            Kind::Pbkdf2 { rounds, .. } => (1..=MOST_ROUNDS).contains(rounds),
            Kind::Scrypt { log_n, r, p, .. } => *log_n <= MOST_SCRYPT_LOG_N && *r <= 32 && *p <= 16,
        };
        if affordable {
            Ok(Self(kind))
        } else {
            Err(UnknownHash::Costly)
        }
    }

    /// Returns true if a hash made now would have the same algorithm and cost.
    pub(crate) fn is_current(&self, now: Cost) -> bool {
        matches!(&self.0, Kind::Argon2 { algorithm: Algorithm::Argon2id, version: Version::V0x13, cost, hash, .. }
            if *cost == now && hash.len() == HASH)
    }

    /// Verifies a password. Takes as long as its format takes.
    pub(crate) fn verify(&self, password: &Password, arena: &mut Vec<Block>) -> bool {
        let normal = normal(password);
        if self.0.verify(normal.as_bytes(), arena) {
            return true;
        }
        // Other systems hash passwords as typed; if normalizing changes it, that is tried too.
        let typed = password.expose();
        !matches!(self.0, Kind::Argon2 { .. })
            && typed != normal.as_str()
            && self.0.verify(typed.as_bytes(), arena)
    }
}

impl Kind {
    fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("argon2$") {
            return Self::argon2(&format!("${rest}"));
        }
        if text.starts_with("$argon2") {
            return Self::argon2(text);
        }
        if let Some(rest) = text.strip_prefix("bcrypt_sha256$") {
            return Self::bcrypt(Before::Sha256Hex, rest);
        }
        if let Some(rest) = text.strip_prefix("bcrypt$") {
            return Self::bcrypt(Before::Nothing, rest);
        }
        if let Some(rest) = text.strip_prefix("$bcrypt-sha256$v=2,t=2b,r=") {
            let (rounds, rest) = rest.split_once('$')?;
            let (salt, hash) = rest.split_once('$')?;
            let rounds: u32 = rounds.parse().ok()?;
            let hash = format!("$2b${rounds:02}${salt}{hash}");
            return Self::bcrypt(Before::HmacBase64(salt.to_owned()), &hash);
        }
        if text.starts_with("$2") {
            return Self::bcrypt(Before::Nothing, text);
        }
        Self::pbkdf2(text).or_else(|| Self::scrypt(text))
    }

    fn argon2(text: &str) -> Option<Self> {
        let mut parts = text.split('$').skip(1);
        let algorithm = match parts.next()? {
            "argon2id" => Algorithm::Argon2id,
            "argon2i" => Algorithm::Argon2i,
            "argon2d" => Algorithm::Argon2d,
            _ => return None,
        };
        let version = match parts.next()? {
            "v=19" => Version::V0x13,
            "v=16" => Version::V0x10,
            _ => return None,
        };
        let mut numbers = parts.next()?.split(',');
        let mut number = |name: &str| numbers.next()?.strip_prefix(name)?.parse().ok();
        let cost = Cost {
            memory_kib: number("m=")?,
            passes: number("t=")?,
            lanes: number("p=")?,
        };
        let salt = BASE64_STANDARD_NO_PAD.decode(parts.next()?).ok()?;
        let hash = BASE64_STANDARD_NO_PAD.decode(parts.next()?).ok()?;
        let whole = parts.next().is_none() && salt.len() >= 8 && (16..=64).contains(&hash.len());
        whole.then_some(Self::Argon2 {
            algorithm,
            version,
            cost,
            salt,
            hash,
        })
    }

    fn bcrypt(before: Before, hash: &str) -> Option<Self> {
        let known = ["$2a$", "$2b$", "$2x$", "$2y$"]
            .iter()
            .any(|one| hash.starts_with(one));
        let shaped = hash.len() == 60 && hash.is_ascii() && known;
        (shaped && hash.parse::<bcrypt::HashParts>().is_ok()).then(|| Self::Bcrypt {
            before,
            hash: hash.to_owned(),
        })
    }

    fn pbkdf2(text: &str) -> Option<Self> {
        let of = |name: &str, rounds: &str, salt: Vec<u8>, hash: Vec<u8>| {
            Some(Self::Pbkdf2 {
                digest: digest(name)?,
                rounds: rounds.parse().ok()?,
                salt,
                hash: (16..=64).contains(&hash.len()).then_some(hash)?,
            })
        };
        // passlib: $pbkdf2-sha256$29000$SALT$HASH
        if let Some(rest) = text.strip_prefix("$pbkdf2") {
            let (name, rest) = rest.split_once('$')?;
            let (rounds, rest) = rest.split_once('$')?;
            let (salt, hash) = rest.split_once('$')?;
            let name = if name.is_empty() {
                "sha1"
            } else {
                name.strip_prefix('-')?
            };
            return of(name, rounds, ab64(salt)?, ab64(hash)?);
        }
        // Werkzeug: pbkdf2:sha256:600000$SALT$HEX
        if let Some(rest) = text.strip_prefix("pbkdf2:") {
            let (method, rest) = rest.split_once('$')?;
            let (salt, hash) = rest.split_once('$')?;
            let (name, rounds) = method.split_once(':')?;
            return of(name, rounds, salt.as_bytes().to_vec(), hex(hash)?);
        }
        // Django: pbkdf2_sha256$ROUNDS$SALT$BASE64
        let rest = text.strip_prefix("pbkdf2_")?;
        let parts: Vec<&str> = rest.split('$').collect();
        let [name, rounds, salt, hash] = parts[..] else {
            return None;
        };
        of(name, rounds, salt.as_bytes().to_vec(), base64(hash)?)
    }

    fn scrypt(text: &str) -> Option<Self> {
        let of = |n: u64, r: &str, p: &str, salt: Vec<u8>, hash: Vec<u8>| {
            let power = n.is_power_of_two() && n > 1;
            Some(Self::Scrypt {
                log_n: power.then(|| n.trailing_zeros() as u8)?,
                r: r.parse().ok()?,
                p: p.parse().ok()?,
                salt,
                hash: (16..=64).contains(&hash.len()).then_some(hash)?,
            })
        };
        // Werkzeug: scrypt:32768:8:1$SALT$HEX
        if let Some(rest) = text.strip_prefix("scrypt:") {
            let (method, rest) = rest.split_once('$')?;
            let (salt, hash) = rest.split_once('$')?;
            let numbers: Vec<&str> = method.split(':').collect();
            let [n, r, p] = numbers[..] else { return None };
            return of(n.parse().ok()?, r, p, salt.as_bytes().to_vec(), hex(hash)?);
        }
        // passlib: $scrypt$ln=16,r=8,p=1$SALT$HASH
        if let Some(rest) = text.strip_prefix("$scrypt$") {
            let parts: Vec<&str> = rest.split('$').collect();
            let [numbers, salt, hash] = parts[..] else {
                return None;
            };
            let mut numbers = numbers.split(',');
            let log_n: u32 = numbers.next()?.strip_prefix("ln=")?.parse().ok()?;
            let r = numbers.next()?.strip_prefix("r=")?;
            let p = numbers.next()?.strip_prefix("p=")?;
            return of(1u64.checked_shl(log_n)?, r, p, ab64(salt)?, ab64(hash)?);
        }
        // Django: scrypt$N$SALT$R$P$BASE64
        let rest = text.strip_prefix("scrypt$")?;
        let parts: Vec<&str> = rest.split('$').collect();
        let [n, salt, r, p, hash] = parts[..] else {
            return None;
        };
        of(
            n.parse().ok()?,
            r,
            p,
            salt.as_bytes().to_vec(),
            base64(hash)?,
        )
    }

    fn verify(&self, password: &[u8], arena: &mut Vec<Block>) -> bool {
        let same = |made: &[u8], kept: &[u8]| {
            aws_lc_rs::constant_time::verify_slices_are_equal(made, kept).is_ok()
        };
        match self {
            Self::Argon2 {
                algorithm,
                version,
                cost,
                salt,
                hash,
            } => {
                let mut made = Zeroizing::new(vec![0; hash.len()]);
                let params =
                    Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(hash.len()));
                let done = params.is_ok_and(|params| {
                    let argon2 = Argon2::new(*algorithm, *version, params);
                    argon2id(&argon2, password, salt, &mut made, arena)
                });
                done && same(&made, hash)
            }
            Self::Bcrypt { before, hash } => {
                let prepared = Zeroizing::new(match before {
                    Before::Nothing => password.to_vec(),
                    Before::Sha256Hex => Sha256::digest(password)
                        .iter()
                        .flat_map(|byte| format!("{byte:02x}").into_bytes())
                        .collect(),
                    Before::HmacBase64(salt) => {
                        let Ok(mac) = Hmac::<Sha256>::new_from_slice(salt.as_bytes()) else {
                            return false;
                        };
                        BASE64_STANDARD
                            .encode(mac.chain_update(password).finalize().into_bytes())
                            .into_bytes()
                    }
                });
                bcrypt::verify(&*prepared, hash).unwrap_or(false)
            }
            Self::Pbkdf2 {
                digest,
                rounds,
                salt,
                hash,
            } => {
                let mut made = Zeroizing::new(vec![0; hash.len()]);
                match digest {
                    Sha::One => {
                        pbkdf2::pbkdf2_hmac::<sha1::Sha1>(password, salt, *rounds, &mut made)
                    }
                    Sha::Two256 => {
                        pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, *rounds, &mut made)
                    }
                    Sha::Two512 => {
                        pbkdf2::pbkdf2_hmac::<sha2::Sha512>(password, salt, *rounds, &mut made);
                    }
                }
                same(&made, hash)
            }
            Self::Scrypt {
                log_n,
                r,
                p,
                salt,
                hash,
            } => {
                let mut made = Zeroizing::new(vec![0; hash.len()]);
                let done = scrypt::Params::new(*log_n, *r, *p)
                    .is_ok_and(|params| scrypt::scrypt(password, salt, &params, &mut made).is_ok());
                done && same(&made, hash)
            }
        }
    }
}

/// Argon2 in memory that is used again: fresh memory costs a third of the rate.
fn argon2id(
    argon2: &Argon2<'_>,
    password: &[u8],
    salt: &[u8],
    out: &mut [u8],
    arena: &mut Vec<Block>,
) -> bool {
    let blocks = argon2.params().block_count();
    if arena.len() < blocks {
        arena.resize(blocks, Block::default());
    }
    argon2
        .hash_password_into_with_memory(password, salt, out, &mut arena[..blocks])
        .is_ok()
}

/// Hashes a password, in PHC format.
pub(crate) fn hash(password: &Password, cost: Cost, arena: &mut Vec<Block>) -> Option<String> {
    let mut salt = [0; SALT];
    getrandom::fill(&mut salt).ok()?;
    let mut made = Zeroizing::new([0; HASH]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost.params().ok()?);
    argon2id(
        &argon2,
        normal(password).as_bytes(),
        &salt,
        &mut *made,
        arena,
    )
    .then(|| {
        format!(
            "$argon2id$v=19$m={},t={},p={}${}${}",
            cost.memory_kib,
            cost.passes,
            cost.lanes,
            BASE64_STANDARD_NO_PAD.encode(salt),
            BASE64_STANDARD_NO_PAD.encode(*made)
        )
    })
}

/// Returns a hash that no password has, of the current cost, to verify logins of unknown accounts against.
pub(crate) fn dummy(cost: Cost) -> Stored {
    Stored(Kind::Argon2 {
        algorithm: Algorithm::Argon2id,
        version: Version::V0x13,
        cost,
        salt: vec![0; SALT],
        hash: vec![0; HASH],
    })
}

/// Normalizes to NFKC, so that a password is the same on every keyboard (SP 800-63B-4 §3.1.1.2).
fn normal(password: &Password) -> Zeroizing<String> {
    Zeroizing::new(password.expose().nfkc().collect())
}

/// The minimum length, in characters (SP 800-63B-4 §3.1.1.2): of a password used alone, and of one used with
/// a second factor.
pub(crate) const ALONE: usize = 15;
pub(crate) const BESIDE: usize = 8;

/// The maximum length, in characters; SP 800-63B-4 requires at least 64.
const LONGEST: usize = 1024;

/// Why a password may not be chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Too short.
    #[error("The password is too short; it must have at least {0} characters.")]
    Short(usize),
    /// Too long.
    #[error("The password is too long; it may have at most {LONGEST} characters.")]
    Long,
    /// Common, repetitive or based on the account's name.
    #[error("The password is too common, too repetitive or based on your name; choose another.")]
    Common,
    /// Known from a breach.
    #[error("The password is known from a breach of another service; choose another.")]
    Breached,
}

/// Checks that a password may be chosen by an account of this name: the one place that decides it, for
/// registration, changes, resets, administrators and the command line.
pub(crate) async fn check_choice(
    password: &Password,
    name: &str,
    least: usize,
    breaches: &Breaches,
    complain: impl Fn(&dyn std::fmt::Display),
) -> Result<(), Unfit> {
    fit(password, name, least)?;
    match breaches.know(password, complain).await {
        true => Err(Unfit::Breached),
        false => Ok(()),
    }
}

/// Checks the password itself. No composition rules (SP 800-63B-4 §3.1.1.2): only
/// common passwords, repetitions and those based on the name are rejected.
fn fit(password: &Password, name: &str, least: usize) -> Result<(), Unfit> {
    let normal = normal(password);
    let length = normal.chars().count();
    if length < least {
        return Err(Unfit::Short(least));
    }
    if length > LONGEST {
        return Err(Unfit::Long);
    }
    let small = Zeroizing::new(normal.to_lowercase());
    let name = name.to_lowercase();
    let local = name.split('@').next().unwrap_or_default();
    // The part that is not the name has to be a password by itself.
    let without =
        |part: &str| part.chars().count() >= 4 && small.replace(part, "").chars().count() < BESIDE;
    let repeats = |width: usize| {
        let characters: Vec<char> = small.chars().collect();
        characters
            .iter()
            .zip(characters.iter().skip(width))
            .all(|(one, other)| one == other)
    };
    // Doubling a common password does not make it a better one.
    let halved = Password::new(normal.chars().take(length.div_ceil(2)).collect());
    let twice = repeats(length.div_ceil(2)) && doorwarden_gate::is_popular(&halved);
    let common = doorwarden_gate::is_popular(password)
        || twice
        || (1..=4).any(repeats)
        || without(&name)
        || without(local);
    if common { Err(Unfit::Common) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    const CHEAP: Cost = Cost {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
    };

    #[test]
    fn a_hash_verifies_its_password_in_whatever_form_it_was_typed() {
        let mut arena = Vec::new();
        let text = hash(&password("Straße über Å 123456"), CHEAP, &mut arena).unwrap();
        let stored = Stored::parse(&text).unwrap();
        assert!(stored.verify(&password("Straße über A\u{30a} 123456"), &mut arena));
        assert!(!stored.verify(&password("Strasse über Å 123456"), &mut arena));
        assert!(stored.is_current(CHEAP) && !stored.is_current(Cost::default()));
        assert!(!format!("{stored:?}").contains("argon2"));
        assert!(!dummy(CHEAP).verify(&password(""), &mut arena));
    }

    /// Made by Django 5.2, Werkzeug 3.1, passlib 1.7.4 and bcrypt 4, at their least cost.
    #[test]
    fn hashes_of_other_systems_are_read() {
        let mut arena = Vec::new();
        for (form, text) in crate::passwords::tests::FOREIGN {
            let stored = Stored::parse(text).unwrap_or_else(|error| panic!("{form}: {error}"));
            assert!(
                stored.verify(&password("correct horse battery"), &mut arena),
                "{form}"
            );
            assert!(
                !stored.verify(&password("correct horse batterz"), &mut arena),
                "{form}"
            );
            assert!(!stored.is_current(Cost::default()), "{form}");
        }
    }

    pub(super) const FOREIGN: &[(&str, &str)] = include!("foreign_hashes.in");

    #[test]
    fn what_is_no_hash_or_costs_too_much_is_told() {
        for text in [
            "",
            "plain",
            "$1$md5$x",
            "md5$a$b",
            "$argon2id$v=19$m=64$x",
            "pbkdf2_sha256$x$y$z",
        ] {
            assert_eq!(Stored::parse(text), Err(UnknownHash::Form), "{text}");
        }
        let costly = "pbkdf2:sha256:999999999$salt$00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
        assert_eq!(Stored::parse(costly), Err(UnknownHash::Costly));
    }

    #[test]
    fn what_may_be_chosen() {
        let fit = |text: &str, least| fit(&password(text), "alice@example.org", least);
        assert_eq!(fit("short", ALONE), Err(Unfit::Short(15)));
        assert_eq!(fit("a long one of one's own", ALONE), Ok(()));
        assert_eq!(fit("ein langes mit Umläuten äöü", ALONE), Ok(()));
        assert_eq!(fit(&"ab".repeat(512), ALONE), Err(Unfit::Common));
        assert_eq!(fit(&"x".repeat(1025), ALONE), Err(Unfit::Long));
        for common in [
            "password123",
            "12345678",
            "aaaaaaaaaaaaaaaa",
            "alice@example.org1",
            "passwordpassword",
        ] {
            assert_eq!(fit(common, BESIDE), Err(Unfit::Common), "{common}");
        }
    }
}
