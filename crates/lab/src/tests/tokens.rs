//! Faults of tokens, and of the routes that take them.

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair as RsaKey, KeySize},
    signature::{KeyPair, RSA_PKCS1_SHA256},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64},
};
use serde_json::{Value, json};

use super::{
    Faults,
    client::{Client, account, password_of, start_fast},
};
use crate::{
    Server, Specimen,
    tokens::{hmac_sha256, unix_time},
};

pub(super) async fn observe(specimen: &Specimen) -> Faults {
    let server = start_fast(specimen).await;
    let client = Client::new(&server, 1);
    let name = account(0);
    let response = client.log_in(&name, &password_of(&name)).await;
    let token = response.token().unwrap();
    assert!(client.accepts(&token).await, "{}", specimen.id);
    let ignores_token = client.accepts("invalid").await;
    let is_public = client.send("GET", "/me", &[], "").await.status == 200;
    let in_url = format!("/me?access_token={token}");
    let in_url = client.send("GET", &in_url, &[], "").await.status == 200;
    let introspected = client
        .post_form("/introspect", &format!("token={token}"))
        .await;
    let is_json = response.json()["access_token"].is_string();
    let mut faults = Faults::from([
        ("token-not-checked", ignores_token),
        (
            "token-unbound",
            !ignores_token && Client::new(&server, 2).accepts(&token).await,
        ),
        ("token-in-url", !is_public && in_url),
        (
            "token-response-cacheable",
            is_json && response.header("cache-control") != Some("no-store"),
        ),
        ("introspection-open", introspected.status == 200),
        ("token-predictable", is_predictable(&client).await),
        ("refresh-token-reuse", can_refresh_twice(&client).await),
        ("revocation-open", can_revoke(&client).await),
        (
            "token-outlives-logout",
            !ignores_token && outlives_logout(&client).await,
        ),
        (
            "token-outlives-password-change",
            !ignores_token && outlives_change(&client).await,
        ),
    ]);
    faults.extend(observe_jwt(&server, &client, Jwt::parse(&token)).await);
    faults
}

async fn is_predictable(client: &Client) -> bool {
    let mut numbers = Vec::new();
    for number in [10, 11] {
        let token = client.token(&account(number)).await;
        let digits = token.rsplit('-').next().and_then(|part| part.parse().ok());
        numbers.push(digits.unwrap_or(0u64));
    }
    numbers[1] == numbers[0] + 1
}

async fn can_refresh_twice(client: &Client) -> bool {
    let name = account(12);
    let response = client.log_in(&name, &password_of(&name)).await;
    let refresh = response.json()["refresh_token"].clone();
    let mut statuses = Vec::new();
    for _ in 0..2 {
        let body = json!({"refresh_token": refresh});
        statuses.push(client.post("/refresh", body).await.status);
    }
    statuses == [200, 200]
}

async fn can_revoke(client: &Client) -> bool {
    let token = client.token(&account(13)).await;
    client.post_form("/revoke", &format!("token={token}")).await;
    !client.accepts(&token).await
}

async fn outlives_logout(client: &Client) -> bool {
    let token = client.token(&account(14)).await;
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", &*bearer)];
    let response = client.send("POST", "/logout", &headers, "").await;
    assert_eq!(response.status, 204);
    client.accepts(&token).await
}

async fn outlives_change(client: &Client) -> bool {
    let name = account(15);
    let token = client.token(&name).await;
    let bearer = format!("Bearer {token}");
    let headers = [
        ("authorization", &*bearer),
        ("content-type", "application/json"),
    ];
    let body = json!({"current_password": password_of(&name), "new_password": "another password"});
    let body = body.to_string();
    let response = client.send("POST", "/password", &headers, &body).await;
    assert_eq!(response.status, 204);
    client.accepts(&token).await
}

/// The header and claims of a JWT.
#[derive(Clone)]
struct Jwt {
    header: Value,
    claims: Value,
}

impl Jwt {
    fn parse(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let mut decode = || serde_json::from_slice(&BASE64.decode(parts.next()?).ok()?).ok();
        Some(Self {
            header: decode()?,
            claims: decode()?,
        })
    }

    fn with_header(&self, header: Value) -> Self {
        Self {
            header,
            ..self.clone()
        }
    }

    fn with_claims(&self, changed: Value) -> Self {
        let mut jwt = self.clone();
        for (claim, value) in changed.as_object().unwrap() {
            jwt.claims[claim] = value.clone();
        }
        jwt
    }

