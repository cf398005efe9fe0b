//! Requests that are signed with a secret that both sides have: by RFC 9421, or by the plain scheme
//! in which a tag over the user, the time and a nonce stands in a header.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{Route, Secret, request::Request};

/// A route that wants its requests signed, and what it takes to sign one.
#[derive(Clone, Debug, PartialEq)]
pub struct Signed {
    /// The route.
    pub route: Route,
    /// How requests are signed.
    pub scheme: Scheme,
    /// The shared secret. Its bytes are those of the text.
    pub key: Secret,
    /// Whose it is: RFC 9421's `keyid`, or the plain scheme's user.
    pub user: String,
}

/// How requests are signed; both by HMAC-SHA256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP Message Signatures (RFC 9421) over the method, the path and the query, with `created`,
    /// `nonce` and `keyid`.
    Rfc9421,
    /// A tag in hexadecimal over some words of the user, the time in seconds, and a nonce.
    Plain {
        /// What is signed, such as `{user}|{timestamp}|{nonce}`.
        over: String,
        /// The headers, each with a word, such as `X-Signature: {signature}`.
        headers: Vec<(String, String)>,
    },
}

/// Why words say no way to sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` says no way to sign; write rfc9421, or what is signed and the headers: \
     '{{user}}|{{timestamp}}|{{nonce}}; X-User: {{user}}; X-Timestamp: {{timestamp}}; \
     X-Nonce: {{nonce}}; X-Signature: {{signature}}'"
)]
pub struct InvalidSigned(String);

impl std::str::FromStr for Scheme {
    type Err = InvalidSigned;

    /// `rfc9421`, `plain`, or the words of a plain scheme.
    fn from_str(words: &str) -> Result<Self, InvalidSigned> {
        let invalid = || InvalidSigned(words.escape_debug().to_string());
        let words = match words.trim() {
            "rfc9421" => return Ok(Self::Rfc9421),
            "plain" => PLAIN,
            other => other,
        };
        let mut parts = words.split(';').map(str::trim);
        let over = parts.next().unwrap_or_default().to_owned();
        let header = |part: &str| {
            let (name, value) = part.split_once(':')?;
            let name = name.trim();
            let is_name = !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            is_name.then(|| (name.to_lowercase(), value.trim().to_owned()))
        };
        let headers: Option<Vec<_>> = parts.map(header).collect();
        let headers = headers.ok_or_else(invalid)?;
        let sends = |word: &str| headers.iter().any(|(_, value)| value.contains(word));
        let whole = over.contains("{timestamp}") && sends("{timestamp}") && sends("{signature}");
        whole
            .then_some(Self::Plain { over, headers })
            .ok_or_else(invalid)
    }
}

/// The plain scheme as it is written most often.
const PLAIN: &str = "{user}|{timestamp}|{nonce}; X-User: {user}; X-Timestamp: {timestamp}; X-Nonce: {nonce}; X-Signature: {signature}";

/// What one request says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) user: String,
    /// Seconds since 1970.
    pub(crate) created: u64,
    pub(crate) nonce: String,
}

impl Signed {
    pub(crate) fn said(&self, created: u64, nonce: String) -> Said {
        Said {
            user: self.user.clone(),
            created,
            nonce,
        }
    }

    /// The request without a signature.
    pub(crate) fn bare(&self) -> Request {
        Request::new(&self.route.method, &self.route.path)
    }

    /// The request, rightly signed.
    pub(crate) fn request(&self, said: &Said) -> Request {
        self.with_tag(said, &self.tag(said))
    }

