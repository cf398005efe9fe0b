//! What an operator has: certificates, unlocking, what happened, tokens that are no JWTs.

use std::{collections::BTreeSet, path::Path, time::Duration};

use doorwarden_gate::http::credentials::Password;
use doorwarden_serve::{Access, audit::Happened, jwt::Algorithm};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::Certificate;
use serde_json::{Value, json};

use crate::service::{PASSWORD, Service, config, folder, text};

/// Waits for what a server does within five seconds.
async fn soon<F: Future<Output = bool>>(mut done: impl FnMut() -> F) {
    for _ in 0..200 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it did not happen within twenty seconds");
}

/// Writes a new certificate for this machine and its key.
fn certify(folder: &Path) -> Certificate {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(vec!["127.0.0.1".into()]).unwrap();
    std::fs::write(folder.join("key.pem"), signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("certificate.pem"), cert.pem()).unwrap();
    Certificate::from_pem(cert.pem().as_bytes()).unwrap()
}

#[tokio::test]
async fn it_listens_by_tls_and_takes_a_renewed_certificate() {
    let keys = folder("tls-keys");
    std::fs::create_dir_all(&keys).unwrap();
    let first = certify(&keys);
    let service = Service::with("tls", |config| {
        config.tls_certificate = Some(keys.join("certificate.pem"));
        config.tls_key = Some(keys.join("key.pem"));
    })
    .await;
    let port = service.url.rsplit(':').next().unwrap();
    let url = format!("https://127.0.0.1:{port}");
    let ask = |trusted: &Certificate| {
        let client = reqwest::Client::builder()
            .tls_certs_only([trusted.clone()])
            .build()
            .unwrap();
        let request = client.get(format!("{url}/.well-known/oauth-authorization-server"));
        async move {
            let answer = request.send().await.ok()?;
            let strict = answer.headers().contains_key("strict-transport-security");
            Some((answer.json::<Value>().await.ok()?, strict))
        }
    };
    let (metadata, strict) = ask(&first).await.unwrap();
    assert_eq!(metadata["issuer"], url.as_str());
    assert!(strict);
    // Whoever speaks without TLS gets nothing.
    assert!(service.get("/healthz").send().await.is_err());
    // It is renewed a file at a time, and in between the two do not fit.
    let old = std::fs::read(keys.join("key.pem")).unwrap();
    let second = certify(&keys);
    let new = std::fs::read(keys.join("key.pem")).unwrap();
    std::fs::write(keys.join("key.pem"), old).unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert!(ask(&first).await.is_some());
    std::fs::write(keys.join("key.pem"), new).unwrap();
    soon(|| async { ask(&second).await.is_some() }).await;
    assert!(ask(&first).await.is_none());
    // What can't be read is told, and the last stays in use.
    std::fs::write(keys.join("certificate.pem"), "nonsense").unwrap();
    soon(|| async { !service.complaints.lock().unwrap().is_empty() }).await;
    assert!(ask(&second).await.is_some());
    let told = std::mem::take(&mut *service.complaints.lock().unwrap());
    assert!(told[0].contains("failed to reload"), "{told:?}");
    service.stop().await;
    std::fs::remove_dir_all(keys).unwrap();
}

