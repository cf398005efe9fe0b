//! Logins: limits, uniform failures, bad input, bad applications.

use std::{sync::Arc, time::Duration};

use doorwarden_decision::Policy;
use doorwarden_guard::Scope;
use http::Request;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::world::{Answer, Application, World, full};

const JSON: &str = "application/json";

#[tokio::test]
async fn an_account_is_limited_and_a_person_who_mistypes_is_not() {
    let world = World::start().await;
    for password in ["rihgt", "rigth"] {
        assert_eq!(world.try_login("alice", password).await.status, 401);
    }
    assert_eq!(
        world.try_login("alice", "right").await.body,
        r#"{"access_token":"t"}"#
    );
    // The typos are forgiven, and the network is known now: twice what strangers may.
    for i in 0..20 {
        assert_eq!(
            world.try_login("alice", &format!("guess {i}")).await.status,
            401
        );
    }
    let refused = world.try_login("alice", "right").await;
    assert_eq!(refused.status, 429);
    assert_eq!(
        refused.header("content-type"),
        Some("application/problem+json")
    );
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((600..=1100).contains(&wait), "{wait}");
    // Unknown names are counted alike.
    let world = World::start().await;
    for i in 0..10 {
        assert_eq!(
            world
                .try_login("nobody", &format!("guess {i}"))
                .await
                .status,
            401
        );
    }
    assert_eq!(world.try_login("nobody", "guess").await.status, 429);
    assert_eq!(world.outcomes().len(), 11);
}

