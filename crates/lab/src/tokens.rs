//! The tokens that a login issues: sound, or with one fault.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::{KeyPair as RsaKey, KeySize, PublicKeyComponents},
    signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// How a specimen issues and verifies tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenRules {
    pub(crate) form: Form,
    /// The secret that signs JWTs; a random one if `None`.
    pub(crate) key: Option<&'static str>,
    /// The lifetime of a JWT in seconds; unlimited if `None`.
    pub(crate) lifetime: Option<u64>,
    pub(crate) checks: Checks,
    /// Which claims of a JWT are verified.
    pub(crate) claims: Claims,
    /// Whether a JWT has an id.
    pub(crate) has_id: bool,
    /// Whether a JWT contains the password's hash.
    pub(crate) leaks_password_hash: bool,
    /// Whether a token in the URL is accepted.
    pub(crate) accepted_in_url: bool,
    /// Whether caches may store the response that contains the tokens.
    pub(crate) cacheable: bool,
    /// Whether logout revokes a token.
    pub(crate) revoked_at_logout: bool,
    /// Whether a refresh token can be used twice.
    pub(crate) refresh_reusable: bool,
    /// Whether a password change revokes the tokens that were issued before.
    pub(crate) revoked_at_password_change: bool,
    /// Whether a token is valid only from the address that it was issued to.
    pub(crate) bound_to_address: bool,
}

/// The form of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    /// 32 random bytes.
    Opaque,
    /// A consecutive number.
    Counted,
    /// A JWT signed with a secret.
    Jwt,
    /// A JWT signed with a private key.
    Rsa,
}

impl Form {
    fn is_jwt(self) -> bool {
        matches!(self, Self::Jwt | Self::Rsa)
    }
}

/// Which claims of a JWT are verified.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Claims {
    All,
    /// All but the expiry.
    IgnoresExpiry,
    /// The expiry, but neither issuer nor audience nor the start of validity.
    OnlyExpiry,
}

/// How a token is verified.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Checks {
    All,
    /// A JWT with the algorithm `none` is accepted.
    AcceptsUnsigned,
    /// A JWT with the algorithm HS256 is verified with the public key as a secret.
    AcceptsPublicKeyAsSecret,
    /// A JWT with a key in its header is verified with that key.
    AcceptsEmbeddedKey,
    /// Any token is accepted.
    Presence,
    /// No token is required.
    Nothing,
}

pub(crate) const SOUND: TokenRules = TokenRules {
    form: Form::Opaque,
    key: None,
    lifetime: Some(900),
    checks: Checks::All,
    claims: Claims::All,
    has_id: true,
    leaks_password_hash: false,
    accepted_in_url: false,
    cacheable: false,
    revoked_at_logout: true,
    refresh_reusable: false,
    revoked_at_password_change: true,
    bound_to_address: false,
};

pub(crate) const SOUND_JWT: TokenRules = TokenRules {
    form: Form::Jwt,
    ..SOUND
};

pub(crate) const SOUND_RSA: TokenRules = TokenRules {
    form: Form::Rsa,
    ..SOUND
};

/// An access token and the refresh token of its family.
pub(crate) struct TokenPair {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// The tokens of one login.
pub(crate) struct Tokens {
    rules: TokenRules,
    /// The secret that signs JWTs.
    key: String,
    /// The private key that signs JWTs.
    pair: Option<RsaKey>,
    count: u64,
    /// The number of password changes, by account.
    changes: HashMap<String, u64>,
    /// The address that each token was issued to.
    addresses: HashMap<String, IpAddr>,
    /// The account of each opaque token.
    opaque: HashMap<String, String>,
    /// Revoked tokens.
    revoked: HashSet<String>,
    /// The account of each refresh token, and whether the token was used.
    refresh: HashMap<String, (String, bool)>,
}

impl Tokens {
    pub(crate) fn new(rules: TokenRules) -> Self {
        // Without a key there are no tokens worth testing.
        let pair = || RsaKey::generate(KeySize::Rsa2048).expect("a key pair is generated");
        Self {
            rules,
            key: rules.key.map_or_else(random_token, str::to_owned),
            pair: (rules.form == Form::Rsa).then(pair),
            count: 0,
            changes: HashMap::new(),
            addresses: HashMap::new(),
            opaque: HashMap::new(),
            revoked: HashSet::new(),
            refresh: HashMap::new(),
        }
    }

