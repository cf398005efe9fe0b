//! Tokens: access tokens (JWTs by RFC 9068, or opaque), rotating refresh tokens, sessions of pages.
//!
//! All tokens of a login belong to one session. Ending it revokes them: here at once; applications that only
//! verify signatures accept an access token until it expires. Reuse of a refresh token ends its session:
//! one of its two holders is an attacker (RFC 9700 §4.14.2).

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::{
    App,
    config::{self, Lifetime},
    jwt::{self, Expected},
    login::Proven,
    store::{Connection, Queried, Row, StoreError, params},
    users::{self, User},
};

/// A random secret of 256 bits, of which the database has only the hash.
pub(crate) struct Random(Zeroizing<String>);

impl Random {
    /// Generates a secret. The prefix identifies its kind, such as in a leaked log.
    pub(crate) fn new(prefix: &str) -> Result<Self, getrandom::Error> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes)?;
        Ok(Self(Zeroizing::new(format!(
            "{prefix}{}",
            BASE64.encode(*bytes)
        ))))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn hash(&self) -> Vec<u8> {
        sha256(&self.0)
    }
}

pub(crate) fn sha256(text: &str) -> Vec<u8> {
    digest(text.as_bytes())
}

/// Computes the SHA-256.
pub(crate) fn digest(bytes: &[u8]) -> Vec<u8> {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().to_vec()
}

/// Encodes bytes as hexadecimal digits.
#[cfg(feature = "passkeys")]
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Generates an id of 128 random bits.
pub(crate) fn id() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(BASE64.encode(bytes))
}

/// Prefixes of tokens.
const ACCESS: &str = "dwa_";
pub(crate) const REFRESH: &str = "dwr_";
pub(crate) const PAGE: &str = "dws_";

/// An access token, and what is stored to make it valid.
pub(crate) struct Access {
    token: Zeroizing<String>,
    kept: Option<Kept>,
}

/// The stored claims of an opaque token.
struct Kept {
    hash: Vec<u8>,
    claims: String,
    expires: i64,
}

impl Access {
    #[cfg(feature = "measured")]
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    fn keep(&self, connection: &Connection) -> Queried<()> {
        let Some(kept) = &self.kept else {
            return Ok(());
        };
        let insert = "INSERT INTO access (hash, claims, expires) VALUES (?1, ?2, ?3)";
        let parameters = params![kept.hash, kept.claims, kept.expires];
        connection.execute(insert, parameters).map(drop)
    }
}

/// Issued tokens.
pub(crate) struct Issued {
    access: Zeroizing<String>,
    pub(crate) refresh: Option<Random>,
    pub(crate) expires_in: i64,
    pub(crate) bound: bool,
}

impl Issued {
    /// Returns the response of RFC 6749 §5.1.
    pub(crate) fn json(&self) -> Value {
        let kind = if self.bound { "DPoP" } else { "bearer" };
        let mut answer = json!({
            "access_token": self.access.as_str(),
            "token_type": kind,
            "expires_in": self.expires_in,
        });
        if let Some(refresh) = &self.refresh {
            answer["refresh_token"] = refresh.expose().into();
        }
        answer
    }
}

/// How often the use of a page's session is recorded, in seconds.
const NOTED: i64 = 3600;

/// Why tokens were not issued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unissued {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("failed to get random bytes from the system")]
    Random(#[from] getrandom::Error),
    #[error("failed to sign a token: no signing key")]
    NoKey,
    #[error(
        "failed to begin a session: the credentials were changed or the account was disabled in the meantime"
    )]
    Outdated,
}

/// A session: one login on one device.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) client: Option<String>,
    pub(crate) device: String,
    pub(crate) created: i64,
    pub(crate) used: i64,
    pub(crate) expires: i64,
    pub(crate) bound: Option<String>,
}

const SESSION: &str = "id, account, client, device, created, used, expires, bound";

