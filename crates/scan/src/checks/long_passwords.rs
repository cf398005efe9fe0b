//! How long passwords are treated: whether they are accepted, and whether their end counts. Measured
//! once, judged by two checks.

use crate::{Account, Secret, learn::Class, probe::Stop, scan::Session};

/// The length that SP 800-63B-4 section 3.1.1.2 requires to be allowed (64), and one longer than
/// bcrypt reads.
const LENGTHS: [usize; 2] = [100, 64];

/// Bytes that bcrypt reads; the passwords are ASCII.
const READ_BY_BCRYPT: usize = 72;

/// Maximum number of requests of the measurement.
pub(crate) const MAX_REQUESTS: u32 = 2 + 3;

/// The outcome for each length.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Facts {
    /// Each length tried, whether it was accepted like a usual password, and the status.
    pub(crate) taken: Vec<(usize, bool, u16)>,
    /// For an account with 100 characters: whether these log in, whether other characters from the
    /// tenth on do, and whether others after the 72nd do.
    pub(crate) logins: Option<[bool; 3]>,
}

/// Returns the facts, measured now or before; `None` if accounts cannot be registered.
pub(crate) async fn facts(session: &mut Session) -> Result<Option<Facts>, Stop> {
    if session.long_passwords.is_none() {
        session.long_passwords = measure(session).await?;
    }
    Ok(session.long_passwords.clone())
}

async fn measure(session: &mut Session) -> Result<Option<Facts>, Stop> {
    let Some(usual) = session
        .registration
        .as_ref()
        .map(|known| known.usual.clone())
    else {
        return Ok(None);
    };
    let mut facts = Facts {
        taken: Vec::new(),
        logins: None,
    };
    for length in LENGTHS {
        let account = Account {
            name: session.new_name(),
            password: of_length(session, length),
        };
        let Some(answer) = session.register(&account.name, &account.password).await? else {
            return Ok(None);
        };
        let taken = answer.signature().coarse() == usual.clone().coarse();
        facts.taken.push((length, taken, answer.status));
        if taken && length > READ_BY_BCRYPT {
            facts.logins = Some(log_in(session, &account).await?);
            break;
        }
    }
    Ok(Some(facts))
}

/// Returns a password of this length, with the usual kinds of characters.
fn of_length(session: &mut Session, length: usize) -> Secret {
    let mut text = String::new();
    while text.len() < length {
        text.push_str(session.wrong_password().expose());
    }
    text.truncate(length);
    Secret::new(text)
}

async fn log_in(session: &mut Session, account: &Account) -> Result<[bool; 3], Stop> {
    let mut logins = [false; 3];
    for (place, same) in [
        (0, account.password.expose().len()),
        (1, 9),
        (2, READ_BY_BCRYPT),
    ] {
        let password = changed_after(account.password.expose(), same);
        let tried = Account {
            name: account.name.clone(),
            password,
        };
        // The name was invented here a moment ago, so its failures affect no other account.
        let source = session.need_source()?;
        logins[place] = session.right(source, &tried).await?.1 == Class::Right;
    }
    Ok(logins)
}

/// Returns another password that has the same first `same` characters.
fn changed_after(password: &str, same: usize) -> Secret {
    let other = |(at, c): (usize, char)| match c {
        c if at < same => c,
        'a'..='y' | '0'..='8' => char::from_u32(u32::from(c) + 1).unwrap_or('a'),
        'z' => 'a',
        _ => '5',
    };
    Secret::new(password.char_indices().map(other).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_changed() {
        let changed = |same| changed_after("abz9Q!", same).expose().to_owned();
        assert_eq!(
            (changed(6), changed(2), changed(0)),
            ("abz9Q!".into(), "aba555".into(), "bca555".into())
        );
    }
}
