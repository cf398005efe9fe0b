//! Verification of signed requests: by RFC 9421, or by a plain scheme in which the tag is made over
//! the user, the time and a nonce.

use axum::http::{HeaderMap, Uri};
use base64::{Engine, prelude::BASE64_STANDARD};

use crate::tokens::{hmac_sha256, unix_time};

/// How signatures are verified: soundly, or with one step missing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum SignatureRules {
    Sound,
    /// The signature is not verified.
    Unchecked,
    /// A nonce may be used twice.
    Replayed,
    /// The age of a request is not limited.
    Stale,
    /// With RFC 9421, the query is not signed. In the plain scheme, the signed fields are
    /// concatenated without a separator, so that their boundaries can be moved.
    Unbound,
}

/// How long a signed request is valid, in seconds.
const LIFETIME: u64 = 60;

/// What a request states about its signature.
pub(crate) struct SignedRequest {
    /// What the signature must be over.
    base: String,
    signature: Vec<u8>,
    created: u64,
    pub(crate) nonce: String,
}

impl SignedRequest {
    /// Parses a GET request, in whichever scheme it is signed.
    pub(crate) fn parse(uri: &Uri, headers: &HeaderMap, rules: SignatureRules) -> Option<Self> {
        Self::parse_rfc_9421(uri, headers, rules).or_else(|| Self::parse_plain(headers, rules))
    }

    /// Returns true if the signature and the time are valid. The nonce is the caller's to check.
    pub(crate) fn is_valid(&self, key: &str, rules: SignatureRules) -> bool {
        let tag = hmac_sha256(key.as_bytes(), &self.base);
        let is_signed = tag == self.signature || rules == SignatureRules::Unchecked;
        let age = self.created.abs_diff(unix_time());
        is_signed && (age <= LIFETIME || rules == SignatureRules::Stale)
    }

    /// Parses `Signature-Input: dw=("@method" "@path" "@query");created=…;nonce="…";…` and
    /// `Signature: dw=:…:`.
    fn parse_rfc_9421(uri: &Uri, headers: &HeaderMap, rules: SignatureRules) -> Option<Self> {
        let (label, parameters) = header(headers, "signature-input")?.split_once('=')?;
        let signature = header(headers, "signature")?.strip_prefix(&format!("{label}=:"))?;
        let signature = signature.strip_suffix(':')?;
        let covered = r#"("@method" "@path" "@query");"#;
        let after = parameters.strip_prefix(covered)?;
        let parameter = |name: &str| {
            let found = after
                .split(';')
                .find_map(|parameter| parameter.strip_prefix(&format!("{name}=")));
            found.map(|value| value.trim_matches('"').to_owned())
        };
        let path = uri.path();
        let query = match rules {
            SignatureRules::Unbound => "",
            _ => uri.query().unwrap_or_default(),
        };
        Some(Self {
            base: format!(
                "\"@method\": GET\n\"@path\": {path}\n\"@query\": ?{query}\n\"@signature-params\": {parameters}"
            ),
            signature: BASE64_STANDARD.decode(signature).ok()?,
            created: parameter("created")?.parse().ok()?,
            nonce: parameter("nonce")?,
        })
    }

