//! What a login hands out: sound, or with one fault.

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

/// How a specimen's tokens are made and checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenRules {
    pub(crate) form: Form,
    /// The key of JWTs; `None` is a random one.
    pub(crate) key: Option<&'static str>,
    /// Seconds that a JWT is good for; `None`: for ever.
    pub(crate) lifetime: Option<u64>,
    pub(crate) checks: Checks,
    /// Whether a JWT's claims are held against what they should say.
    pub(crate) claims: Claims,
    /// Whether a JWT has an id.
    pub(crate) has_id: bool,
    /// Whether a JWT carries the password's hash.
    pub(crate) tells: bool,
    /// Whether a token in the URL will do.
    pub(crate) in_url: bool,
    /// Whether the answer that holds tokens may be stored.
    pub(crate) cacheable: bool,
    /// Whether logout ends a token.
    pub(crate) ends_at_logout: bool,
    /// Whether a refresh token can be used twice.
    pub(crate) refreshes_again: bool,
    /// Whether a new password ends the tokens that were made before it.
    pub(crate) ends_at_change: bool,
    /// Whether a token is good only for the address that it was given to.
    pub(crate) bound: bool,
}

/// What a token looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    /// 32 random bytes.
    Opaque,
    /// The number of tokens so far.
    Counted,
    /// Signed by a secret.
    Jwt,
    /// Signed by a private key.
    Rsa,
}

impl Form {
    fn is_jwt(self) -> bool {
        matches!(self, Self::Jwt | Self::Rsa)
    }
}

/// Which claims of a JWT are held against what they should say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Claims {
    All,
    /// All but its end.
    NotTheEnd,
    /// Its end, but not for whom and by whom it is.
    OnlyTheEnd,
}

/// What of a token is checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Checks {
    All,
    /// A JWT that says it is not signed is believed.
    BelievesNone,
    /// A JWT that says HS256 is verified with the public key as if it were a secret.
    Confuses,
    /// A JWT that brings its own key is verified with that.
    BelievesItsKey,
    /// That there is one.
    Presence,
    /// Nothing: the route answers anybody.
    Nothing,
}