    /// Returns the secret that signs JWTs, if a secret does.
    pub(crate) fn secret(&self) -> Option<&str> {
        (self.rules.form == Form::Jwt).then_some(&*self.key)
    }

    /// Returns the public keys as a JWK set (RFC 7517).
    pub(crate) fn jwks(&self) -> Value {
        let key = |pair: &RsaKey| {
            let public = pair.public_key();
            let number = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
            json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "lab",
                "n": number(public.modulus().big_endian_without_leading_zero()),
                "e": number(public.exponent().big_endian_without_leading_zero())})
        };
        json!({"keys": self.pair.iter().map(key).collect::<Vec<_>>()})
    }

    /// Issues tokens to an account at an address.
    pub(crate) fn issue(&mut self, name: &str, address: IpAddr) -> TokenPair {
        self.count += 1;
        let access = match self.rules.form {
            Form::Opaque => random_token(),
            Form::Counted => format!("lab-{:08}", self.count),
            Form::Jwt | Form::Rsa => self.issue_jwt(name),
        };
        if !self.rules.form.is_jwt() {
            self.opaque.insert(access.clone(), name.to_owned());
        }
        if self.rules.bound_to_address {
            self.addresses.insert(access.clone(), address);
        }
        let refresh = random_token();
        self.refresh
            .insert(refresh.clone(), (name.to_owned(), false));
        TokenPair { access, refresh }
    }

    /// Returns the account of a valid token.
    pub(crate) fn find_owner(&self, token: Option<&str>, address: IpAddr) -> Option<String> {
        if self.rules.checks == Checks::Nothing {
            return Some("anyone".into());
        }
        let token = token.filter(|token| !self.revoked.contains(*token))?;
        if self
            .addresses
            .get(token)
            .is_some_and(|issued_to| *issued_to != address)
        {
            return None;
        }
        match self.rules.checks {
            Checks::Presence => Some("anyone".into()),
            _ if self.rules.form.is_jwt() => self.verify_jwt(token),
            _ => self.opaque.get(token).cloned(),
        }
    }

    /// Revokes a token.
    pub(crate) fn revoke(&mut self, token: &str) {
        self.opaque.remove(token);
        self.revoked.insert(token.to_owned());
    }

    /// Revokes an account's tokens after a password change.
    pub(crate) fn revoke_after_change(&mut self, name: &str) {
        if self.rules.revoked_at_password_change {
            self.opaque.retain(|_, owner| owner != name);
            self.refresh.retain(|_, (owner, _)| owner != name);
            *self.changes.entry(name.to_owned()).or_default() += 1;
        }
    }

    fn count_changes(&self, name: &str) -> u64 {
        self.changes.get(name).copied().unwrap_or_default()
    }

    /// Revokes a token at logout.
    pub(crate) fn log_out(&mut self, token: &str) {
        if self.rules.revoked_at_logout {
            self.revoke(token);
        }
    }

    /// Exchanges a refresh token for a new pair. A token that is used twice was stolen: its family is
    /// revoked.
    pub(crate) fn refresh(&mut self, token: &str, address: IpAddr) -> Option<TokenPair> {
        let (name, used) = self.refresh.get_mut(token)?;
        let (name, was_used) = (name.clone(), std::mem::replace(used, true));
        if was_used && !self.rules.refresh_reusable {
            self.refresh.retain(|_, (other, _)| *other != name);
            return None;
        }
        Some(self.issue(&name, address))
    }

    fn issue_jwt(&self, name: &str) -> String {
        let now = unix_time();
        let mut claims = json!({"sub": name, "iat": now, "nbf": now, "iss": "lab", "aud": "lab",
            "changes": self.count_changes(name)});
        if let Some(lifetime) = self.rules.lifetime {
            claims["exp"] = (now + lifetime).into();
        }
        if self.rules.has_id {
            claims["jti"] = random_token().into();
        }
        if self.rules.leaks_password_hash {
            claims["password_hash"] =
                "$2b$12$C6UzMDM.H6dfI/f/IKcEeO5kdhXIFJ3p8y7FQmJ1Zl0tAR3Q8sE6e".into();
        }
        let header = match self.rules.form {
            Form::Rsa => json!({"alg": "RS256", "typ": "JWT", "kid": "lab"}),
            _ => json!({"alg": "HS256", "typ": "JWT"}),
        };
        let signed = format!("{}.{}", encode_part(&header), encode_part(&claims));
        let signature = match &self.pair {
            Some(pair) => sign_rsa(pair, &signed),
            None => BASE64_URL_SAFE_NO_PAD.encode(hmac_sha256(self.key.as_bytes(), &signed)),
        };
        format!("{signed}.{signature}")
    }

    fn verify_jwt(&self, token: &str) -> Option<String> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decoded = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
        let header: Value = serde_json::from_slice(&decoded(header)?).ok()?;
        let claims: Value = serde_json::from_slice(&decoded(claims)?).ok()?;
        let name = claims["sub"].as_str()?;
        let is_valid = self.is_signature_valid(&header, signed, &decoded(signature)?)
            && self.are_claims_valid(&claims)
            && claims["changes"] == self.count_changes(name);
        is_valid.then(|| name.to_owned())
    }

    fn is_signature_valid(&self, header: &Value, signed: &str, signature: &[u8]) -> bool {
        let algorithm = header["alg"].as_str().unwrap_or_default();
        match (self.rules.checks, &self.pair) {
            (Checks::AcceptsUnsigned, _) if algorithm.eq_ignore_ascii_case("none") => true,
            (Checks::AcceptsPublicKeyAsSecret, Some(pair)) if algorithm == "HS256" => {
                hmac_sha256(encode_pem(pair).as_bytes(), signed) == signature
            }
            (Checks::AcceptsEmbeddedKey, Some(_)) if header["jwk"].is_object() => {
                let number = |name: &str| {
                    let text = header["jwk"][name].as_str().unwrap_or_default();
                    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap_or_default()
                };
                is_signed_by(&number("n"), &number("e"), signed, signature)
            }
            (_, Some(pair)) => {
                let public = pair.public_key();
                let [n, e] = [public.modulus(), public.exponent()]
                    .map(|number| number.big_endian_without_leading_zero().to_vec());
                algorithm == "RS256" && is_signed_by(&n, &e, signed, signature)
            }
            (_, None) => {
                algorithm == "HS256" && hmac_sha256(self.key.as_bytes(), signed) == signature
            }
        }
    }

    fn are_claims_valid(&self, claims: &Value) -> bool {
        let time = |claim: &str| claims[claim].as_u64();
        let is_expired = time("exp").is_some_and(|end| end < unix_time());
        let has_begun = time("nbf").is_none_or(|start| start <= unix_time());
        let is_for_lab = claims["aud"] == "lab" && claims["iss"] == "lab" && has_begun;
        match self.rules.claims {
            Claims::All => !is_expired && is_for_lab,
            Claims::IgnoresExpiry => is_for_lab,
            Claims::OnlyExpiry => !is_expired,
        }
    }
}

