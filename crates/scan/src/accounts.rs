//! Test accounts, given by the operator or registered by the scan, and names that do not exist.

use rand::{Rng, RngExt, SeedableRng, seq::IndexedRandom};

use crate::Secret;

/// A test account and its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The account's name.
    pub name: String,
    /// The correct password.
    pub password: Secret,
}

/// A line that is not an account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is not an account; write name:password")]
pub struct InvalidAccounts {
    line: usize,
}

impl Account {
    /// Parses `name:password`; the name ends at the first colon.
    pub fn parse(words: &str) -> Option<Self> {
        let (name, password) = words.split_once(':')?;
        let whole = !name.is_empty() && !password.is_empty();
        whole.then(|| Self {
            name: name.to_owned(),
            password: Secret::new(password.to_owned()),
        })
    }

    /// Parses one `name:password` per line; empty lines and lines that start with `#` are ignored.
    pub fn parse_lines(text: &str) -> Result<Vec<Self>, InvalidAccounts> {
        let meant = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
        let numbered = text.lines().enumerate().filter(|(_, line)| meant(line));
        numbered
            .map(|(i, line)| Self::parse(line).ok_or(InvalidAccounts { line: i + 1 }))
            .collect()
    }
}

/// Generates names that do not exist and incorrect passwords.
pub(crate) struct Inventor<R> {
    rng: R,
    /// A name whose form the generated names follow: that of a test account, so that existing and
    /// absent names cannot be distinguished by their form.
    model: String,
}

/// Random letters in every generated name: 47 bits, so that it does not belong to a real user.
const LEAST_LETTERS: usize = 10;

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz";
const DIGITS: &[u8] = b"0123456789";

impl<R: Rng> Inventor<R> {
    pub(crate) fn new(rng: R, model: &str) -> Self {
        Self {
            rng,
            model: model.to_owned(),
        }
    }

    /// Returns another generator of names of the same form.
    pub(crate) fn beside(&mut self) -> Self
    where
        R: SeedableRng,
    {
        Self {
            rng: R::from_rng(&mut self.rng),
            model: self.model.clone(),
        }
    }

    /// The form of registered names: a prefix that identifies them, and ten random letters.
    pub(crate) const MODEL: &'static str = "dwtest-aaaaaaaaaa";

    /// The form where names are email addresses, at a domain that RFC 2606 reserves.
    pub(crate) const MAIL_MODEL: &'static str = "dwtest-aaaaaaaaaa@example.org";

    /// Returns a name that does not exist. If the model has the form that registration uses, so
    /// does the name; otherwise each character is replaced by one of the same kind, and letters are
    /// added until the name cannot belong to a real user.
    pub(crate) fn name(&mut self) -> String {
        if self.model.starts_with("dwtest-") {
            let domain = self.model.split_once('@').map(|(_, domain)| domain);
            let domain = domain.map_or_else(String::new, |domain| format!("@{domain}"));
            return format!("dwtest-{}{domain}", self.word());
        }
        let (local, domain) = match self.model.split_once('@') {
            Some((local, domain)) => (local.to_owned(), format!("@{domain}")),
            None => (self.model.clone(), String::new()),
        };
        let mut name = String::new();
        for c in local.chars() {
            let like = if c.is_ascii_digit() { DIGITS } else { LETTERS };
            name.push(self.pick(like));
        }
        // Digits alone could be the customer or telephone number of a real user.
        while name.chars().filter(char::is_ascii_alphabetic).count() < LEAST_LETTERS {
            name.push(self.pick(LETTERS));
        }
        name + &domain
    }

    /// Returns ten random letters.
    pub(crate) fn word(&mut self) -> String {
        self.random(LETTERS, LEAST_LETTERS)
    }

    /// Returns an incorrect password: 20 random characters of four kinds, so that no password rule
    /// rejects it.
    pub(crate) fn password(&mut self) -> Secret {
        let letters = self.random(LETTERS, 14);
        let digits = self.random(DIGITS, 4);
        Secret::new(format!("Q{letters}!{digits}"))
    }

    pub(crate) fn coin(&mut self) -> bool {
        self.rng.random()
    }

    pub(crate) fn bits(&mut self) -> u32 {
        self.rng.random()
    }

    fn random(&mut self, from: &[u8], length: usize) -> String {
        (0..length).map(|_| self.pick(from)).collect()
    }

    fn pick(&mut self, from: &[u8]) -> char {
        from.choose(&mut self.rng).copied().map_or('x', char::from)
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn lines_are_read_and_mistakes_are_placed() {
        let read = Account::parse_lines("# test\nalice:a:b\n\nbob:c\n").unwrap();
        assert_eq!(read[0].password.expose(), "a:b");
        assert_eq!(read[1].name, "bob");
        let error = Account::parse_lines("alice:a\nbob\n").unwrap_err();
        assert!(error.to_string().starts_with("line 2 "));
    }

    #[test]
    fn invented_names_look_like_the_model() {
        let rng = || StdRng::seed_from_u64(1);
        let mut registered = Inventor::new(rng(), Inventor::<StdRng>::MODEL);
        assert_eq!(registered.name().len(), Inventor::<StdRng>::MODEL.len());
        let name = Inventor::new(rng(), Inventor::<StdRng>::MAIL_MODEL).name();
        assert!(
            name.starts_with("dwtest-") && name.ends_with("@example.org"),
            "{name}"
        );
        let mut mail = Inventor::new(rng(), "alice.b2@example.org");
        let name = mail.name();
        assert!(name.ends_with("@example.org") && name.len() >= 22, "{name}");
        assert_ne!(mail.name(), name);
        let number = Inventor::new(rng(), "1234567890").name();
        assert_eq!(
            number.chars().filter(char::is_ascii_alphabetic).count(),
            10,
            "{number}"
        );
    }
}