pub(crate) const SOUND: TokenRules = TokenRules {
    form: Form::Opaque,
    key: None,
    lifetime: Some(900),
    checks: Checks::All,
    claims: Claims::All,
    has_id: true,
    tells: false,
    in_url: false,
    cacheable: false,
    ends_at_logout: true,
    refreshes_again: false,
    ends_at_change: true,
    bound: false,
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
pub(crate) struct Pair {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// The tokens of one login.
pub(crate) struct Tokens {
    rules: TokenRules,
    /// The secret of JWTs that are signed by one.
    key: String,
    /// The key pair of those that are signed by one.
    pair: Option<RsaKey>,
    count: u64,
    /// How often each account's password was changed.
    changes: HashMap<String, u64>,
    /// The address that each token was given to.
    places: HashMap<String, IpAddr>,
    /// Whose each opaque token is.
    opaque: HashMap<String, String>,
    /// JWTs that were logged out.
    ended: HashSet<String>,
    /// Whose each refresh token is, and whether it was used.
    refresh: HashMap<String, (String, bool)>,
}

impl Tokens {
    pub(crate) fn new(rules: TokenRules) -> Self {
        // Without a key a lab has no tokens that are worth testing.
        let pair = || RsaKey::generate(KeySize::Rsa2048).expect("a key pair can be made");
        Self {
            rules,
            key: rules.key.map_or_else(random, str::to_owned),
            pair: (rules.form == Form::Rsa).then(pair),
            count: 0,
            changes: HashMap::new(),
            places: HashMap::new(),
            opaque: HashMap::new(),
            ended: HashSet::new(),
            refresh: HashMap::new(),
        }
    }

    /// The secret that signs JWTs, where one does.
    pub(crate) fn secret(&self) -> Option<&str> {
        (self.rules.form == Form::Jwt).then_some(&*self.key)
    }

    /// The public keys, as RFC 7517 wants them.
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

    pub(crate) fn issue(&mut self, name: &str, address: IpAddr) -> Pair {
        self.count += 1;
        let access = match self.rules.form {
            Form::Opaque => random(),
            Form::Counted => format!("lab-{:08}", self.count),
            Form::Jwt | Form::Rsa => self.jwt(name),
        };
        if !self.rules.form.is_jwt() {
            self.opaque.insert(access.clone(), name.to_owned());
        }
        if self.rules.bound {
            self.places.insert(access.clone(), address);
        }
        let refresh = random();
        self.refresh
            .insert(refresh.clone(), (name.to_owned(), false));
        Pair { access, refresh }
    }

    /// Whose token it is, if it is good.
    pub(crate) fn owner(&self, token: Option<&str>, address: IpAddr) -> Option<String> {
        if self.rules.checks == Checks::Nothing {
            return Some("anybody".into());
        }
        let token = token.filter(|token| !self.ended.contains(*token))?;
        if self
            .places
            .get(token)
            .is_some_and(|place| *place != address)
        {
            return None;
        }
        match self.rules.checks {
            Checks::Presence => Some("anybody".into()),
            _ if self.rules.form.is_jwt() => self.claimed(token),
            _ => self.opaque.get(token).cloned(),
        }
    }

    /// Ends a token, whoever asks.
    pub(crate) fn revoke(&mut self, token: &str) {
        self.opaque.remove(token);
        self.ended.insert(token.to_owned());
    }

    /// The password was changed.
    pub(crate) fn changed(&mut self, name: &str) {
        if self.rules.ends_at_change {
            self.opaque.retain(|_, owner| owner != name);
            self.refresh.retain(|_, (owner, _)| owner != name);
            *self.changes.entry(name.to_owned()).or_default() += 1;
        }
    }

    fn changes_of(&self, name: &str) -> u64 {
        self.changes.get(name).copied().unwrap_or_default()
    }

    pub(crate) fn logout(&mut self, token: &str) {
        if self.rules.ends_at_logout {
            self.revoke(token);
        }
    }

    /// A new pair for a refresh token. One that comes twice was stolen: its family ends.
    pub(crate) fn refresh(&mut self, token: &str, address: IpAddr) -> Option<Pair> {
        let (name, used) = self.refresh.get_mut(token)?;
        let (name, again) = (name.clone(), std::mem::replace(used, true));
        if again && !self.rules.refreshes_again {
            self.refresh.retain(|_, (other, _)| *other != name);
            return None;
        }
        Some(self.issue(&name, address))
    }

    fn jwt(&self, name: &str) -> String {
        let now = now();
        let mut claims = json!({"sub": name, "iat": now, "nbf": now, "iss": "lab", "aud": "lab",
            "changes": self.changes_of(name)});
        if let Some(lifetime) = self.rules.lifetime {
            claims["exp"] = (now + lifetime).into();
        }
        if self.rules.has_id {
            claims["jti"] = random().into();
        }
        if self.rules.tells {
            claims["password_hash"] =
                "$2b$12$C6UzMDM.H6dfI/f/IKcEeO5kdhXIFJ3p8y7FQmJ1Zl0tAR3Q8sE6e".into();
        }
        let header = match self.rules.form {
            Form::Rsa => json!({"alg": "RS256", "typ": "JWT", "kid": "lab"}),
            _ => json!({"alg": "HS256", "typ": "JWT"}),
        };
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = match &self.pair {
            Some(pair) => rsa(pair, &signed),
            None => BASE64_URL_SAFE_NO_PAD.encode(hmac(self.key.as_bytes(), &signed)),
        };
        format!("{signed}.{signature}")
    }

    fn claimed(&self, token: &str) -> Option<String> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decoded = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
        let header: Value = serde_json::from_slice(&decoded(header)?).ok()?;
        let claims: Value = serde_json::from_slice(&decoded(claims)?).ok()?;
        let name = claims["sub"].as_str()?;
        let good = self.is_signed(&header, signed, &decoded(signature)?)
            && self.claims_hold(&claims)
            && claims["changes"] == self.changes_of(name);
        good.then(|| name.to_owned())
    }

    fn is_signed(&self, header: &Value, signed: &str, signature: &[u8]) -> bool {
        let algorithm = header["alg"].as_str().unwrap_or_default();
        match (self.rules.checks, &self.pair) {
            (Checks::BelievesNone, _) if algorithm.eq_ignore_ascii_case("none") => true,
            (Checks::Confuses, Some(pair)) if algorithm == "HS256" => {
                hmac(pem(pair).as_bytes(), signed) == signature
            }
            (Checks::BelievesItsKey, Some(_)) if header["jwk"].is_object() => {
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
            (_, None) => algorithm == "HS256" && hmac(self.key.as_bytes(), signed) == signature,
        }
    }

    fn claims_hold(&self, claims: &Value) -> bool {
        let at = |claim: &str| claims[claim].as_u64();
        let ended = at("exp").is_some_and(|end| end < now());
        let begun = at("nbf").is_none_or(|start| start <= now());
        let meant = claims["aud"] == "lab" && claims["iss"] == "lab" && begun;
        match self.rules.claims {
            Claims::All => !ended && meant,
            Claims::NotTheEnd => meant,
            Claims::OnlyTheEnd => !ended,
        }
    }
}

fn is_signed_by(n: &[u8], e: &[u8], signed: &str, signature: &[u8]) -> bool {
    let key = PublicKeyComponents { n, e };
    key.verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), signature)
        .is_ok()
}

fn rsa(pair: &RsaKey, text: &str) -> String {
    let mut signature = vec![0; pair.public_modulus_len()];
    let random = SystemRandom::new();
    let signed = pair.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature);
    signed.map_or_else(
        |_| String::new(),
        |()| BASE64_URL_SAFE_NO_PAD.encode(signature),
    )
}

/// The public key as a file holds it (RFC 7468).
fn pem(pair: &RsaKey) -> String {
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

pub(crate) fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Vec::new();
    };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn part(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

pub(crate) fn random() -> String {
    let mut bytes = [0; 32];
    // Without randomness a lab has no tokens that are worth testing.
    getrandom::fill(&mut bytes).expect("the system gives randomness");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}
