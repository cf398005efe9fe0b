//! The routes that register an account and log in.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{ConnectInfo, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::post,
};
use serde::Deserialize;
use serde_json::json;

use crate::{
    site::{Site, lock},
    specimen::{Failure, Refusal, Specimen, Spelling, Unknown},
};

pub(crate) fn routes(specimen: &Specimen) -> Router<Arc<Site>> {
    let routes = Router::new()
        .route("/register", post(register))
        .route("/login", post(log_in));
    if specimen.has_unlimited_route {
        routes.route("/login/", post(log_in_unlimited))
    } else {
        routes
    }
}

#[derive(Deserialize)]
struct NewAccount {
    username: String,
    password: String,
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: Password,
}

/// A password, or a list where a specimen accepts one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Password {
    One(String),
    Several(Vec<String>),
}

async fn register(State(site): State<Arc<Site>>, Json(new): Json<NewAccount>) -> Response {
    if !site.specimen.passwords.allow(&new.password) {
        let body = Json(json!({"detail": "choose another password"}));
        return (StatusCode::UNPROCESSABLE_ENTITY, body).into_response();
    }
    let reveals = site.specimen.reveals_names_at_registration;
    let add = move || site.add_account(new.username, &new.password);
    let added = tokio::task::spawn_blocking(add).await;
    if reveals && matches!(added, Ok(false)) {
        return (StatusCode::CONFLICT, Json(json!({"detail": "taken"}))).into_response();
    }
    (StatusCode::CREATED, Json(json!({"status": "created"}))).into_response()
}

type Body = Result<Json<Credentials>, JsonRejection>;

async fn log_in(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    credentials: Body,
) -> Response {
    let (name, passwords) = match read_credentials(&site, credentials) {
        Ok(credentials) => credentials,
        Err(response) => return response,
    };
    let specimen = &site.specimen;
    let address = client_address(specimen, peer, &headers);
    let (account, counted) = match specimen.spelling {
        Spelling::Exact => (name.clone(), name),
        Spelling::Folded => (fold(&name), fold(&name)),
        Spelling::FoldedTooLate => (fold(&name), name),
    };
    // One attempt, however many passwords it brings.
    let password = passwords.first().cloned().unwrap_or_default();
    let counts_late = specimen.counts_after_hash || specimen.verifies_first;
    let is_unlimited =
        specimen.limits_existing_only && !lock(&site.accounts).contains_key(&account);
    let wait = {
        let mut failures = lock(&site.failures);
        let wait = failures.wait(&specimen.limits, &counted, address, &password);
        match wait {
            None if is_unlimited => failures.record_address(address),
            None if !counts_late => failures.record(&counted, address, &password),
            _ => {}
        }
        wait
    };
    if let Some(wait) = wait.filter(|_| !specimen.verifies_first) {
        return refuse(specimen, wait);
    }
    let (exists, is_correct) = verify_any(&site, &account, passwords).await;
    if is_correct {
        let mut failures = lock(&site.failures);
        if wait.is_none() && !counts_late {
            failures.refund(&counted, address, &password);
        }
        if specimen.resets_on_success {
            failures.reset(address);
        }
        drop(failures);
        return succeed(&site, account, peer.ip());
    }
    if let Some(wait) = wait {
        return refuse(specimen, wait);
    }
    if counts_late {
        lock(&site.failures).record(&counted, address, &password);
    }
    fail(specimen, exists)
}

/// The same login, mounted a second time without limits.
async fn log_in_unlimited(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    credentials: Body,
) -> Response {
    let (name, passwords) = match read_credentials(&site, credentials) {
        Ok(credentials) => credentials,
        Err(response) => return response,
    };
    match verify_any(&site, &name, passwords).await {
        (_, true) => succeed(&site, name, peer.ip()),
        (exists, false) => fail(&site.specimen, exists),
    }
}

