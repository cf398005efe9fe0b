//! Requests signed with a user's secret: HTTP Message Signatures (RFC 9421) with hmac-sha256.
//!
//! A signature has to cover the method and the whole target, and have a creation time and a nonce, which
//! is accepted once. Bodies are not covered, so requests with a body can't be signed.

use aws_lc_rs::hmac;
use http::{HeaderMap, Method, Uri};
use sfv::{BareItem, Dictionary, InnerList, ListEntry, ListSerializer, Parser};
use zeroize::Zeroizing;

use crate::{
    store::{Connection, Queried, Row, params},
    tokens::sha256,
};

/// The maximum difference of a signature's creation time from now, in seconds.
const WINDOW: i64 = 60;

/// How long a rotated secret stays valid, in seconds: a day to roll out the next.
pub(crate) const OVERLAP: i64 = 86_400;

/// The maximum number of secrets per user.
pub(crate) const MOST: i64 = 10;

/// Why a signature is rejected unverified. Nothing of it depends on the secrets that exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsigned {
    #[error("Signature-Input and Signature must have exactly one signature (RFC 9421)")]
    Malformed,
    #[error("it must cover @method, and @target-uri or @path and @query")]
    Uncovered,
    #[error("unsupported or missing component {0:?}")]
    Component(String),
    #[error("it must have `created`, `nonce` and `keyid`; `alg` may only be hmac-sha256")]
    Parameters,
    #[error("it has expired, or was not created within the last minute")]
    Stale,
}

/// A well-formed signature, not verified.
#[derive(Debug)]
pub(crate) struct Signature {
    pub(crate) key: String,
    pub(crate) nonce: String,
    /// When it expires, in seconds since 1970.
    pub(crate) ends: i64,
    base: String,
    tag: Vec<u8>,
}

/// The parts of a request that a signature can cover.
pub(crate) struct Target<'a> {
    pub(crate) method: &'a Method,
    /// The URL of the server, without a trailing slash.
    pub(crate) issuer: &'a str,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
}

impl Signature {
    /// Reads the signature of a request, if it has one.
    pub(crate) fn of(target: &Target<'_>, now: i64) -> Result<Option<Self>, Unsigned> {
        if !target.headers.contains_key("signature-input") {
            return Ok(None);
        }
        let inputs = dictionary(target.headers, "signature-input")?;
        let tags = dictionary(target.headers, "signature")?;
        let mut both = inputs.iter().zip(tags.iter());
        let (Some(((name, input), (other, tag))), None) = (both.next(), both.next()) else {
            return Err(Unsigned::Malformed);
        };
        let (ListEntry::InnerList(covered), ListEntry::Item(tag)) = (input, tag) else {
            return Err(Unsigned::Malformed);
        };
        let tag = tag
            .bare_item
            .as_byte_sequence()
            .filter(|_| name == other && inputs.len() == 1 && tags.len() == 1);
        let tag = tag.ok_or(Unsigned::Malformed)?.to_vec();
        let text = |name: &str| {
            let value = covered.params.iter().find(|(key, _)| key.as_str() == name);
            value
                .and_then(|(_, value)| value.as_string())
                .map(|value| value.as_str().to_owned())
        };
        let seconds = |name: &str| {
            let value = covered.params.iter().find(|(key, _)| key.as_str() == name);
            value
                .and_then(|(_, value)| value.as_integer())
                .map(i64::from)
        };
        let (Some(key), Some(nonce), Some(created)) =
            (text("keyid"), text("nonce"), seconds("created"))
        else {
            return Err(Unsigned::Parameters);
        };
        let algorithm = covered.params.iter().find(|(key, _)| key.as_str() == "alg");
        if algorithm.is_some() && text("alg").as_deref() != Some("hmac-sha256") || nonce.is_empty()
        {
            return Err(Unsigned::Parameters);
        }
        if (now - created).abs() > WINDOW || seconds("expires").is_some_and(|end| end <= now) {
            return Err(Unsigned::Stale);
        }
        covers_enough(covered, target)?;
        Ok(Some(Self {
            key,
            nonce,
            ends: created + WINDOW + 1,
            base: base(covered, target)?,
            tag,
        }))
    }

