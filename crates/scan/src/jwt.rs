//! Reads and forges JSON Web Tokens (RFC 7519) of the scanner's own accounts. The responses to
//! forged tokens show what the application verifies.

use aws_lc_rs::{
    encoding::AsDer,
    rand::SystemRandom,
    rsa::{KeyPair as RsaKey, KeySize, PublicKeyComponents},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    },
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384, Sha512};

use crate::Secret;

/// A parsed token: its header names an algorithm, and its claims are an object.
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

    /// Returns a claim that is a number of seconds.
    pub(crate) fn seconds(&self, claim: &str) -> Option<f64> {
        self.claims[claim].as_f64()
    }

    /// Returns the token with the header's algorithm replaced and without a signature.
    pub(crate) fn unsigned(&self, algorithm: &str) -> String {
        let mut header = self.header.clone();
        header["alg"] = algorithm.into();
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(&header), part(&self.claims))
    }

    /// Returns a token with these claims and this header, signed with the key.
    pub(crate) fn signed_by(key: &Key, header: &Value, claims: &Value) -> Option<String> {
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = key.sign(header["alg"].as_str()?, &signed)?;
        Some(format!(
            "{signed}.{}",
            BASE64_URL_SAFE_NO_PAD.encode(signature)
        ))
    }

    /// Returns the token without its signature.
    pub(crate) fn stripped(&self) -> String {
        format!("{}.", self.signed)
    }

    /// Returns true if the token was signed with this key, for algorithms with a shared secret.
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

/// A key that signs.
pub(crate) enum Key {
    Secret(Vec<u8>),
    Rsa(RsaKey),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Key {
    /// Reads a private key in PEM (PKCS#8, RFC 5958); any other text is a shared secret.
    pub(crate) fn of(given: &Secret) -> Result<Self, &'static str> {
        let text = given.expose().trim();
        let Some(pem) = text.strip_prefix("-----BEGIN PRIVATE KEY-----") else {
            let is_pem = text.starts_with("-----BEGIN");
            return if is_pem {
                Err(
                    "the key is not a PKCS#8 private key; convert it with `openssl pkcs8 -topk8 -nocrypt`",
                )
            } else {
                Ok(Self::Secret(given.expose().as_bytes().to_vec()))
            };
        };
        let lines = pem.lines().take_while(|line| !line.starts_with("-----"));
        let der = BASE64_STANDARD.decode(lines.map(str::trim).collect::<String>());
        let der = der.map_err(|_| "the private key is not valid Base64")?;
        if let Ok(key) = RsaKey::from_pkcs8(&der) {
            return Ok(Self::Rsa(key));
        }
        if let Ok(key) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der) {
            return Ok(Self::Ec(key));
        }
        let ed = Ed25519KeyPair::from_pkcs8(&der);
        ed.map(Self::Ed)
            .map_err(|_| "unsupported private key; use RSA, P-256 or Ed25519")
    }

    /// Generates a key for this algorithm; returns it with the algorithm and its JWK (RFC 7517).
    pub(crate) fn invented(algorithm: &str) -> Option<(Self, &'static str, Value)> {
        let number = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        match algorithm {
            "ES256" => {
                let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).ok()?;
                let point = key.public_key().as_ref();
                let (x, y) = (number(point.get(1..33)?), number(point.get(33..65)?));
                let jwk = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y});
                Some((Self::Ec(key), "ES256", jwk))
            }
            "EdDSA" => {
                let key = Ed25519KeyPair::generate().ok()?;
                let x = number(key.public_key().as_ref());
                Some((
                    Self::Ed(key),
                    "EdDSA",
                    json!({"kty": "OKP", "crv": "Ed25519", "x": x}),
                ))
            }
            _ if algorithm.starts_with("HS") => {
                let key = b"a key that came with the token, 32 b".to_vec();
                let jwk = json!({"kty": "oct", "k": number(&key)});
                Some((Self::Secret(key), "HS256", jwk))
            }
            _ => {
                let key = RsaKey::generate(KeySize::Rsa2048).ok()?;
                let public = key.public_key();
                let [n, e] = [public.modulus(), public.exponent()]
                    .map(|value| number(value.big_endian_without_leading_zero()));
                let jwk = json!({"kty": "RSA", "n": n, "e": e});
                Some((Self::Rsa(key), "RS256", jwk))
            }
        }
    }

    fn sign(&self, algorithm: &str, text: &str) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match self {
            Self::Secret(key) => match algorithm {
                "HS384" => tag::<Hmac<Sha384>>(key, text),
                "HS512" => tag::<Hmac<Sha512>>(key, text),
                _ => tag::<Hmac<Sha256>>(key, text),
            },
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                let signed = key.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature);
                signed.ok().map(|()| signature)
            }
            Self::Ec(key) => {
                let signature = key.sign(&random, text.as_bytes()).ok()?;
                Some(signature.as_ref().to_vec())
            }
            Self::Ed(key) => Some(key.sign(text.as_bytes()).as_ref().to_vec()),
        }
    }
}

fn tag<M: Mac + KeyInit>(key: &[u8], text: &str) -> Option<Vec<u8>> {
    let mac = <M as KeyInit>::new_from_slice(key).ok()?;
    Some(mac.chain_update(text).finalize().into_bytes().to_vec())
}

/// Returns a public key from a JWKS as the PEM file that an application may store (RFC 7468), with
/// and without the final newline.
pub(crate) fn public_key_files(jwk: &Value) -> Option<[Vec<u8>; 2]> {
    let number = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(jwk[name].as_str()?).ok();
    let der = match jwk["kty"].as_str()? {
        "RSA" => {
            let (n, e) = (number("n")?, number("e")?);
            let der = PublicKeyComponents { n, e }.as_der().ok()?;
            der.as_ref().to_vec()
        }
        // RFC 5480: a P-256 key's algorithm, and the point.
        "EC" if jwk["crv"] == "P-256" => {
            const HEAD: [u8; 27] = [
                0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
                0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
            ];
            [HEAD.to_vec(), number("x")?, number("y")?].concat()
        }
        _ => return None,
    };
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len())
        .step_by(64)
        .filter_map(|at| text.get(at..text.len().min(at + 64)))
        .collect();
    let file = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----",
        lines.join("\n")
    );
    Some([format!("{file}\n").into_bytes(), file.into_bytes()])
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
    fn what_is_signed_by_a_key_verifies_with_it() {
        let header = json!({"alg": "HS256"});
        let key = Key::of(&Secret::new("k".into())).unwrap();
        let token = Jwt::signed_by(&key, &header, &json!({"sub": "a"})).unwrap();
        assert!(Jwt::parse(&token).unwrap().is_signed_with("k"));
        for (algorithm, length) in [("RS256", 256), ("ES256", 64), ("EdDSA", 64), ("HS512", 32)] {
            let (key, signs, jwk) = Key::invented(algorithm).unwrap();
            let token = Jwt::signed_by(&key, &json!({"alg": signs}), &json!({})).unwrap();
            assert_eq!(Jwt::parse(&token).unwrap().signature.len(), length);
            let asymmetric = jwk["kty"] == "RSA" || jwk["kty"] == "EC";
            assert_eq!(public_key_files(&jwk).is_some(), asymmetric);
        }
        let old = Secret::new("-----BEGIN RSA PRIVATE KEY-----\nMII".into());
        assert!(Key::of(&old).is_err_and(|reason| reason.contains("pkcs8")));
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