fn session(row: &Row<'_>) -> Queried<Session> {
    Ok(Session {
        id: row.get(0)?,
        user: row.get(1)?,
        client: row.get(2)?,
        device: row.get(3)?,
        created: row.get(4)?,
        used: row.get(5)?,
        expires: row.get(6)?,
        bound: row.get(7)?,
    })
}

/// Finds a session that has not ended.
pub(crate) fn live(connection: &Connection, id: &str, now: i64) -> Queried<Option<Session>> {
    let query =
        format!("SELECT {SESSION} FROM sessions WHERE id = ?1 AND ended IS NULL AND expires > ?2");
    connection.first(&query, params![id, now], session)
}

/// Returns the sessions of a user that have not ended, the newest first.
pub(crate) fn of_user(connection: &Connection, user: &str, now: i64) -> Queried<Vec<Session>> {
    let query = format!(
        "SELECT {SESSION} FROM sessions WHERE account = ?1 AND ended IS NULL AND expires > ?2 ORDER BY created DESC"
    );
    connection.all(&query, params![user, now], session)
}

/// Records the use of a session, which extends it.
fn note_use(
    connection: &Connection,
    session: &Session,
    lifetime: Lifetime,
    now: i64,
) -> Queried<()> {
    let ends = lifetime.end(session.created, now);
    let update = "UPDATE sessions SET used = ?1, expires = ?2 WHERE id = ?3";
    connection
        .execute(update, params![now, ends, session.id])
        .map(drop)
}

/// Ends a session.
pub(crate) fn end(connection: &Connection, id: &str, now: i64) -> Queried<usize> {
    connection.execute(
        "UPDATE sessions SET ended = ?1 WHERE id = ?2 AND ended IS NULL",
        params![now, id],
    )
}

/// Ends a session of a user.
pub(crate) fn end_own(connection: &Connection, id: &str, user: &str, now: i64) -> Queried<usize> {
    let own = live(connection, id, now)?.filter(|session| session.user == user);
    own.map_or(Ok(0), |session| end(connection, &session.id, now))
}

/// Ends all sessions of a user.
pub(crate) fn end_all(connection: &Connection, user: &str, now: i64) -> Queried<usize> {
    connection.execute(
        "UPDATE sessions SET ended = ?1 WHERE account = ?2 AND ended IS NULL",
        params![now, user],
    )
}

/// Ends the sessions of a user but one.
pub(crate) fn end_others(
    connection: &Connection,
    user: &str,
    stays: &str,
    now: i64,
) -> Queried<usize> {
    connection.execute(
        "UPDATE sessions SET ended = ?1 WHERE account = ?2 AND ended IS NULL AND id <> ?3",
        params![now, user, stays],
    )
}

/// Stores a session; returns false if the credentials that it began with were changed meanwhile.
fn insert(connection: &Connection, session: &Session, credentials: i64) -> Queried<bool> {
    let query = format!(
        "INSERT INTO sessions ({SESSION}) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8 \
         FROM users WHERE id = ?2 AND credentials = ?9 AND disabled = 0"
    );
    let kept = connection.execute(
        &query,
        params![
            session.id,
            session.user,
            session.client,
            session.device,
            session.created,
            session.used,
            session.expires,
            session.bound,
            credentials
        ],
    )?;
    Ok(kept == 1)
}

impl App {
    fn session_for(
        &self,
        proven: &Proven,
        client: Option<String>,
        device: &str,
        bound: Option<String>,
    ) -> Result<Session, Unissued> {
        let now = self.now();
        Ok(Session {
            id: id()?,
            user: proven.user().id.clone(),
            client,
            device: device.to_owned(),
            created: now,
            used: now,
            expires: self.config.lifetime().end(now, now),
            bound,
        })
    }

