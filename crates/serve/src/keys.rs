//! Keys that sign tokens: generated here, sealed in the database, published before they sign, and kept
//! until the last token that they signed has expired.

use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::{KeyPair as RsaKey, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    },
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use serde_json::{Value, json};

use crate::{
    audit::{self, Actor},
    jwt::{self, Algorithm, Jwks},
    seal::{Seal, Unsealable},
    store::{self, Connection, Queried, Store, StoreError, params},
};

/// How long a key is published before it signs, in seconds: twice what a JWKS may be cached for.
pub(crate) const PUBLISHED_BEFORE: i64 = 2 * JWKS_MAX_AGE;

/// How long a JWKS may be cached, in seconds.
pub(crate) const JWKS_MAX_AGE: i64 = 300;

/// Why keys can't be loaded, created or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Sealing.
    #[error(transparent)]
    Seal(#[from] Unsealable),
    /// A key could not be generated or read.
    #[error(
        "failed to generate or read a signing key ({0}); `doorwarden keys rotate` creates a new one"
    )]
    Key(Algorithm),
    /// Tokens are not signed with this algorithm.
    #[error("unsupported signing algorithm {0}; use RS256, ES256 or EdDSA")]
    Unsuitable(Algorithm),
}

/// One key, and when it signs.
struct Key {
    kid: String,
    algorithm: Algorithm,
    pair: Pair,
    public: Value,
    /// The same, to verify with.
    jwks: Arc<Jwks>,
    signs: i64,
    retired: Option<i64>,
}

enum Pair {
    Rsa(RsaKey),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Pair {
    fn read(algorithm: Algorithm, pkcs8: &[u8]) -> Option<Self> {
        match algorithm {
            Algorithm::RS256 => RsaKey::from_pkcs8(pkcs8).ok().map(Self::Rsa),
            Algorithm::ES256 => {
                let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8);
                key.ok().map(Self::Ec)
            }
            Algorithm::EdDSA => Ed25519KeyPair::from_pkcs8(pkcs8).ok().map(Self::Ed),
            _ => None,
        }
    }

    /// Generates a key, in PKCS#8.
    fn made(algorithm: Algorithm) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match algorithm {
            Algorithm::RS256 => {
                let key = RsaKey::generate(KeySize::Rsa2048).ok()?;
                Some(key.as_der().ok()?.as_ref().to_vec())
            }
            Algorithm::ES256 => {
                let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
                Some(key.ok()?.as_ref().to_vec())
            }
            Algorithm::EdDSA => Some(
                Ed25519KeyPair::generate_pkcs8(&random)
                    .ok()?
                    .as_ref()
                    .to_vec(),
            ),
            _ => None,
        }
    }

    fn sign(&self, text: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, text, &mut signature)
                    .ok()?;
                Some(signature)
            }
            Self::Ec(key) => Some(key.sign(&random, text).ok()?.as_ref().to_vec()),
            Self::Ed(key) => Some(key.sign(text).as_ref().to_vec()),
        }
    }

    /// Returns the public key as a JWK (RFC 7517, RFC 8037), without its id.
    fn public(&self) -> Value {
        let number = |bytes: &[u8]| BASE64.encode(bytes);
        match self {
            Self::Rsa(key) => {
                let public = key.public_key();
                let (n, e) = (public.modulus(), public.exponent());
                json!({
                    "kty": "RSA",
                    "n": number(n.big_endian_without_leading_zero()),
                    "e": number(e.big_endian_without_leading_zero()),
                })
            }
            Self::Ec(key) => {
                let point = key.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "x": number(&point[1..33]), "y": number(&point[33..])})
            }
            Self::Ed(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": number(key.public_key().as_ref())})
            }
        }
    }
}

/// The keys of a server, as last loaded from the database.
pub(crate) struct Keys(RwLock<Arc<Vec<Key>>>);

impl Keys {
    /// Loads the keys; creates the first one.
    pub(crate) async fn load(
        store: &Store,
        seal: &Seal,
        algorithm: Algorithm,
        now: i64,
    ) -> Result<Self, KeyError> {
        let keys = Self(RwLock::default());
        keys.reload(store, seal).await?;
        let has_one = keys
            .all()
            .iter()
            .any(|key| key.algorithm == algorithm && key.retired.is_none());
        if !has_one {
            // No one has fetched a key yet, so the first signs at once; a successor waits.
            let signs = if keys.all().is_empty() {
                now
            } else {
                now + PUBLISHED_BEFORE
            };
            add(store, seal, algorithm, now, signs, Replaces::Nothing).await?;
            keys.reload(store, seal).await?;
        }
        Ok(keys)
    }

    /// Reloads the keys: another process may have rotated them.
    pub(crate) async fn reload(&self, store: &Store, seal: &Seal) -> Result<(), KeyError> {
        let rows = store.read(rows).await?;
        let mut read = Vec::new();
        for (kid, algorithm, sealed, public, signs, retired) in rows {
            let algorithm: Algorithm = algorithm
                .parse()
                .map_err(|_| KeyError::Key(Algorithm::RS256))?;
            let pkcs8 = seal.open(&format!("key {kid}"), &sealed)?;
            let pair = Pair::read(algorithm, &pkcs8).ok_or(KeyError::Key(algorithm))?;
            let jwks = Jwks::parse(&public).map_err(|_| KeyError::Key(algorithm))?;
            let public = serde_json::from_str(&public).map_err(|_| KeyError::Key(algorithm))?;
            read.push(Key {
                kid,
                algorithm,
                pair,
                public,
                jwks: Arc::new(jwks),
                signs,
                retired,
            });
        }
        let mut keys = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Another process or node may have rotated them.
        let kids = |keys: &[Key]| keys.iter().map(|key| key.kid.clone()).collect::<Vec<_>>();
        if kids(&keys) != kids(&read) {
            tracing::info!(keys = read.len(), "signing keys loaded");
        }
        *keys = Arc::new(read);
        Ok(())
    }