#[tokio::test]
async fn who_is_locked_out_can_be_unlocked_by_command_and_by_api() {
    let service = Service::with("unlock", |config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let root = service.administrator().await;
    let login = |name: &'static str, password: String| {
        let fields = json!({"username": name, "password": password});
        // Each at home, so that no address is what is locked.
        let home = if name == "alice" {
            "10.1.1.1"
        } else {
            "10.2.2.2"
        };
        let request = service.post("/login").json(&fields);
        let request = request.header("x-forwarded-for", home);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    for name in ["alice", "bob"] {
        service.register(name).await;
        for i in 0..9 {
            assert_eq!(login(name, format!("wrong of {name} {i}")).await, 401);
        }
        login(name, format!("wrong of {name}")).await;
        assert_eq!(login(name, PASSWORD.into()).await, 429, "{name}");
    }
    service.office().await.unlock("Alice").await.unwrap();
    soon(|| async { login("alice", PASSWORD.into()).await == 200 }).await;
    assert_eq!(login("bob", PASSWORD.into()).await, 429);
    let unlock = |token: &str, name: &str| {
        let request = service.post(&format!("/admin/users/{name}/unlock"));
        let request = request.bearer_auth(token);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(unlock(&root, "nobody").await, 404);
    assert_eq!(unlock("nonsense", "bob").await, 401);
    assert_eq!(unlock(&root, "bob").await, 204);
    soon(|| async { login("bob", PASSWORD.into()).await == 200 }).await;
    assert!(service.office().await.unlock("nobody").await.is_err());
    service.stop().await;
}

#[tokio::test]
async fn what_happened_can_be_read_by_whoever_administers() {
    let service = Service::start("audit").await;
    let root = service.administrator().await;
    service.register("alice").await;
    let alice = service.token("alice").await;
    let change = [
        ("old_password", PASSWORD),
        ("new_password", "another fine long password"),
    ];
    let changed = service.send_as(&alice, "/password/change", &change).await;
    assert_eq!(changed.status(), 200);
    // It is written with what is written next.
    service.register("bob").await;
    let office = service.office().await;
    let told = office.audit(Some("alice"), 10).await.unwrap();
    let events: Vec<&str> = told.iter().map(|one| one.event.as_str()).collect();
    assert!(
        events.contains(&"password-changed") && events.contains(&"account-registered"),
        "{events:?}"
    );
    assert!(told.iter().all(|one| one.name.as_deref() == Some("alice")));
    assert_eq!(office.audit(None, 1).await.unwrap().len(), 1);
    let get = |token: &str| service.get("/admin/audit").bearer_auth(token).send();
    let all = get(&root).await.unwrap().text().await.unwrap();
    assert!(all.contains("\"account-registered\""));
    assert!(!all.contains(PASSWORD) && !all.contains("another fine"));
    let login = [
        ("username", "alice"),
        ("password", "another fine long password"),
    ];
    let alice: Value = service.send("/login", &login).await.json().await.unwrap();
    assert_eq!(
        get(&text(&alice, "access_token")).await.unwrap().status(),
        403
    );
    service.stop().await;
}

/// The first column of a query that counts.
async fn count(service: &Service, of: &str) -> String {
    service
        .ask(&format!("SELECT count(*) FROM {of}"))
        .await
        .remove(0)
}

/// An administrative change and its audit event are one write: without the one there is not the other.
#[tokio::test]
async fn what_can_not_be_recorded_is_not_done() {
    let service = Service::start("recorded").await;
    let root = service.administrator().await;
    service.register("alice").await;
    let foreign: &[(&str, &str)] = include!("../../src/foreign_hashes.in");
    let line =
        json!({"name": "erin", "hash": foreign[6].1, "email": "erin@example.org"}).to_string();
    let tables = [
        "clients",
        "keys",
        "users",
        "users WHERE disabled = 1",
        "unlocks",
        "signers",
    ];
    let state = async || {
        let mut all = Vec::new();
        for table in tables {
            all.push(count(&service, table).await);
        }
        all
    };
    let change_all = async || {
        let office = service.office().await;
        let password = Password::new(PASSWORD.into());
        let mut done = vec![
            office.add_client("by command").await.is_ok(),
            office.rotate_keys(Algorithm::RS256).await.is_ok(),
            office.import(&line, false).await.is_ok(),
            office.add_user("bob", &password, None, false).await.is_ok(),
            office.disable("alice", true).await.is_ok(),
            office.unlock("alice").await.is_ok(),
        ];
        let import = service.post("/admin/users/import").bearer_auth(&root);
        let import = import.header("content-type", "application/x-ndjson");
        let import = import.body(line.replace("erin", "frank"));
        done.push(import.send().await.unwrap().status().is_success());
        let carol = [("username", "carol"), ("password", PASSWORD)];
        for (path, fields) in [
            ("/admin/clients", &[("name", "by api")][..]),
            ("/admin/keys/rotate", &[]),
            ("/admin/users", &carol),
            ("/admin/users/alice/disable", &[]),
            ("/me/signers", &[("password", PASSWORD)]),
        ] {
            let answer = service.send_as(&root, path, fields).await;
            done.push(answer.status().is_success());
        }
        done
    };
    let before = state().await;
    service.ask("ALTER TABLE audit RENAME TO away").await;
    let done = change_all().await;
    assert!(!done.contains(&true), "{done:?}");
    assert_eq!(state().await, before);
    service.ask("ALTER TABLE away RENAME TO audit").await;
    // The failures, and the logins that could not be recorded meanwhile.
    service.complaints.lock().unwrap().clear();

    let done = change_all().await;
    assert!(!done.contains(&false), "{done:?}");
    let told = service.office().await.audit(None, 1000).await.unwrap();
    let by = |event: &str| -> Vec<String> {
        let of = told.iter().filter(|one| one.event == event);
        let mut by: Vec<String> = of
            .map(|one| match text(&one.detail, "by").as_str() {
                "command line" => "command line".to_owned(),
                id => {
                    let named = |other: &&Happened| other.account.as_deref() == Some(id);
                    told.iter().find(named).unwrap().name.clone().unwrap()
                }
            })
            .collect();
        by.sort();
        by
    };
    let both = ["command line", "root"];
    for event in [
        "client-added",
        "keys-rotated",
        "accounts-imported",
        "account-disabled",
    ] {
        assert_eq!(by(event), both, "{event}");
    }
    // The administrator of this test was added by command, too.
    assert_eq!(
        by("account-added"),
        ["command line", "command line", "root"]
    );
    let imported = told.iter().find(|one| one.event == "accounts-imported");
    assert_eq!(imported.unwrap().detail["imported"], 1);
    service.stop().await;
}

#[tokio::test]
async fn signing_secrets_are_recorded_when_they_come_and_go() {
    let service = Service::start("signers").await;
    service.register("alice").await;
    let access = service.token("alice").await;
    let password = [("password", PASSWORD)];
    let created = service.send_as(&access, "/me/signers", &password).await;
    assert_eq!(created.status(), 201);
    let first = text(&created.json().await.unwrap(), "keyid");
    let rotate = format!("/me/signers/{first}/rotate");
    let rotated = service.send_as(&access, &rotate, &password).await;
    assert_eq!(rotated.status(), 201);
    let next = text(&rotated.json().await.unwrap(), "keyid");
    let path = format!("/me/signers/{first}");
    for status in [204, 404] {
        let revoked = service.delete(&path).bearer_auth(&access).send();
        assert_eq!(revoked.await.unwrap().status(), status);
    }
    let rotated = service.send_as(&access, &rotate, &password).await;
    assert_eq!(rotated.status(), 404, "it is revoked");
    let office = service.office().await;
    let told = office.audit(Some("alice"), 100).await.unwrap();
    let detail = |event: &str| -> Vec<&Value> {
        let of = told.iter().filter(|one| one.event == event);
        of.map(|one| &one.detail).collect()
    };
    let address = "127.0.0.1";
    assert_eq!(
        detail("signing-secret-added"),
        [&json!({"keyid": first, "address": address})]
    );
    assert_eq!(
        detail("signing-secret-rotated"),
        [&json!({"keyid": next, "replaces": first, "address": address})]
    );
    assert_eq!(
        detail("signing-secret-revoked"),
        [&json!({"keyid": first, "address": address})]
    );
    service.stop().await;
}

/// The gate's events have the route that was really requested, on the pages as by the API.
#[tokio::test]
async fn the_audit_trail_has_the_route_that_was_requested() {
    let service = Service::start("routes").await;
    service.register("alice").await;
    let access = service.token("alice").await;
    let (new, newer) = ("another fine long password", "a third fine long password");
    let change = [("old_password", PASSWORD), ("new_password", new)];
    let changed = service.send_as(&access, "/password/change", &change).await;
    assert_eq!(changed.status(), 200);
    let login = [("username", "alice"), ("password", new)];
    let page = service.post("/account/login").form(&login).send();
    let page = page.await.unwrap();
    let cookies = page.headers().get_all("set-cookie").iter();
    let cookie = cookies
        .map(|one| one.to_str().unwrap().split(';').next().unwrap().to_owned())
        .find(|one| one.starts_with("session="))
        .unwrap();
    let change = [("old_password", new), ("new_password", newer)];
    let changed = service.post("/account/password").form(&change);
    let changed = changed.header("cookie", &cookie).send().await.unwrap();
    assert_eq!(changed.status(), 200);
    let reset = [("token", "dwp_nonsense"), ("password", PASSWORD)];
    let reset = service.post("/account/reset").form(&reset).send();
    assert_eq!(reset.await.unwrap().status(), 400);
    let (id, secret) = service.client().await;
    let grant = service.post("/oauth/token").basic_auth(&id, Some(&secret));
    let grant = grant.form(&[("grant_type", "client_credentials")]).send();
    assert_eq!(grant.await.unwrap().status(), 200);
    let rotate = service.send("/me/signers/some-id/rotate", &[]).await;
    assert_eq!(rotate.status(), 401);
    let events = service.events.lock().unwrap().clone();
    let routes: BTreeSet<String> = events
        .iter()
        .filter_map(|event| {
            serde_json::from_str::<Value>(event).unwrap()["route"]
                .as_str()
                .map(str::to_owned)
        })
        .collect();
    let expected = [
        "POST /account/login",
        "POST /account/password",
        "POST /account/reset",
        "POST /login",
        "POST /oauth/token",
        "POST /password/change",
        "POST /register",
    ];
    assert_eq!(routes.into_iter().collect::<Vec<_>>(), expected);
    service.stop().await;
}

/// A stolen session and the password are not enough for a passkey of the thief's own.
#[cfg(feature = "passkeys")]
#[tokio::test]
async fn who_has_a_factor_shows_it_before_another_is_added() {
    let service = Service::with("factors", |config| {
        config.issuer = Some("http://localhost:8400".into());
    })
    .await;
    service.register("alice").await;
    let access = service.token("alice").await;
    let ask = |more: &[(&str, &str)]| {
        let mut fields = vec![("password", PASSWORD)];
        fields.extend(more);
        let fields: std::collections::BTreeMap<_, _> = fields.into_iter().collect();
        let request = service.post("/passkeys/options").json(&json!(fields));
        let request = request.bearer_auth(&access);
        async move { request.send().await.unwrap().status().as_u16() }
    };
    assert_eq!(ask(&[]).await, 200);
    let enroll = [("password", PASSWORD)];
    let enrolled = service.send_as(&access, "/mfa/totp/enroll", &enroll).await;
    let enrolled: Value = enrolled.json().await.unwrap();
    let code = |steps| crate::flows::code(&text(&enrolled, "secret"), steps);
    let token = text(&enrolled, "enroll_token");
    let confirm = [("enroll_token", token.as_str()), ("code", &code(0))];
    let confirmed = service
        .send_as(&access, "/mfa/totp/confirm", &confirm)
        .await;
    assert_eq!(confirmed.status(), 200);
    assert_eq!(ask(&[]).await, 200, "the login was just now");
    service
        .ask("UPDATE sessions SET created = created - 700")
        .await;
    assert_eq!(ask(&[]).await, 403);
    assert_eq!(ask(&[("code", "000000")]).await, 403);
    assert_eq!(ask(&[("code", &code(1))]).await, 200);
    assert_eq!(ask(&[("code", &code(1))]).await, 403, "once");
    service.stop().await;
}

#[tokio::test]
async fn opaque_tokens_work_as_the_signed_ones_do() {
    let service = Service::with("opaque", |config| config.access = Access::Opaque).await;
    let (id, secret) = service.client().await;
    service.register("alice").await;
    let tokens = service.log_in("alice", PASSWORD).await;
    let access = text(&tokens, "access_token");
    assert!(access.starts_with("dwa_"), "{access}");
    let everything = service.everything().await;
    let kept = |token: &str| {
        everything
            .windows(token.len())
            .any(|part| part == token.as_bytes())
    };
    assert!(kept("alice") && !kept(&access), "only its hash is kept");
    let ask = |path: &str, fields: &[(&str, &str)]| {
        let request = service
            .post(path)
            .basic_auth(&id, Some(&secret))
            .form(fields);
        async move {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200);
            answer.json::<Value>().await.unwrap_or_default()
        }
    };
    assert_eq!(service.me(&access).await, 200);
    let told = ask("/oauth/introspect", &[("token", &access)]).await;
    assert_eq!(
        (&told["active"], &told["username"]),
        (&json!(true), &json!("alice"))
    );
    // The next one, and the end of both.
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", &text(&tokens, "refresh_token")),
    ];
    let next: Value = service
        .post("/oauth/token")
        .form(&refresh)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let next = text(&next, "access_token");
    assert_eq!(service.me(&next).await, 200);
    ask("/oauth/revoke", &[("token", &next)]).await;
    assert_eq!(
        (service.me(&next).await, service.me(&access).await),
        (401, 200)
    );
    assert_eq!(service.send_as(&access, "/logout", &[]).await.status(), 204);
    assert_eq!(service.me(&access).await, 401);
    // A client's own.
    let own = ask("/oauth/token", &[("grant_type", "client_credentials")]).await;
    let own = text(&own, "access_token");
    let told = ask("/oauth/introspect", &[("token", &own)]).await;
    assert_eq!(told["client_id"], id.as_str());
    assert_eq!(
        ask("/oauth/introspect", &[("token", "dwa_nonsense")]).await,
        json!({"active": false})
    );
    service.stop().await;
}

