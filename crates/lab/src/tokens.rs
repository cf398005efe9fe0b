//! What a login hands out: sound, or with one fault.

use std::{
    collections::{HashMap, HashSet},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
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
}

/// What a token looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    /// 32 random bytes.
    Opaque,
    /// The number of tokens so far.
    Counted,
    Jwt,
}

/// What of a token is checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Checks {
    All,
    /// A JWT that says it is not signed is believed.
    BelievesNone,
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
    has_id: true,
    tells: false,
    in_url: false,
    cacheable: false,
    ends_at_logout: true,
    refreshes_again: false,
};

pub(crate) const SOUND_JWT: TokenRules = TokenRules {
    form: Form::Jwt,
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
    key: Vec<u8>,
    count: u64,
    /// Whose each opaque token is.
    opaque: HashMap<String, String>,
    /// JWTs that were logged out.
    ended: HashSet<String>,
    /// Whose each refresh token is, and whether it was used.
    refresh: HashMap<String, (String, bool)>,
}

impl Tokens {
    pub(crate) fn new(rules: TokenRules) -> Self {
        let key = rules.key.map_or_else(random, str::to_owned).into_bytes();
        Self {
            rules,
            key,
            count: 0,
            opaque: HashMap::new(),
            ended: HashSet::new(),
            refresh: HashMap::new(),
        }
    }

    pub(crate) fn issue(&mut self, name: &str) -> Pair {
        self.count += 1;
        let access = match self.rules.form {
            Form::Opaque => random(),
            Form::Counted => format!("lab-{:08}", self.count),
            Form::Jwt => self.jwt(name),
        };
        if self.rules.form != Form::Jwt {
            self.opaque.insert(access.clone(), name.to_owned());
        }
        let refresh = random();
        self.refresh
            .insert(refresh.clone(), (name.to_owned(), false));
        Pair { access, refresh }
    }

    /// Whose token it is, if it is good.
    pub(crate) fn owner(&self, token: Option<&str>) -> Option<String> {
        if self.rules.checks == Checks::Nothing {
            return Some("anybody".into());
        }
        let token = token.filter(|token| !self.ended.contains(*token))?;
        match (self.rules.checks, self.rules.form) {
            (Checks::Presence, _) => Some("anybody".into()),
            (_, Form::Jwt) => self.claimed(token),
            _ => self.opaque.get(token).cloned(),
        }
    }

    pub(crate) fn logout(&mut self, token: &str) {
        if self.rules.ends_at_logout {
            self.opaque.remove(token);
            self.ended.insert(token.to_owned());
        }
    }

    /// A new pair for a refresh token. One that comes twice was stolen: its family ends.
    pub(crate) fn refresh(&mut self, token: &str) -> Option<Pair> {
        let (name, used) = self.refresh.get_mut(token)?;
        let (name, again) = (name.clone(), std::mem::replace(used, true));
        if again && !self.rules.refreshes_again {
            self.refresh.retain(|_, (other, _)| *other != name);
            return None;
        }
        Some(self.issue(&name))
    }

    fn jwt(&self, name: &str) -> String {
        let now = now();
        let mut claims = json!({"sub": name, "iat": now, "nbf": now, "iss": "lab", "aud": "lab"});
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
        let signed = format!(
            "{}.{}",
            part(&json!({"alg": "HS256", "typ": "JWT"})),
            part(&claims)
        );
        format!("{signed}.{}", self.sign(&signed))
    }

    fn claimed(&self, token: &str) -> Option<String> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let [header, claims] =
            [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.decode(part).ok());
        let header: Value = serde_json::from_slice(&header?).ok()?;
        let claims: Value = serde_json::from_slice(&claims?).ok()?;
        let algorithm = header["alg"].as_str()?;
        let unsigned =
            algorithm.eq_ignore_ascii_case("none") && self.rules.checks == Checks::BelievesNone;
        let sound = algorithm == "HS256" && self.sign(signed) == signature;
        let expired = claims["exp"].as_u64().is_some_and(|at| at < now());
        ((unsigned || sound) && !expired).then(|| claims["sub"].as_str().map(str::to_owned))?
    }

    fn sign(&self, text: &str) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            return String::new();
        };
        mac.update(text.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    }
}

fn part(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

fn random() -> String {
    let mut bytes = [0; 32];
    // Without randomness a lab has no tokens that are worth testing.
    getrandom::fill(&mut bytes).expect("the system gives randomness");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs())
}
