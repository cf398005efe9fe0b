//! JSON Web Tokens (RFC 7519), signed and strictly verified.
//!
//! The caller chooses the one expected algorithm (RFC 8725 §3.1). A key that declares its purpose is used
//! for nothing else. Keys in a token (`jwk`, `jku`, `x5c`, `x5u`) are ignored. Ambiguous encodings are
//! rejected: padding, unused bits, duplicate members.

use std::fmt;

use aws_lc_rs::{
    hmac,
    rsa::PublicKeyComponents,
    signature::{self, ParsedPublicKey, UnparsedPublicKey},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use doorwarden_gate::http::Unambiguous;
use serde_json::{Map, Value};

/// The accepted clock difference, in seconds. RFC 8725 leaves it open; ours run on one machine or by NTP.
pub const LEEWAY: u64 = 5;

/// The maximum length of a token; ours take under 1 kB.
const LONGEST: usize = 16 * 1024;

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "their names are the standard's")]
pub enum Algorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    ES512,
    EdDSA,
}

/// An unsupported algorithm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unsupported algorithm `{0}`; use HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA"
)]
pub struct UnknownAlgorithm(String);

impl Algorithm {
    const ALL: [Self; 13] = [
        Self::HS256,
        Self::HS384,
        Self::HS512,
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::ES512,
        Self::EdDSA,
    ];

    /// Returns true if the key that verifies also signs.
    pub fn is_symmetric(self) -> bool {
        matches!(self, Self::HS256 | Self::HS384 | Self::HS512)
    }

    /// Returns the key type (`kty`) and the curve (`crv`), if it has one.
    fn kind(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::HS256 | Self::HS384 | Self::HS512 => ("oct", None),
            Self::RS256 | Self::RS384 | Self::RS512 => ("RSA", None),
            Self::PS256 | Self::PS384 | Self::PS512 => ("RSA", None),
            Self::ES256 => ("EC", Some("P-256")),
            Self::ES384 => ("EC", Some("P-384")),
            Self::ES512 => ("EC", Some("P-521")),
            Self::EdDSA => ("OKP", Some("Ed25519")),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::str::FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        let known = Self::ALL
            .into_iter()
            .find(|known| known.to_string() == name);
        known.ok_or_else(|| UnknownAlgorithm(name.escape_debug().to_string()))
    }
}

/// Why a token is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Not a JWT in compact form, or an ambiguous one.
    #[error("malformed token: {0}")]
    Malformed(&'static str),
    /// The header has another algorithm, or none.
    #[error("unexpected `alg` (expected {0})")]
    Algorithm(Algorithm),
    /// The header requires an extension that is not supported (RFC 7515 §4.1.11).
    #[error("unsupported critical header (`crit` or `b64`)")]
    Critical,
    /// No key can verify it.
    #[error("no usable key: {0}")]
    NoKey(&'static str),
    /// The signature was not made by the key.
    #[error("invalid signature")]
    Signature,
    /// A claim or the type is not as expected.
    #[error("{0}")]
    Claim(String),
}

/// The expectations of a token.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// Its only acceptable algorithm.
    pub algorithm: Algorithm,
    /// Its audience, one of `aud`.
    pub audience: Option<&'a str>,
    /// Its issuer (`iss`).
    pub issuer: Option<&'a str>,
    /// Its type (`typ`), without regard to case and to `application/` (RFC 7515 §4.1.9).
    pub typ: Option<&'a str>,
    /// The time, in seconds since 1970.
    pub now: u64,
}

/// A verified token.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// Its header.
    pub header: Map<String, Value>,
    /// Its claims; `None` if the payload is not a JSON object, which is accepted only if no claim is
    /// expected.
    pub claims: Option<Map<String, Value>>,
}

/// Public keys, or secrets (RFC 7517 §5).
#[derive(Clone, Debug, Default)]
pub struct Jwks(Vec<Jwk>);

