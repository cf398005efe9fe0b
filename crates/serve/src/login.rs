//! Who somebody is: the ways to prove it, each through the door.
//!
//! ```text
//! admit -> a place to hash -> look up -> verify -> settle -> Proven -> tokens
//! ```
//!
//! Unknown, wrong, locked out of use and without a readable hash take the same way and end in the same
//! answer.

use axum::response::Response;
use doorwarden_gate::http::credentials::Password;
use http::StatusCode;
use serde_json::json;

use crate::{
    App,
    door::From,
    passwords::Unfit,
    routes::{self, broken, problem},
    second_factor,
    signatures::{self, Signature},
    store::{Connection, Queried, Row, StoreError, params},
    tokens::{self, Random, sha256},
    users::{self, User},
};
#[cfg(feature = "passkeys")]
use crate::{
    door::Entry,
    dpop, passkeys,
    tokens::{digest, hex},
};

/// Somebody whose secrets were all right: the password, and the second factor where there is one. What
/// tokens are issued for; nothing outside of this file makes one.
pub(crate) struct Proven {
    user: User,
    at: i64,
}

impl Proven {
    pub(crate) fn user(&self) -> &User {
        &self.user
    }

    /// When the person was asked, in seconds since 1970.
    pub(crate) fn at(&self) -> i64 {
        self.at
    }
}

/// How a login ended.
pub(crate) enum Login {
    /// Who it is, and a token by which the device is known from now on.
    In(Proven, Option<String>),
    /// The password was right, and there is a second factor. The token stands for that.
    SecondFactor(Random, Factors, Option<String>),
    /// Not told why.
    Wrong,
}

/// The second factors of somebody, beside recovery codes.
#[derive(Clone, Copy)]
pub(crate) struct Factors {
    pub(crate) totp: bool,
    /// Used by logging in with it.
    pub(crate) passkeys: bool,
}

/// What a second factor is proven by.
#[derive(Clone, Copy)]
pub(crate) enum Factor {
    Totp,
    Recovery,
}

impl Factor {
    /// Which factor a code is of: an authenticator's have six digits.
    pub(crate) fn of(code: &str) -> Self {
        match code.len() {
            6 => Self::Totp,
            _ => Self::Recovery,
        }
    }
}

/// What a person's name is counted under: apart from what is counted for second factors, clients and the
/// rest, whatever somebody calls themselves.
fn counted(name: &str) -> String {
    format!("user:{name}")
}

/// All that an account is counted under, for whoever unlocks it.
pub(crate) fn counted_under(id: &str, name: &str) -> [String; 3] {
    [
        counted(name),
        format!("second-factor:{id}"),
        format!("reset:{name}"),
    ]
}

/// How long the second half of something is waited for, in seconds.
const SECOND_FACTOR_SECONDS: i64 = 5 * 60;
pub(crate) const ENROLL_SECONDS: i64 = 15 * 60;
pub(crate) const RESET_SECONDS: i64 = 30 * 60;

/// What begins the tokens of second halves.
const PENDING: &str = "dwp_";

/// A second half that is waited for.
pub(crate) struct Pending {
    pub(crate) user: User,
    pub(crate) data: Option<Vec<u8>>,
}

fn pending(connection: &Connection, kind: &str, hash: &[u8], now: i64) -> Queried<Option<Pending>> {
    let query = "SELECT account, data FROM pending WHERE hash = ?1 AND kind = ?2 AND expires > ?3";
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let found: Option<(String, Option<Vec<u8>>)> =
        connection.first(query, params![hash, kind, now], row)?;
    let Some((user, data)) = found else {
        return Ok(None);
    };
    let user = users::by_id(connection, &user)?.filter(|user| !user.disabled);
    Ok(user.map(|user| Pending { user, data }))
}

/// Uses a token up; false where it was used meanwhile, or is too old.
pub(crate) fn use_up(connection: &Connection, kind: &str, hash: &[u8], now: i64) -> Queried<bool> {
    let used = connection.execute(
        "DELETE FROM pending WHERE hash = ?1 AND kind = ?2 AND expires > ?3",
        params![hash, kind, now],
    )?;
    Ok(used == 1)
}

/// An account that is to be made.
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a str,
    pub(crate) password: &'a str,
    pub(crate) mail: Option<String>,
    pub(crate) admin: bool,
}

/// A client of `/oauth`.
pub(crate) struct Client {
    pub(crate) id: String,
}

