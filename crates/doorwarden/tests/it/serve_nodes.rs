//! Services that share PostgreSQL and Valkey.

use serde_json::Value;

use crate::{
    postgres::Postgres,
    process::folder,
    serve::{PASSWORD, Service, form, killed},
    server::{Make, Server},
};

/// A node: its own directory, the secret and the database that it shares.
fn node(name: &str, more: &str) -> Service {
    let data = folder(name).join("data");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("secret"), "7".repeat(64)).unwrap();
    Service::configured(data, more)
}

fn json(answer: (u16, String)) -> Value {
    assert_eq!(answer.0, 200, "{}", answer.1);
    serde_json::from_str(&answer.1).unwrap()
}

fn text(answer: &Value, field: &str) -> String {
    answer[field].as_str().unwrap().to_owned()
}

#[test]
fn two_nodes_are_one_service() {
    let (database, counters) = (Postgres::start(), Server::start(Make::Valkey));
    let shared = format!(
        "database = {:?}\nstore = {:?}\nnodes = 2\nissuer = \"http://localhost:8400\"",
        database.url("postgres"),
        counters.url()
    );
    let (one, other) = (node("one", &shared), node("other", &shared));
    let refresh = |service: &Service, token: &str| {
        let form = format!("grant_type=refresh_token&refresh_token={token}");
        service.post("/oauth/token", &form)
    };

    // Registered here, known there; keys, tokens and their end are the same on both.
    assert_eq!(one.post("/register", &form("alice", PASSWORD)).0, 202);
    let tokens = json(other.post("/login", &form("alice", PASSWORD)));
    let access = text(&tokens, "access_token");
    assert_eq!(one.post_as(&access, "/logout", "").0, 204);
    assert_eq!(
        other.post_as(&access, "/logout", "").0,
        401,
        "ended at once"
    );

    // A refresh token is taken once, whichever node is asked how often.
    let tokens = json(one.post("/login", &form("alice", PASSWORD)));
    let token = text(&tokens, "refresh_token");
    let taken: usize = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..20)
            .map(|i| {
                let (service, token, refresh) =
                    (if i % 2 == 0 { &one } else { &other }, &token, &refresh);
                scope.spawn(move || usize::from(refresh(service, token).0 == 200))
            })
            .collect();
        asking.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(taken, 1);

    // Failures count wherever they happen, and an operator lets the account be tried again everywhere.
    assert_eq!(one.post("/register", &form("bob", PASSWORD)).0, 202);
    let wrong = |service: &Service, i: usize| {
        let form = form("bob", &format!("a wrong password {i}"));
        service.post("/login", &form).0
    };
    let answers: Vec<u16> = (0..12)
        .map(|i| wrong(if i % 2 == 0 { &one } else { &other }, i))
        .collect();
    assert!(answers.contains(&429), "{answers:?}");
    assert_eq!(other.post("/login", &form("bob", PASSWORD)).0, 429);
    let unlocked = one.office(&["users", "unlock", "bob"]);
    assert!(unlocked.contains("unlocked"), "{unlocked}");
    crate::process::wait_for("the account", || {
        other.post("/login", &form("bob", PASSWORD)).0 == 200
    });
    // What is told and not promised is written with what is written next.
    assert_eq!(other.post("/register", &form("carol", PASSWORD)).0, 202);
    let told = other.office(&["audit", "--user", "bob", "--json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told[0]["event"], "login", "{told:#}");
    assert!(!told.to_string().contains(PASSWORD));
}

/// The service is killed in the midst of its writes, and PostgreSQL with it.
#[test]
fn what_was_acknowledged_survives_a_kill_of_postgres_too() {
    let mut database = Postgres::start();
    let config = format!("database = {:?}", database.url("postgres"));
    killed(|round| {
        if round > 0 {
            database.kill();
            database.restart();
        }
        node("killed-on-postgres", &config)
    });
}

#[test]
fn without_its_database_a_service_says_so_and_comes_back() {
    let mut database = Postgres::start();
    let service = node(
        "away",
        &format!("database = {:?}", database.url("postgres")),
    );
    assert_eq!(service.post("/register", &form("alice", PASSWORD)).0, 202);
    database.kill();
    // No answer is one that nobody could rely on.
    assert_eq!(service.post("/login", &form("alice", PASSWORD)).0, 500);
    assert_eq!(service.post("/register", &form("bob", PASSWORD)).0, 500);
    database.restart();
    crate::process::wait_for("the database", || {
        service.post("/login", &form("alice", PASSWORD)).0 == 200
    });
    assert_eq!(service.post("/register", &form("bob", PASSWORD)).0, 202);
    assert_eq!(service.post("/login", &form("bob", PASSWORD)).0, 200);
}
