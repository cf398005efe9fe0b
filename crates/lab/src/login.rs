//! The login itself, over HTTP.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Form, Json, Router,
    extract::{ConnectInfo, Query, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    limits::Failures,
    passwords::Hash,
    specimens::{Failure, Refusal, Specimen, Unknown},
    tokens::{Pair, Tokens},
};

/// A login that listens on loopback. It ends when this is dropped.
pub struct Running {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Running {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a URL without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Starts a specimen on a free port of 127.0.0.1, with these accounts in it already.
///
/// Fails when loopback has no free port.
pub async fn start(
    specimen: Specimen,
    accounts: Vec<(String, String)>,
) -> std::io::Result<Running> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    let site = Arc::new(Site::new(specimen));
    let seeded = Arc::clone(&site);
    let seed = move || {
        for (name, password) in accounts {
            seeded.add(name, &password);
        }
    };
    tokio::task::spawn_blocking(seed).await?;
    let app = Router::new()
        .route("/register", post(register))
        .route("/login", post(login))
        .route("/me", get(me))
        .route("/logout", post(logout))
        .route("/refresh", post(refresh))
        .route("/introspect", post(introspect))
        .route("/openapi.json", get(openapi))
        .with_state(site)
        .into_make_service_with_connect_info::<SocketAddr>();
    let task = tokio::spawn(async move {
        // It ends by being aborted; an error would be the listener's, and shows as no answer.
        let _ = axum::serve(listener, app).await;
    });
    Ok(Running { address, task })
}

struct Site {
    specimen: Specimen,
    accounts: Mutex<HashMap<String, Hash>>,
    tokens: Mutex<Tokens>,
    failures: Mutex<Failures>,
    dummy: Hash,
    serial: AtomicU64,
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

impl Site {
    fn new(specimen: Specimen) -> Self {
        let dummy = match specimen.unknown {
            Unknown::InvalidDummy => Hash::invalid_dummy(),
            _ => Hash::dummy(),
        };
        let tokens = specimen.tokens;
        Self {
            specimen,
            accounts: Mutex::default(),
            tokens: Mutex::new(Tokens::new(tokens)),
            failures: Mutex::default(),
            dummy,
            serial: AtomicU64::new(1),
        }
    }

    fn add(&self, name: String, password: &str) -> bool {
        let hash = Hash::of(password, self.serial.fetch_add(1, Ordering::Relaxed));
        lock(&self.accounts).insert(name, hash).is_none()
    }

    /// Whether the account exists, and whether the password is right. Blocks for a hash.
    fn verify(&self, credentials: &Credentials) -> (bool, bool) {
        let stored = lock(&self.accounts).get(&credentials.username).cloned();
        match stored {
            Some(hash) => (true, hash.verify(&credentials.password)),
            None => {
                let at_once = [Unknown::SkipsHash, Unknown::OtherWordsAtOnce];
                if !at_once.contains(&self.specimen.unknown) {
                    self.dummy.verify(&credentials.password);
                }
                (false, false)
            }
        }
    }

    fn address_of(&self, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
        let forwarded = headers
            .get("x-forwarded-for")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(',').next())
            .and_then(|address| address.trim().parse().ok());
        match forwarded {
            Some(address) if self.specimen.believes_forwarded => address,
            _ => peer.ip(),
        }
    }
}

async fn register(State(site): State<Arc<Site>>, Json(new): Json<Credentials>) -> Response {
    let added = tokio::task::spawn_blocking(move || site.add(new.username, &new.password)).await;
    match added {
        Ok(true) => (StatusCode::CREATED, Json(json!({"status": "created"}))).into_response(),
        _ => (StatusCode::CONFLICT, Json(json!({"detail": "taken"}))).into_response(),
    }
}

async fn login(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    credentials: Result<Json<Credentials>, JsonRejection>,
) -> Response {
    let Json(credentials) = match credentials {
        Ok(credentials) => credentials,
        Err(_) if site.specimen.stumbles => return stumble(),
        Err(rejection) => return rejection.into_response(),
    };
    let address = site.address_of(peer, &headers);
    let (name, password) = (credentials.username.clone(), credentials.password.clone());
    let limits = &site.specimen.limits;
    let wait = lock(&site.failures).wait(limits, &name, address, &password);
    if let Some(wait) = wait.filter(|_| !site.specimen.verifies_first) {
        return refuse(&site.specimen, wait);
    }
    let verifier = Arc::clone(&site);
    let verified = tokio::task::spawn_blocking(move || verifier.verify(&credentials)).await;
    let (exists, right) = verified.unwrap_or_default();
    if right {
        return succeed(&site, name);
    }
    if let Some(wait) = wait {
        return refuse(&site.specimen, wait);
    }
    lock(&site.failures).record(&name, address, &password);
    fail(&site.specimen, exists)
}

fn refuse(specimen: &Specimen, wait: Duration) -> Response {
    let (status, words) = match specimen.refusal {
        Refusal::TooMany => (StatusCode::TOO_MANY_REQUESTS, "slow down"),
        Refusal::Forbidden => (StatusCode::FORBIDDEN, "temporarily blocked"),
        Refusal::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "come back later"),
        Refusal::UnauthorizedInOtherWords => (StatusCode::UNAUTHORIZED, "too many failures"),
        Refusal::Silent => return fail(specimen, true),
    };
    if !specimen.says_when {
        return (status, Json(json!({"detail": words}))).into_response();
    }
    let retry = [(header::RETRY_AFTER, wait.as_secs().to_string())];
    (status, retry, Json(json!({"detail": words}))).into_response()
}