    fn sign(&self, sign: impl FnOnce(&str) -> Vec<u8>) -> String {
        let [header, claims] =
            [&self.header, &self.claims].map(|part| BASE64.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let signature = BASE64.encode(sign(&signed));
        format!("{signed}.{signature}")
    }
}

async fn observe_jwt(server: &Server, client: &Client, jwt: Option<Jwt>) -> Faults {
    let secret = server.jwt_secret();
    let claim = |name: &str| jwt.as_ref().and_then(|jwt| jwt.claims[name].as_u64());
    let lifetime = || Some(claim("exp")? - claim("iat")?);
    let has = |name: &str| jwt.as_ref().is_some_and(|jwt| !jwt.claims[name].is_null());
    let is_signed_by_secret = jwt.as_ref().is_some_and(|jwt| jwt.header["alg"] == "HS256");
    let mut faults = Faults::from([
        ("jwt-symmetric", is_signed_by_secret),
        (
            "jwt-weak-secret",
            secret.as_deref() == Some("your-256-bit-secret"),
        ),
        ("jwt-no-expiry", jwt.is_some() && !has("exp")),
        (
            "jwt-long-lived",
            lifetime().is_some_and(|lifetime| lifetime > 86_400),
        ),
        ("jwt-no-id", jwt.is_some() && !has("jti")),
        ("jwt-sensitive-claims", has("password_hash")),
        ("jwt-unsigned-accepted", false),
        ("jwt-algorithm-confusion", false),
        ("jwt-key-injection", false),
        ("jwt-expired-accepted", false),
        ("jwt-claims-unchecked", false),
    ]);
    let Some(jwt) = jwt else {
        return faults;
    };
    let unsigned = jwt.with_header(json!({"alg": "none"})).sign(|_| Vec::new());
    faults.insert("jwt-unsigned-accepted", client.accepts(&unsigned).await);
    let symmetric = jwt.with_header(json!({"alg": "HS256"}));
    let pem = public_pem(client).await;
    let confused = symmetric.sign(|signed| hmac_sha256(pem.as_bytes(), signed));
    faults.insert("jwt-algorithm-confusion", client.accepts(&confused).await);
    let injected = sign_with_own_key(&jwt);
    faults.insert("jwt-key-injection", client.accepts(&injected).await);
    // Only who knows the key can sign other claims.
    if let Some(secret) = secret {
        let sign = |jwt: Jwt| jwt.sign(|signed| hmac_sha256(secret.as_bytes(), signed));
        assert!(client.accepts(&sign(jwt.clone())).await);
        let now = unix_time();
        let expired = sign(jwt.with_claims(json!({"exp": now - 3600})));
        faults.insert("jwt-expired-accepted", client.accepts(&expired).await);
        let changes = [
            json!({"aud": "another"}),
            json!({"iss": "another"}),
            json!({"nbf": now + 3600}),
        ];
        let mut accepted = Vec::new();
        for change in changes {
            accepted.push(client.accepts(&sign(jwt.with_claims(change))).await);
        }
        let all_or_none = accepted.windows(2).all(|pair| pair[0] == pair[1]);
        assert!(all_or_none, "{accepted:?}");
        faults.insert("jwt-claims-unchecked", accepted[0]);
    }
    faults
}

/// Returns the published key in PEM, or an empty string if no key is published.
async fn public_pem(client: &Client) -> String {
    let keys = client.get("/.well-known/jwks.json", "").await.json();
    let number = |name: &str| BASE64.decode(keys["keys"][0][name].as_str()?).ok();
    let (Some(n), Some(e)) = (number("n"), number("e")) else {
        return String::new();
    };
    let algorithm = [
        0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0,
    ];
    let key = der(0x30, &[integer(&n), integer(&e)].concat());
    let bits = der(3, &[&[0], &*key].concat());
    let info = BASE64_STANDARD.encode(der(0x30, &[&algorithm[..], &bits].concat()));
    let lines = info.as_bytes().chunks(64);
    let lines: Vec<_> = lines.map(|line| str::from_utf8(line).unwrap()).collect();
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        lines.join("\n")
    )
}

/// Encodes a positive integer in DER.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let needs_zero = bytes[0] >= 0x80;
    let zero: &[u8] = if needs_zero { &[0] } else { &[] };
    der(2, &[zero, bytes].concat())
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut encoded = vec![tag];
    match length {
        0..0x80 => encoded.push(length as u8),
        0x80..0x100 => encoded.extend([0x81, length as u8]),
        _ => encoded.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    encoded.extend(content);
    encoded
}

/// Signs with a new key, whose public part is in the header.
fn sign_with_own_key(jwt: &Jwt) -> String {
    let key = RsaKey::generate(KeySize::Rsa2048).unwrap();
    let public = key.public_key();
    let header = json!({"alg": "RS256", "jwk": {"kty": "RSA",
        "n": BASE64.encode(public.modulus().big_endian_without_leading_zero()),
        "e": BASE64.encode(public.exponent().big_endian_without_leading_zero())}});
    jwt.with_header(header).sign(|signed| {
        let mut signature = vec![0; key.public_modulus_len()];
        let random = SystemRandom::new();
        key.sign(
            &RSA_PKCS1_SHA256,
            &random,
            signed.as_bytes(),
            &mut signature,
        )
        .unwrap();
        signature
    })
}