/// Why a document is not a JWKS.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid JWKS: {0}; it must be a JSON object with `keys` (RFC 7517 §5), or one key")]
pub struct NoKeys(String);

#[derive(Clone)]
struct Jwk {
    members: Map<String, Value>,
}

impl fmt::Debug for Jwk {
    /// A key may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jwk({:?})", self.text("kid"))
    }
}

impl Jwks {
    /// Reads a set of keys, or one key.
    pub fn parse(text: &str) -> Result<Self, NoKeys> {
        let read: Result<Unambiguous, _> = serde_json::from_str(text);
        let Unambiguous(document) = read.map_err(|error| NoKeys(error.to_string()))?;
        let keys = match document {
            Value::Object(mut set) if set.contains_key("keys") => set.remove("keys"),
            Value::Object(key) => Some(Value::Array(vec![Value::Object(key)])),
            _ => None,
        };
        let Some(Value::Array(keys)) = keys else {
            return Err(NoKeys("missing `keys` array".into()));
        };
        let keys = keys.into_iter().map(|key| match key {
            Value::Object(members) => Ok(Jwk { members }),
            _ => Err(NoKeys("a key is not an object".into())),
        });
        Ok(Self(keys.collect::<Result<_, _>>()?))
    }
}

impl Jwks {
    /// Creates a set of one key from its members.
    pub(crate) fn of(members: Map<String, Value>) -> Self {
        Self(vec![Jwk { members }])
    }
}

impl Jwk {
    fn text(&self, member: &str) -> Option<&str> {
        self.members.get(member)?.as_str()
    }

    fn bytes(&self, member: &str) -> Option<Vec<u8>> {
        BASE64.decode(self.text(member)?).ok()
    }

    /// Returns true if the key is declared for verifying signatures of this algorithm.
    fn is_for(&self, algorithm: Algorithm) -> bool {
        let (kty, crv) = algorithm.kind();
        let says = |member: &str, wanted: &str| {
            let said = self.members.get(member);
            said.is_none_or(|said| said.as_str() == Some(wanted))
        };
        let operations = self.members.get("key_ops");
        let verifies = operations.is_none_or(|operations| {
            let listed = operations.as_array();
            listed.is_some_and(|listed| listed.iter().any(|one| one.as_str() == Some("verify")))
        });
        self.text("kty") == Some(kty)
            && crv.is_none_or(|crv| self.text("crv") == Some(crv))
            && says("alg", &algorithm.to_string())
            && says("use", "sig")
            && verifies
    }

    /// Verifies a signature; returns `None` if the key itself is unusable.
    fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> Option<bool> {
        let rsa = |parameters: &'static signature::RsaParameters| {
            let (n, e) = (self.bytes("n")?, self.bytes("e")?);
            // RFC 7518 §3.3: of 2048 bits or more; §6.3.1.1: no leading zeros.
            let (size, first) = (n.len() * 8, *n.first()?);
            let bits = size - first.leading_zeros() as usize;
            if first == 0 || !(2048..=8192).contains(&bits) {
                return None;
            }
            let key = PublicKeyComponents { n, e };
            Some(key.verify(parameters, signed, signature).is_ok())
        };
        let ec = |kind: &'static signature::EcdsaVerificationAlgorithm, width: usize| {
            let (x, y) = (self.bytes("x")?, self.bytes("y")?);
            if x.len() != width || y.len() != width {
                return None;
            }
            let point = [&[4][..], &x, &y].concat();
            let key = ParsedPublicKey::new(kind, point).ok()?;
            Some(key.verify_sig(signed, signature).is_ok())
        };
        // RFC 7518 §3.2: a key of at least the size of the hash.
        let secret = |kind: hmac::Algorithm| {
            let secret = zeroize::Zeroizing::new(self.bytes("k")?);
            let long = secret.len() >= kind.digest_algorithm().output_len();
            long.then(|| hmac::verify(&hmac::Key::new(kind, &secret), signed, signature).is_ok())
        };
        match algorithm {
            Algorithm::HS256 => secret(hmac::HMAC_SHA256),
            Algorithm::HS384 => secret(hmac::HMAC_SHA384),
            Algorithm::HS512 => secret(hmac::HMAC_SHA512),
            Algorithm::RS256 => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::RS384 => rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            Algorithm::RS512 => rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            Algorithm::PS256 => rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => rsa(&signature::RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => rsa(&signature::RSA_PSS_2048_8192_SHA512),
            Algorithm::ES256 => ec(&signature::ECDSA_P256_SHA256_FIXED, 32),
            Algorithm::ES384 => ec(&signature::ECDSA_P384_SHA384_FIXED, 48),
            Algorithm::ES512 => ec(&signature::ECDSA_P521_SHA512_FIXED, 66),
            Algorithm::EdDSA => {
                let point = self.bytes("x")?;
                if is_of_small_order(&point) {
                    return None;
                }
                let key = UnparsedPublicKey::new(&signature::ED25519, point);
                Some(key.verify(signed, signature).is_ok())
            }
        }
    }
}