fn read_credentials(site: &Site, credentials: Body) -> Result<(String, Vec<String>), Response> {
    site.attempts.fetch_add(1, Ordering::Relaxed);
    let Json(credentials) = match credentials {
        Ok(credentials) => credentials,
        Err(_) if site.specimen.leaks_stack_trace => return Err(stack_trace()),
        Err(rejection) => return Err(rejection.into_response()),
    };
    let passwords = match credentials.password {
        Password::One(password) => vec![password],
        Password::Several(passwords) if site.specimen.accepts_password_list => passwords,
        Password::Several(_) => return Err(StatusCode::UNPROCESSABLE_ENTITY.into_response()),
    };
    Ok((credentials.username, passwords))
}

/// Returns whether the account exists and whether one of the passwords is correct.
async fn verify_any(site: &Arc<Site>, name: &str, passwords: Vec<String>) -> (bool, bool) {
    let (verifier, name) = (Arc::clone(site), name.to_owned());
    let verify = move || {
        let mut any = (false, false);
        for password in &passwords {
            let (exists, is_correct) = verifier.verify(&name, password);
            any = (any.0 || exists, any.1 || is_correct);
        }
        any
    };
    tokio::task::spawn_blocking(verify)
        .await
        .unwrap_or_default()
}

fn client_address(specimen: &Specimen, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
    let forwarded = headers
        .get("x-forwarded-for")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(',').next())
        .and_then(|address| address.trim().parse().ok());
    match forwarded {
        Some(address) if specimen.trusts_forwarded => address,
        _ => peer.ip(),
    }
}

fn fold(name: &str) -> String {
    name.trim().to_lowercase()
}

fn refuse(specimen: &Specimen, wait: Duration) -> Response {
    let (status, message) = match specimen.refusal {
        Refusal::TooMany => (StatusCode::TOO_MANY_REQUESTS, "slow down"),
        Refusal::Challenge => (StatusCode::UNAUTHORIZED, "solve the captcha first"),
        Refusal::Forbidden => (StatusCode::FORBIDDEN, "temporarily blocked"),
        Refusal::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "come back later"),
        Refusal::UnauthorizedWithMessage => (StatusCode::UNAUTHORIZED, "too many failures"),
        Refusal::Silent => return fail(specimen, true),
    };
    if !specimen.sends_retry_after {
        return (status, Json(json!({"detail": message}))).into_response();
    }
    let retry = [(header::RETRY_AFTER, wait.as_secs().to_string())];
    (status, retry, Json(json!({"detail": message}))).into_response()
}

fn fail(specimen: &Specimen, exists: bool) -> Response {
    let reveals = [Unknown::OtherMessage, Unknown::OtherMessageAtOnce];
    let message = if !exists && reveals.contains(&specimen.unknown) {
        "no such user"
    } else {
        "wrong name or password"
    };
    match specimen.failure {
        Failure::Unauthorized => {
            let scheme = [(header::WWW_AUTHENTICATE, "Bearer")];
            (
                StatusCode::UNAUTHORIZED,
                scheme,
                Json(json!({"detail": message})),
            )
                .into_response()
        }
        Failure::OkWithFail => Json(json!({"status": "fail", "message": message})).into_response(),
        Failure::Html => Html(format!(
            "<!doctype html><title>Log in</title><p>{message}</p><form method=post></form>"
        ))
        .into_response(),
    }
}

/// Returns the response of an application that shows its errors to users.
fn stack_trace() -> Response {
    let trace = "Traceback (most recent call last):\n  File \"/app/login.py\", line 12, in login\n\
                 TypeError: expected string or bytes-like object";
    (StatusCode::INTERNAL_SERVER_ERROR, trace).into_response()
}

fn succeed(site: &Site, name: String, address: IpAddr) -> Response {
    let pair = lock(&site.tokens).issue(&name, address);
    match site.specimen.failure {
        Failure::Html => {
            let flags = if site.specimen.has_bare_cookie {
                ""
            } else {
                "; HttpOnly; SameSite=Lax"
            };
            let cookie = format!("session={}{flags}", pair.access);
            let headers = [
                (header::LOCATION, "/me".to_owned()),
                (header::SET_COOKIE, cookie),
            ];
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        _ => site.token_response(&pair),
    }
}
