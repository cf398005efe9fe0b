//! Logging in: each way to prove an identity, through the door.
//!
//! ```text
//! admit -> a place to hash -> look up -> verify -> settle -> Proven -> tokens
//! ```
//!
//! Unknown and disabled accounts, incorrect passwords and unreadable hashes take the same path and get the
//! same response.

use axum::response::Response;
use doorwarden_gate::http::credentials::Password;
use http::StatusCode;
use serde_json::json;

use crate::{
    App,
    accounts::{NewAccount, Unacceptable},
    audit,
    door::From,
    passwords::{self, Unfit},
    routes::{self, broken, problem},
    second_factor,
    signatures::{self, Signature},
    store::{Connection, Queried, Row, StoreError, params},
    tokens::{Random, sha256},
    users::{self, User},
};
#[cfg(feature = "passkeys")]
use crate::{
    door::Entry,
    dpop, passkeys,
    tokens::{digest, hex},
};

/// A user with all secrets verified: the password, and the second factor if the account has one. Tokens are
/// issued for it; nothing outside of this file creates one.
pub(crate) struct Proven {
    user: User,
    at: i64,
}

impl Proven {
    pub(crate) fn user(&self) -> &User {
        &self.user
    }

    /// Returns when the user authenticated, in seconds since 1970.
    pub(crate) fn at(&self) -> i64 {
        self.at
    }
}

/// The result of a login.
pub(crate) enum Login {
    /// The user, and a token by which the device is known from now on.
    In(Proven, Option<String>),
    /// The password was correct, and the account has a second factor. The token continues the login.
    SecondFactor(Random, Factors, Option<String>),
    /// A failed login, for any reason.
    Wrong,
}

/// The second factors of a user, besides recovery codes.
#[derive(Clone, Copy)]
pub(crate) struct Factors {
    pub(crate) totp: bool,
    /// Used by logging in with one.
    pub(crate) passkeys: bool,
}

/// A kind of second-factor code.
#[derive(Clone, Copy)]
pub(crate) enum Factor {
    Totp,
    Recovery,
}

impl Factor {
    /// Returns the kind of a code: an authenticator's has six digits.
    pub(crate) fn of(code: &str) -> Self {
        match code.len() {
            6 => Self::Totp,
            _ => Self::Recovery,
        }
    }
}

/// Returns the name that a user's attempts are counted under: apart from those at second factors, clients
/// and the rest, whatever the user's name.
fn counted(name: &str) -> String {
    format!("user:{name}")
}

/// Returns all names that an account's attempts are counted under, to unlock it.
pub(crate) fn counted_under(id: &str, name: &str) -> [String; 3] {
    [
        counted(name),
        format!("second-factor:{id}"),
        format!("reset:{name}"),
    ]
}

/// How long pending logins, enrollments and resets are valid, in seconds.
const SECOND_FACTOR_SECONDS: i64 = 5 * 60;
pub(crate) const ENROLL_SECONDS: i64 = 15 * 60;
pub(crate) const RESET_SECONDS: i64 = 30 * 60;

/// The prefix of tokens for pending operations.
const PENDING: &str = "dwp_";

/// A pending operation of a user.
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

/// Consumes a token; returns false if it was used meanwhile, or has expired.
pub(crate) fn use_up(connection: &Connection, kind: &str, hash: &[u8], now: i64) -> Queried<bool> {
    let used = connection.execute(
        "DELETE FROM pending WHERE hash = ?1 AND kind = ?2 AND expires > ?3",
        params![hash, kind, now],
    )?;
    Ok(used == 1)
}

/// A client of the endpoints under `/oauth`.
pub(crate) struct Client {
    pub(crate) id: String,
}