    /// Stores a session with its first token, unless its credentials were changed meanwhile.
    async fn keep(
        &self,
        session: Session,
        credentials: i64,
        first: impl FnOnce(&Connection, &Session) -> Queried<()> + Send + 'static,
    ) -> Result<(), Unissued> {
        let keeping = self.store.write(move |connection| {
            let kept = insert(connection, &session, credentials)?;
            if kept {
                first(connection, &session)?;
            }
            Ok(kept)
        });
        keeping.await?.then_some(()).ok_or(Unissued::Outdated)
    }

    /// Begins a session with an access and a refresh token.
    pub(crate) async fn begin(
        &self,
        proven: &Proven,
        client: Option<String>,
        device: &str,
        bound: Option<String>,
    ) -> Result<Issued, Unissued> {
        let session = self.session_for(proven, client, device, bound)?;
        let refresh = Random::new(REFRESH)?;
        let access = self.access_token(&session, proven.at())?;
        let (hash, bound) = (refresh.hash(), session.bound.is_some());
        let (token, credentials) = (access.token.clone(), proven.user().credentials);
        self.keep(session, credentials, move |connection, session| {
            let insert = "INSERT INTO refresh (hash, session) VALUES (?1, ?2)";
            connection.execute(insert, params![hash, session.id])?;
            access.keep(connection)
        })
        .await?;
        Ok(Issued {
            access: token,
            refresh: Some(refresh),
            expires_in: self.config.access(),
            bound,
        })
    }

    /// Begins a session of the pages; the token is for a cookie.
    pub(crate) async fn begin_page(
        &self,
        proven: &Proven,
        device: &str,
    ) -> Result<Random, Unissued> {
        let session = self.session_for(proven, None, device, None)?;
        let token = Random::new(PAGE)?;
        let (hash, credentials) = (token.hash(), proven.user().credentials);
        let most = self.config.lifetime().most;
        self.keep(session, credentials, move |connection, session| {
            let insert = "INSERT INTO opaque (hash, session, expires) VALUES (?1, ?2, ?3)";
            let parameters = params![hash, session.id, session.created + most];
            connection.execute(insert, parameters).map(drop)
        })
        .await?;
        Ok(token)
    }

    /// Creates an access token of a session.
    fn access_token(&self, session: &Session, asked: i64) -> Result<Access, Unissued> {
        let now = self.now();
        let client = session.client.as_deref().unwrap_or(FIRST_PARTY);
        let mut claims = self.claims(&session.user, client, now)?;
        claims["sid"] = session.id.clone().into();
        claims["auth_time"] = asked.into();
        if let Some(thumbprint) = &session.bound {
            claims["cnf"] = json!({"jkt": thumbprint});
        }
        self.made(&claims, now)
    }

    /// Creates an access token with these claims: signed (RFC 9068), or stored.
    pub(crate) fn made(&self, claims: &Value, now: i64) -> Result<Access, Unissued> {
        match self.config.access {
            config::Access::Jwt => Ok(Access {
                token: Zeroizing::new(self.keys.sign(TYP, claims, now).ok_or(Unissued::NoKey)?),
                kept: None,
            }),
            config::Access::Opaque => {
                let random = Random::new(ACCESS)?;
                let kept = Kept {
                    hash: random.hash(),
                    claims: claims.to_string(),
                    expires: now + self.config.access(),
                };
                Ok(Access {
                    token: random.0,
                    kept: Some(kept),
                })
            }
        }
    }

    /// Stores an access token that is issued without a new session.
    async fn keep_access(&self, access: Access) -> Result<Zeroizing<String>, Unissued> {
        let token = access.token.clone();
        if access.kept.is_some() {
            let keeping = self.store.write(move |connection| access.keep(connection));
            keeping.await?;
        }
        Ok(token)
    }

