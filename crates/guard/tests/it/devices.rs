//! Devices, step-ups, and what an operator may ask.

use doorwarden_decision::Policy;
use http::Request;

use crate::world::{Answer, World, full};

const JSON: &str = "application/json";

fn body(username: &str, password: &str) -> String {
    serde_json::json!({"username": username, "password": password}).to_string()
}

async fn login(world: &World, username: &str, password: &str, header: (&str, &str)) -> Answer {
    let request = Request::post("/login")
        .header("content-type", JSON)
        .header(header.0, header.1)
        .body(full(body(username, password)))
        .unwrap();
    Answer::read(world.send(request).await).await
}

/// The cookie as a browser sends it back.
fn cookie(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").unwrap();
    assert!(
        cookie.contains("; Secure; HttpOnly; SameSite=Lax"),
        "{cookie}"
    );
    cookie.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_known_device_gets_in_while_the_name_is_under_attack() {
    let world = World::start().await;
    let welcome = world.try_login("alice", "right").await;
    let cookie = cookie(&welcome);
    // The network is known now, so it takes twice the limit to lock it.
    for i in 0..25 {
        world.try_login("alice", &format!("guess {i}")).await;
    }
    assert_eq!(world.try_login("alice", "right").await.status, 429);
    let known = login(&world, "alice", "right", ("cookie", &cookie)).await;
    assert_eq!(known.status, 200);
    assert!(known.header("set-cookie").is_some(), "it is renewed");
    assert_eq!(
        login(&world, "Alice", "right", ("cookie", &cookie))
            .await
            .status,
        429,
        "another name, maybe"
    );
    let forged = cookie.replace(cookie.chars().last().unwrap(), "_");
    assert_eq!(
        login(&world, "alice", "right", ("cookie", &forged))
            .await
            .status,
        429
    );
}

#[tokio::test]
async fn a_client_without_cookies_asks_by_header() {
    let world = World::start().await;
    assert!(
        world
            .try_login("alice", "right")
            .await
            .header("x-doorwarden-device")
            .is_none()
    );
    let answer = login(&world, "alice", "right", ("x-doorwarden-device", "")).await;
    let token = answer.header("x-doorwarden-device").unwrap().to_owned();
    for i in 0..25 {
        world.try_login("alice", &format!("guess {i}")).await;
    }
    let known = login(&world, "alice", "right", ("x-doorwarden-device", &token)).await;
    assert_eq!(known.status, 200);
    let failed = login(&world, "alice", "wrong", ("x-doorwarden-device", &token)).await;
    assert!(
        failed.header("x-doorwarden-device").is_none() && failed.header("set-cookie").is_none()
    );
}

/// A hot password in a network that the site knows: as likely somebody who has it as somebody who
/// tries it.
#[tokio::test]
async fn a_step_up_reaches_the_application_and_makes_nothing_known() {
    let policy = Policy {
        second_factor: true,
        ..Policy::default()
    };
    let world = World::start_with(|_| {}, policy).await;
    for i in 0..12 {
        world.try_login(&format!("neighbour {i}"), "right").await;
    }
    for i in 0..6 {
        world
            .try_login(&format!("sprayed {i}"), "crash-not Winter2026!")
            .await;
    }
    let heads = world.app.heads.lock().unwrap().len();
    let answer = login(
        &world,
        "newcomer",
        "crash-not Winter2026!",
        ("x-doorwarden-decision", "allow"),
    )
    .await;
    assert_eq!(answer.status, 401, "it was verified");
    let heads = world.app.heads.lock().unwrap()[heads].clone();
    assert_eq!(heads["x-doorwarden-decision"], "step-up");
    assert!(
        heads["x-doorwarden-suspicion"]
            .to_str()
            .unwrap()
            .parse::<f64>()
            .is_ok()
    );
    assert_eq!(
        heads.get_all("x-doorwarden-decision").iter().count(),
        1,
        "the client's own is gone"
    );
}

#[tokio::test]
async fn an_operator_sees_figures_and_logins_to_come_back_to() {
    let world = World::start_with(
        |config| config.admin = Some(([127, 0, 0, 1], 0).into()),
        Policy::default(),
    )
    .await;
    let admin = world.admin.unwrap();
    assert_eq!(world.try_login("victim", "right").await.status, 200);
    // "right" is refused for this name, so it can be sprayed here.
    for i in 0..8 {
        world
            .post("/login", JSON, body(&format!("name {i}"), "wrong"))
            .await;
    }
    let metrics = world.get(admin, "/metrics", "localhost").await;
    assert_eq!(metrics.status, 200);
    assert!(
        metrics
            .body
            .contains("doorwarden_outcomes_total{outcome=\"success\"} 1"),
        "{}",
        metrics.body
    );
    assert!(
        metrics
            .body
            .contains("doorwarden_decisions_total{decision=\"deny\"} 3"),
        "{}",
        metrics.body
    );
    assert!(metrics.body.contains("doorwarden_store_unavailable 0"));
    let list = world.get(admin, "/retroactions", "127.0.0.1").await;
    assert_eq!(list.body, r#"{"logins":[]}"#);
    assert_eq!(
        world.get(admin, "/metrics", "evil.example").await.status,
        421
    );
    assert_eq!(world.get(admin, "/", "localhost").await.status, 404);
}