    fn all(&self) -> Arc<Vec<Key>> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Signs claims with the current key.
    pub(crate) fn sign(&self, typ: &str, claims: &Value, now: i64) -> Option<String> {
        let keys = self.all();
        let turn = keys
            .iter()
            .filter(|key| key.signs <= now && key.retired.is_none_or(|end| now < end));
        let key = turn.max_by_key(|key| key.signs)?;
        let header = json!({"typ": typ, "alg": key.algorithm.to_string(), "kid": key.kid});
        let unsigned = jwt::unsigned(&header, claims);
        let signature = key.pair.sign(unsigned.as_bytes())?;
        Some(jwt::signed(unsigned, &signature))
    }

    /// Returns the public keys, as a JWKS.
    pub(crate) fn public(&self, now: i64) -> Value {
        let keys = self.all();
        let there = keys
            .iter()
            .filter(|key| key.retired.is_none_or(|end| now < end));
        let keys: Vec<Value> = there.map(|key| key.public.clone()).collect();
        json!({"keys": keys})
    }

    /// Returns the key that a token names, to verify with, and its algorithm.
    pub(crate) fn to_verify(&self, token: &str, now: i64) -> Option<(Arc<Jwks>, Algorithm)> {
        let header = jwt::header(token)?;
        let kid = header.get("kid")?.as_str()?;
        let keys = self.all();
        let key = keys
            .iter()
            .find(|key| key.kid == kid && key.retired.is_none_or(|end| now < end))?;
        Some((Arc::clone(&key.jwks), key.algorithm))
    }

    /// Returns the algorithms that tokens are signed with.
    pub(crate) fn algorithms(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .all()
            .iter()
            .map(|key| key.algorithm.to_string())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

type Row = (String, String, Vec<u8>, String, i64, Option<i64>);

fn rows(connection: &Connection) -> Queried<Vec<Row>> {
    let query =
        "SELECT kid, algorithm, sealed, public, signs, retired FROM keys ORDER BY signs, kid";
    let row = |row: &store::Row<'_>| {
        Ok((
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
            row.get(5)?,
        ))
    };
    connection.all(query, params![], row)
}

/// What a new key replaces.
enum Replaces {
    /// Nothing: it is the first of its algorithm, unless another node was quicker.
    Nothing,
    /// All others, which retire at a time; and who rotates them.
    Others(i64, Actor),
}

/// Generates a key.
async fn add(
    store: &Store,
    seal: &Seal,
    algorithm: Algorithm,
    now: i64,
    signs: i64,
    replaces: Replaces,
) -> Result<String, KeyError> {
    let signing = matches!(
        algorithm,
        Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA
    );
    if !signing {
        return Err(KeyError::Unsuitable(algorithm));
    }
    // Generating an RSA key takes a fraction of a second.
    let made = tokio::task::spawn_blocking(move || Pair::made(algorithm))
        .await
        .ok()
        .flatten();
    let pkcs8 = zeroize::Zeroizing::new(made.ok_or(KeyError::Key(algorithm))?);
    let pair = Pair::read(algorithm, &pkcs8).ok_or(KeyError::Key(algorithm))?;
    let mut public = pair.public();
    let members = jwt::public_members(&public).ok_or(KeyError::Key(algorithm))?;
    let kid = jwt::thumbprint(&members);
    public["kid"] = kid.clone().into();
    public["alg"] = algorithm.to_string().into();
    public["use"] = "sig".into();
    let sealed = seal.seal(&format!("key {kid}"), &pkcs8)?;
    let named = kid.clone();
    store
        .write(move |connection| {
            match replaces {
                Replaces::Others(end, by) => {
                    let detail = json!({"kid": kid});
                    audit::note_change(connection, now, "keys-rotated", None, &by, detail)?;
                    let retire = "UPDATE keys SET retired = ?1 WHERE retired IS NULL";
                    connection.execute(retire, params![end])?;
                    connection.execute("DELETE FROM keys WHERE retired < ?1", params![now])?;
                }
                Replaces::Nothing => {
                    let query = "SELECT 1 FROM keys WHERE algorithm = ?1 AND retired IS NULL";
                    let algorithm = params![algorithm.to_string()];
                    if connection.first(query, algorithm, |_| Ok(()))?.is_some() {
                        return Ok(());
                    }
                }
            }
            let insert = "INSERT INTO keys (kid, algorithm, sealed, public, created, signs) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let (algorithm, public) = (algorithm.to_string(), public.to_string());
            let parameters = params![kid, algorithm, sealed, public, now, signs];
            connection.execute(insert, parameters).map(drop)
        })
        .await?;
    Ok(named)
}

/// Creates the next key: published now, signing once every cache has it; until then the current one
/// signs. The keys before it retire when the last token that they signed has expired.
pub(crate) async fn rotate(
    store: &Store,
    seal: &Seal,
    algorithm: Algorithm,
    token_seconds: i64,
    by: Actor,
    now: i64,
) -> Result<String, KeyError> {
    let signs = now + PUBLISHED_BEFORE;
    let others = Replaces::Others(signs + token_seconds, by);
    let kid = add(store, seal, algorithm, now, signs, others).await?;
    tracing::info!(kid, %algorithm, "signing key rotated");
    Ok(kid)
}
