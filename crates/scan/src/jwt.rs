//! A JSON Web Token (RFC 7519) of one's own, read and forged. What a forged one is answered says
//! what the application checks.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::{Sha256, Sha384, Sha512};

/// A token that parses: its header names an algorithm, and its claims are an object.
#[derive(Clone)]
pub(crate) struct Jwt {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    /// Header and claims as they were signed.
    signed: String,
    signature: Vec<u8>,
}

impl Jwt {
    pub(crate) fn parse(token: &str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let json = |part: &str| {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).ok()?;
            serde_json::from_slice::<Value>(&bytes).ok()
        };
        let (header, claims) = (json(header)?, json(claims)?);
        let whole = header["alg"].is_string() && claims.is_object();
        whole.then_some(Self {
            header,
            claims,
            signed: signed.to_owned(),
            signature: BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    pub(crate) fn algorithm(&self) -> &str {
        self.header["alg"].as_str().unwrap_or_default()
    }

    /// A claim that is a number of seconds.
    pub(crate) fn seconds(&self, claim: &str) -> Option<f64> {
        self.claims[claim].as_f64()
    }

    /// Its claims under a header that says it is signed by `algorithm`, without a signature.
    pub(crate) fn unsigned(&self, algorithm: &str) -> String {
        let mut header = self.header.clone();
        header["alg"] = algorithm.into();
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(&header), part(&self.claims))
    }

    /// It as it is, without its signature.
    pub(crate) fn stripped(&self) -> String {
        format!("{}.", self.signed)
    }

    /// Whether this key signed it; for the algorithms whose key is a secret.
    pub(crate) fn is_signed_with(&self, key: &str) -> bool {
        fn check<M: Mac + KeyInit>(key: &str, jwt: &Jwt) -> bool {
            let mac = <M as KeyInit>::new_from_slice(key.as_bytes());
            mac.is_ok_and(|mac| {
                mac.chain_update(&jwt.signed)
                    .verify_slice(&jwt.signature)
                    .is_ok()
            })
        }
        match self.algorithm() {
            "HS256" => check::<Hmac<Sha256>>(key, self),
            "HS384" => check::<Hmac<Sha384>>(key, self),
            "HS512" => check::<Hmac<Sha512>>(key, self),
            _ => false,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// A token with these claims, signed with `key` by HS256.
    fn token(claims: &Value, key: &str) -> String {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!(
            "{}.{}",
            part(&json!({"alg": "HS256", "typ": "JWT"})),
            part(claims)
        );
        let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
        let signature = mac.chain_update(&signed).finalize().into_bytes();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// The same, read.
    pub(crate) fn signed(claims: Value, key: &str) -> Jwt {
        Jwt::parse(&token(&claims, key)).unwrap()
    }

    #[test]
    fn the_example_of_rfc_7515_is_verified() {
        // RFC 7515 appendix A.1: token and key.
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let jwt = Jwt::parse(token).unwrap();
        assert_eq!(
            (jwt.algorithm(), jwt.seconds("exp")),
            ("HS256", Some(1_300_819_380.0))
        );
        assert!(!jwt.is_signed_with("secret"));
    }

    #[test]
    fn forged_ones_keep_the_claims() {
        let jwt = signed(json!({"sub": "a"}), "k");
        assert!(jwt.is_signed_with("k") && !jwt.is_signed_with("l"));
        let none = Jwt::parse(&jwt.unsigned("nOnE")).unwrap();
        assert_eq!((none.algorithm(), &none.claims), ("nOnE", &jwt.claims));
        assert!(Jwt::parse("a.b.c").is_none() && Jwt::parse("opaque").is_none());
        assert!(jwt.stripped().ends_with('.'));
    }
}