    /// Issues an access token for a client itself (RFC 6749 §4.4).
    pub(crate) async fn client_token(
        &self,
        client: &str,
        bound: Option<String>,
    ) -> Result<Issued, Unissued> {
        let now = self.now();
        let mut claims = self.claims(client, client, now)?;
        let is_bound = bound.is_some();
        if let Some(thumbprint) = bound {
            claims["cnf"] = json!({"jkt": thumbprint});
        }
        Ok(Issued {
            access: self.keep_access(self.made(&claims, now)?).await?,
            refresh: None,
            expires_in: self.config.access(),
            bound: is_bound,
        })
    }

    pub(crate) fn claims(&self, subject: &str, client: &str, now: i64) -> Result<Value, Unissued> {
        Ok(json!({
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "client_id": client,
            "iat": now,
            "exp": now + self.config.access(),
            "jti": id()?,
        }))
    }

    /// Exchanges a refresh token for the next, once.
    pub(crate) async fn refresh(
        &self,
        token: &str,
        client: Option<String>,
        bound: Option<String>,
    ) -> Result<Result<Issued, Refused>, Unissued> {
        let (now, hash) = (self.now(), sha256(token));
        let wanted = hash.clone();
        let reading = self
            .store
            .read(move |connection| of_refresh(connection, &wanted, now));
        let Some(session) = reading.await? else {
            return Ok(Err(Refused::Unknown));
        };
        let next = Random::new(REFRESH)?;
        let (next_hash, lifetime) = (next.hash(), self.config.lifetime());
        // Created before, so that the exchange and the new token are one write.
        let access = self.access_token(&session, session.created)?;
        let token = access.token.clone();
        let exchanged = self
            .store
            .write(move |connection| {
                let exchanged = exchange(
                    connection,
                    &hash,
                    &next_hash,
                    client.as_deref(),
                    bound.as_deref(),
                    lifetime,
                    now,
                )?;
                if exchanged.is_ok() {
                    access.keep(connection)?;
                }
                Ok(exchanged)
            })
            .await?;
        let session = match exchanged {
            Ok(there) => there,
            Err(refused) => {
                if let Refused::Reused { user } = &refused {
                    self.audit("refresh-token-reused", Some(user), json!({}));
                }
                return Ok(Err(refused));
            }
        };
        Ok(Ok(Issued {
            access: token,
            refresh: Some(next),
            expires_in: self.config.access(),
            bound: session.bound.is_some(),
        }))
    }

    /// Returns the caller of an access token, if it is valid and its session has not ended.
    pub(crate) async fn whose(&self, token: &str) -> Result<Option<Caller>, StoreError> {
        let now = self.now();
        if token.starts_with(PAGE) {
            let hash = sha256(token);
            let reading = self
                .store
                .read(move |connection| of_page(connection, &hash, now));
            let caller = reading.await?;
            self.note_page(caller.as_ref().and_then(|caller| caller.session.as_ref()));
            return Ok(caller);
        }
        let Some(claims) = self.claims_of(token).await? else {
            return Ok(None);
        };
        self.store
            .read(move |connection| of_claims(connection, claims, now))
            .await
    }

    /// Records the use of a page's session, once per hour, so that reading a page rarely writes.
    fn note_page(&self, session: Option<&Session>) {
        let (now, lifetime) = (self.now(), self.config.lifetime());
        if let Some(session) = session
            .filter(|session| session.used + NOTED <= now)
            .cloned()
        {
            let complain = self.complain();
            self.store.post(
                move |connection| note_use(connection, &session, lifetime, now),
                move |reason| complain(&format!("failed to record the use of a session: {reason}")),
            );
        }
    }

    /// Returns the claims of an access token of ours that has not expired.
    async fn claims_of(&self, token: &str) -> Result<Option<Map<String, Value>>, StoreError> {
        if !token.starts_with(ACCESS) {
            return Ok(self.verified(token));
        }
        let (hash, now) = (sha256(token), self.now());
        let reading = self.store.read(move |connection| {
            let query = "SELECT claims FROM access WHERE hash = ?1 AND expires > ?2";
            connection.first(query, params![hash, now], |row| row.get::<String>(0))
        });
        let claims = reading.await?;
        Ok(claims.and_then(|claims| serde_json::from_str(&claims).ok()))
    }

