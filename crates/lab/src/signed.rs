//! A route that wants each request signed with a shared secret: by RFC 9421, or by the plain scheme
//! in which a tag is made over the user, the time and a nonce.

use std::{collections::HashSet, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::get,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::json;

use crate::{
    login::{Site, lock},
    tokens::{hmac, now},
};

/// How signatures are checked: soundly, or with one thing left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Signatures {
    Sound,
    /// Nobody looks at the signature.
    Unchecked,
    /// A nonce may come twice.
    Replayed,
    /// A request may be as old as it likes.
    Stale,
    /// By RFC 9421, the query is not what was signed. In the plain scheme, what is signed stands
    /// together without a mark between, so its parts can be cut elsewhere.
    Unbound,
}

/// Seconds that a request is good for.
const FRESH: u64 = 60;

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new().route("/signed", get(signed))
}

/// What a request says of itself.
struct Claim {
    /// What its signature should be over.
    base: String,
    signature: Vec<u8>,
    created: u64,
    nonce: String,
}

async fn signed(State(site): State<Arc<Site>>, uri: Uri, headers: HeaderMap) -> Response {
    let rules = site.specimen.signatures;
    let claim = by_rfc_9421(&headers, uri.path(), uri.query(), rules)
        .or_else(|| by_the_plain_scheme(&headers, rules));
    let good = claim.is_some_and(|claim| {
        let tag = hmac(site.signing_key.as_bytes(), &claim.base);
        let signed = tag == claim.signature || rules == Signatures::Unchecked;
        let fresh = claim.created.abs_diff(now()) <= FRESH || rules == Signatures::Stale;
        // Looked at last, so that a forged request can't use up a nonce.
        signed && fresh && (new(&site.nonces, claim.nonce) || rules == Signatures::Replayed)
    });
    if good {
        Json(json!({"status": "done"})).into_response()
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    }
}

fn new(nonces: &std::sync::Mutex<HashSet<String>>, nonce: String) -> bool {
    lock(nonces).insert(nonce)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// `Signature-Input: dw=("@method" "@path" "@query");created=…;nonce="…";…` and `Signature: dw=:…:`.
fn by_rfc_9421(
    headers: &HeaderMap,
    path: &str,
    query: Option<&str>,
    rules: Signatures,
) -> Option<Claim> {
    let (label, parameters) = text(headers, "signature-input")?.split_once('=')?;
    let signature = text(headers, "signature")?.strip_prefix(&format!("{label}=:"))?;
    let signature = signature.strip_suffix(':')?;
    let covered = r#"("@method" "@path" "@query");"#;
    let after = parameters.strip_prefix(covered)?;
    let parameter = |name: &str| {
        let found = after
            .split(';')
            .find_map(|parameter| parameter.strip_prefix(&format!("{name}=")));
        found.map(|value| value.trim_matches('"').to_owned())
    };
    let query = match rules {
        Signatures::Unbound => "",
        _ => query.unwrap_or_default(),
    };
    Some(Claim {
        base: format!(
            "\"@method\": GET\n\"@path\": {path}\n\"@query\": ?{query}\n\"@signature-params\": {parameters}"
        ),
        signature: BASE64_STANDARD.decode(signature).ok()?,
        created: parameter("created")?.parse().ok()?,
        nonce: parameter("nonce")?,
    })
}

fn by_the_plain_scheme(headers: &HeaderMap, rules: Signatures) -> Option<Claim> {
    let [user, created, nonce, signature] =
        ["x-user", "x-timestamp", "x-nonce", "x-signature"].map(|name| text(headers, name));
    let (user, created, nonce) = (user?, created?, nonce?);
    let hex = signature?;
    let bytes = (0..hex.len()).step_by(2);
    let byte = |at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    // Cut elsewhere, the time is another; who leaves out the mark is seldom strict about the time.
    let unbound = rules == Signatures::Unbound;
    let between = if unbound { "" } else { "|" };
    Some(Claim {
        base: [user, created, nonce].join(between),
        signature: bytes.map(byte).collect::<Option<_>>()?,
        created: if unbound {
            now()
        } else {
            created.parse().ok()?
        },
        nonce: nonce.to_owned(),
    })
}