    /// The tag over what is said.
    pub(crate) fn tag(&self, said: &Said) -> Vec<u8> {
        let base = match &self.scheme {
            Scheme::Rfc9421 => {
                let (path, query) = self
                    .route
                    .path
                    .split_once('?')
                    .unwrap_or((&self.route.path, ""));
                format!(
                    "\"@method\": {}\n\"@path\": {path}\n\"@query\": ?{query}\n\"@signature-params\": {}",
                    self.route.method,
                    parameters(said)
                )
            }
            Scheme::Plain { over, .. } => filled(over, said, ""),
        };
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.key.expose().as_bytes());
        mac.map(|mac| mac.chain_update(base).finalize().into_bytes().to_vec())
            .unwrap_or_default()
    }

    /// The request with any tag: that of another one, or of nobody.
    pub(crate) fn with_tag(&self, said: &Said, tag: &[u8]) -> Request {
        match &self.scheme {
            Scheme::Rfc9421 => self
                .bare()
                .with_header("signature-input", format!("dw={}", parameters(said)))
                .with_header("signature", format!("dw=:{}:", BASE64_STANDARD.encode(tag))),
            Scheme::Plain { headers, .. } => {
                let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
                let headers = headers.iter();
                headers.fold(self.bare(), |request, (name, value)| {
                    request.with_named_header(name, filled(value, said, &hex))
                })
            }
        }
    }

    /// Whether the nonce is part of what is sent.
    pub(crate) fn has_nonce(&self) -> bool {
        match &self.scheme {
            Scheme::Rfc9421 => true,
            Scheme::Plain { over, .. } => over.contains("{nonce}"),
        }
    }

    /// Whether the time and the nonce stand together without a mark between.
    pub(crate) fn runs_together(&self) -> bool {
        match &self.scheme {
            Scheme::Rfc9421 => false,
            Scheme::Plain { over, .. } => over.contains("{timestamp}{nonce}"),
        }
    }
}

/// RFC 9421 section 2.3.
fn parameters(said: &Said) -> String {
    format!(
        "(\"@method\" \"@path\" \"@query\");created={};nonce=\"{}\";keyid=\"{}\";alg=\"hmac-sha256\"",
        said.created, said.nonce, said.user
    )
}

fn filled(template: &str, said: &Said, signature: &str) -> String {
    template
        .replace("{user}", &said.user)
        .replace("{timestamp}", &said.created.to_string())
        .replace("{nonce}", &said.nonce)
        .replace("{signature}", signature)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn signed(scheme: &str) -> Signed {
        Signed {
            route: Route::parse("/signed?a=1", "GET").unwrap(),
            scheme: scheme.parse().unwrap(),
            key: Secret::new("key".into()),
            user: "me".into(),
        }
    }

    #[test]
    fn what_is_said_is_signed() {
        let header = |request: &Request, name: &str| {
            let found = request.headers.iter().find(|(n, _)| n == name);
            found.map(|(_, value)| value.clone()).unwrap()
        };
        let by_rfc = signed("rfc9421");
        let request = by_rfc.request(&by_rfc.said(1_700_000_000, "n".into()));
        assert_eq!(
            header(&request, "signature-input"),
            r#"dw=("@method" "@path" "@query");created=1700000000;nonce="n";keyid="me";alg="hmac-sha256""#
        );
        let plain = signed("plain");
        let said = plain.said(1_700_000_000, "n".into());
        let request = plain.request(&said);
        // printf 'me|1700000000|n' | openssl dgst -sha256 -hmac key
        let tag = "8004dde888e02cc82de5a9dbfd5cf319dbdbb3ada72445785fdca97cc7fca3cc";
        assert_eq!(header(&request, "x-signature"), tag);
        assert_eq!(header(&request, "x-user"), "me");
        assert!(plain.has_nonce() && !plain.runs_together());
    }

    #[test]
    fn words_that_say_no_scheme_are_told() {
        for words in [
            "",
            "{user}",
            "{timestamp}; X-T: {timestamp}",
            "{timestamp}; X T: {timestamp}{signature}",
        ] {
            let error = words.parse::<Scheme>().unwrap_err().to_string();
            assert!(error.contains("write rfc9421"), "{error}");
        }
    }
}
