//! OAuth's endpoints, DPoP, and what a JWT has to be.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use doorwarden_serve::{
    Profile,
    jwt::{Algorithm, Expected, Invalid, Jwks, verify},
};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::service::{PASSWORD, Service, text};

async fn answered(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    (
        answer.status().as_u16(),
        answer.json().await.unwrap_or_default(),
    )
}

#[tokio::test]
async fn a_refresh_token_works_once_and_reuse_ends_the_family() {
    let service = Service::start("refresh").await;
    service.register("alice").await;
    let first = service.log_in("alice", PASSWORD).await;
    let refresh = |token: String| {
        let form = [
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", token),
        ];
        answered(service.post("/oauth/token").form(&form))
    };
    let stolen = text(&first, "refresh_token");
    let (status, second) = refresh(stolen.clone()).await;
    assert_eq!(status, 200);
    assert_eq!(service.me(&text(&second, "access_token")).await, 200);
    let (status, error) = refresh(stolen).await;
    assert_eq!((status, &error["error"]), (400, &json!("invalid_grant")));
    // The thief's and the owner's: all have ended.
    assert_eq!(refresh(text(&second, "refresh_token")).await.0, 400);
    assert_eq!(service.me(&text(&second, "access_token")).await, 401);
    service.stop().await;
}

#[tokio::test]
async fn sessions_end_unused_and_however_often_they_are_refreshed() {
    let service = Service::start("absolute").await;
    service.register("alice").await;
    let tokens = service.log_in("alice", PASSWORD).await;
    let refresh = |token: String| {
        let form = [
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", token),
        ];
        answered(service.post("/oauth/token").form(&form))
    };
    // Unused, it ends after two weeks; however much it is used, after thirty days.
    const DAYS: &str = "SELECT (expires - created) / 86400 FROM sessions";
    assert_eq!(service.ask(DAYS).await, ["14"]);
    service
        .ask("UPDATE sessions SET created = created - 10 * 86400")
        .await;
    let (status, tokens) = refresh(text(&tokens, "refresh_token")).await;
    assert_eq!((status, service.ask(DAYS).await), (200, vec!["24".into()]));
    service
        .ask("UPDATE sessions SET created = created - 15 * 86400")
        .await;
    let (status, tokens) = refresh(text(&tokens, "refresh_token")).await;
    assert_eq!((status, service.ask(DAYS).await), (200, vec!["30".into()]));
    // The end comes.
    service.ask("UPDATE sessions SET expires = 1").await;
    assert_eq!(refresh(text(&tokens, "refresh_token")).await.0, 400);
    assert_eq!(service.me(&text(&tokens, "access_token")).await, 401);
    service.stop().await;
}

#[tokio::test]
async fn of_a_hundred_at_once_one_refreshes() {
    let service = Service::start("race").await;
    service.register("alice").await;
    let token = text(&service.log_in("alice", PASSWORD).await, "refresh_token");
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", token.as_str()),
        ];
        racing.spawn(answered(service.post("/oauth/token").form(&form)));
    }
    let answers = racing.join_all().await;
    assert_eq!(
        answers.iter().filter(|(status, _)| *status == 200).count(),
        1
    );
    service.stop().await;
}