/// Returns true if a point of Ed25519 has an order of 8 or less: forged signatures verify under it (RFC 8032
/// §5.1.7 leaves it open). Their y-coordinates, little-endian: 0, 1, two of order 8, and non-canonical
/// encodings from p - 1 to p + 1; with either sign bit.
fn is_of_small_order(point: &[u8]) -> bool {
    const EIGHTH: [u8; 32] = [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ];
    const OTHER_EIGHTH: [u8; 32] = [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ];
    let Some((last, rest)) = point.split_last() else {
        return false;
    };
    let last = last & 0x7f;
    let first = rest.first().copied().unwrap_or_default();
    let between = |byte: u8| rest.iter().skip(1).all(|one| *one == byte);
    let tiny = matches!(first, 0 | 1) && between(0) && last == 0;
    let wrapped = matches!(first, 0xec..=0xee) && between(0xff) && last == 0x7f;
    let is = |known: &[u8; 32]| rest == &known[..31] && last == known[31];
    tiny || wrapped || is(&EIGHTH) || is(&OTHER_EIGHTH)
}

/// Verifies a token: its form, its algorithm, its signature by one of the keys, its times, and the other
/// expectations.
pub fn verify(token: &str, keys: &Jwks, expected: &Expected<'_>) -> Result<Verified, Invalid> {
    let parts = Parts::of(token)?;
    if parts.header.get("alg").and_then(Value::as_str) != Some(&expected.algorithm.to_string()) {
        return Err(Invalid::Algorithm(expected.algorithm));
    }
    if parts.header.contains_key("crit") {
        return Err(Invalid::Critical);
    }
    // RFC 7797 §7: not for JWTs, and §6: only with crit.
    if parts
        .header
        .get("b64")
        .is_some_and(|b64| *b64 != Value::Bool(true))
    {
        return Err(Invalid::Critical);
    }
    let kid = match parts.header.get("kid") {
        None => None,
        Some(Value::String(kid)) => Some(kid.as_str()),
        Some(_) => return Err(Invalid::Malformed("`kid` is not a string")),
    };
    let named = |key: &&Jwk| kid.is_none_or(|kid| key.text("kid").is_none_or(|own| own == kid));
    let mut fitting = keys
        .0
        .iter()
        .filter(named)
        .filter(|key| key.is_for(expected.algorithm))
        .peekable();
    if fitting.peek().is_none() {
        return Err(Invalid::NoKey(
            "none has this `kid`, type, algorithm and use",
        ));
    }
    let of_the_id = fitting
        .clone()
        .filter(|key| kid.is_some() && key.text("kid") == kid);
    if of_the_id.count() > 1 {
        return Err(Invalid::NoKey("more than one has this `kid`"));
    }
    let mut usable = false;
    let mut right = false;
    for key in fitting {
        let verified = key.verifies(
            expected.algorithm,
            parts.signed.as_bytes(),
            &parts.signature,
        );
        usable |= verified.is_some();
        right |= verified == Some(true);
    }
    if !usable {
        return Err(Invalid::NoKey("incomplete, malformed or too short"));
    }
    if !right {
        return Err(Invalid::Signature);
    }
    let claims = parts.claims()?;
    check(&parts.header, claims.as_ref(), expected)?;
    Ok(Verified {
        header: parts.header,
        claims,
    })
}

