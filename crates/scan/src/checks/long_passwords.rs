//! What becomes of long passwords: whether they can be had, and whether their end counts. Measured
//! once, judged by two checks.

use crate::{Account, Secret, learn::Class, probe::Stop, scan::Session};

/// What SP 800-63B-4 section 3.1.1.2 wants allowed, and more than bcrypt reads.
const LENGTHS: [usize; 2] = [100, 64];

/// What bcrypt reads, in bytes; the passwords are of ASCII.
const READ_BY_BCRYPT: usize = 72;

/// The most requests of the measurement.
pub(crate) const MAX_REQUESTS: u32 = 2 + 3;

/// What became of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Facts {
    /// Each length that was tried, whether it was taken like a usual one, and the status.
    pub(crate) taken: Vec<(usize, bool, u16)>,
    /// Of an account with 100 characters: whether they log in, whether others from the tenth on do,
    /// and whether others after the 72nd do.
    pub(crate) logins: Option<[bool; 3]>,
}

/// The facts, measured now or before; `None` where nothing can be registered.
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

/// A password of the usual kinds of characters, so many of them.
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
        // Its name was made here a moment ago; a failure of it is nobody else's.
        let source = session.need_source()?;
        logins[place] = session.right(source, &tried).await?.1 == Class::Right;
    }
    Ok(logins)
}

/// Another password that begins with so many of the same characters.
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