impl App {
    /// Tries a name and a password.
    pub(crate) async fn log_in(
        &self,
        route: &'static str,
        name: &str,
        password: &str,
        from: &From,
    ) -> Result<Login, Response> {
        let entry = self
            .door
            .admit(route, &counted(name), password, from)
            .await?;
        let (entry, place) = entry.place(&self.hashing).await?;
        let user = match users::find(&self.store, &entry, name).await {
            Ok(user) => user,
            Err(error) => {
                entry.given_up().await;
                return Err(self.failed(&error));
            }
        };
        let stored = user.as_ref().and_then(|user| user.stored.clone());
        let verdict = place
            .verify(stored, Password::new(password.to_owned()))
            .await;
        let Some(user) = user.filter(|user| verdict.right && !user.disabled) else {
            entry.wrong().await;
            return Ok(Login::Wrong);
        };
        let device = entry.right().await;
        if let Some(hash) = verdict.renewed {
            let (id, credentials) = (user.id.clone(), user.credentials);
            let renewing = self
                .store
                .write(move |connection| users::renew_hash(connection, &id, credentials, &hash));
            renewing.await.map_err(|error| self.failed(&error))?;
            self.audit("hash-renewed", Some(&user.id), json!({}));
        }
        if user.has_second_factor() {
            let token = self
                .wait_for("second-factor", &user, None, SECOND_FACTOR_SECONDS)
                .await?;
            let factors = Factors {
                totp: user.totp.is_some(),
                passkeys: user.passkeys > 0 && self.takes_passkeys(),
            };
            return Ok(Login::SecondFactor(token, factors, device));
        }
        self.audit("login", Some(&user.id), json!({"address": from.client}));
        let at = self.now();
        Ok(Login::In(Proven { user, at }, device))
    }

    /// Tries a passkey, by the token of what was asked and the authenticator's answer. It is possession and
    /// a verified user in one, so nothing else is asked.
    #[cfg(feature = "passkeys")]
    pub(crate) async fn passkey(
        &self,
        route: &'static str,
        token: &str,
        answer: &str,
        from: &From,
    ) -> Result<Login, Response> {
        let id = passkeys::named(answer).unwrap_or_default();
        let account = format!("passkey:{}", hex(&digest(&id)));
        let guess = hex(&sha256(answer));
        let entry = self.door.admit(route, &account, &guess, from).await?;
        let right = match self.by_passkey(&entry, id, token, answer).await {
            Ok(right) => right,
            Err(error) => {
                entry.given_up().await;
                return Err(self.failed(&error));
            }
        };
        let Some(user) = right else {
            entry.wrong().await;
            return Ok(Login::Wrong);
        };
        // Nothing was guessed, so nothing is vouched for: with twenty passkeys an account would speak for a
        // network twenty times.
        entry.given_up().await;
        let detail = json!({"address": from.client, "passkey": true});
        self.audit("login", Some(&user.id), detail);
        let at = self.now();
        Ok(Login::In(Proven { user, at }, None))
    }

    /// Whose passkey an answer is by, once for each question.
    #[cfg(feature = "passkeys")]
    async fn by_passkey(
        &self,
        _: &Entry<'_>,
        id: Vec<u8>,
        token: &str,
        answer: &str,
    ) -> Result<Option<User>, StoreError> {
        let Some(party) = &self.passkeys else {
            return Ok(None);
        };
        let finding = self
            .store
            .read(move |connection| passkeys::find(connection, &id));
        let (Some((passkey, user)), Some((state, once))) = (finding.await?, party.opened(token))
        else {
            return Ok(None);
        };
        let before = passkey.sealed.clone();
        let Ok(used) = party.is_by(&self.seal, &state, answer, passkey, &user) else {
            return Ok(None);
        };
        let now = self.now();
        let using = self.store.write(move |connection| {
            let ends = now + passkeys::ASKED_SECONDS;
            let first = dpop::take_once(connection, &once, ends, now)?;
            Ok(first && passkeys::note_use(connection, &used, &before, now)?)
        });
        Ok(using.await?.then_some(user))
    }

    /// Tries a second factor. The token names the user; guesses are counted for that user, whatever
    /// tokens they come with.
    pub(crate) async fn second_factor(
        &self,
        token: &str,
        factor: Factor,
        code: &str,
        from: &From,
    ) -> Result<Login, Response> {
        let Some(Pending { user, .. }) = self.waiting("second-factor", token).await? else {
            return Ok(Login::Wrong);
        };
        if !self.factor_is_right(&user, factor, code, from).await? {
            return Ok(Login::Wrong);
        }
        let (now, hash) = (self.now(), sha256(token));
        let using = self
            .store
            .write(move |connection| use_up(connection, "second-factor", &hash, now));
        if !using.await.map_err(|error| self.failed(&error))? {
            return Ok(Login::Wrong);
        }
        self.audit(
            "login",
            Some(&user.id),
            json!({"address": from.client, "second_factor": true}),
        );
        let at = self.now();
        Ok(Login::In(Proven { user, at }, None))
    }

