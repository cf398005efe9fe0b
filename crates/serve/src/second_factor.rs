//! The second factor: time-based one-time passwords (RFC 6238), each accepted once, and recovery codes.

use totp_rs::{Builder, Secret, Totp};

use crate::{
    seal::{Seal, Unsealable},
    store::{Connection, Queried, params},
    tokens::{self, sha256},
    users::User,
};

/// The length of a secret in bytes: that of SHA-1 (RFC 4226 §4, R6).
const SECRET: usize = 20;

/// The number of steps before and after the current one that are accepted (RFC 6238 §5.2: at most one).
const SKEW: u16 = 1;

/// The number of recovery codes of an account, of 120 random bits each: over 112, so that a plain hash
/// suffices (ASVS 5.0 6.5.2).
const CODES: usize = 10;

/// Generates a secret.
pub(crate) fn secret() -> Result<zeroize::Zeroizing<Vec<u8>>, getrandom::Error> {
    let mut bytes = zeroize::Zeroizing::new(vec![0; SECRET]);
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

fn totp(secret: &[u8]) -> Option<Totp> {
    let secret = Secret::new(secret.to_vec().into_boxed_slice());
    Builder::new()
        .with_secret(secret)
        .with_skew(SKEW)
        .build()
        .ok()
}

/// Returns a secret for authenticators: in Base32, and as a link (Google's key URI format).
pub(crate) fn shown(secret: &[u8], issuer: &str, name: &str) -> (String, String) {
    let base32 = Secret::new(secret.to_vec().into_boxed_slice()).to_base32();
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let (issuer, name) = (encode(issuer), encode(name));
    let link = format!(
        "otpauth://totp/{issuer}:{name}?secret={base32}&issuer={issuer}&algorithm=SHA1&digits=6&period=30"
    );
    (base32, link)
}

/// Returns the step of a code, if it is correct and later than the last one used.
pub(crate) fn step(secret: &[u8], code: &str, last: i64, now: i64) -> Option<i64> {
    let plain = code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
    let step = plain
        .then(|| totp(secret)?.check(code, now.max(0) as u64))
        .flatten()?;
    i64::try_from(step).ok().filter(|step| *step > last)
}

/// Returns the purpose that a user's secret is sealed for.
pub(crate) fn purpose(user: &str) -> String {
    format!("totp {user}")
}

/// Returns the step of a code, if it is correct for a user's factor.
pub(crate) fn step_of(
    seal: &Seal,
    user: &User,
    code: &str,
    now: i64,
) -> Result<Option<i64>, Unsealable> {
    let Some(sealed) = &user.totp else {
        return Ok(None);
    };
    let secret = seal.open(&purpose(&user.id), sealed)?;
    Ok(step(&secret, code, user.totp_step, now))
}

/// Marks a step as used; returns false if it was used meanwhile.
pub(crate) fn use_step(connection: &Connection, user: &str, step: i64) -> Queried<bool> {
    let used = connection.execute(
        "UPDATE users SET totp_step = ?1 WHERE id = ?2 AND totp_step < ?1 AND totp IS NOT NULL",
        params![step, user],
    )?;
    Ok(used == 1)
}

/// Consumes a recovery code; returns false if the user has no such code.
pub(crate) fn use_recovery(connection: &Connection, user: &str, code: &str) -> Queried<bool> {
    let used = connection.execute(
        "DELETE FROM recovery WHERE hash = ?1 AND account = ?2",
        params![sha256(&plain(code)), user],
    )?;
    Ok(used == 1)
}

/// Strips the dashes, which make a recovery code readable.
fn plain(code: &str) -> String {
    code.chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_ascii_lowercase()
}

/// Generates recovery codes, in groups of four letters and digits.
pub(crate) fn codes() -> Result<Vec<String>, getrandom::Error> {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
    let code = |_| {
        let mut bytes = [0; 24];
        getrandom::fill(&mut bytes)?;
        let letters: String = bytes
            .iter()
            .map(|byte| char::from(LETTERS[usize::from(byte % 32)]))
            .collect();
        let groups: Vec<&str> = (0..6)
            .filter_map(|i| letters.get(i * 4..i * 4 + 4))
            .collect();
        Ok(groups.join("-"))
    };
    (0..CODES).map(code).collect()
}

/// Stores a confirmed authenticator and its recovery codes, in place of earlier ones.
pub(crate) fn keep(
    connection: &Connection,
    user: &str,
    sealed: &[u8],
    step: i64,
    codes: &[String],
) -> Queried<()> {
    let set = "UPDATE users SET totp = ?1, totp_step = ?2 WHERE id = ?3";
    connection.execute(set, params![sealed, step, user])?;
    changed(connection, user)?;
    keep_codes(connection, user, codes)
}

/// Stores recovery codes, in place of earlier ones.
pub(crate) fn keep_codes(connection: &Connection, user: &str, codes: &[String]) -> Queried<()> {
    connection.execute("DELETE FROM recovery WHERE account = ?1", params![user])?;
    for code in codes {
        let insert = "INSERT INTO recovery (hash, account) VALUES (?1, ?2)";
        connection.execute(insert, params![sha256(&plain(code)), user])?;
    }
    Ok(())
}

/// Removes the authenticator; returns false if the user's credentials were changed meanwhile.
pub(crate) fn remove(connection: &Connection, user: &User) -> Queried<bool> {
    let set = "UPDATE users SET totp = NULL WHERE id = ?1 AND credentials = ?2";
    let removed = connection.execute(set, params![user.id, user.credentials])? == 1;
    if removed {
        changed(connection, &user.id)?;
    }
    Ok(removed)
}

/// Removes all factors, for a user who has lost them, or got some from an attacker; ends the sessions.
pub(crate) fn reset(connection: &Connection, user: &str, now: i64) -> Queried<()> {
    connection.execute("DELETE FROM passkeys WHERE account = ?1", params![user])?;
    connection.execute("UPDATE users SET totp = NULL WHERE id = ?1", params![user])?;
    connection.execute("DELETE FROM pending WHERE account = ?1", params![user])?;
    tokens::end_all(connection, user, now)?;
    changed(connection, user)
}

/// Voids what was verified before a factor was added or removed; removes the recovery codes with the last
/// factor.
pub(crate) fn changed(connection: &Connection, user: &str) -> Queried<()> {
    let set = "UPDATE users SET credentials = credentials + 1 WHERE id = ?1";
    connection.execute(set, params![user])?;
    let codes = "DELETE FROM recovery WHERE account = ?1 \
         AND NOT EXISTS (SELECT 1 FROM passkeys WHERE account = ?1) \
         AND NOT EXISTS (SELECT 1 FROM users WHERE id = ?1 AND totp IS NOT NULL)";
    connection.execute(codes, params![user]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238 appendix B, SHA-1; the last six of its eight digits.
    #[test]
    fn codes_are_those_of_rfc_6238() {
        let secret = b"12345678901234567890";
        for (time, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(step(secret, code, 0, time), Some(time / 30), "{time}");
            assert_eq!(step(secret, code, time / 30, time), None, "once");
            assert_eq!(
                step(secret, code, 0, time + 30),
                Some(time / 30),
                "a step late"
            );
            assert_eq!(step(secret, code, 0, time + 90), None, "three steps late");
        }
        for wrong in ["", "28708", "2870822", "28708a", "２８７０８２", "+28708"] {
            assert_eq!(step(secret, wrong, 0, 59), None, "{wrong}");
        }
    }

    #[test]
    fn recovery_codes_are_read_with_and_without_dashes() {
        let codes = codes().unwrap();
        assert_eq!(codes.len(), CODES);
        assert_eq!(plain(&codes[0]).len() * 5, 120, "bits");
        assert_eq!(plain(&codes[0].to_uppercase()), codes[0].replace('-', ""));
        assert_ne!(codes[0], codes[1]);
    }
}