    /// Returns the claims of a JWT of ours.
    fn verified(&self, token: &str) -> Option<Map<String, Value>> {
        let now = self.now();
        let (keys, algorithm) = self.keys.to_verify(token, now)?;
        let expected = Expected {
            algorithm,
            audience: Some(&self.audience),
            issuer: Some(&self.issuer),
            typ: Some(TYP),
            now: now.max(0) as u64,
        };
        let claims = jwt::verify(token, &keys, &expected).ok()?.claims?;
        // Ours have an `exp`.
        claims.contains_key("exp").then_some(claims)
    }

    /// Revokes a token: a refresh token with its whole session, an access token by itself.
    pub(crate) async fn revoke(&self, token: &str, client: &str) -> Result<(), StoreError> {
        let now = self.now();
        if token.starts_with(REFRESH) {
            let (hash, client) = (sha256(token), client.to_owned());
            return self
                .store
                .write(move |connection| {
                    connection.execute(
                        "UPDATE sessions SET ended = ?1 WHERE ended IS NULL AND id = \
                         (SELECT session FROM refresh WHERE hash = ?2) AND (client IS NULL OR client = ?3)",
                        params![now, hash, client],
                    )
                })
                .await
                .map(drop);
        }
        let Some(claims) = self.claims_of(token).await? else {
            return Ok(());
        };
        let owner = claims
            .get("client_id")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let jti = claims.get("jti").and_then(Value::as_str).map(str::to_owned);
        let expires = claims.get("exp").and_then(Value::as_i64).unwrap_or(now);
        let (true, Some(jti)) = (owner == client || owner == FIRST_PARTY, jti) else {
            return Ok(());
        };
        self.revoke_id(jti, expires).await
    }

    /// Revokes one access token.
    pub(crate) async fn revoke_id(&self, jti: String, expires: i64) -> Result<(), StoreError> {
        let now = self.now();
        self.store
            .write(move |connection| {
                connection.execute(
                    "DELETE FROM revoked WHERE expires < ?1",
                    params![now - jwt::LEEWAY as i64],
                )?;
                connection.execute(
                    "INSERT INTO revoked (jti, expires) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                    params![jti, expires],
                )
            })
            .await
            .map(drop)
    }
}

/// The type of an access token (RFC 9068 §2.1).
const TYP: &str = "at+jwt";

/// The client of tokens that the login issues: the application itself.
pub(crate) const FIRST_PARTY: &str = "login";

/// The caller of a token.
pub(crate) struct Caller {
    /// `None` for a client itself.
    pub(crate) user: Option<User>,
    pub(crate) session: Option<Session>,
    pub(crate) claims: Map<String, Value>,
}

impl Caller {
    /// Returns the thumbprint of the key that the token is bound to.
    pub(crate) fn bound(&self) -> Option<&str> {
        self.claims.get("cnf")?.get("jkt")?.as_str()
    }
}

fn of_page(connection: &Connection, hash: &[u8], now: i64) -> Queried<Option<Caller>> {
    let query = "SELECT session FROM opaque WHERE hash = ?1 AND expires > ?2";
    let id: Option<String> = connection.first(query, params![hash, now], |row| row.get(0))?;
    let Some(id) = id else { return Ok(None) };
    let Some(session) = live(connection, &id, now)? else {
        return Ok(None);
    };
    let user = users::by_id(connection, &session.user)?.filter(|user| !user.disabled);
    Ok(user.map(|user| Caller {
        user: Some(user),
        session: Some(session),
        claims: Map::new(),
    }))
}