/// Secrets of all kinds, in the forms in which they are used.
#[tokio::test]
async fn a_stolen_database_holds_no_secret() {
    let service = Service::start("stolen").await;
    let name = "alice@example.org";
    service.register(name).await;
    let tokens = service.log_in(name, PASSWORD).await;
    let access = text(&tokens, "access_token");
    let password = [("password", PASSWORD)];
    let enrolled = service
        .send_as(&access, "/mfa/totp/enroll", &password)
        .await;
    let enrolled: Value = enrolled.json().await.unwrap();
    let totp = text(&enrolled, "secret");
    let token = text(&enrolled, "enroll_token");
    let code = crate::flows::code(&totp, 0);
    let confirm = [("enroll_token", token.as_str()), ("code", &code)];
    let confirmed = service
        .send_as(&access, "/mfa/totp/confirm", &confirm)
        .await;
    let codes: Value = confirmed.json().await.unwrap();
    let signer = service.send_as(&access, "/me/signers", &password).await;
    let signer: Value = signer.json().await.unwrap();
    let (client, client_secret) = service.client().await;
    service.send("/password/reset", &[("username", name)]).await;
    let login = [("username", name), ("password", PASSWORD)];
    let half = service.send("/login", &login).await;
    let half: Value = half.json().await.unwrap();
    let seed = totp_rs::Secret::try_from_base32(&totp).unwrap();
    let mut secrets = vec![
        ("password", PASSWORD.as_bytes().to_vec()),
        ("seed", seed.as_ref().to_vec()),
    ];
    for (what, secret) in [
        ("refresh token", text(&tokens, "refresh_token")),
        ("access token", access),
        ("authenticator", totp),
        ("enrolment", token),
        (
            "recovery code",
            text(&json!({"code": codes["recovery_codes"][0]}), "code"),
        ),
        ("signing secret", text(&signer, "secret")),
        ("client secret", client_secret),
        ("half a login", text(&half, "mfa_token")),
    ] {
        secrets.push((what, secret.into_bytes()));
    }
    let everything = service.everything().await;
    let holds = |part: &[u8]| everything.windows(part.len()).any(|at| at == part);
    assert!(holds(name.as_bytes()) && holds(client.as_bytes()));
    for (what, secret) in secrets {
        assert!(!holds(&secret), "{what}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_password_that_is_changed_meanwhile_lets_nobody_in() {
    // The hash takes its time, and so the change comes in between.
    let service = Service::start("meanwhile").await;
    service.register("alice").await;
    let mut racing = tokio::task::JoinSet::new();
    let token = service.token("alice").await;
    // Fewer than the limit: what is under way counts until it has ended.
    for _ in 0..6 {
        let fields = json!({"username": "alice", "password": PASSWORD});
        let request = service.post("/login").json(&fields);
        racing.spawn(async move {
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            (status, answer.json::<Value>().await.unwrap())
        });
    }
    let change = [
        ("old_password", PASSWORD),
        ("new_password", "another fine long password"),
    ];
    let changed = service.send_as(&token, "/password/change", &change).await;
    assert_eq!(changed.status(), 200);
    while let Some(ended) = racing.join_next().await {
        let (status, tokens) = ended.unwrap();
        if status == 200 {
            let access = text(&tokens, "access_token");
            assert_eq!(service.me(&access).await, 401, "it outlives the change");
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn a_configuration_that_is_half_is_told() {
    let wrong = |change: fn(&mut doorwarden_serve::Config)| {
        let mut config = config(&folder("half"));
        change(&mut config);
        async move {
            let policy = config.policy();
            let (counters, secret) = (Service::counters(&policy), crate::service::secret());
            let started = doorwarden_serve::Server::start(
                config,
                policy,
                &secret,
                counters,
                Box::new(|_| {}),
                std::sync::Arc::new(|_| {}),
            );
            started.await.err().unwrap().to_string()
        }
    };
    let told = wrong(|config| config.tls_key = Some("key.pem".into())).await;
    assert!(
        told.contains("`tls_key` requires `tls_certificate`"),
        "{told}"
    );
    let told = wrong(|config| {
        config.tls_key = Some("none.pem".into());
        config.tls_certificate = Some("none.pem".into());
    })
    .await;
    assert!(told.contains("none.pem") && told.contains("PEM"), "{told}");
    let told = wrong(|config| config.smtp = Some("smtps://mail".to_owned().into())).await;
    assert!(told.contains("`smtp` requires `mail_from`"), "{told}");
    let told = wrong(|config| {
        config.smtp = Some("smtp://me:canary@mail.example.org".to_owned().into());
        config.mail_from = Some("a@example.org".into());
    })
    .await;
    assert!(
        told.contains("tls=required") && !told.contains("canary"),
        "{told}"
    );
    let told = wrong(|config| {
        config.database = Some("postgres://me:canary@127.0.0.1:1/x".to_owned().into());
    })
    .await;
    assert!(
        told.contains("x on 127.0.0.1") && !told.contains("canary"),
        "{told}"
    );
}
