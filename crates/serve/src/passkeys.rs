//! Passkeys (WebAuthn level 3): discoverable credentials of an authenticator that verifies its user, for
//! logins without a name or password. They are bound to the issuer's host and origin.

use std::{num::NonZeroU32, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use doorwarden_gate::Secret;
use serde_json::Value;
use webauthn_rp::{
    AuthenticatedCredential, DiscoverableAuthentication16, DiscoverableAuthenticationServerState,
    DiscoverableCredentialRequestOptions, PublicKeyCredentialCreationOptions, Registration,
    RegistrationServerState,
    bin::{Decode, Encode},
    request::{
        AsciiDomain, PublicKeyCredentialDescriptor, RpId,
        auth::{AuthenticationVerificationOptions, SignatureCounterEnforcement},
        register::{
            CoseAlgorithmIdentifier, CoseAlgorithmIdentifiers, CredProtect,
            PublicKeyCredentialUserEntity, RegistrationVerificationOptions, UserHandle16,
        },
    },
    response::{
        AuthTransports, CredentialId,
        register::{CompressedPubKey, DynamicState, StaticState},
    },
};

use crate::{
    seal::{Seal, Unsealable},
    second_factor,
    store::{Connection, Queried, Row, params},
    users::{self, User},
};

/// The timeout for users (WebAuthn level 3 §15.1 recommends 300 to 600 s with user verification).
const ASKED: Duration = Duration::from_secs(300);

/// The same in seconds, for stored challenges.
pub(crate) const ASKED_SECONDS: i64 = ASKED.as_secs() as i64;

/// The maximum number of passkeys per account.
pub(crate) const MOST: i64 = 20;

/// The maximum length of a passkey's name, in characters.
const LONGEST_NAME: usize = 64;

type PublicKey = CompressedPubKey<[u8; 32], [u8; 32], [u8; 48], Vec<u8>>;

/// Why an authenticator's response is rejected.
#[derive(Debug, thiserror::Error)]
#[error("invalid authenticator response: {0}")]
pub(crate) struct Refused(String);

impl Refused {
    fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// The relying party: the host and origin that passkeys are bound to.
pub(crate) struct Party {
    id: RpId,
    origin: String,
    /// For the states of logins, which are handed out to clients.
    tokens: Seal,
}

/// The options for an authenticator, and the state to verify its response.
pub(crate) struct Asked {
    /// For `parseCreationOptionsFromJSON` or `parseRequestOptionsFromJSON` in the browser.
    pub(crate) options: Value,
    pub(crate) state: Vec<u8>,
}

/// A passkey, as stored.
pub(crate) struct Passkey {
    pub(crate) id: Vec<u8>,
    pub(crate) name: String,
    pub(crate) created: i64,
    pub(crate) used: Option<i64>,
    /// One byte of transports, seven of state (counter, backup), the public key: sealed for this passkey of
    /// this account, so that write access to the database is not enough to move it to another.
    pub(crate) sealed: Vec<u8>,
}

impl Party {
    /// Creates it for an issuer with a host name; browsers have no passkeys for IP addresses.
    pub(crate) fn of(issuer: &str, secret: &Secret) -> Result<Option<Self>, Unsealable> {
        let Some((host, origin)) = named_host(issuer) else {
            return Ok(None);
        };
        Ok(Some(Self {
            id: RpId::Domain(host),
            origin,
            tokens: Seal::for_tokens(secret)?,
        }))
    }

    /// Begins the registration of a new passkey, in addition to the existing ones.
    pub(crate) fn ask_new(
        &self,
        seal: &Seal,
        user: &User,
        there: &[Passkey],
    ) -> Result<Asked, Refused> {
        let handle = handle(&user.id)?;
        let there = there
            .iter()
            .map(|passkey| passkey.descriptor(seal, &user.id));
        let there = there.collect::<Result<Vec<_>, _>>()?;
        // Names are set below: here they would have to be in PRECIS form, which has no spaces.
        let entity = PublicKeyCredentialUserEntity::from(&handle);
        let mut asked = PublicKeyCredentialCreationOptions::passkey(&self.id, entity, there);
        asked.timeout = millis();
        asked.pub_key_cred_params =
            CoseAlgorithmIdentifiers::ALL.remove(CoseAlgorithmIdentifier::Es384);
        asked.extensions.cred_protect = CredProtect::None;
        let (server, client) = asked.start_ceremony().map_err(Refused::of)?;
        let mut options = serde_json::to_value(&client).map_err(Refused::of)?;
        options["rp"]["name"] = "Doorwarden".into();
        options["user"]["name"] = user.name.as_str().into();
        options["user"]["displayName"] = user.name.as_str().into();
        let state = server.encode().map_err(Refused::of)?;
        Ok(Asked { options, state })
    }

    /// Verifies a registration; returns the passkey.
    pub(crate) fn made(
        &self,
        seal: &Seal,
        state: &[u8],
        answer: &str,
        user: &User,
        name: &str,
    ) -> Result<Passkey, Refused> {
        let state = RegistrationServerState::<16>::decode(state).map_err(Refused::of)?;
        let answer = Registration::from_json_relaxed(answer.as_bytes()).map_err(Refused::of)?;
        let origins = [self.origin.as_str()];
        let options = RegistrationVerificationOptions::<'_, '_, &str, &str> {
            allowed_origins: &origins,
            // Browsers add some on their own.
            error_on_unsolicited_extensions: false,
            ..Default::default()
        };
        let made = state
            .verify(&self.id, &answer, &options)
            .map_err(Refused::of)?;
        let (id, transports, _, fixed, changing, _) = made.into_parts();
        let Ok(transports) = transports.encode();
        let Ok(fixed) = fixed.encode();
        let passkey = Passkey {
            id: id.into_inner().to_vec(),
            name: name.chars().take(LONGEST_NAME).collect(),
            created: crate::now(),
            used: None,
            sealed: Vec::new(),
        };
        passkey.keeping(seal, &user.id, &kept(transports, changing, &fixed))
    }

    /// Begins a login with any passkey.
    pub(crate) fn ask(&self) -> Result<Asked, Refused> {
        let mut asked = DiscoverableCredentialRequestOptions::passkey(&self.id);
        asked.0.timeout = millis();
        let (server, client) = asked.start_ceremony().map_err(Refused::of)?;
        Ok(Asked {
            options: serde_json::to_value(&client).map_err(Refused::of)?,
            state: server.encode().map_err(Refused::of)?,
        })
    }

    /// Verifies a login with a user's passkey; returns the passkey with its new state.
    pub(crate) fn is_by(
        &self,
        seal: &Seal,
        state: &[u8],
        answer: &str,
        passkey: Passkey,
        user: &User,
    ) -> Result<Passkey, Refused> {
        let state = DiscoverableAuthenticationServerState::decode(state).map_err(Refused::of)?;
        let answer = DiscoverableAuthentication16::from_json_relaxed(answer.as_bytes());
        let answer = answer.map_err(Refused::of)?;
        let id = answer.raw_id();
        if *id.inner() != passkey.id.as_slice() {
            return Err(Refused("it belongs to another passkey".into()));
        }
        let opened = passkey.opened(seal, &user.id)?;
        let (transports, changing, key) = parts(&opened)?;
        let fixed = StaticState::<PublicKey>::decode(key).map_err(Refused::of)?;
        let handle = handle(&user.id)?;
        let known = AuthenticatedCredential::new(id, &handle, fixed, changing);
        let mut known = known.map_err(Refused::of)?;
        let origins = [self.origin.as_str()];
        let options = AuthenticationVerificationOptions::<'_, '_, &str, &str> {
            allowed_origins: &origins,
            error_on_unsolicited_extensions: false,
            update_uv: true,
            // A counter that does not grow indicates a clone (WebAuthn level 3 §6.1.1).
            sig_counter_enforcement: SignatureCounterEnforcement::Fail,
            backup_requirement: None,
            ..Default::default()
        };
        let verified = state.verify(&self.id, &answer, &mut known, &options);
        verified.map_err(Refused::of)?;
        let kept = kept(transports, known.dynamic_state(), key);
        passkey.keeping(seal, &user.id, &kept)
    }
}

/// Returns true if an issuer can have passkeys: it has a host name.
pub(crate) fn are_available(issuer: &str) -> bool {
    named_host(issuer).is_some()
}

/// Returns the host of an issuer, if it is a name, and its origin.
fn named_host(issuer: &str) -> Option<(AsciiDomain, String)> {
    let url = url::Url::parse(issuer).ok()?;
    let url::Host::Domain(host) = url.host()? else {
        return None;
    };
    let host = AsciiDomain::try_from(host.to_owned()).ok()?;
    Some((host, url.origin().ascii_serialization()))
}

fn millis() -> NonZeroU32 {
    u32::try_from(ASKED.as_millis())
        .ok()
        .and_then(NonZeroU32::new)
        .unwrap_or(NonZeroU32::MAX)
}

/// Returns the user handle: the 128 bits of the account's id.
fn handle(id: &str) -> Result<UserHandle16, Refused> {
    let bytes = BASE64
        .decode(id)
        .ok()
        .and_then(|bytes| bytes.try_into().ok());
    let bytes: [u8; 16] = bytes.ok_or_else(|| Refused("the account has an invalid id".into()))?;
    let Ok(handle) = UserHandle16::decode(bytes);
    Ok(handle)
}

/// Returns the passkey that a response claims to be by, unverified.
pub(crate) fn named(answer: &str) -> Option<Vec<u8>> {
    let answer = DiscoverableAuthentication16::from_json_relaxed(answer.as_bytes()).ok()?;
    Some(answer.raw_id().into_inner().to_vec())
}

fn kept(transports: u8, changing: DynamicState, fixed: &[u8]) -> Vec<u8> {
    let Ok(changing) = changing.encode();
    [&[transports][..], &changing, fixed].concat()
}

/// Splits a stored passkey into transports, state and public key.
fn parts(kept: &[u8]) -> Result<(u8, DynamicState, &[u8]), Refused> {
    let unreadable = || Refused("failed to read the stored passkey".into());
    let (transports, rest) = kept.split_first().ok_or_else(unreadable)?;
    let (changing, fixed) = rest.split_first_chunk::<7>().ok_or_else(unreadable)?;
    let changing = DynamicState::decode(*changing).map_err(Refused::of)?;
    Ok((*transports, changing, fixed))
}

impl Passkey {
    fn purpose(&self, account: &str) -> String {
        format!("passkey {account} {}", self.shown())
    }

    fn keeping(self, seal: &Seal, account: &str, kept: &[u8]) -> Result<Self, Refused> {
        let sealed = seal
            .seal(&self.purpose(account), kept)
            .map_err(Refused::of)?;
        Ok(Self { sealed, ..self })
    }

    fn opened(&self, seal: &Seal, account: &str) -> Result<Vec<u8>, Refused> {
        let opened = seal.open(&self.purpose(account), &self.sealed);
        Ok(opened.map_err(Refused::of)?.to_vec())
    }

    fn descriptor(
        &self,
        seal: &Seal,
        account: &str,
    ) -> Result<PublicKeyCredentialDescriptor<Vec<u8>>, Refused> {
        let opened = self.opened(seal, account)?;
        let transports = parts(&opened)?.0;
        Ok(PublicKeyCredentialDescriptor {
            id: CredentialId::decode(self.id.clone()).map_err(Refused::of)?,
            transports: AuthTransports::decode(transports).map_err(Refused::of)?,
        })
    }

    /// Returns its id as text, for routes.
    pub(crate) fn shown(&self) -> String {
        BASE64.encode(&self.id)
    }
}

/// The purpose that the state of a login is sealed for.
const PURPOSE: &str = "passkey login";

impl Party {
    /// Returns the state of a login as a token, so that nothing is stored before a login.
    pub(crate) fn token(&self, state: &[u8]) -> Result<String, Unsealable> {
        Ok(BASE64.encode(self.tokens.seal(PURPOSE, state)?))
    }

    /// Returns the state in a token, and an id by which it is used once.
    pub(crate) fn opened(&self, token: &str) -> Option<(Vec<u8>, Vec<u8>)> {
        let sealed = BASE64.decode(token).ok()?;
        let state = self.tokens.open(PURPOSE, &sealed).ok()?.to_vec();
        let id = digest(&SHA256, &state).as_ref().to_vec();
        Some((state, id))
    }
}

const COLUMNS: &str = "passkeys.id, passkeys.name, passkeys.created, used, sealed";

fn passkey(row: &Row<'_>) -> Queried<Passkey> {
    Ok(Passkey {
        id: row.get(0)?,
        name: row.get(1)?,
        created: row.get(2)?,
        used: row.get(3)?,
        sealed: row.get(4)?,
    })
}

/// Returns the passkeys of a user, the oldest first.
pub(crate) fn of_user(connection: &Connection, user: &str) -> Queried<Vec<Passkey>> {
    let query =
        format!("SELECT {COLUMNS} FROM passkeys WHERE account = ?1 ORDER BY created, passkeys.id");
    connection.all(&query, params![user], passkey)
}

/// Finds a passkey and its owner.
pub(crate) fn find(connection: &Connection, id: &[u8]) -> Queried<Option<(Passkey, User)>> {
    let query = format!("SELECT {COLUMNS}, account FROM passkeys WHERE id = ?1");
    let found = connection.first(&query, params![id], |row| {
        Ok((passkey(row)?, row.get::<String>(5)?))
    })?;
    let Some((passkey, owner)) = found else {
        return Ok(None);
    };
    let user = users::by_id(connection, &owner)?.filter(|user| !user.disabled);
    Ok(user.map(|user| (passkey, user)))
}

/// Stores a new passkey; returns false if it exists, or the user has the maximum number.
pub(crate) fn add(connection: &Connection, user: &str, new: &Passkey) -> Queried<bool> {
    let insert = "INSERT INTO passkeys (id, account, name, sealed, created) SELECT ?1, ?2, ?3, ?4, ?5 \
         WHERE (SELECT count(*) FROM passkeys WHERE account = ?2) < ?6 ON CONFLICT DO NOTHING";
    let parameters = params![new.id, user, new.name, new.sealed, new.created, MOST];
    let added = connection.execute(insert, parameters)? == 1;
    if added {
        second_factor::changed(connection, user)?;
    }
    Ok(added)
}

/// Stores the new state of a passkey that was used; returns false if it was used or removed meanwhile: the
/// state that was verified is no longer the current one.
pub(crate) fn note_use(
    connection: &Connection,
    used: &Passkey,
    before: &[u8],
    now: i64,
) -> Queried<bool> {
    let update = "UPDATE passkeys SET sealed = ?1, used = ?2 WHERE id = ?3 AND sealed = ?4";
    let parameters = params![used.sealed, now, used.id, before];
    Ok(connection.execute(update, parameters)? == 1)
}

/// Removes a user's passkey; returns false if the user has no such passkey, or the user's credentials were
/// changed meanwhile.
pub(crate) fn remove(connection: &Connection, user: &User, id: &[u8]) -> Queried<bool> {
    let delete = "DELETE FROM passkeys WHERE id = ?1 AND account = ?2 \
         AND EXISTS (SELECT 1 FROM users WHERE id = ?2 AND credentials = ?3)";
    let removed = connection.execute(delete, params![id, user.id, user.credentials])? == 1;
    if removed {
        second_factor::changed(connection, &user.id)?;
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_are_for_hosts_with_names() {
        assert!(named_host("http://127.0.0.1:8400").is_none());
        assert!(named_host("http://[::1]:8400").is_none());
        for (issuer, origin) in [
            ("http://localhost:8400", "http://localhost:8400"),
            (
                "https://login.example.org/base",
                "https://login.example.org",
            ),
        ] {
            assert_eq!(named_host(issuer).unwrap().1, origin);
        }
    }

    #[test]
    fn a_passkey_that_is_given_to_another_account_opens_nothing() {
        let seal = Seal::new(&Secret::new([1; 32])).unwrap();
        let of = |id: &[u8]| Passkey {
            id: id.to_vec(),
            name: String::new(),
            created: 0,
            used: None,
            sealed: Vec::new(),
        };
        let passkey = of(b"one").keeping(&seal, "ann", b"what is kept").unwrap();
        assert_eq!(passkey.opened(&seal, "ann").unwrap(), b"what is kept");
        assert!(passkey.opened(&seal, "bob").is_err());
        let put_elsewhere = Passkey {
            sealed: passkey.sealed,
            ..of(b"another")
        };
        assert!(put_elsewhere.opened(&seal, "ann").is_err());
    }

    #[test]
    fn a_login_is_asked_for_anew_each_time() {
        let secret = Secret::new([1; 32]);
        let party = Party::of("https://login.example.org", &secret)
            .unwrap()
            .unwrap();
        let (one, other) = (party.ask().unwrap(), party.ask().unwrap());
        assert_ne!(one.options["challenge"], other.options["challenge"]);
        assert_eq!(one.options["userVerification"], "required");
        // 128 bits (WebAuthn level 3 §13.4.3 asks for as many).
        assert_eq!(one.options["challenge"].as_str().unwrap().len(), 22);
        let sealed = party.token(&one.state).unwrap();
        let (state, id) = party.opened(&sealed).unwrap();
        assert_eq!(state, one.state);
        let sealed = party.token(&other.state).unwrap();
        assert_ne!(party.opened(&sealed).unwrap().1, id);
        assert!(party.opened("nonsense").is_none());
    }
}