    /// Tries a code of a user's factor, through the door.
    pub(crate) async fn factor_is_right(
        &self,
        user: &User,
        factor: Factor,
        code: &str,
        from: &From,
    ) -> Result<bool, Response> {
        // Codes are few: the same one of two people is no spray, so each is its account's own.
        let (account, secret) = (
            format!("second-factor:{}", user.id),
            format!("{}:{code}", user.id),
        );
        let entry = self
            .door
            .admit("second factor", &account, &secret, from)
            .await?;
        let (now, id, typed) = (self.now(), user.id.clone(), code.to_owned());
        let right = match factor {
            Factor::Totp => match second_factor::step_of(&self.seal, user, code, now) {
                Ok(None) => Ok(false),
                Ok(Some(step)) => {
                    self.store
                        .write(move |connection| second_factor::use_step(connection, &id, step))
                        .await
                }
                Err(error) => {
                    entry.given_up().await;
                    return Err(self.failed(&error));
                }
            },
            Factor::Recovery => {
                self.store
                    .write(move |connection| second_factor::use_recovery(connection, &id, &typed))
                    .await
            }
        };
        match right {
            Ok(true) => {
                entry.right().await;
                Ok(true)
            }
            Ok(false) => {
                entry.wrong().await;
                Ok(false)
            }
            Err(error) => {
                entry.given_up().await;
                Err(self.failed(&error))
            }
        }
    }

    /// Whether a password is a user's own, through the door: for changes that ask for it again.
    pub(crate) async fn password_is_right(
        &self,
        route: &'static str,
        user: &User,
        password: &str,
        from: &From,
    ) -> Result<bool, Response> {
        let entry = self
            .door
            .admit(route, &counted(&user.name), password, from)
            .await?;
        let (entry, place) = entry.place(&self.hashing).await?;
        let verdict = place
            .verify(user.stored.clone(), Password::new(password.to_owned()))
            .await;
        if verdict.right {
            entry.right().await;
        } else {
            entry.wrong().await;
        }
        Ok(verdict.right)
    }

    /// Hashes a new password for a name, through the door; nothing is charged.
    pub(crate) async fn hash_for(
        &self,
        route: &'static str,
        name: &str,
        password: &str,
        from: &From,
    ) -> Result<String, Response> {
        let account = format!("new:{name}");
        let entry = self.door.admit(route, &account, password, from).await?;
        let (entry, place) = entry.place(&self.hashing).await?;
        let hash = place.hash(Password::new(password.to_owned())).await;
        entry.given_up().await;
        hash.ok_or_else(broken)
    }

    /// Whether a password may be chosen by somebody of this name.
    pub(crate) async fn fits(
        &self,
        password: &str,
        name: &str,
        second_factor: bool,
    ) -> Result<(), Unfit> {
        let least = self.config.least_password(second_factor);
        let password = Password::new(password.to_owned());
        crate::passwords::fit(&password, name, least)?;
        match self.breaches.know(&password, self.complain()).await {
            true => Err(Unfit::Breached),
            false => Ok(()),
        }
    }

    /// Makes an account, for whoever registers or administers; `None` where the name is taken.
    pub(crate) async fn make_account(
        &self,
        route: &'static str,
        wanted: Wanted<'_>,
        from: &From,
    ) -> Result<Option<String>, Response> {
        let Wanted {
            name,
            password,
            mail,
            admin,
        } = wanted;
        let bad = |error: &dyn std::fmt::Display| {
            problem(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string())
        };
        let key = users::key(name).map_err(|error| bad(&error))?;
        self.fits(password, name, false)
            .await
            .map_err(|error| bad(&error))?;
        if mail
            .as_deref()
            .is_some_and(|mail| !crate::mail::is_address(mail))
        {
            return Err(bad(&"The mail address is none."));
        }
        let hash = self.hash_for(route, name, password, from).await?;
        let mail = mail.or_else(|| crate::mail::is_address(name).then(|| name.to_owned()));
        let new = users::New {
            id: tokens::id().map_err(|_| broken())?,
            name: name.to_owned(),
            key,
            mail,
            hash,
            admin,
            now: self.now(),
        };
        let id = new.id.clone();
        let made = self
            .store
            .write(move |connection| users::insert(connection, &new));
        let made = made.await.map_err(|error| self.failed(&error))?;
        Ok(made.then_some(id))
    }