    /// Verifies the signature with a secret.
    pub(crate) fn is_by(&self, secret: &[u8]) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        hmac::verify(&key, self.base.as_bytes(), &self.tag).is_ok()
    }

    /// Returns the id that is accepted once: the nonce, per key.
    pub(crate) fn nonce_id(&self) -> Vec<u8> {
        sha256(&format!("{} {}", self.key, self.nonce))
    }

    /// Returns the tag, which is counted as the guess.
    pub(crate) fn guess(&self) -> String {
        self.tag.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

fn dictionary(headers: &HeaderMap, name: &str) -> Result<Dictionary, Unsigned> {
    let values: Result<Vec<&str>, _> = headers
        .get_all(name)
        .iter()
        .map(http::HeaderValue::to_str)
        .collect();
    let values = values.map_err(|_| Unsigned::Malformed)?.join(", ");
    Parser::new(&values)
        .parse()
        .map_err(|_| Unsigned::Malformed)
}

fn covers_enough(covered: &InnerList, target: &Target<'_>) -> Result<(), Unsigned> {
    let covers = |name: &str| {
        covered
            .items
            .iter()
            .any(|item| named(&item.bare_item) == Some(name))
    };
    let whole = covers("@target-uri")
        || covers("@path") && (covers("@query") || target.uri.query().is_none());
    if covers("@method") && whole {
        Ok(())
    } else {
        Err(Unsigned::Uncovered)
    }
}

fn named(item: &BareItem) -> Option<&str> {
    item.as_string().map(|name| name.as_str())
}

/// Returns the signature base (RFC 9421 §2.5).
fn base(covered: &InnerList, target: &Target<'_>) -> Result<String, Unsigned> {
    let mut base = String::new();
    let mut seen = Vec::new();
    for item in &covered.items {
        let name = named(&item.bare_item).ok_or(Unsigned::Malformed)?;
        if !item.params.is_empty() || seen.contains(&name) {
            return Err(Unsigned::Component(name.to_owned()));
        }
        seen.push(name);
        let value = component(name, target).ok_or_else(|| Unsigned::Component(name.to_owned()))?;
        base.push_str(&format!("\"{name}\": {value}\n"));
    }
    let mut list = ListSerializer::new();
    let mut inner = list.inner_list();
    inner.items(&covered.items);
    inner.finish().parameters(&covered.params);
    let parameters = list.finish().ok_or(Unsigned::Malformed)?;
    Ok(format!("{base}\"@signature-params\": {parameters}"))
}

/// Returns a component's value (RFC 9421 §2.1, §2.2).
fn component(name: &str, target: &Target<'_>) -> Option<String> {
    let path = target.uri.path();
    let query = target.uri.query();
    let authority = || {
        target
            .issuer
            .split_once("://")
            .map(|(_, rest)| rest.split('/').next().unwrap_or_default())
    };
    match name {
        "@method" => Some(target.method.to_string()),
        "@path" => Some(path.to_owned()),
        "@query" => Some(format!("?{}", query.unwrap_or_default())),
        "@authority" => authority().map(str::to_ascii_lowercase),
        "@target-uri" => {
            let query = query.map_or_else(String::new, |query| format!("?{query}"));
            Some(format!("{}{path}{query}", target.issuer))
        }
        _ if name.starts_with('@') => None,
        _ => {
            let values: Option<Vec<&str>> = target
                .headers
                .get_all(name)
                .iter()
                .map(|value| value.to_str().ok().map(str::trim))
                .collect();
            values
                .filter(|values| !values.is_empty())
                .map(|values| values.join(", "))
        }
    }
}

/// Returns the purpose that a secret is sealed for.
pub(crate) fn purpose(id: &str) -> String {
    format!("signer {id}")
}

/// Finds the owner of a secret, and the sealed secret.
pub(crate) fn find(
    connection: &Connection,
    id: &str,
    now: i64,
) -> Queried<Option<(String, Vec<u8>)>> {
    let query =
        "SELECT account, sealed FROM signers WHERE id = ?1 AND (expires IS NULL OR expires > ?2)";
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    connection.first(query, params![id, now], row)
}

/// Stores a new secret; returns false if the user has the maximum number.
pub(crate) fn add(
    connection: &Connection,
    id: &str,
    user: &str,
    sealed: &[u8],
    now: i64,
) -> Queried<bool> {
    connection.execute("DELETE FROM signers WHERE expires <= ?1", params![now])?;
    let made = connection.execute(
        "INSERT INTO signers (id, account, sealed, created) SELECT ?1, ?2, ?3, ?4 \
         WHERE (SELECT count(*) FROM signers WHERE account = ?2 AND expires IS NULL) < ?5",
        params![id, user, sealed, now, MOST],
    )?;
    Ok(made == 1)
}

/// Lets a user's secret expire at a time, unless it expires before; returns false if the user has no such
/// secret, or it has expired.
pub(crate) fn end(
    connection: &Connection,
    id: &str,
    user: &str,
    at: i64,
    now: i64,
) -> Queried<bool> {
    let ended = connection.execute(
        "UPDATE signers SET expires = CASE WHEN expires < ?1 THEN expires ELSE ?1 END \
         WHERE id = ?2 AND account = ?3 AND (expires IS NULL OR expires > ?4)",
        params![at, id, user, now],
    )?;
    Ok(ended == 1)
}

/// Generates a secret of 256 random bits, as text; the key is the bytes of the text.
pub(crate) fn secret() -> Result<Zeroizing<String>, getrandom::Error> {
    let random = crate::tokens::Random::new("dwk_")?;
    Ok(Zeroizing::new(random.expose().to_owned()))
}

#[cfg(test)]
mod tests {
    use base64::{Engine, prelude::BASE64_STANDARD};

    use super::*;

    const SECRET: &str =
        "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    name.parse::<http::HeaderName>().unwrap(),
                    value.parse().unwrap(),
                )
            })
            .collect()
    }

    /// RFC 9421 appendix B.2.5, typed in.
    #[test]
    fn the_base_and_the_tag_are_those_of_rfc_9421() {
        let headers = headers(&[
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("content-type", "application/json"),
        ]);
        let target = Target {
            method: &Method::POST,
            issuer: "https://example.com",
            uri: &"/foo?param=Value&Pet=dog".parse().unwrap(),
            headers: &headers,
        };
        let input = "sig-b25=(\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\"";
        let inputs: Dictionary = Parser::new(input).parse().unwrap();
        let Some(ListEntry::InnerList(covered)) = inputs.values().next() else {
            panic!("no list");
        };
        let base = base(covered, &target).unwrap();
        assert_eq!(
            base,
            "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@authority\": example.com\n\"content-type\": application/json\n\
             \"@signature-params\": (\"date\" \"@authority\" \"content-type\");created=1618884473;keyid=\"test-shared-secret\""
        );
        let signature = Signature {
            key: String::new(),
            nonce: String::new(),
            ends: 0,
            base,
            tag: BASE64_STANDARD
                .decode("pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=")
                .unwrap(),
        };
        assert!(signature.is_by(&BASE64_STANDARD.decode(SECRET).unwrap()));
        assert!(!signature.is_by(b"another"));
        assert_eq!(covers_enough(covered, &target), Err(Unsigned::Uncovered));
    }

    #[test]
    fn what_is_no_signature_is_told() {
        let read = |input: &str, tag: &str| {
            let headers = headers(&[("signature-input", input), ("signature", tag)]);
            let target = Target {
                method: &Method::GET,
                issuer: "https://example.com",
                uri: &"/me?a=1".parse().unwrap(),
                headers: &headers,
            };
            Signature::of(&target, 1000).map(|signature| signature.map(|signature| signature.base))
        };
        let good = "s=(\"@method\" \"@path\" \"@query\");created=1000;nonce=\"n\";keyid=\"k\"";
        let base = read(good, "s=:AA==:").unwrap().unwrap();
        assert!(
            base.starts_with("\"@method\": GET\n\"@path\": /me\n\"@query\": ?a=1\n"),
            "{base}"
        );
        for (input, tag, error) in [
            (good, "t=:AA==:", Unsigned::Malformed),
            (good, "s=\"text\"", Unsigned::Malformed),
            ("s", "s=:AA==:", Unsigned::Malformed),
            (
                "s=(\"@method\" \"@path\");created=1000;nonce=\"n\";keyid=\"k\"",
                "s=:AA==:",
                Unsigned::Uncovered,
            ),
            (
                "s=(\"@method\" \"@target-uri\");created=1000;keyid=\"k\"",
                "s=:AA==:",
                Unsigned::Parameters,
            ),
            (
                "s=(\"@method\" \"@target-uri\");created=1000;nonce=\"n\";keyid=\"k\";alg=\"none\"",
                "s=:AA==:",
                Unsigned::Parameters,
            ),
            (
                "s=(\"@method\" \"@target-uri\");created=939;nonce=\"n\";keyid=\"k\"",
                "s=:AA==:",
                Unsigned::Stale,
            ),
            (
                "s=(\"@method\" \"@target-uri\");created=1061;nonce=\"n\";keyid=\"k\"",
                "s=:AA==:",
                Unsigned::Stale,
            ),
            (
                "s=(\"@method\" \"@target-uri\" \"@status\");created=1000;nonce=\"n\";keyid=\"k\"",
                "s=:AA==:",
                Unsigned::Component("@status".into()),
            ),
            (
                "s=(\"@method\" \"@target-uri\" \"absent\");created=1000;nonce=\"n\";keyid=\"k\"",
                "s=:AA==:",
                Unsigned::Component("absent".into()),
            ),
        ] {
            assert_eq!(read(input, tag), Err(error), "{input}");
        }
    }
}
