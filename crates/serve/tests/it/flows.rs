//! Logging in, registering, passwords, second factors, limits.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use doorwarden_gate::http::credentials::Password;
use doorwarden_serve::Profile;
use reqwest::Response;
use serde_json::Value;

use crate::service::{PASSWORD, Service, text};

/// All of an answer that could tell something.
async fn whole(answer: Response) -> (u16, Vec<(String, String)>, String) {
    let status = answer.status().as_u16();
    let plain = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    let mut headers: Vec<_> = answer
        .headers()
        .iter()
        .map(plain)
        .filter(|(name, _)| name != "date")
        .collect();
    headers.sort();
    (status, headers, answer.text().await.unwrap())
}

#[tokio::test]
async fn a_life_of_an_account() {
    let service = Service::start("life").await;
    service.register("alice@example.org").await;
    let form = [("username", "Alice@Example.org"), ("password", PASSWORD)];
    let by_form = service.post("/login").form(&form).send().await.unwrap();
    assert_eq!(by_form.status(), 200);
    assert_eq!(by_form.headers()["cache-control"], "no-store");
    let tokens: Value = by_form.json().await.unwrap();
    assert_eq!(tokens["token_type"], "bearer");
    assert_eq!(tokens["expires_in"], 900);
    let access = text(&tokens, "access_token");
    let me: Value = service
        .get("/me")
        .bearer_auth(&access)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(me["username"], "alice@example.org");

    // Another password ends all sessions.
    let new = "another fine long password";
    let change = [("old_password", PASSWORD), ("new_password", new)];
    assert_eq!(
        service
            .send_as(&access, "/password/change", &change)
            .await
            .status(),
        200
    );
    assert_eq!(service.me(&access).await, 401);
    let refresh = text(&tokens, "refresh_token");
    let refreshed = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
    ];
    assert_eq!(
        service
            .post("/oauth/token")
            .form(&refreshed)
            .send()
            .await
            .unwrap()
            .status(),
        400
    );
    let old = service
        .send(
            "/login",
            &[("username", "alice@example.org"), ("password", PASSWORD)],
        )
        .await;
    assert_eq!(old.status(), 401);

    // A forgotten one is mended by mail.
    let asked = service
        .send("/password/reset", &[("username", "alice@example.org")])
        .await;
    assert_eq!(asked.status(), 202);
    let mail = mail(&service, "Reset your password").await;
    assert!(mail.starts_with("To: alice@example.org\n"), "{mail}");
    let token = mail
        .split("token=")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    let reset = [("token", token), ("password", "a third fine long password")];
    assert_eq!(
        service
            .send("/password/reset/confirm", &reset)
            .await
            .status(),
        200
    );
    assert_eq!(
        service
            .send("/password/reset/confirm", &reset)
            .await
            .status(),
        400,
        "once"
    );
    let access = text(
        &service
            .log_in("alice@example.org", "a third fine long password")
            .await,
        "access_token",
    );

    // Sessions are listed and ended.
    let other = text(
        &service
            .log_in("alice@example.org", "a third fine long password")
            .await,
        "access_token",
    );
    let listed: Value = service
        .get("/me/sessions")
        .bearer_auth(&access)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let others: Vec<&Value> = listed
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["current"] == false)
        .collect();
    assert_eq!(others.len(), 1);
    let path = format!("/me/sessions/{}", others[0]["id"].as_str().unwrap());
    assert_eq!(
        service
            .delete(&path)
            .bearer_auth(&access)
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    assert_eq!(
        (service.me(&other).await, service.me(&access).await),
        (401, 200)
    );
    assert_eq!(
        service.send_as(&access, "/logout/all", &[]).await.status(),
        204
    );
    assert_eq!(service.me(&access).await, 401);
    service.stop().await;
}

