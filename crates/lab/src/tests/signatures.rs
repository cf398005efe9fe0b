//! Faults of signed requests, in both schemes.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{
    Faults,
    client::{Client, start_fast},
};
use crate::{
    Specimen,
    signatures::SignatureRules,
    tokens::{hmac_sha256, random_token, unix_time},
};

type Headers = Vec<(&'static str, String)>;
type Sign = dyn Fn(&str, u64) -> Headers;

const AGE: u64 = 3600;

pub(super) async fn observe(specimen: &Specimen) -> Faults {
    let server = start_fast(specimen).await;
    let (client, key, now) = (Client::new(&server, 1), server.signing_key(), unix_time());
    let accepts = async |path: &str, headers: &Headers| {
        let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        client.send("GET", path, &headers, "").await.status == 200
    };
    // Clients of a scheme without a separator sign without one.
    let separator = if specimen.signatures == SignatureRules::Unbound {
        ""
    } else {
        "|"
    };
    let rfc_9421 = |key: &str, created| sign_rfc_9421(key, created);
    let plain = |key: &str, created| sign_plain(key, created, separator);
    let signers: [&Sign; 2] = [&rfc_9421, &plain];
    let mut by_scheme = Vec::new();
    for sign in signers {
        let signed = sign(key, now);
        assert!(accepts("/signed", &signed).await, "{}", specimen.id);
        let is_replayed = accepts("/signed", &signed).await;
        let is_unchecked = accepts("/signed", &sign("another key", now)).await;
        let is_stale = accepts("/signed", &sign(key, now - AGE)).await;
        by_scheme.push((is_unchecked, is_replayed, is_stale));
    }
    let (is_unchecked, is_replayed, is_stale) = by_scheme[0];
    let other_query = accepts("/signed?to=attacker", &rfc_9421(key, now)).await;
    let moved = accepts("/signed", &move_boundary(plain(key, now))).await;
    let is_unbound = other_query && !is_unchecked;
    assert_eq!(is_unbound, moved && !is_unchecked, "{}", specimen.id);
    // Without a separator the plain scheme ignores the time too.
    let expected = (is_unchecked, is_replayed, is_stale || is_unbound);
    assert_eq!(by_scheme[1], expected, "{}", specimen.id);
    Faults::from([
        ("signature-not-checked", is_unchecked),
        ("signature-replay", is_replayed),
        ("signature-stale", is_stale),
        ("signature-unbound", is_unbound),
    ])
}

/// Signs `GET /signed` by RFC 9421.
fn sign_rfc_9421(key: &str, created: u64) -> Headers {
    let nonce = random_token();
    let parameters =
        format!(r#"("@method" "@path" "@query");created={created};nonce="{nonce}";keyid="lab""#);
    let base = format!(
        "\"@method\": GET\n\"@path\": /signed\n\"@query\": ?\n\"@signature-params\": {parameters}"
    );
    let signature = BASE64_STANDARD.encode(hmac_sha256(key.as_bytes(), &base));
    vec![
        ("signature-input", format!("dw={parameters}")),
        ("signature", format!("dw=:{signature}:")),
    ]
}

/// Signs a user, a time and a nonce.
fn sign_plain(key: &str, created: u64, separator: &str) -> Headers {
    let (user, created, nonce) = ("ann", created.to_string(), random_token());
    let signed = [user, &created, &nonce].join(separator);
    let tag = hmac_sha256(key.as_bytes(), &signed);
    let signature = tag.iter().map(|byte| format!("{byte:02x}")).collect();
    vec![
        ("x-user", user.to_owned()),
        ("x-timestamp", created),
        ("x-nonce", nonce),
        ("x-signature", signature),
    ]
}

/// Moves the last character of the user to the time.
fn move_boundary(mut headers: Headers) -> Headers {
    let moved = headers[0].1.pop().unwrap();
    // Where the time counts it stays a number.
    headers[1].1.insert(0, moved);
    headers
}