/// The parts of a token, not verified.
struct Parts<'a> {
    header: Map<String, Value>,
    signed: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Result<Self, Invalid> {
        if token.len() > LONGEST {
            return Err(Invalid::Malformed("longer than 16 kB"));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Invalid::Malformed("not three parts separated by dots"));
        };
        let signed = &token[..header.len() + 1 + payload.len()];
        let decode = |part: &str| {
            let decoded = BASE64.decode(part);
            decoded.map_err(|_| Invalid::Malformed("a part is not Base64url without padding"))
        };
        let header: Result<Unambiguous, _> = serde_json::from_slice(&decode(header)?);
        let Ok(Unambiguous(Value::Object(header))) = header else {
            return Err(Invalid::Malformed(
                "the header is not a JSON object, or has duplicate members",
            ));
        };
        Ok(Self {
            header,
            signed,
            payload: decode(payload)?,
            signature: decode(signature)?,
        })
    }

    /// Returns the claims; `None` if the payload is not a JSON object at all.
    fn claims(&self) -> Result<Option<Map<String, Value>>, Invalid> {
        match serde_json::from_slice::<Unambiguous>(&self.payload) {
            Ok(Unambiguous(Value::Object(claims))) => Ok(Some(claims)),
            Ok(_) => Ok(None),
            // JSON except for a duplicate member: readers may disagree on it.
            Err(_) if serde_json::from_slice::<Value>(&self.payload).is_ok() => {
                Err(Invalid::Malformed("duplicate claim"))
            }
            // Another reader may be more lenient and find claims there, such as a time that has passed.
            Err(_) if begins_as_object(&self.payload) => Err(Invalid::Malformed(
                "the payload begins like a JSON object but is not valid JSON",
            )),
            Err(_) => Ok(None),
        }
    }
}

/// Returns true if a lenient reader could take it for a JSON object: after white space and a byte order mark.
fn begins_as_object(payload: &[u8]) -> bool {
    let text = payload.strip_prefix(b"\xef\xbb\xbf").unwrap_or(payload);
    text.trim_ascii_start().starts_with(b"{")
}

fn check(
    header: &Map<String, Value>,
    claims: Option<&Map<String, Value>>,
    expected: &Expected<'_>,
) -> Result<(), Invalid> {
    if let Some(wanted) = expected.typ {
        let plain = |typ: &str| {
            let typ = typ.to_ascii_lowercase();
            typ.strip_prefix("application/")
                .map_or(typ.clone(), str::to_owned)
        };
        let typ = header.get("typ").and_then(Value::as_str);
        if typ.map(plain) != Some(plain(wanted)) {
            return Err(Invalid::Claim(format!(
                "unexpected `typ` (expected {})",
                wanted.escape_debug()
            )));
        }
    }
    let Some(claims) = claims else {
        let expects = expected.audience.is_some() || expected.issuer.is_some();
        return match expects || expected.typ.is_some() {
            true => Err(Invalid::Claim(
                "the payload is not a JSON object, so there are no claims".into(),
            )),
            false => Ok(()),
        };
    };
    let seconds = |claim: &'static str| match claims.get(claim) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(Some(seconds)),
            _ => Err(Invalid::Claim(format!("`{claim}` is not a time"))),
        },
    };
    let (now, leeway) = (expected.now as f64, LEEWAY as f64);
    if seconds("exp")?.is_some_and(|end| now >= end + leeway) {
        return Err(Invalid::Claim("expired (`exp`)".into()));
    }
    if seconds("nbf")?.is_some_and(|begin| now + leeway < begin) {
        return Err(Invalid::Claim("not valid yet (`nbf`)".into()));
    }
    if seconds("iat")?.is_some_and(|issued| now + leeway < issued) {
        return Err(Invalid::Claim("issued in the future (`iat`)".into()));
    }
    if let Some(issuer) = expected.issuer
        && claims.get("iss").and_then(Value::as_str) != Some(issuer)
    {
        return Err(Invalid::Claim(format!(
            "unexpected `iss` (expected {})",
            issuer.escape_debug()
        )));
    }
    if let Some(audience) = expected.audience {
        let named = match claims.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        };
        if !named {
            let shown = audience.escape_debug();
            return Err(Invalid::Claim(format!(
                "unexpected `aud` (expected {shown})"
            )));
        }
    }
    Ok(())
}

