//! Requests signed with a shared secret: by RFC 9421, or by a plain scheme with a tag over the
//! user, the time and a nonce in a header.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{Route, Secret, request::Request};

/// A route that requires signed requests, and how to sign them.
#[derive(Clone, Debug, PartialEq)]
pub struct Signed {
    /// The route.
    pub route: Route,
    /// How requests are signed.
    pub scheme: Scheme,
    /// The shared secret, as the bytes of its text.
    pub key: Secret,
    /// The owner of the key: the `keyid` of RFC 9421, or the user of a plain scheme.
    pub user: String,
}

/// A signature scheme, with HMAC-SHA256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP Message Signatures (RFC 9421) over the method, the path and the query, with `created`,
    /// `nonce` and `keyid`.
    Rfc9421,
    /// A hexadecimal tag over the user, the time in seconds and a nonce, formatted by a template.
    Plain {
        /// The template of the signed text, such as `{user}|{timestamp}|{nonce}`.
        over: String,
        /// The headers, each with a template, such as `X-Signature: {signature}`.
        headers: Vec<(String, String)>,
    },
}

/// A text that is not a signature scheme.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a signature scheme; write rfc9421, or the text to sign and the headers: \
     '{{user}}|{{timestamp}}|{{nonce}}; X-User: {{user}}; X-Timestamp: {{timestamp}}; \
     X-Nonce: {{nonce}}; X-Signature: {{signature}}'"
)]
pub struct InvalidSigned(String);

impl std::str::FromStr for Scheme {
    type Err = InvalidSigned;

    /// Parses `rfc9421`, `plain`, or the templates of a plain scheme.
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

/// The most common plain scheme.
const PLAIN: &str = "{user}|{timestamp}|{nonce}; X-User: {user}; X-Timestamp: {timestamp}; X-Nonce: {nonce}; X-Signature: {signature}";

/// The signed parameters of one request.
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

    /// Returns the request without a signature.
    pub(crate) fn bare(&self) -> Request {
        Request::new(&self.route.method, &self.route.path)
    }

    /// Returns the correctly signed request.
    pub(crate) fn request(&self, said: &Said) -> Request {
        self.with_tag(said, &self.tag(said))
    }

    /// Returns the tag over the parameters.
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

    /// Returns the request with an arbitrary tag.
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

    /// Returns true if requests contain a nonce.
    pub(crate) fn has_nonce(&self) -> bool {
        match &self.scheme {
            Scheme::Rfc9421 => true,
            Scheme::Plain { over, .. } => over.contains("{nonce}"),
        }
    }

    /// Returns true if the signed text joins the time and the nonce without a separator.
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