impl App {
    /// Logs in with a name and a password.
    pub(crate) async fn log_in(
        &self,
        name: &str,
        password: &str,
        from: &From,
    ) -> Result<Login, Response> {
        let entry = self.door.admit(&counted(name), password, from).await?;
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
            self.audit("password-rehashed", Some(&user.id), json!({}));
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

    /// Logs in with a passkey, by the token of a challenge and the authenticator's response. It proves
    /// possession and a verified user in one, so no other factor is required.
    #[cfg(feature = "passkeys")]
    pub(crate) async fn passkey(
        &self,
        token: &str,
        answer: &str,
        from: &From,
    ) -> Result<Login, Response> {
        let id = passkeys::named(answer).unwrap_or_default();
        let account = format!("passkey:{}", hex(&digest(&id)));
        let guess = hex(&sha256(answer));
        let entry = self.door.admit(&account, &guess, from).await?;
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
        // Not counted as a success, which would vouch for the network: with twenty passkeys an account would
        // vouch for it twenty times.
        entry.given_up().await;
        let detail = json!({"address": from.client, "passkey": true});
        self.audit("login", Some(&user.id), detail);
        let at = self.now();
        Ok(Login::In(Proven { user, at }, None))
    }

    /// Returns the user whose passkey signed a response, once per challenge.
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

    /// Completes a login with a second factor. The token identifies the user; guesses are counted per user,
    /// whatever the token.
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

    /// Verifies a code of a user's second factor, through the door.
    pub(crate) async fn factor_is_right(
        &self,
        user: &User,
        factor: Factor,
        code: &str,
        from: &From,
    ) -> Result<bool, Response> {
        // Codes are short: two users with the same one are not a spray, so each is counted for its account.
        let (account, secret) = (
            format!("second-factor:{}", user.id),
            format!("{}:{code}", user.id),
        );
        let entry = self.door.admit(&account, &secret, from).await?;
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

    /// Verifies a user's password again, through the door, before a change.
    pub(crate) async fn password_is_right(
        &self,
        user: &User,
        password: &str,
        from: &From,
    ) -> Result<bool, Response> {
        let entry = self
            .door
            .admit(&counted(&user.name), password, from)
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

    /// Hashes a new password, through the door; nothing is charged.
    pub(crate) async fn hash_for(
        &self,
        name: &str,
        password: &str,
        from: &From,
    ) -> Result<String, Response> {
        let account = format!("new:{name}");
        let entry = self.door.admit(&account, password, from).await?;
        let (entry, place) = entry.place(&self.hashing).await?;
        let hash = place.hash(Password::new(password.to_owned())).await;
        entry.given_up().await;
        hash.ok_or_else(broken)
    }

    /// Checks that a password may be chosen by a user of this name.
    pub(crate) async fn fits(
        &self,
        password: &str,
        name: &str,
        second_factor: bool,
    ) -> Result<(), Unfit> {
        let least = self.config.least_password(second_factor);
        let password = Password::new(password.to_owned());
        passwords::check_choice(&password, name, least, &self.breaches, self.complain()).await
    }

    /// Creates an account, for registration and administrators; returns its id, or `None` if the name is
    /// taken. The audit event is part of the write.
    pub(crate) async fn create_account(
        &self,
        new: NewAccount<'_>,
        from: &From,
        record: impl FnOnce(&Connection, &users::New) -> Queried<()> + Send + 'static,
    ) -> Result<Option<String>, Response> {
        let (name, password) = (new.name, new.password.expose());
        let checking = new.check(&self.config, &self.breaches, self.complain());
        let accepted = checking.await.map_err(|reason: Unacceptable| {
            problem(StatusCode::UNPROCESSABLE_ENTITY, &reason.to_string())
        })?;
        let hash = self.hash_for(name, password, from).await?;
        let new = accepted.with_hash(hash, self.now()).map_err(|_| broken())?;
        let id = new.id.clone();
        let creating = self.store.write(move |connection| {
            let created = users::insert(connection, &new)?;
            if created {
                record(connection, &new)?;
            }
            Ok(created)
        });
        let created = creating.await.map_err(|error| self.failed(&error))?;
        Ok(created.then_some(id))
    }

    /// Registers an account. The result does not reveal whether the name was available.
    pub(crate) async fn register(
        &self,
        name: &str,
        password: &str,
        email: Option<String>,
        from: &From,
    ) -> Result<(), Response> {
        let new = NewAccount {
            name,
            password: &Password::new(password.to_owned()),
            email,
            admin: false,
        };
        let detail = json!({"address": from.client});
        let record = move |connection: &Connection, new: &users::New| {
            audit::note(
                connection,
                new.now,
                "account-registered",
                Some(&new.id),
                &detail,
            )
        };
        self.create_account(new, from, record).await.map(drop)
    }

    /// Emails a password-reset token, if the account exists and has an address. Each request counts as an
    /// attempt, so that users are not sent hundreds.
    pub(crate) async fn ask_reset(&self, name: &str, from: &From) -> Result<(), Response> {
        // The same for every invalid name: no account has one.
        users::key(name)
            .map_err(|error| problem(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()))?;
        let account = format!("reset:{name}");
        let entry = self.door.admit(&account, &account, from).await?;
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
                "A password reset was requested for {} at {}.\n\n\
                 To choose a new password, open\n\n  {}/account/reset?token={}\n\n\
                 within {} minutes. If you did not request it, ignore this email: your password stays unchanged.",
                user.name,
                self.issuer,
                self.issuer,
                token.expose(),
                RESET_SECONDS / 60
            );
            self.email(mail, "Reset your password", text);
            self.audit(
                "password-reset-requested",
                Some(&user.id),
                json!({"address": from.client}),
            );
        }
        entry.wrong().await;
        Ok(())
    }

    /// Changes a password with a password-reset token. Returns false if the token is not valid.
    pub(crate) async fn reset(
        &self,
        token: &str,
        password: &str,
        from: &From,
    ) -> Result<bool, Response> {
        let Some(Pending { user, .. }) = self.waiting("reset", token).await? else {
            // As slow as a valid one, and counted against the client.
            let entry = self.door.admit("reset-token", token, from).await?;
            entry.wrong().await;
            return Ok(false);
        };
        let fits = self
            .fits(password, &user.name, user.has_second_factor())
            .await;
        fits.map_err(|error| problem(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()))?;
        self.set_password(&user, password, Some(token), from).await
    }

    /// Changes a password to one that may be chosen, which ends the sessions and consumes the token, if there
    /// is one. Returns false if the password was changed meanwhile, or the token used.
    pub(crate) async fn set_password(
        &self,
        user: &User,
        password: &str,
        token: Option<&str>,
        from: &From,
    ) -> Result<bool, Response> {
        let hash = self.hash_for(&user.name, password, from).await?;
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

    /// Emails a user about a change of their credentials, if they have an address.
    pub(crate) fn notify(&self, user: &User, what: &'static str) {
        let Some(mail) = user.mail.clone() else {
            return;
        };
        let text = format!(
            "{what}.\n\nAccount: {} at {}\n\nIf this was not you, choose a new password at\n\n  {}/account/forgot\n\n\
             This ends all sessions. Then contact the operator of this service: a passkey or second factor\n\
             that someone else added stays until the operator removes it.",
            user.name, self.issuer, self.issuer
        );
        self.email(mail, what, text);
    }

    /// Sends an email in the background; a failure is reported to the operator.
    fn email(&self, to: String, subject: &'static str, text: String) {
        let (mailer, failed) = (std::sync::Arc::clone(&self.mailer), self.complain());
        tracing::debug!("email queued");
        tokio::spawn(async move {
            if let Err(error) = mailer.send(&to, subject, &text).await {
                failed(&error);
            }
        });
    }

    /// Authenticates a client by its secret.
    pub(crate) async fn client(
        &self,
        id: &str,
        secret: &str,
        from: &From,
    ) -> Result<Option<Client>, Response> {
        let account = format!("client:{id}");
        let entry = self.door.admit(&account, secret, from).await?;
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

    /// Returns the user who signed a request, through the door; each nonce is accepted once.
    pub(crate) async fn signer(
        &self,
        signature: &Signature,
        from: &From,
    ) -> Result<Option<User>, Response> {
        let account = format!("signer:{}", signature.key);
        let entry = self.door.admit(&account, &signature.guess(), from).await?;
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

    /// Begins an operation that is completed with the token.
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
                // If the credentials were changed meanwhile, the token is void.
                "INSERT INTO pending (hash, kind, account, data, expires) SELECT ?1, ?2, ?3, ?4, ?5 \
                 FROM users WHERE id = ?3 AND credentials = ?6 AND disabled = 0",
                params![hash, kind, user, data, expires, credentials],
            )
        });
        waiting.await.map_err(|error| self.failed(&error))?;
        Ok(token)
    }

    /// Returns the pending operation of a token.
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

    /// Reports an internal error to the operator; returns the response.
    pub(crate) fn failed(&self, error: &dyn std::fmt::Display) -> Response {
        self.complain()(error);
        routes::broken()
    }
}