fn of_claims(
    connection: &Connection,
    claims: Map<String, Value>,
    now: i64,
) -> Queried<Option<Caller>> {
    let text = |claim: &str| claims.get(claim).and_then(Value::as_str);
    let jti = text("jti").unwrap_or_default();
    let query = "SELECT 1 FROM revoked WHERE jti = ?1";
    let revoked = connection.first(query, params![jti], |_| Ok(()))?;
    if revoked.is_some() {
        return Ok(None);
    }
    let Some(id) = text("sid") else {
        // A client's own token is valid while the client is.
        let query = "SELECT 1 FROM clients WHERE id = ?1 AND disabled = 0";
        let client = params![text("sub").unwrap_or_default()];
        let there = connection.first(query, client, |_| Ok(()))?;
        return Ok(there.map(|()| Caller {
            user: None,
            session: None,
            claims,
        }));
    };
    let Some(session) = live(connection, id, now)? else {
        return Ok(None);
    };
    let user = users::by_id(connection, &session.user)?.filter(|user| !user.disabled);
    Ok(user.map(|user| Caller {
        user: Some(user),
        session: Some(session),
        claims,
    }))
}

/// Why a refresh token is rejected; the error code is always `invalid_grant`.
#[derive(Debug)]
pub(crate) enum Refused {
    Unknown,
    /// It was used before, which has ended its session.
    Reused {
        user: String,
    },
    /// It belongs to another client, or is bound to another key.
    Foreign,
}

/// Finds the session of a refresh token, if it has not ended.
fn of_refresh(connection: &Connection, hash: &[u8], now: i64) -> Queried<Option<Session>> {
    let query = "SELECT session FROM refresh WHERE hash = ?1";
    let id = connection.first(query, params![hash], |row| row.get::<String>(0))?;
    id.map_or(Ok(None), |id| live(connection, &id, now))
}

fn exchange(
    connection: &Connection,
    hash: &[u8],
    next: &[u8],
    client: Option<&str>,
    bound: Option<&str>,
    lifetime: Lifetime,
    now: i64,
) -> Queried<Result<Session, Refused>> {
    let query = "SELECT session, used FROM refresh WHERE hash = ?1";
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let kept: Option<(String, Option<i64>)> = connection.first(query, params![hash], row)?;
    let Some((id, used)) = kept else {
        return Ok(Err(Refused::Unknown));
    };
    let Some(session) = live(connection, &id, now)? else {
        return Ok(Err(Refused::Unknown));
    };
    if session.client.as_deref() != client || session.bound.as_deref() != bound {
        return Ok(Err(Refused::Foreign));
    }
    if used.is_some() {
        end(connection, &id, now)?;
        return Ok(Err(Refused::Reused { user: session.user }));
    }
    if users::by_id(connection, &session.user)?.is_none_or(|user| user.disabled) {
        return Ok(Err(Refused::Unknown));
    }
    connection.execute(
        "UPDATE refresh SET used = ?1 WHERE hash = ?2",
        params![now, hash],
    )?;
    connection.execute(
        "INSERT INTO refresh (hash, session) VALUES (?1, ?2)",
        params![next, id],
    )?;
    note_use(connection, &session, lifetime, now)?;
    Ok(Ok(session))
}

/// Deletes expired data that is no longer needed.
pub(crate) fn tidy(connection: &Connection, audit_days: i64, now: i64) -> Queried<()> {
    // An ended session is kept for a day, so that reuse of its refresh tokens is detected.
    let old = now - 86_400;
    connection.execute(
        "DELETE FROM sessions WHERE expires < ?1 OR ended < ?1",
        params![old],
    )?;
    connection.execute("DELETE FROM opaque WHERE expires < ?1", params![now])?;
    connection.execute("DELETE FROM access WHERE expires < ?1", params![now])?;
    let told = now - audit_days * 86_400;
    connection.execute("DELETE FROM audit WHERE at < ?1", params![told])?;
    connection.execute("DELETE FROM pending WHERE expires < ?1", params![now])?;
    connection.execute(
        "DELETE FROM revoked WHERE expires < ?1",
        params![now - jwt::LEEWAY as i64],
    )?;
    Ok(())
}