#[tokio::test]
async fn clients_authenticate_introspect_and_revoke() {
    let service = Service::start("clients").await;
    service.register("alice").await;
    let (id, secret) = service.client().await;
    let access = service.token("alice").await;
    let ask = |path: &str, token: &str| {
        let request = service.post(path).basic_auth(&id, Some(&secret));
        answered(request.form(&[("token", token)]))
    };
    let (status, told) = ask("/oauth/introspect", &access).await;
    assert_eq!(
        (status, &told["active"], &told["username"]),
        (200, &json!(true), &json!("alice"))
    );
    for token in ["nonsense", "a.b.c", &format!("{access}x"), "dws_x"] {
        assert_eq!(
            ask("/oauth/introspect", token).await,
            (200, json!({"active": false}))
        );
    }
    assert_eq!(ask("/oauth/revoke", &access).await.0, 200);
    assert_eq!(
        ask("/oauth/introspect", &access).await.1,
        json!({"active": false})
    );
    assert_eq!(service.me(&access).await, 401);
    assert_eq!(ask("/oauth/revoke", "unknown").await.0, 200);

    let wrong = service
        .post("/oauth/introspect")
        .basic_auth(&id, Some("wrong"))
        .form(&[("token", "x")]);
    let answer = wrong.send().await.unwrap();
    assert_eq!(answer.status(), 401);
    assert!(answer.headers().contains_key("www-authenticate"));
    let nobody = service.post("/oauth/introspect").form(&[("token", "x")]);
    assert_eq!(answered(nobody).await.0, 401);

    // A client's own token, by either way to authenticate, and not by both.
    let grant = [("grant_type", "client_credentials")];
    let own = answered(
        service
            .post("/oauth/token")
            .basic_auth(&id, Some(&secret))
            .form(&grant),
    )
    .await;
    assert_eq!(own.0, 200);
    assert!(own.1.get("refresh_token").is_none());
    let in_form = [
        ("grant_type", "client_credentials"),
        ("client_id", id.as_str()),
        ("client_secret", secret.as_str()),
    ];
    assert_eq!(
        answered(service.post("/oauth/token").form(&in_form))
            .await
            .0,
        200
    );
    let both = service
        .post("/oauth/token")
        .basic_auth(&id, Some(&secret))
        .form(&in_form);
    assert_eq!(answered(both).await.1["error"], "invalid_request");
    let me = service
        .get("/me")
        .bearer_auth(text(&own.1, "access_token"))
        .send()
        .await
        .unwrap();
    assert_eq!(me.status(), 403, "a client is no user");
    for (form, error) in [
        (
            vec![("grant_type", "password"), ("username", "alice")],
            "unsupported_grant_type",
        ),
        (vec![("username", "alice")], "invalid_request"),
        (
            vec![
                ("grant_type", "refresh_token"),
                ("grant_type", "refresh_token"),
            ],
            "invalid_request",
        ),
        (
            vec![
                ("grant_type", "refresh_token"),
                ("refresh_token", "x"),
                ("scope", "all"),
            ],
            "invalid_scope",
        ),
        (
            vec![("grant_type", "refresh_token"), ("refresh_token", "x")],
            "invalid_grant",
        ),
    ] {
        let (status, told) = answered(service.post("/oauth/token").form(&form)).await;
        assert_eq!((status, &told["error"]), (400, &json!(error)), "{form:?}");
    }
    service.stop().await;
}

/// A key of a client's, and proofs by it (RFC 9449 §4.2).
struct Holder(EcdsaKeyPair);

impl Holder {
    fn new() -> Self {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key.as_ref()).unwrap())
    }

    fn proof(
        &self,
        method: &str,
        url: &str,
        token: Option<&str>,
        change: impl FnOnce(&mut Value, &mut Value),
    ) -> String {
        let point = self.0.public_key().as_ref();
        let (x, y) = (BASE64.encode(&point[1..33]), BASE64.encode(&point[33..]));
        let mut header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": {"kty": "EC", "crv": "P-256", "x": x, "y": y}});
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let mut random = [0; 12];
        getrandom::fill(&mut random).unwrap();
        let mut claims =
            json!({"htm": method, "htu": url, "iat": now, "jti": BASE64.encode(random)});
        if let Some(token) = token {
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes());
            claims["ath"] = BASE64.encode(digest).into();
        }
        change(&mut header, &mut claims);
        let part = |value: &Value| BASE64.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = self
            .0
            .sign(&SystemRandom::new(), signed.as_bytes())
            .unwrap();
        format!("{signed}.{}", BASE64.encode(signature))
    }
}

/// No text of a database has U+0000: it is nobody's name, and no fault of ours.
#[tokio::test]
async fn a_name_with_nothing_in_it_is_nobody_s() {
    let service = Service::start("nul").await;
    let root = service.administrator().await;
    let form = [("grant_type", "client_credentials")];
    for id in ["a\0b", "%00"] {
        let request = service.post("/oauth/token").basic_auth(id, Some("secret"));
        assert_eq!(answered(request.form(&form)).await.0, 401, "{id:?}");
    }
    let path = service
        .get("/admin/users/a%00b/sessions")
        .bearer_auth(&root);
    assert_eq!(answered(path).await.0, 404);
    let path = service.delete("/me/sessions/%00").bearer_auth(&root);
    assert_eq!(answered(path).await.0, 404);
    service.stop().await;
}

