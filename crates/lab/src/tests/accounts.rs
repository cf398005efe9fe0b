//! Faults that reveal which names exist, of password rules, and of headers and input.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    Faults,
    client::{Client, account, password_of, start_fast},
};
use crate::{Specimen, start};

pub(super) async fn observe(specimen: &Specimen) -> Faults {
    let server = start_fast(specimen).await;
    let client = Client::new(&server, 1);
    let (name, other) = (account(0), account(1));
    let response = client.log_in(&name, "incorrect").await;
    let by_answer = response.answer() != client.log_in("nobody", "incorrect").await.answer();
    let register = async |name: &str, password: &str| {
        let body = json!({"username": name, "password": password});
        client.post("/register", body).await.status
    };
    let reset = async |name: &str| {
        client
            .post("/forgot", json!({"username": name}))
            .await
            .status
    };
    let long = "0123456789".repeat(8);
    let cut = format!("{}!", &long[..72]);
    register("long", &long).await;
    let truncates = client.log_in("long", &cut).await.token().is_some();
    let success = client.log_in(&name, &password_of(&name)).await;
    let token = success.token().unwrap();
    let cookie = success.header("set-cookie");
    let origin = [
        ("origin", "https://attacker.example"),
        ("authorization", &*format!("Bearer {token}")),
    ];
    let cross_origin = client.send("GET", "/me", &origin, "").await;
    let malformed = client
        .post("/login", json!({"username": 1, "password": null}))
        .await;
    let openapi = client.get("/openapi.json", "").await.json();
    let schemes = &openapi["components"]["securitySchemes"];
    let of_other = client.get(&format!("/users/{other}"), &token).await;
    Faults::from([
        ("enumeration-by-answer", by_answer),
        ("enumeration-by-time", reveals_by_time(specimen).await),
        (
            "enumeration-by-registration",
            register(&name, "a new password").await != register("new", "a new password").await,
        ),
        (
            "enumeration-by-reset",
            reset(&name).await != reset("nobody").await,
        ),
        (
            "weak-password-accepted",
            register("weak", "password123").await == 201,
        ),
        (
            "password-length-capped",
            register("capped", &"x".repeat(64)).await != 201,
        ),
        ("password-truncated", truncates),
        (
            "cookie-flags",
            cookie.is_some_and(|cookie| !cookie.contains("HttpOnly")),
        ),
        (
            "cors-credentials",
            cross_origin
                .header("access-control-allow-credentials")
                .is_some(),
        ),
        ("login-input-errors", malformed.status == 500),
        (
            "password-grant",
            schemes["oauth2"]["flows"]["password"].is_object(),
        ),
        ("other-users-object", of_other.status == 200),
        (
            "admin-function-open",
            client.get("/admin/accounts", &token).await.status == 200,
        ),
    ])
}

/// Returns true if the response for an unknown name is much faster. The fastest of several is
/// compared: load only adds time.
async fn reveals_by_time(specimen: &Specimen) -> bool {
    let name = account(0);
    let accounts = vec![(name.clone(), password_of(&name))];
    let server = start(specimen.clone(), accounts).await.unwrap();
    let (mut existing, mut unknown) = (Duration::MAX, Duration::MAX);
    for number in 0..5 {
        for (name, fastest) in [(&*name, &mut existing), ("nobody", &mut unknown)] {
            let client = Client::new(&server, 10 + number);
            let started = Instant::now();
            client.log_in(name, &format!("incorrect {number}")).await;
            *fastest = started.elapsed().min(*fastest);
        }
    }
    unknown * 3 < existing
}