    fn parse_plain(headers: &HeaderMap, rules: SignatureRules) -> Option<Self> {
        let [user, created, nonce, signature] =
            ["x-user", "x-timestamp", "x-nonce", "x-signature"].map(|name| header(headers, name));
        let (user, created, nonce) = (user?, created?, nonce?);
        let is_unbound = rules == SignatureRules::Unbound;
        let separator = if is_unbound { "" } else { "|" };
        Some(Self {
            base: [user, created, nonce].join(separator),
            signature: decode_hex(signature?)?,
            // With moved boundaries the time is another one. Code without a separator is seldom
            // strict about the time.
            created: if is_unbound {
                unix_time()
            } else {
                created.parse().ok()?
            },
            nonce: nonce.to_owned(),
        })
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn decode_hex(hex: &str) -> Option<Vec<u8>> {
    let byte = |at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "key";

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let fields = fields.iter();
        fields
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    fn sign_plain(user: &str, created: u64, nonce: &str) -> HeaderMap {
        let created = created.to_string();
        let tag = hmac_sha256(KEY.as_bytes(), &[user, &*created, nonce].join("|"));
        let hex: String = tag.iter().map(|byte| format!("{byte:02x}")).collect();
        headers(&[
            ("x-user", user),
            ("x-timestamp", &created),
            ("x-nonce", nonce),
            ("x-signature", &hex),
        ])
    }

    fn is_valid(headers: &HeaderMap, rules: SignatureRules) -> bool {
        let uri = Uri::from_static("/signed");
        let request = SignedRequest::parse(&uri, headers, rules);
        request.is_some_and(|request| request.is_valid(KEY, rules))
    }

    #[test]
    fn the_base_of_rfc_9421_contains_path_and_query() {
        let uri = Uri::from_static("/signed?to=ann");
        let headers = headers(&[
            (
                "signature-input",
                r#"dw=("@method" "@path" "@query");created=7;nonce="n""#,
            ),
            ("signature", "dw=:AAEC:"),
        ]);
        let parse = |rules| SignedRequest::parse(&uri, &headers, rules).unwrap();
        let request = parse(SignatureRules::Sound);
        assert_eq!(
            request.base,
            "\"@method\": GET\n\"@path\": /signed\n\"@query\": ?to=ann\n\
             \"@signature-params\": (\"@method\" \"@path\" \"@query\");created=7;nonce=\"n\""
        );
        assert_eq!(request.signature, [0, 1, 2]);
        assert_eq!((request.created, &*request.nonce), (7, "n"));
        let unbound = parse(SignatureRules::Unbound).base;
        assert!(unbound.contains("\"@query\": ?\n"), "{unbound}");
    }

    #[test]
    fn a_signed_request_is_valid_for_a_minute() {
        let now = unix_time();
        let valid = |created| is_valid(&sign_plain("ann", created, "n"), SignatureRules::Sound);
        // A second may pass in between.
        assert!(valid(now) && valid(now - LIFETIME + 2));
        assert!(!valid(now - LIFETIME - 1) && !valid(now + LIFETIME + 2));
    }

    #[test]
    fn malformed_requests_are_rejected_under_all_rules() {
        let now = unix_time().to_string();
        for rules in [
            SignatureRules::Sound,
            SignatureRules::Unchecked,
            SignatureRules::Replayed,
            SignatureRules::Stale,
        ] {
            let plain = |created: &str, hex: &str| {
                let fields = [
                    ("x-user", "ann"),
                    ("x-timestamp", created),
                    ("x-nonce", "n"),
                    ("x-signature", hex),
                ];
                is_valid(&headers(&fields), rules)
            };
            assert!(!plain("yesterday", "00") && !plain(&now, "0") && !plain(&now, "zz"));
            assert!(!is_valid(&HeaderMap::new(), rules));
            let covers_nothing = headers(&[
                ("signature-input", r#"dw=();created=7;nonce="n""#),
                ("signature", "dw=:AAEC:"),
            ]);
            assert!(!is_valid(&covers_nothing, rules));
        }
    }

    #[test]
    fn each_step_can_be_missing() {
        let (now, old) = (unix_time(), unix_time() - 3600);
        let forged = {
            let mut headers = sign_plain("ann", now, "n");
            headers.insert("x-user", "bob".parse().unwrap());
            headers
        };
        let stale = sign_plain("ann", old, "n");
        let valid = |headers| {
            [
                SignatureRules::Sound,
                SignatureRules::Unchecked,
                SignatureRules::Replayed,
                SignatureRules::Stale,
            ]
            .map(|rules| is_valid(headers, rules))
        };
        assert_eq!(valid(&forged), [false, true, false, false]);
        assert_eq!(valid(&stale), [false, false, false, true]);
    }
}