/// The mail of a subject, as soon as it is there.
async fn mail(service: &Service, subject: &str) -> String {
    for _ in 0..200 {
        let there = std::fs::read_dir(service.data.join("mail"))
            .into_iter()
            .flatten();
        for mail in there {
            let text = std::fs::read_to_string(mail.unwrap().path()).unwrap();
            if text.contains(&format!("Subject: {subject}\n")) && text.ends_with(".\n") {
                return text;
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("no mail came");
}

#[tokio::test]
async fn users_hear_of_a_new_password() {
    let service = Service::start("hear").await;
    service.register("alice@example.org").await;
    let access = service.token("alice@example.org").await;
    let change = [
        ("old_password", PASSWORD),
        ("new_password", "another fine long password"),
    ];
    assert_eq!(
        service
            .send_as(&access, "/password/change", &change)
            .await
            .status(),
        200
    );
    let told = mail(&service, "Your password was changed").await;
    assert!(told.starts_with("To: alice@example.org\n"), "{told}");
    assert!(!told.contains("another fine"), "{told}");
    service.stop().await;
}

#[tokio::test]
async fn a_reset_leaves_the_second_factor() {
    let service = Service::start("reset-factor").await;
    service.register("alice@example.org").await;
    let access = service.token("alice@example.org").await;
    let enroll = service
        .send_as(&access, "/mfa/totp/enroll", &[("password", PASSWORD)])
        .await;
    let enrolled: Value = enroll.json().await.unwrap();
    let code = code(&text(&enrolled, "secret"), 0);
    let token = text(&enrolled, "enroll_token");
    let confirm = [("enroll_token", token.as_str()), ("code", code.as_str())];
    assert_eq!(
        service
            .send_as(&access, "/mfa/totp/confirm", &confirm)
            .await
            .status(),
        200
    );
    let asked = service
        .send("/password/reset", &[("username", "alice@example.org")])
        .await;
    assert_eq!(asked.status(), 202);
    let mail = mail(&service, "Reset your password").await;
    let token = mail
        .split("token=")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    // Beside a second factor eight characters do.
    let reset = [("token", token), ("password", "lake of 9")];
    assert_eq!(
        service
            .send("/password/reset/confirm", &reset)
            .await
            .status(),
        200
    );
    let login = service
        .send(
            "/login",
            &[("username", "alice@example.org"), ("password", "lake of 9")],
        )
        .await;
    assert_eq!(login.status(), 403);
    let login: Value = login.json().await.unwrap();
    assert_eq!(login["error"], "mfa_required");
    service.stop().await;
}

#[tokio::test]
async fn unknown_wrong_and_disabled_are_answered_in_equal_bytes() {
    let service = Service::start("equal").await;
    service.register("alice").await;
    service.register("gone").await;
    service.office().await.disable("gone", true).await.unwrap();
    let mut answers = BTreeSet::new();
    for (name, password) in [
        ("alice", "wrong"),
        ("nobody", "wrong"),
        ("gone", PASSWORD),
        ("gone", "wrong"),
    ] {
        let json = service
            .send("/login", &[("username", name), ("password", password)])
            .await;
        answers.insert(whole(json).await);
        let form = service
            .post("/login")
            .form(&[("username", name), ("password", password)]);
        answers.insert(whole(form.send().await.unwrap()).await);
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    // Registering and resetting tell as little.
    for (path, free, taken) in [
        ("/register", "new", "alice"),
        ("/password/reset", "nobody", "alice"),
    ] {
        let mut answers = BTreeSet::new();
        for name in [free, taken] {
            let answer = service
                .send(path, &[("username", name), ("password", PASSWORD)])
                .await;
            answers.insert(whole(answer).await);
        }
        assert_eq!(answers.len(), 1, "{path}: {answers:?}");
    }
    // The account that was there has kept its password.
    let alice = service.log_in("alice", PASSWORD).await;
    assert!(alice["access_token"].is_string());
    service.stop().await;
}

#[tokio::test]
async fn a_locked_account_is_refused_as_one_that_does_not_exist() {
    let service = Service::start("locked").await;
    service.register("alice").await;
    let mut answers = BTreeSet::new();
    for name in ["alice", "nobody"] {
        for i in 0..10 {
            let wrong = format!("wrong {i}");
            assert_eq!(
                service
                    .send("/login", &[("username", name), ("password", &wrong)])
                    .await
                    .status(),
                401
            );
        }
        let right = service
            .send("/login", &[("username", name), ("password", PASSWORD)])
            .await;
        assert_eq!(right.status(), 429);
        let (status, headers, body) = whole(right).await;
        let plain: Vec<_> = headers
            .into_iter()
            .filter(|(name, _)| name != "retry-after")
            .collect();
        answers.insert((status, plain, body));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    let events = service.events.lock().unwrap().join("\n");
    assert!(
        events.contains("\"denied\"") && !events.contains("wrong 1") && !events.contains("alice")
    );
    service.stop().await;
}

#[tokio::test]
async fn a_second_factor_is_asked_for_each_code_once() {
    let service = Service::start("factor").await;
    service.register("alice").await;
    let access = service.token("alice").await;
    let wrong = service
        .send_as(&access, "/mfa/totp/enroll", &[("password", "wrong")])
        .await;
    assert_eq!(wrong.status(), 403);
    let enrolled: Value = service
        .send_as(&access, "/mfa/totp/enroll", &[("password", PASSWORD)])
        .await
        .json()
        .await
        .unwrap();
    let secret = text(&enrolled, "secret");
    assert!(text(&enrolled, "otpauth_uri").contains(&secret));
    let token = text(&enrolled, "enroll_token");
    let code = |step: i64| code(&secret, step);
    let confirm = [("enroll_token", token.as_str()), ("code", &code(0))];
    let confirmed = service
        .send_as(&access, "/mfa/totp/confirm", &confirm)
        .await;
    assert_eq!(confirmed.status(), 200);
    let codes: Value = confirmed.json().await.unwrap();
    let recovery = codes["recovery_codes"][0].as_str().unwrap().to_owned();

    // With the password alone it is not replaced.
    let again = service
        .send_as(&access, "/mfa/totp/enroll", &[("password", PASSWORD)])
        .await;
    assert_eq!(again.status(), 409);

    let half = |service: &Service| {
        let login = service
            .post("/login")
            .json(&serde_json::json!({"username": "alice", "password": PASSWORD}));
        async move {
            let answer = login.send().await.unwrap();
            assert_eq!(answer.status(), 403);
            let answer: Value = answer.json().await.unwrap();
            assert_eq!(answer["error"], "mfa_required");
            text(&answer, "mfa_token")
        }
    };
    let mfa = half(&service).await;
    let tried = |code: String, mfa: String| {
        let path = if code.len() == 6 {
            "/mfa/totp"
        } else {
            "/mfa/recovery"
        };
        let request = service
            .post(path)
            .json(&serde_json::json!({"mfa_token": mfa, "code": code}));
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(
        tried(code(0), mfa.clone()).await,
        401,
        "the code of the confirmation was used"
    );
    assert_eq!(tried("000000".into(), mfa.clone()).await, 401);
    assert_eq!(tried(code(1), mfa.clone()).await, 200);
    assert_eq!(
        tried(recovery.clone(), mfa).await,
        401,
        "the token was used"
    );
    assert_eq!(
        tried(recovery.to_uppercase(), half(&service).await).await,
        200
    );
    assert_eq!(tried(recovery, half(&service).await).await, 401, "once");

    // Guesses are counted for the account, whatever tokens they come with.
    // The account knows this network by now, so there are more than for strangers.
    let mut refused = 0;
    for guess in 0..60 {
        let mfa = half(&service).await;
        refused += u32::from(tried(format!("{guess:06}"), mfa).await == 429);
    }
    assert!(refused > 0);

    // Who has lost it, or was given one by a thief, is helped by an operator.
    let office = service.office().await;
    office.reset_factors("alice").await.unwrap();
    assert!(office.reset_factors("nobody").await.is_err());
    assert_eq!(service.me(&access).await, 401, "the sessions have ended");
    assert_eq!(service.me(&service.token("alice").await).await, 200);
    let told = office.audit(Some("alice"), 100).await.unwrap();
    assert!(told.iter().any(|one| one.event == "second-factors-reset"));
    service.stop().await;
}

/// The code of a secret in Base32, so many steps from now.
pub(crate) fn code(secret: &str, steps: i64) -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs() as i64;
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    totp.generate((now + steps * 30) as u64).to_string()
}

#[tokio::test]
async fn bad_input_is_told() {
    let service = Service::start("input").await;
    let post = |kind: &'static str, body: &'static str| {
        let request = service
            .post("/login")
            .header("content-type", kind)
            .body(body);
        async move {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        }
    };
    const FORM: &str = "application/x-www-form-urlencoded";
    const JSON: &str = "application/json";
    for (kind, body, status, said) in [
        ("text/plain", "x", 415, "application/json"),
        (JSON, "{", 400, "not a JSON object"),
        (JSON, "[]", 400, "not a JSON object"),
        (
            JSON,
            r#"{"username":"a","username":"b","password":"c"}"#,
            400,
            "more than once",
        ),
        (
            JSON,
            r#"{"username":["a"],"password":"c"}"#,
            400,
            "a string",
        ),
        (JSON, r#"{"username":"a"}"#, 422, "`password`"),
        (
            JSON,
            r#"{"username":"a\u0000","password":"c"}"#,
            400,
            "U+0000",
        ),
        (
            FORM,
            "username=a&password=b&password=c",
            400,
            "more than once",
        ),
        (
            FORM,
            "username=%ff&password=b&password=c",
            400,
            "more than once",
        ),
    ] {
        let (found, text) = post(kind, body).await;
        assert_eq!(found, status, "{kind} {body}: {text}");
        assert!(text.contains(said), "{body}: {text}");
    }
    let long = format!("username=a&password={}", "x".repeat(20_000));
    let answer = service
        .post("/login")
        .header("content-type", FORM)
        .body(long)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 413);
    for (password, said) in [
        ("short", "15 characters"),
        ("aaaaaaaaaaaaaaaaaaaa", "too common"),
    ] {
        let answer = service
            .send(
                "/register",
                &[("username", "alice"), ("password", password)],
            )
            .await;
        assert_eq!(answer.status(), 422);
        assert!(answer.text().await.unwrap().contains(said));
    }
    assert_eq!(service.get("/nowhere").send().await.unwrap().status(), 404);
    assert_eq!(service.get("/login").send().await.unwrap().status(), 405);
    service.stop().await;
}

#[tokio::test]
async fn administration_is_for_administrators() {
    let service = Service::start("admin").await;
    service.register("alice").await;
    let alice = service.token("alice").await;
    let list = |token: String| {
        let request = service.get("/admin/users").bearer_auth(token);
        async move { request.send().await.unwrap() }
    };
    assert_eq!(list(alice.clone()).await.status(), 403);
    let root = service.administrator().await;
    let users: Value = list(root.clone()).await.json().await.unwrap();
    assert_eq!(users.as_array().unwrap().len(), 2);
    assert_eq!(
        service
            .send_as(&root, "/admin/users/ALICE/disable", &[])
            .await
            .status(),
        204
    );
    assert_eq!(service.me(&alice).await, 401);
    assert_eq!(
        service
            .send_as(&root, "/admin/users/alice/enable", &[])
            .await
            .status(),
        204
    );
    assert_eq!(
        service
            .send_as(&root, "/admin/users/nobody/enable", &[])
            .await
            .status(),
        404
    );
    let made = service
        .send_as(&root, "/admin/clients", &[("name", "api")])
        .await;
    assert_eq!(made.status(), 201);
    assert_eq!(
        service
            .send_as(&root, "/admin/keys/rotate", &[])
            .await
            .status(),
        201
    );
    let keys: Value = service
        .get("/.well-known/jwks.json")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        keys["keys"].as_array().unwrap().len(),
        2,
        "the next is published before it signs"
    );

    // Accounts are added and imported, by administrators alone.
    let alice = service.token("alice").await;
    let carol = [("username", "carol"), ("password", PASSWORD)];
    let add = |token: &str| {
        let request = service.post("/admin/users").bearer_auth(token);
        let request = request.form(&carol);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(add(&alice).await, 403);
    assert_eq!(add(&root).await, 201);
    assert_eq!(add(&root).await, 409);
    let carol = service.token("carol").await;
    assert_eq!(list(carol).await.status(), 403);
    let short = [("username", "dave"), ("password", "short")];
    let refused = service.send_as(&root, "/admin/users", &short).await;
    assert_eq!(refused.status(), 422);
    let foreign: &[(&str, &str)] = include!("../../src/foreign_hashes.in");
    let lines = format!(
        "{{\"name\":\"erin\",\"hash\":\"{}\"}}\nnonsense\n",
        foreign[6].1
    );
    let import = |token: &str, kind: &'static str| {
        let request = service.post("/admin/users/import").bearer_auth(token);
        let request = request.header("content-type", kind).body(lines.clone());
        async move { request.send().await.unwrap() }
    };
    let kind = "application/x-ndjson";
    assert_eq!(import(&alice, kind).await.status(), 403);
    assert_eq!(import(&root, "text/plain").await.status(), 415);
    let imported: Value = import(&root, kind).await.json().await.unwrap();
    assert_eq!(
        (&imported["imported"], &imported["rejected"][0]["line"]),
        (&1.into(), &2.into())
    );
    let erin = service.log_in("erin", "correct horse battery").await;
    assert!(erin["access_token"].is_string());
    service.stop().await;
}

#[tokio::test]
async fn accounts_of_other_systems_log_in_and_are_rehashed() {
    let service = Service::start("import").await;
    let foreign: &[(&str, &str)] = include!("../../src/foreign_hashes.in");
    let mut csv = String::from("username,password,is_active\n");
    for (i, (_, hash)) in foreign.iter().enumerate() {
        csv.push_str(&format!("user-{i},\"{hash}\",true\n"));
    }
    csv.push_str("off,\"");
    csv.push_str(foreign[0].1);
    csv.push_str("\",False\nbroken,md5$x$y,true\nuser-0,\"");
    csv.push_str(foreign[0].1);
    csv.push_str("\",true\n");
    let imported = service.office().await.import(&csv, true).await.unwrap();
    assert_eq!(imported.made, foreign.len() + 1);
    let lines: Vec<usize> = imported.not.iter().map(|not| not.line).collect();
    assert_eq!(lines, [foreign.len() + 3, foreign.len() + 4]);
    let login = |name: String| {
        let fields = serde_json::json!({"username": name, "password": "correct horse battery"});
        let request = service.post("/login").json(&fields);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    for (i, (form, _)) in foreign.iter().enumerate() {
        assert_eq!(login(format!("user-{i}")).await, 200, "{form}");
    }
    assert_eq!(login("off".into()).await, 401);
    let line = format!(
        "{{\"name\":\"json\",\"hash\":\"{}\"}}\n\nnonsense\n",
        foreign[6].1
    );
    let imported = service.office().await.import(&line, false).await.unwrap();
    assert_eq!((imported.made, imported.not[0].line), (1, 3));
    assert_eq!(login("json".into()).await, 200);
    // What is in the database now is of the current form, and logs in again.
    let query = "SELECT id FROM users WHERE hash LIKE '%argon2id$v=19$m=64,t=1,p=1$%'";
    assert_eq!(service.ask(query).await.len(), foreign.len() + 1);
    assert_eq!(login("user-3".into()).await, 200);
    service.stop().await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart_and_the_secret_matters() {
    let service = Service::start("restart").await;
    let (data, database) = (service.data.clone(), service.database.clone());
    service.register("alice").await;
    let tokens = service.log_in("alice", PASSWORD).await;
    let (url, access) = (service.url.clone(), text(&tokens, "access_token"));
    drop(service);
    let again = Service::with("restart-again", |config| {
        config.data.clone_from(&data);
        config.database = database;
        config.issuer = Some(url);
    })
    .await;
    assert_eq!(again.me(&access).await, 200);
    let kept = again.everything().await;
    let holds = |text: &[u8]| kept.windows(text.len()).any(|part| part == text);
    assert!(holds(b"alice"));
    let refresh = text(&tokens, "refresh_token");
    for secret in [PASSWORD.as_bytes(), refresh.as_bytes(), b"PRIVATE KEY"] {
        assert!(!holds(secret));
    }
    again.stop().await;
    let _ = std::fs::remove_dir_all(data);
}

#[tokio::test]
async fn profiles_ask_for_more_or_less() {
    let compat = Service::with("compat", |config| config.profile = Profile::Compat).await;
    let register = |service: &Service, password: &str| {
        let request = service
            .post("/register")
            .json(&serde_json::json!({"username": "a", "password": password}));
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(register(&compat, "umbrella7 lake").await, 202);
    compat.stop().await;
    let strict = Service::with("strict", |config| config.profile = Profile::Strict).await;
    assert_eq!(register(&strict, "umbrella7 lake").await, 422);
    strict.register("alice").await;
    let answer = strict
        .send("/login", &[("username", "alice"), ("password", PASSWORD)])
        .await;
    assert_eq!(answer.status(), 400);
    assert!(answer.text().await.unwrap().contains("invalid_dpop_proof"));
    strict.stop().await;
}

#[tokio::test]
async fn pages_work_without_scripts_and_refuse_other_sites() {
    let service = Service::start("pages").await;
    let form = [("username", "alice"), ("password", PASSWORD)];
    let foreign = service
        .post("/account/register")
        .form(&form)
        .header("sec-fetch-site", "cross-site");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    let foreign = service
        .post("/account/login")
        .form(&form)
        .header("origin", "https://evil.example");
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    let registered = service
        .post("/account/register")
        .form(&form)
        .send()
        .await
        .unwrap();
    assert_eq!(registered.status(), 202);
    assert_eq!(service.get("/account").send().await.unwrap().status(), 303);
    let wrong = [("username", "alice"), ("password", "wrong")];
    let wrong = service
        .post("/account/login")
        .form(&wrong)
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), 401);
    assert!(
        wrong
            .text()
            .await
            .unwrap()
            .contains("Incorrect username or password.")
    );
    let entered = service
        .post("/account/login")
        .form(&form)
        .send()
        .await
        .unwrap();
    assert_eq!(entered.status(), 303);
    let cookies = entered
        .headers()
        .get_all("set-cookie")
        .iter()
        .map(|one| one.to_str().unwrap());
    let session = cookies
        .into_iter()
        .find(|one| one.starts_with("session="))
        .unwrap()
        .to_owned();
    assert!(session.contains("HttpOnly") && session.contains("SameSite=Strict"));
    let cookie = session.split(';').next().unwrap();
    let page = service
        .get("/account")
        .header("cookie", cookie)
        .send()
        .await
        .unwrap();
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; connect-src 'self'; style-src")
            && !policy.contains("unsafe")
    );
    assert!(page.text().await.unwrap().contains("<h1>alice</h1>"));
    // The page's token is no API token, and a script's name is only a name.
    assert_eq!(service.me(cookie.split_once('=').unwrap().1).await, 401);
    let evil = [("username", "<script>alert(1)</script>"), ("password", "")];
    let shown = service
        .post("/account/login")
        .form(&evil)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(!shown.contains("<script>"), "{shown}");
    // Another login of the same browser takes the place of the first.
    let again = service
        .post("/account/login")
        .form(&form)
        .header("cookie", cookie)
        .send()
        .await
        .unwrap();
    let cookies = again.headers().get_all("set-cookie").iter();
    let renewed = cookies
        .map(|one| one.to_str().unwrap().to_owned())
        .find(|one| one.starts_with("session="))
        .unwrap();
    let old = service.get("/account").header("cookie", cookie);
    assert_eq!(old.send().await.unwrap().status(), 303);
    let cookie = renewed.split(';').next().unwrap();
    let out = service
        .post("/account/logout")
        .header("cookie", cookie)
        .form(&[("x", "")])
        .send()
        .await
        .unwrap();
    assert_eq!(out.status(), 303);
    assert_eq!(
        service
            .get("/account")
            .header("cookie", cookie)
            .send()
            .await
            .unwrap()
            .status(),
        303
    );
    service.stop().await;
}

/// A range API that knows one password: its URL, and the prefixes that were requested.
async fn range_api(leaked: &str) -> (String, Arc<Mutex<Vec<String>>>) {
    use axum::{Router, extract::Path, routing::get};

    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    let hash = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY,
        leaked.as_bytes(),
    );
    let hash: String = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect();
    let suffix = hash[5..].to_owned();
    let range = get(move |Path(first): Path<String>| async move {
        heard.lock().unwrap().push(first);
        format!("0018A45C4D1DEF81644B54AB7F969B88D65:0\r\n{suffix}:42\r\n")
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/range", listener.local_addr().unwrap());
    tokio::spawn(async move {
        axum::serve(listener, Router::new().route("/range/{first}", range))
            .await
            .unwrap();
    });
    (url, asked)
}

#[tokio::test]
async fn leaked_passwords_are_refused_by_a_range_api() {
    let leaked = "this one has leaked already";
    let (url, asked) = range_api(leaked).await;
    let service = Service::with("range", |config| config.breach_range = Some(url)).await;
    let register = |password: &'static str| {
        let fields = serde_json::json!({"username": "alice", "password": password});
        let request = service.post("/register").json(&fields);
        async move { request.send().await.unwrap() }
    };
    let refused = register(leaked).await;
    assert_eq!(refused.status(), 422);
    assert!(refused.text().await.unwrap().contains("breach"));
    assert_eq!(register(PASSWORD).await.status(), 202);
    assert!(asked.lock().unwrap().iter().all(|first| first.len() == 5));
    service.stop().await;

    // If it does not respond, users can register and operators add them, and the operator is told.
    let service = Service::with("range-away", |config| {
        config.breach_range = Some("http://127.0.0.1:9/range".into());
    })
    .await;
    service.register("alice").await;
    let password = Password::new(PASSWORD.into());
    let office = service.office().await;
    office
        .add_user("bob", &password, None, false)
        .await
        .unwrap();
    let complaints = std::mem::take(&mut *service.complaints.lock().unwrap());
    assert_eq!(complaints.len(), 2, "{complaints:?}");
    for complaint in complaints {
        let expected = complaint.contains("range API") && !complaint.contains("/range/");
        assert!(expected, "{complaint}");
    }
    service.stop().await;
}

#[tokio::test]
async fn command_line_and_api_refuse_the_same_passwords_and_addresses() {
    let leaked = "this one has leaked already";
    let (url, _) = range_api(leaked).await;
    let service = Service::with("alike", |config| config.breach_range = Some(url)).await;
    let root = service.administrator().await;
    let office = service.office().await;
    for password in [
        leaked,
        "short",
        "passwordpassword",
        "abababababababababab",
        "carol's house of carols 1",
        &"long ".repeat(300),
    ] {
        let fields = [
            ("username", "carol's house of carols"),
            ("password", password),
        ];
        let api = service.send_as(&root, "/admin/users", &fields).await;
        assert_eq!(api.status(), 422, "{password}");
        let api: Value = api.json().await.unwrap();
        let typed = Password::new(password.to_owned());
        let command = office.add_user(fields[0].1, &typed, None, false).await;
        let command = command.unwrap_err().to_string();
        assert_eq!(text(&api, "detail"), command, "{password}");
    }
    let fields = [
        ("username", "dave"),
        ("password", PASSWORD),
        ("email", "dave"),
    ];
    let api = service.send_as(&root, "/admin/users", &fields).await;
    assert_eq!(api.status(), 422);
    let password = Password::new(PASSWORD.into());
    let command = office.add_user("dave", &password, Some("dave".into()), false);
    assert!(command.await.is_err());
    assert_eq!(service.ask("SELECT name FROM users").await, ["root"]);
    service.stop().await;
}

#[tokio::test]
async fn whatever_people_call_themselves_their_failures_are_their_own() {
    let service = Service::start("named").await;
    let (id, secret) = service.client().await;
    let name = format!("client:{id}");
    for i in 0..10 {
        let wrong = format!("wrong {i}");
        let answer = service
            .send("/login", &[("username", &name), ("password", &wrong)])
            .await;
        assert_eq!(answer.status(), 401);
    }
    let grant = [("grant_type", "client_credentials")];
    let request = service
        .post("/oauth/token")
        .basic_auth(&id, Some(&secret))
        .form(&grant);
    assert_eq!(request.send().await.unwrap().status(), 200);
    service.stop().await;
}

#[tokio::test]
async fn client_secrets_and_signatures_are_limited() {
    // Each guess from a network of its own, so that only the limit of the client or the key is left.
    let service = Service::with("guessed", |config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    service.register("alice").await;
    let access = service.token("alice").await;
    let password = [("password", PASSWORD)];
    let signer = service.send_as(&access, "/me/signers", &password).await;
    let key = text(&signer.json().await.unwrap(), "keyid");
    let (id, _) = service.client().await;
    let grant = [("grant_type", "client_credentials")];
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let (mut of_client, mut of_signer) = (Vec::new(), Vec::new());
    for i in 0..60 {
        let wrong = format!("wrong {i}");
        let request = service
            .post("/oauth/token")
            .basic_auth(&id, Some(wrong))
            .header("x-forwarded-for", format!("10.1.{i}.1"))
            .form(&grant);
        of_client.push(request.send().await.unwrap().status().as_u16());
        let input = format!(
            "s=(\"@method\" \"@target-uri\");created={now};nonce=\"nonce-{i:020}\";keyid=\"{key}\""
        );
        let request = service
            .get("/signed/me")
            .header("x-forwarded-for", format!("10.2.{i}.1"))
            .header("signature-input", input)
            .header("signature", format!("s=:{i:042}A=:"));
        of_signer.push(request.send().await.unwrap().status().as_u16());
    }
    for (of, statuses) in [("client", of_client), ("signer", of_signer)] {
        let verified = statuses.iter().filter(|status| **status == 401).count();
        assert!((1..=10).contains(&verified), "{of}: {statuses:?}");
        let refused = statuses.iter().filter(|status| **status == 429).count();
        assert_eq!(verified + refused, statuses.len(), "{of}: {statuses:?}");
    }
    service.stop().await;
}

/// What was begun with the old password does not outlive its change: a reset, half a login, a signing
/// secret.
#[tokio::test]
async fn a_changed_password_ends_what_was_begun() {
    let service = Service::start("begun").await;
    let name = "alice@example.org";
    service.register(name).await;
    let access = service.token(name).await;
    let password = [("password", PASSWORD)];
    let enrolled = service
        .send_as(&access, "/mfa/totp/enroll", &password)
        .await;
    let enrolled: Value = enrolled.json().await.unwrap();
    let code = |step| code(&text(&enrolled, "secret"), step);
    let token = text(&enrolled, "enroll_token");
    let confirm = [("enroll_token", token.as_str()), ("code", &code(0))];
    let confirmed = service
        .send_as(&access, "/mfa/totp/confirm", &confirm)
        .await;
    assert_eq!(confirmed.status(), 200);
    let signer = service.send_as(&access, "/me/signers", &password).await;
    assert_eq!(signer.status(), 201);
    service.send("/password/reset", &[("username", name)]).await;
    let mail = mail(&service, "Reset your password").await;
    let reset = mail.split("token=").nth(1).unwrap();
    let reset = reset.split_whitespace().next().unwrap();
    let login = [("username", name), ("password", PASSWORD)];
    let half = service.send("/login", &login).await;
    assert_eq!(half.status(), 403);
    let half = text(&half.json().await.unwrap(), "mfa_token");

    let new = "another fine long password";
    let change = [("old_password", PASSWORD), ("new_password", new)];
    let changed = service.send_as(&access, "/password/change", &change).await;
    assert_eq!(changed.status(), 200);

    let thief = [("token", reset), ("password", "a password of the thief's")];
    let confirmed = service.send("/password/reset/confirm", &thief).await;
    assert_eq!(confirmed.status(), 400);
    let rest = [("mfa_token", half.as_str()), ("code", &code(1))];
    assert_eq!(service.send("/mfa/totp", &rest).await.status(), 401);
    let now = "SELECT count(*) FROM signers WHERE expires IS NULL";
    assert_eq!(service.ask(now).await, ["0"]);
    let login = [("username", name), ("password", new)];
    let half = service.send("/login", &login).await;
    let half = text(&half.json().await.unwrap(), "mfa_token");
    let rest = [("mfa_token", half.as_str()), ("code", &code(1))];
    assert_eq!(service.send("/mfa/totp", &rest).await.status(), 200);
    service.stop().await;
}

#[tokio::test]
async fn of_two_resets_by_one_token_one_counts() {
    let service = Service::start("resets").await;
    service.register("alice@example.org").await;
    service
        .send("/password/reset", &[("username", "alice@example.org")])
        .await;
    let mail = mail(&service, "Reset your password").await;
    let token = mail
        .split("token=")
        .nth(1)
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    let mut resets = tokio::task::JoinSet::new();
    for i in 0..8 {
        let fields =
            serde_json::json!({"token": token, "password": format!("a fine long password {i}")});
        let request = service.post("/password/reset/confirm").json(&fields);
        resets.spawn(async move { request.send().await.unwrap().status().as_u16() });
    }
    let answers = resets.join_all().await;
    assert_eq!(
        answers.iter().filter(|status| **status == 200).count(),
        1,
        "{answers:?}"
    );
    service.stop().await;
}

#[tokio::test]
async fn figures_are_for_this_machine_alone() {
    let service = Service::start("figures").await;
    let asked = service.get("/metrics").send().await.unwrap();
    assert_eq!(asked.status(), 200);
    assert!(asked.text().await.unwrap().contains("doorwarden"));
    let proxied = service
        .get("/metrics")
        .header("x-forwarded-for", "203.0.113.5");
    assert_eq!(proxied.send().await.unwrap().status(), 404);
    assert_eq!(service.get("/healthz").send().await.unwrap().status(), 200);
    assert_eq!(service.get("/readyz").send().await.unwrap().status(), 200);
    service.stop().await;
}