    /// Registers an account. What comes back says nothing of whether the name was free.
    pub(crate) async fn register(
        &self,
        name: &str,
        password: &str,
        mail: Option<String>,
        from: &From,
    ) -> Result<(), Response> {
        let wanted = Wanted {
            name,
            password,
            mail,
            admin: false,
        };
        let made = self.make_account("POST /register", wanted, from).await?;
        if let Some(id) = made {
            self.audit("registered", Some(&id), json!({"address": from.client}));
        }
        Ok(())
    }

    /// Lets somebody who has forgotten their password have a mail with a token, if there is such an
    /// account and an address. Each request counts, so that nobody is sent hundreds.
    pub(crate) async fn ask_reset(&self, name: &str, from: &From) -> Result<(), Response> {
        // The same for every name that is none, whether or not there is such an account.
        users::key(name)
            .map_err(|error| problem(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()))?;
        let account = format!("reset:{name}");
        let entry = self
            .door
            .admit("POST /password/reset", &account, &account, from)
            .await?;
        let found = users::find(&self.store, &entry, name).await;
        let user = match found {
            Ok(user) => user.filter(|user| !user.disabled),
            Err(error) => {
                entry.given_up().await;
                return Err(self.failed(&error));
            }
        };
        if let Some((user, mail)) = user.and_then(|user| Some((user.clone(), user.mail?))) {
            let token = self.wait_for("reset", &user, None, RESET_SECONDS).await?;
            let text = format!(
                "Somebody, probably you, asked for a new password for {} at {}.\n\n\
                 To choose one, open\n\n  {}/account/reset?token={}\n\n\
                 within {} minutes. If it was not you, do nothing: your password stays as it is.",
                user.name,
                self.issuer,
                self.issuer,
                token.expose(),
                RESET_SECONDS / 60
            );
            let mailer = std::sync::Arc::clone(&self.mailer);
            let failed = self.complain();
            tokio::spawn(async move {
                if let Err(error) = mailer.send(&mail, "A new password", &text).await {
                    failed(&error);
                }
            });
            self.audit(
                "reset-asked",
                Some(&user.id),
                json!({"address": from.client}),
            );
        }
        entry.wrong().await;
        Ok(())
    }

    /// Gives an account a new password, by the token of a mail. False where the token is not one.
    pub(crate) async fn reset(
        &self,
        token: &str,
        password: &str,
        from: &From,
    ) -> Result<bool, Response> {
        let Some(Pending { user, .. }) = self.waiting("reset", token).await? else {
            // As long as a hash takes, and counted for whoever tries tokens.
            let entry = self
                .door
                .admit("POST /password/reset/confirm", "reset-token", token, from)
                .await?;
            entry.wrong().await;
            return Ok(false);
        };
        let fits = self
            .fits(password, &user.name, user.has_second_factor())
            .await;
        fits.map_err(|error| problem(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()))?;
        const ROUTE: &str = "POST /password/reset/confirm";
        self.set_password(ROUTE, &user, password, Some(token), from)
            .await
    }

    /// Gives an account a new password, which was found fit; its sessions end. By a token, it is used up
    /// with it. False where the password was changed meanwhile, or the token used.
    pub(crate) async fn set_password(
        &self,
        route: &'static str,
        user: &User,
        password: &str,
        token: Option<&str>,
        from: &From,
    ) -> Result<bool, Response> {
        let hash = self.hash_for(route, &user.name, password, from).await?;
        let (id, credentials, now) = (user.id.clone(), user.credentials, self.now());
        let token = token.map(sha256);
        let setting = self.store.write(move |connection| {
            if let Some(token) = token
                && !use_up(connection, "reset", &token, now)?
            {
                return Ok(false);
            }
            users::set_password(connection, &id, credentials, &hash, now)
        });
        if !setting.await.map_err(|error| self.failed(&error))? {
            return Ok(false);
        }
        self.notify(user, "Your password was changed");
        self.audit(
            "password-changed",
            Some(&user.id),
            json!({"address": from.client}),
        );
        Ok(true)
    }

    /// Tells a user of a change of their credentials, if there is an address.
    pub(crate) fn notify(&self, user: &User, what: &'static str) {
        let Some(mail) = user.mail.clone() else {
            return;
        };
        let text = format!(
            "{what}, for {} at {}.\n\nIf it was not you, choose another password at\n\n  {}/account/forgot\n\n\
             which ends all sessions, and tell whoever runs this service: a passkey or a second factor that\n\
             somebody added stays until they remove it.",
            user.name, self.issuer, self.issuer
        );
        let (mailer, failed) = (std::sync::Arc::clone(&self.mailer), self.complain());
        tokio::spawn(async move {
            if let Err(error) = mailer.send(&mail, what, &text).await {
                failed(&error);
            }
        });
    }