#[tokio::test]
async fn a_bound_token_opens_for_its_key_alone() {
    let service = Service::with("dpop", |config| config.profile = Profile::Strict).await;
    service.register("alice").await;
    let (holder, thief) = (Holder::new(), Holder::new());
    let login = format!("{}/login", service.url);
    let log_in = |proof: String| {
        let fields = json!({"username": "alice", "password": PASSWORD});
        answered(service.post("/login").header("dpop", proof).json(&fields))
    };
    let proof = holder.proof("POST", &login, None, |_, _| {});
    let (status, tokens) = log_in(proof.clone()).await;
    assert_eq!((status, &tokens["token_type"]), (200, &json!("DPoP")));
    assert_eq!(
        log_in(proof).await.1["error"],
        "invalid_dpop_proof",
        "each proof once"
    );
    type Change = fn(&mut Value, &mut Value);
    let spoiled: [Change; 7] = [
        |header, _| header["typ"] = "jwt".into(),
        |header, _| header["alg"] = "none".into(),
        |header, _| header["jwk"]["d"] = "AAAA".into(),
        |_, claims| claims["htm"] = "GET".into(),
        |_, claims| claims["htu"] = "https://elsewhere.example/login".into(),
        |_, claims| claims["iat"] = 1_000_000_000.into(),
        |_, claims| claims["jti"] = Value::Null,
    ];
    for change in spoiled {
        let (status, told) = log_in(holder.proof("POST", &login, None, change)).await;
        assert_eq!(
            (status, &told["error"]),
            (400, &json!("invalid_dpop_proof"))
        );
    }
    // A set of keys within the key: the thumbprint of the one, signed by the other.
    let point = holder.0.public_key().as_ref();
    let (x, y) = (BASE64.encode(&point[1..33]), BASE64.encode(&point[33..]));
    let smuggled = thief.proof("POST", &login, None, |header, _| {
        let own = header["jwk"].clone();
        header["jwk"] = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "keys": [own]});
    });
    assert_eq!(log_in(smuggled).await.1["error"], "invalid_dpop_proof");
    let token = text(&tokens, "access_token");
    let url = format!("{}/me", service.url);
    let me = |scheme: &str, proof: Option<String>| {
        let mut request = service
            .get("/me")
            .header("authorization", format!("{scheme} {token}"));
        if let Some(proof) = proof {
            request = request.header("dpop", proof);
        }
        async move { request.send().await.unwrap().status().as_u16() }
    };
    let good = || holder.proof("GET", &url, Some(&token), |_, _| {});
    assert_eq!(me("DPoP", Some(good())).await, 200);
    assert_eq!(me("Bearer", Some(good())).await, 401);
    assert_eq!(me("Bearer", None).await, 401);
    assert_eq!(me("DPoP", None).await, 401);
    assert_eq!(
        me(
            "DPoP",
            Some(thief.proof("GET", &url, Some(&token), |_, _| {}))
        )
        .await,
        401
    );
    assert_eq!(
        me("DPoP", Some(holder.proof("GET", &url, None, |_, _| {}))).await,
        401,
        "without ath"
    );
    // A refresh token is bound too.
    let at = format!("{}/oauth/token", service.url);
    let refresh = text(&tokens, "refresh_token");
    let refreshed = |proof: String| {
        let form = [
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh.as_str()),
        ];
        answered(
            service
                .post("/oauth/token")
                .header("dpop", proof)
                .form(&form),
        )
    };
    assert_eq!(
        refreshed(thief.proof("POST", &at, None, |_, _| {})).await.0,
        400
    );
    assert_eq!(
        refreshed(holder.proof("POST", &at, None, |_, _| {}))
            .await
            .0,
        200
    );
    service.stop().await;
}