fn is_signed_by(n: &[u8], e: &[u8], signed: &str, signature: &[u8]) -> bool {
    let key = PublicKeyComponents { n, e };
    key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), signature)
        .is_ok()
}

fn sign_rsa(pair: &RsaKey, text: &str) -> String {
    let mut signature = vec![0; pair.public_modulus_len()];
    let random = SystemRandom::new();
    let signed = pair.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature);
    signed.map_or_else(
        |_| String::new(),
        |()| BASE64_URL_SAFE_NO_PAD.encode(signature),
    )
}

/// Returns the public key in PEM (RFC 7468).
fn encode_pem(pair: &RsaKey) -> String {
    let der = pair.public_key().as_der();
    let text = der.map_or_else(
        |_| String::new(),
        |der| BASE64_STANDARD.encode(der.as_ref()),
    );
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .map(|at| &text[at..text.len().min(at + 64)])
        .collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        lines.join("\n")
    )
}

pub(crate) fn hmac_sha256(key: &[u8], text: &str) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn encode_part(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Returns 32 random bytes in Base64.
pub(crate) fn random_token() -> String {
    let mut bytes = [0; 32];
    // Without randomness there are no tokens worth testing.
    getrandom::fill(&mut bytes).expect("the system provides randomness");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Returns the seconds since 1970.
pub(crate) fn unix_time() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

    fn find<'a>(tokens: &Tokens, token: impl Into<Option<&'a str>>) -> Option<String> {
        tokens.find_owner(token.into(), HERE)
    }

    #[test]
    fn sound_tokens_of_each_form_belong_to_their_account_until_they_are_revoked() {
        for rules in [SOUND, SOUND_JWT, SOUND_RSA] {
            let mut tokens = Tokens::new(rules);
            let [ann, bob] = ["ann", "bob"].map(|name| tokens.issue(name, HERE).access);
            assert_eq!(find(&tokens, &*ann).as_deref(), Some("ann"));
            assert_eq!(find(&tokens, "invalid"), None);
            assert_eq!(find(&tokens, None), None);
            tokens.log_out(&ann);
            assert_eq!(find(&tokens, &*ann), None, "{:?}", rules.form);
            assert_eq!(find(&tokens, &*bob).as_deref(), Some("bob"));
            tokens.revoke_after_change("bob");
            assert_eq!(find(&tokens, &*bob), None, "{:?}", rules.form);
            let again = tokens.issue("bob", HERE).access;
            assert_eq!(find(&tokens, &*again).as_deref(), Some("bob"));
        }
    }

    #[test]
    fn a_modified_jwt_is_invalid() {
        for rules in [SOUND_JWT, SOUND_RSA] {
            let mut tokens = Tokens::new(rules);
            let token = tokens.issue("ann", HERE).access;
            let parts: Vec<_> = token.split('.').collect();
            let admin = encode_part(&json!({"sub": "admin", "iss": "lab", "aud": "lab"}));
            let forged = [parts[0], &admin, parts[2]].join(".");
            let unsigned = [parts[0], parts[1], ""].join(".");
            let none = encode_part(&json!({"alg": "none"}));
            let none = [&*none, parts[1], ""].join(".");
            for invalid in [&*forged, &unsigned, &none, "..", "a.b"] {
                assert_eq!(find(&tokens, invalid), None, "{invalid}");
            }
        }
    }

    #[test]
    fn only_a_jwt_signed_with_a_secret_has_one() {
        let secret = |rules| Tokens::new(rules).secret().map(str::to_owned);
        assert!(secret(SOUND).is_none() && secret(SOUND_RSA).is_none());
        assert_ne!(secret(SOUND_JWT), secret(SOUND_JWT), "a random secret");
    }

    #[test]
    fn public_keys_are_published_where_a_private_key_signs() {
        let count = |rules| Tokens::new(rules).jwks()["keys"].as_array().map(Vec::len);
        assert_eq!(count(SOUND_RSA), Some(1));
        assert_eq!(count(SOUND_JWT), Some(0));
    }

    #[test]
    fn a_reused_refresh_token_revokes_its_family() {
        let mut tokens = Tokens::new(SOUND);
        let first = tokens.issue("ann", HERE);
        let second = tokens.refresh(&first.refresh, HERE).unwrap();
        assert_eq!(find(&tokens, &*second.access).as_deref(), Some("ann"));
        assert!(tokens.refresh(&first.refresh, HERE).is_none());
        assert!(tokens.refresh(&second.refresh, HERE).is_none());
        assert!(tokens.refresh("invalid", HERE).is_none());
    }

    #[test]
    fn a_bound_token_is_valid_at_its_address_only() {
        let rules = TokenRules {
            bound_to_address: true,
            ..SOUND
        };
        let mut tokens = Tokens::new(rules);
        let token = tokens.issue("ann", HERE).access;
        assert!(find(&tokens, &*token).is_some());
        assert!(tokens.find_owner(Some(&token), ELSEWHERE).is_none());
    }

    #[test]
    fn a_pem_has_lines_of_64_characters() {
        let tokens = Tokens::new(SOUND_RSA);
        let pem = encode_pem(tokens.pair.as_ref().unwrap());
        let lines: Vec<_> = pem.lines().collect();
        assert_eq!(lines.first(), Some(&"-----BEGIN PUBLIC KEY-----"));
        assert_eq!(lines.last(), Some(&"-----END PUBLIC KEY-----"));
        assert!(
            lines[1..lines.len() - 2]
                .iter()
                .all(|line| line.len() == 64)
        );
    }
}