/// Returns the signing input of a header and claims.
pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// Appends the signature to the signing input.
pub(crate) fn signed(unsigned: String, signature: &[u8]) -> String {
    format!("{unsigned}.{}", BASE64.encode(signature))
}

/// Returns the header of a token, not verified.
pub fn header(token: &str) -> Option<Map<String, Value>> {
    Parts::of(token).ok().map(|parts| parts.header)
}

/// Returns the required members of a public key (RFC 7638 §3.2), without any others.
pub(crate) fn public_members(jwk: &Value) -> Option<Map<String, Value>> {
    let members: &[&str] = match jwk["kty"].as_str()? {
        "RSA" => &["e", "kty", "n"],
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        _ => return None,
    };
    let mut canonical = Map::new();
    for member in members {
        canonical.insert(
            (*member).to_owned(),
            Value::String(jwk[member].as_str()?.to_owned()),
        );
    }
    Some(canonical)
}

/// Returns the thumbprint of a public key (RFC 7638 §3): the SHA-256 of its required members in order.
pub(crate) fn thumbprint(members: &Map<String, Value>) -> String {
    let text = Value::Object(members.clone()).to_string();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    BASE64.encode(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7638 §3.1, typed in.
    #[test]
    fn a_thumbprint_is_that_of_rfc_7638() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
        let key = serde_json::json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"});
        let members = public_members(&key).unwrap();
        assert_eq!(members.len(), 3, "what else stands there does not count");
        assert_eq!(
            thumbprint(&members),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
        );
    }

    /// RFC 7520 §4.4, typed in: a signature over a text that is no JSON.
    #[test]
    fn a_signature_of_rfc_7520_verifies() {
        let header =
            "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9";
        let text = "It\u{2019}s a dangerous business, Frodo, going out your door. You step onto the road, and if you \
                    don't keep your feet, there\u{2019}s no knowing where you might be swept off to.";
        let signature = "s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0";
        let token = format!("{header}.{}.{signature}", BASE64.encode(text));
        let key = r#"{"kty":"oct","kid":"018c0ae5-4d9b-471b-bfd6-eef314bc7037","use":"sig","alg":"HS256","k":"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg"}"#;
        let keys = Jwks::parse(key).unwrap();
        let expected = Expected {
            algorithm: Algorithm::HS256,
            audience: None,
            issuer: None,
            typ: None,
            now: 0,
        };
        assert_eq!(verify(&token, &keys, &expected).unwrap().claims, None);
        let for_somebody = Expected {
            audience: Some("me"),
            ..expected.clone()
        };
        assert!(matches!(
            verify(&token, &keys, &for_somebody),
            Err(Invalid::Claim(_))
        ));
        // Another id is another key's.
        let other = Jwks::parse(&key.replace("018c", "118c")).unwrap();
        assert!(matches!(
            verify(&token, &other, &expected),
            Err(Invalid::NoKey(_))
        ));
    }
}