fn fail(specimen: &Specimen, exists: bool) -> Response {
    let tells = [Unknown::OtherWords, Unknown::OtherWordsAtOnce];
    let words = if !exists && tells.contains(&specimen.unknown) {
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
                Json(json!({"detail": words})),
            )
                .into_response()
        }
        Failure::OkWithFail => Json(json!({"status": "fail", "message": words})).into_response(),
        Failure::Html => Html(format!(
            "<!doctype html><title>Log in</title><p>{words}</p><form method=post></form>"
        ))
        .into_response(),
    }
}

/// What an application shows whose errors reach its visitors.
fn stumble() -> Response {
    let words = "Traceback (most recent call last):\n  File \"/app/login.py\", line 12, in login\n\
                 TypeError: expected string or bytes-like object";
    (StatusCode::INTERNAL_SERVER_ERROR, words).into_response()
}

fn succeed(site: &Site, name: String) -> Response {
    let pair = lock(&site.tokens).issue(&name);
    match site.specimen.failure {
        Failure::Html => {
            let flags = if site.specimen.bare_cookie {
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
        _ => granted(site, &pair),
    }
}

fn granted(site: &Site, pair: &Pair) -> Response {
    let body = json!({
        "access_token": pair.access, "refresh_token": pair.refresh, "token_type": "bearer"
    });
    if site.specimen.tokens.cacheable {
        return Json(body).into_response();
    }
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

/// The token in the header, or the session's in its cookie.
fn token(headers: &HeaderMap) -> Option<&str> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let cookie = || text(header::COOKIE).and_then(|value| value.strip_prefix("session="));
    bearer.or_else(cookie).filter(|token| !token.is_empty())
}

async fn me(
    State(site): State<Arc<Site>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let in_url = query
        .get("access_token")
        .filter(|_| site.specimen.tokens.in_url);
    let token = token(&headers).or(in_url.map(String::as_str));
    let owner = lock(&site.tokens).owner(token);
    let mut response = match owner {
        Some(name) => Json(json!({"username": name})).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    };
    if let Some(origin) = headers
        .get(header::ORIGIN)
        .filter(|_| site.specimen.trusts_origins)
    {
        let told = response.headers_mut();
        told.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        told.insert(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            header::HeaderValue::from_static("true"),
        );
    }
    response
}

async fn logout(State(site): State<Arc<Site>>, headers: HeaderMap) -> StatusCode {
    if let Some(token) = token(&headers) {
        lock(&site.tokens).logout(token);
    }
    StatusCode::NO_CONTENT
}

/// RFC 7662; the sound one wants to know who asks, and here nobody is somebody.
async fn introspect(
    State(site): State<Arc<Site>>,
    Form(asked): Form<HashMap<String, String>>,
) -> Response {
    if !site.specimen.introspects {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let owner = lock(&site.tokens).owner(asked.get("token").map(String::as_str));
    Json(json!({"active": owner.is_some(), "username": owner})).into_response()
}

#[derive(Deserialize)]
struct Refresh {
    refresh_token: String,
}

async fn refresh(State(site): State<Arc<Site>>, Json(asked): Json<Refresh>) -> Response {
    let pair = lock(&site.tokens).refresh(&asked.refresh_token);
    match pair {
        Some(pair) => granted(&site, &pair),
        None => (
            StatusCode::UNAUTHORIZED,
            Json(json!({"detail": "no longer good"})),
        )
            .into_response(),
    }
}

async fn openapi(State(site): State<Arc<Site>>) -> Json<serde_json::Value> {
    let mut schemes = json!({"bearer": {"type": "http", "scheme": "bearer"}});
    if site.specimen.password_grant {
        schemes["oauth2"] =
            json!({"type": "oauth2", "flows": {"password": {"tokenUrl": "login", "scopes": {}}}});
    }
    let credentials = json!({"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Credentials"}}}});
    let refresh = json!({"content": {"application/json": {"schema": {"type": "object", "required": ["refresh_token"], "properties": {"refresh_token": {"type": "string"}}}}}});
    Json(json!({
        "openapi": "3.1.0",
        "info": {"title": "lab", "version": "1"},
        "paths": {
            "/login": {"post": {"operationId": "login", "requestBody": credentials, "responses": {"200": {"description": "in"}}}},
            "/register": {"post": {"operationId": "register", "requestBody": credentials, "responses": {"201": {"description": "created"}}}},
            "/me": {"get": {"operationId": "me", "security": [{"bearer": []}], "responses": {"200": {"description": "you"}}}},
            "/logout": {"post": {"operationId": "logout", "security": [{"bearer": []}], "responses": {"204": {"description": "out"}}}},
            "/refresh": {"post": {"operationId": "refresh", "requestBody": refresh, "responses": {"200": {"description": "in again"}}}}
        },
        "components": {"securitySchemes": schemes, "schemas": {"Credentials": {"type": "object", "required": ["username", "password"], "properties": {
            "username": {"type": "string"}, "password": {"type": "string", "format": "password"}
        }}}}
    }))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