#[tokio::test]
async fn failures_are_one_and_the_same() {
    let world = World::start().await;
    let wrong = world.try_login("alice", "wrong").await;
    assert_eq!(wrong.status, 401);
    assert_eq!(wrong.body, r#"{"detail":"Incorrect username or password"}"#);
    assert_eq!(wrong.header("www-authenticate"), Some("Bearer"));
    assert_eq!(wrong.header("content-length"), Some("43"));
    assert_eq!(wrong, world.try_login("nobody", "wrong two").await);
    assert_eq!(wrong, world.try_login("locked", "wrong three").await);
}

#[tokio::test]
async fn another_spelling_of_the_path_is_the_same_login() {
    let world = World::start().await;
    for i in 0..10 {
        let path = ["/login/", "/LOGIN", "//login", "/%6cogin", "/./login"][i % 5];
        let body = format!(r#"{{"username":"alice","password":"guess {i}"}}"#);
        world.post(path, JSON, body).await;
    }
    assert_eq!(world.try_login("alice", "right").await.status, 429);
}

#[tokio::test]
async fn other_ways_to_the_login_are_counted_or_refused() {
    let world = World::start().await;
    let body = r#"{"username":"alice","password":"guess"}"#;
    let lower = format!(
        "post /login HTTP/1.1\r\nhost: a\r\ncontent-type: {JSON}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = world
        .raw(lower.as_bytes(), Duration::from_millis(300))
        .await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let answer = world.post("/login?username=victim", JSON, body).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let decoy = r#"{"username":"decoy","password":"p","Username":"victim"}"#;
    assert_eq!(world.post("/login", JSON, decoy).await.status, 400);
    assert_eq!(world.app.seen(), Vec::<String>::new());
    let request = Request::post("/home")
        .header("script_name", "/x")
        .header("x-original-url", "/login")
        .body(full(""))
        .unwrap();
    world.send(request).await;
    let heads = world.app.heads.lock().unwrap();
    assert!(!heads[0].contains_key("script_name") && !heads[0].contains_key("x-original-url"));
}

#[tokio::test]
async fn a_spoofed_address_frees_nobody() {
    let policy = Policy {
        address: "3 per minute".parse().unwrap(),
        ..Policy::default()
    };
    let world = World::start_with(|_| {}, policy).await;
    let mut statuses = Vec::new();
    for i in 0..5 {
        let body = format!(r#"{{"username":"user {i}","password":"guess {i}"}}"#);
        let request = Request::post("/login")
            .header("content-type", JSON)
            .header("x-forwarded-for", format!("203.0.113.{i}"))
            .header("forwarded", format!("for=203.0.113.{i}"))
            .header("x-real-ip", format!("203.0.113.{i}"))
            .body(full(body))
            .unwrap();
        statuses.push(world.send(request).await.status().as_u16());
    }
    assert_eq!(statuses, [401, 401, 401, 429, 429]);
    let heads = world.app.heads.lock().unwrap();
    assert_eq!(heads[0]["x-forwarded-for"], "127.0.0.1");
    assert!(!heads[0].contains_key("forwarded") && !heads[0].contains_key("x-real-ip"));
}

#[tokio::test]
async fn bad_input_gets_a_clear_error_and_counts_nothing() {
    let world = World::start().await;
    let long_name = format!(r#"{{"username":"{}","password":"p"}}"#, "a".repeat(2_000));
    let huge_name = format!(r#"{{"username":"{}","password":"p"}}"#, "a".repeat(100_000));
    for (content_type, body, status, said) in [
        (
            JSON,
            r#"{"username":"a","password":"p","password":"q"}"#.as_bytes(),
            400,
            "Duplicate key",
        ),
        (JSON, b"{\"username\":\"a\"", 400, "line 1, column 15"),
        (JSON, b"{\"username\":\"a\"}", 400, "/password"),
        (
            JSON,
            b"{\"username\":7,\"password\":\"p\"}",
            400,
            "/username",
        ),
        (
            JSON,
            b"{\"username\":\"\xff\",\"password\":\"p\"}",
            400,
            "Invalid JSON",
        ),
        (
            JSON,
            b"{\"username\":\" \",\"password\":\"p\"}",
            400,
            "empty",
        ),
        (JSON, b"username=a&password=p", 400, "Invalid JSON"),
        (
            "application/x-www-form-urlencoded",
            b"username=a&password=p",
            415,
            "application/json",
        ),
        (JSON, long_name.as_bytes(), 400, "longer than 1024"),
        (JSON, huge_name.as_bytes(), 413, "64 KiB"),
    ] {
        let answer = world.post("/login", content_type, body.to_vec()).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.body.contains(said), "{said}: {answer:?}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
    }
    assert_eq!(world.app.seen(), Vec::<String>::new());
    assert!(world.outcomes().is_empty());
}

#[tokio::test]
async fn ten_megabytes_are_refused_without_being_read() {
    let world = World::start().await;
    let mut request = b"POST /login HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 10485760\r\n\r\n".to_vec();
    request.resize(request.len() + 200_000, b' ');
    let answer = world.raw(&request, Duration::from_secs(2)).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn a_login_body_that_stops_is_refused() {
    let world = World::start().await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let head = format!(
        "POST /login HTTP/1.1\r\nhost: a\r\ncontent-type: {JSON}\r\ncontent-length: 100\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    let refused = tokio::time::timeout(Duration::from_secs(30), stream.read_exact(&mut answer));
    refused.await.expect("it waits for ever").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert_eq!(world.app.seen(), Vec::<String>::new());
}

#[tokio::test]
async fn an_application_that_fails_costs_the_person_nothing() {
    let world = World::start().await;
    for _ in 0..15 {
        let answer = world.try_login("alice", "crash").await;
        assert_eq!((answer.status, answer.body.as_str()), (500, "oops"));
    }
    assert_eq!(world.try_login("alice", "right").await.status, 200);
    assert_eq!(world.outcomes()[0], "unverified");
}

#[tokio::test]
async fn an_application_that_hangs_or_closes_is_told() {
    let world = World::start_with(
        |config| config.upstream_timeout_seconds = 1,
        Policy::default(),
    )
    .await;
    let answer = world.try_login("alice", "hang").await;
    assert_eq!(answer.status, 504, "{answer:?}");

    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let upstream = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 1024];
            let _ = stream.read(&mut buffer).await;
        }
    });
    let app = Arc::new(Application::default());
    let world = World::in_front_of(Arc::clone(&app), upstream, |_| {}, Policy::default()).await;
    let answer = world.try_login("alice", "right").await;
    assert_eq!(answer.status, 502, "{answer:?}");

    let nobody = TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let world = World::in_front_of(app, nobody, |_| {}, Policy::default()).await;
    assert_eq!(world.try_login("alice", "right").await.status, 502);
}

#[tokio::test]
async fn going_away_does_not_save_a_guess() {
    let world = World::start().await;
    for i in 0..10 {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        let body = format!(r#"{{"username":"alice","password":"hang {i}"}}"#);
        let request = format!(
            "POST /login HTTP/1.1\r\nhost: a\r\ncontent-type: {JSON}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let before = world.app.seen().len();
        stream.write_all(request.as_bytes()).await.unwrap();
        while world.app.seen().len() == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    while world.outcomes().len() < 10 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(
        world
            .outcomes()
            .iter()
            .all(|outcome| outcome == "abandoned"),
        "{:?}",
        world.outcomes()
    );
    assert_eq!(world.try_login("alice", "right").await.status, 429);
}

#[tokio::test]
async fn shadow_changes_nothing_and_says_what_it_would() {
    let world = World::start_with(|config| config.shadow = true, Policy::default()).await;
    for i in 0..12 {
        let answer = world.try_login("alice", &format!("guess {i}")).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (401, r#"{"detail":"wrong password"}"#)
        );
        assert_eq!(answer.header("x-app"), Some("1"));
    }
    // What could not be read, and would be refused, goes on as it came.
    let form = world
        .post(
            "/login",
            "application/octet-stream",
            r#"{"username":"alice","password":"right"}"#,
        )
        .await;
    assert_eq!(form.status, 200);
    let long = format!(
        r#"{{"username":"alice","password":"right","more":"{}"}}"#,
        "x".repeat(100_000)
    );
    assert_eq!(world.post("/login", JSON, long).await.status, 200);
    assert_eq!(world.try_login("nobody", "guess").await.status, 404);
    let events = world.events.lock().unwrap();
    let would: Vec<bool> = events
        .iter()
        .map(|event| event["would_deny"].as_bool().unwrap())
        .collect();
    assert_eq!(would.iter().filter(|would| **would).count(), 2);
    assert_eq!(events[0]["shadow"], true);
}

#[tokio::test]
async fn with_only_logins_the_rest_is_not_found() {
    let world = World::start_with(|config| config.scope = Scope::Logins, Policy::default()).await;
    let request = Request::get("/").body(full("")).unwrap();
    assert_eq!(Answer::read(world.send(request).await).await.status, 404);
    assert_eq!(world.try_login("alice", "right").await.status, 200);
    assert_eq!(world.app.seen(), ["POST /login"]);
}

#[tokio::test]
async fn no_secret_reaches_the_audit_trail() {
    let world = World::start().await;
    for i in 0..12 {
        world
            .try_login("canary-name", &format!("canary-password-{i}"))
            .await;
    }
    world.try_login("canary-name", "right").await;
    let events = serde_json::to_string(&*world.events.lock().unwrap()).unwrap();
    assert!(events.contains("\"denied\"") && events.contains("127.0.0.1"));
    assert!(
        !events.contains("canary") && !events.contains("right"),
        "{events}"
    );
}