#[tokio::test]
async fn every_algorithm_signs_what_verifies_and_nothing_else() {
    for algorithm in [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA] {
        let service = Service::with(&format!("alg-{algorithm}"), |config| {
            config.algorithm = algorithm
        })
        .await;
        service.register("alice").await;
        let token = service.token("alice").await;
        let jwks = service
            .get("/.well-known/jwks.json")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap();
        let keys = Jwks::parse(&jwks).unwrap();
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let expected = Expected {
            algorithm,
            audience: Some(&service.url),
            issuer: Some(&service.url),
            typ: Some("at+jwt"),
            now,
        };
        let claims = verify(&token, &keys, &expected).unwrap().claims.unwrap();
        for claim in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
            assert!(claims.contains_key(claim), "RFC 9068 asks for {claim}");
        }
        let refused = |change: &dyn Fn(&mut Expected<'_>)| {
            let mut other = expected.clone();
            change(&mut other);
            verify(&token, &keys, &other).is_err()
        };
        assert!(refused(&|other| other.audience = Some("another")));
        assert!(refused(&|other| other.issuer = Some("another")));
        assert!(refused(&|other| other.typ = Some("JWT")));
        assert!(refused(&|other| other.now = now + 906));
        assert!(
            !refused(&|other| other.now = now + 904),
            "clocks may differ by five seconds"
        );
        assert!(refused(&|other| other.algorithm = Algorithm::HS256));
        // Each character of the token counts.
        for at in (0..token.len()).step_by(7) {
            let mut spoiled = token.clone().into_bytes();
            spoiled[at] = if spoiled[at] == b'A' { b'B' } else { b'A' };
            let spoiled = String::from_utf8(spoiled).unwrap();
            assert!(
                verify(&spoiled, &keys, &expected).is_err(),
                "character {at}"
            );
        }
        service.stop().await;
    }
}

/// RFC 7515 appendix A.1 (HS256), A.2 (RS256), A.3 (ES256), and RFC 8037 appendix A.4 (EdDSA), typed in.
#[test]
fn tokens_of_the_rfcs_verify() {
    let payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let hs256 = format!(
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{payload}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    let oct = r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;
    let es256 = format!(
        "eyJhbGciOiJFUzI1NiJ9.{payload}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    );
    let ec = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    let eddsa = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let okp = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let at = |algorithm, now| Expected {
        algorithm,
        audience: None,
        issuer: None,
        typ: None,
        now,
    };
    const THEN: u64 = 1_300_819_000;
    for (token, key, algorithm) in [
        (hs256.as_str(), oct, Algorithm::HS256),
        (es256.as_str(), ec, Algorithm::ES256),
        (eddsa, okp, Algorithm::EdDSA),
    ] {
        let keys = Jwks::parse(key).unwrap();
        assert!(
            verify(token, &keys, &at(algorithm, THEN)).is_ok(),
            "{algorithm}"
        );
    }
    let keys = Jwks::parse(oct).unwrap();
    let late = verify(&hs256, &keys, &at(Algorithm::HS256, 1_700_000_000));
    assert!(matches!(late, Err(Invalid::Claim(_))));
    // A key that says it is for something else is not used, and a short one isn't either.
    for key in [
        oct.replace("\"k\"", "\"use\":\"enc\",\"k\""),
        oct.replace("\"k\"", "\"alg\":\"HS512\",\"k\""),
        oct.replace("\"k\"", "\"key_ops\":[\"sign\"],\"k\""),
        r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umjw"}"#.to_owned(),
    ] {
        let keys = Jwks::parse(&key).unwrap();
        let refused = verify(&hs256, &keys, &at(Algorithm::HS256, THEN));
        assert!(matches!(refused, Err(Invalid::NoKey(_))), "{key}");
    }
    // What could be read in two ways.
    for token in [
        format!("{hs256}="),
        format!("{hs256}."),
        hs256.replace('.', " ."),
        hs256.replacen('.', "..", 1),
        // The last character's bits that don't count.
        hs256.replace("OEjXk", "OEjXl"),
    ] {
        assert!(
            verify(&token, &keys, &at(Algorithm::HS256, THEN)).is_err(),
            "{token}"
        );
    }
    let twice = BASE64.encode(r#"{"alg":"none","alg":"HS256"}"#);
    let token = format!("{twice}.{payload}.AA");
    assert!(matches!(
        verify(&token, &keys, &at(Algorithm::HS256, THEN)),
        Err(Invalid::Malformed(_))
    ));
    let critical = BASE64.encode(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#);
    let token = format!("{critical}.{payload}.AA");
    assert_eq!(
        verify(&token, &keys, &at(Algorithm::HS256, THEN)),
        Err(Invalid::Critical)
    );
    assert!(
        Jwks::parse("{}").is_ok()
            && Jwks::parse("[]").is_err()
            && Jwks::parse("{\"keys\":1}").is_err()
    );
}