    /// Who a client is, by its secret.
    pub(crate) async fn client(
        &self,
        id: &str,
        secret: &str,
        from: &From,
    ) -> Result<Option<Client>, Response> {
        let account = format!("client:{id}");
        let entry = self.door.admit("client", &account, secret, from).await?;
        let wanted = id.to_owned();
        let query = move |connection: &Connection| {
            let query = "SELECT hash FROM clients WHERE id = ?1 AND disabled = 0";
            connection.first(query, params![wanted], |row| row.get(0))
        };
        let kept: Result<Option<Vec<u8>>, StoreError> = self.store.read(query).await;
        let kept = match kept {
            Ok(kept) => kept.unwrap_or_else(|| vec![0; 32]),
            Err(error) => {
                entry.given_up().await;
                return Err(self.failed(&error));
            }
        };
        let same =
            aws_lc_rs::constant_time::verify_slices_are_equal(&kept, &sha256(secret)).is_ok();
        if same {
            entry.right().await;
            Ok(Some(Client { id: id.to_owned() }))
        } else {
            entry.wrong().await;
            Ok(None)
        }
    }

    /// Who signed a request, through the door; each nonce once.
    pub(crate) async fn signer(
        &self,
        signature: &Signature,
        from: &From,
    ) -> Result<Option<User>, Response> {
        let account = format!("signer:{}", signature.key);
        let entry = self
            .door
            .admit("signed request", &account, &signature.guess(), from)
            .await?;
        let (id, now) = (signature.key.clone(), self.now());
        let found = self.store.read(move |connection| {
            let Some((owner, sealed)) = signatures::find(connection, &id, now)? else {
                return Ok(None);
            };
            let user = users::by_id(connection, &owner)?.filter(|user| !user.disabled);
            Ok(user.map(|user| (user, sealed)))
        });
        let found = match found.await {
            Ok(found) => found,
            Err(error) => {
                entry.given_up().await;
                return Err(self.failed(&error));
            }
        };
        let opened = found.map(|(user, sealed)| {
            (
                user,
                self.seal
                    .open(&signatures::purpose(&signature.key), &sealed),
            )
        });
        let user = match opened {
            Some((_, Err(error))) => {
                entry.given_up().await;
                return Err(self.failed(&error));
            }
            Some((user, Ok(secret))) => signature.is_by(&secret).then_some(user),
            None => None,
        };
        let first = match user {
            Some(_) => self.take_once(signature.nonce_id(), signature.ends).await,
            None => Ok(false),
        };
        match first {
            Ok(true) => {
                entry.right().await;
                Ok(user)
            }
            Ok(false) => {
                entry.wrong().await;
                Ok(None)
            }
            Err(error) => {
                entry.given_up().await;
                Err(self.failed(&error))
            }
        }
    }

    /// Waits for the second half of something; the token stands for the first.
    pub(crate) async fn wait_for(
        &self,
        kind: &'static str,
        user: &User,
        data: Option<Vec<u8>>,
        seconds: i64,
    ) -> Result<Random, Response> {
        let token = Random::new(PENDING).map_err(|_| broken())?;
        let (hash, credentials) = (token.hash(), user.credentials);
        let (user, expires) = (user.id.clone(), self.now() + seconds);
        let waiting = self.store.write(move |connection| {
            connection.execute(
                // For credentials that were changed meanwhile, it is a token of nothing.
                "INSERT INTO pending (hash, kind, account, data, expires) SELECT ?1, ?2, ?3, ?4, ?5 \
                 FROM users WHERE id = ?3 AND credentials = ?6 AND disabled = 0",
                params![hash, kind, user, data, expires, credentials],
            )
        });
        waiting.await.map_err(|error| self.failed(&error))?;
        Ok(token)
    }

    /// What a token stands for.
    pub(crate) async fn waiting(
        &self,
        kind: &'static str,
        token: &str,
    ) -> Result<Option<Pending>, Response> {
        let (hash, now) = (sha256(token), self.now());
        let found = self
            .store
            .read(move |connection| pending(connection, kind, &hash, now))
            .await;
        found.map_err(|error| self.failed(&error))
    }

    /// An answer for what should not happen; what it was goes to the operator.
    pub(crate) fn failed(&self, error: &dyn std::fmt::Display) -> Response {
        self.complain()(error);
        routes::broken()
    }
}
