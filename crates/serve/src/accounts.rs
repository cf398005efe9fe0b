//! Creating accounts: one set of rules for registration, the API and the command line.

use std::fmt::Display;

use doorwarden_gate::http::credentials::Password;

use crate::{
    Config,
    breaches::Breaches,
    mail,
    passwords::{self, Unfit},
    tokens,
    users::{self, InvalidName},
};

/// An account to be created.
pub(crate) struct NewAccount<'a> {
    pub(crate) name: &'a str,
    pub(crate) password: &'a Password,
    pub(crate) email: Option<String>,
    pub(crate) admin: bool,
}

/// Why an account may not be created.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unacceptable {
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error(transparent)]
    Password(#[from] Unfit),
    #[error("That is not a valid email address.")]
    Email(String),
}

/// An account that may be created, and lacks its id and hash.
pub(crate) struct Accepted {
    name: String,
    key: String,
    email: Option<String>,
    admin: bool,
}

impl NewAccount<'_> {
    /// Checks the name, the password and the email address.
    pub(crate) async fn check(
        self,
        config: &Config,
        breaches: &Breaches,
        complain: impl Fn(&dyn Display),
    ) -> Result<Accepted, Unacceptable> {
        let key = users::key(self.name)?;
        let email = email_of(self.name, self.email).map_err(Unacceptable::Email)?;
        let least = config.least_password(false);
        passwords::check_choice(self.password, self.name, least, breaches, complain).await?;
        Ok(Accepted {
            name: self.name.to_owned(),
            key,
            email,
            admin: self.admin,
        })
    }
}

/// Returns the email address of a new account, which may be its name; an error returns an invalid one.
pub(crate) fn email_of(name: &str, given: Option<String>) -> Result<Option<String>, String> {
    match given {
        Some(email) if !mail::is_address(&email) => Err(email),
        Some(email) => Ok(Some(email)),
        None => Ok(mail::is_address(name).then(|| name.to_owned())),
    }
}

impl Accepted {
    /// Completes the account, to be inserted.
    pub(crate) fn with_hash(self, hash: String, now: i64) -> Result<users::New, getrandom::Error> {
        Ok(users::New {
            id: tokens::id()?,
            name: self.name,
            key: self.key,
            mail: self.email,
            hash,
            admin: self.admin,
            now,
        })
    }
}
