//! The login itself, over HTTP.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{ConnectInfo, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    account,
    limits::Failures,
    passwords::{Cost, Hash},
    signed,
    specimens::{Failure, Refusal, Specimen, Spelling, Unknown},
    tokens::{self, Pair, Tokens},
};

/// A login that listens on loopback. It ends when this is dropped.
pub struct Running {
    address: SocketAddr,
    site: Arc<Site>,
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

    /// The secret that signs its JWTs, where one does: its operator knows it.
    pub fn jwt_secret(&self) -> Option<String> {
        lock(&self.site.tokens).secret().map(str::to_owned)
    }

    /// How many logins were tried.
    pub fn attempts(&self) -> u64 {
        self.site.attempts.load(Ordering::Relaxed)
    }

    /// The secret that signs requests to `/signed`.
    pub fn signing_key(&self) -> &str {
        &self.site.signing_key
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
    let mut app = Router::new()
        .route("/register", post(register))
        .route("/login", post(login))
        .route("/openapi.json", get(openapi))
        .merge(account::routes())
        .merge(signed::routes());
    if site.specimen.second_route {
        app = app.route("/login/", post(login_unlimited));
    }
    let app = app
        .with_state(Arc::clone(&site))
        .into_make_service_with_connect_info::<SocketAddr>();
    let task = tokio::spawn(async move {
        // It ends by being aborted; an error would be the listener's, and shows as no answer.
        let _ = axum::serve(listener, app).await;
    });
    Ok(Running {
        address,
        site,
        task,
    })
}

pub(crate) struct Site {
    pub(crate) specimen: Specimen,
    pub(crate) accounts: Mutex<HashMap<String, Hash>>,
    pub(crate) tokens: Mutex<Tokens>,
    failures: Mutex<Failures>,
    pub(crate) signing_key: String,
    /// Of signed requests that were answered.
    pub(crate) nonces: Mutex<HashSet<String>>,
    dummy: Hash,
    serial: AtomicU64,
    attempts: AtomicU64,
}

#[derive(Deserialize)]
struct Registered {
    username: String,
    password: String,
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: Password,
}

/// One password; some logins take a list, since nobody said that they must not.
#[derive(Deserialize)]
#[serde(untagged)]
enum Password {
    One(String),
    Several(Vec<String>),
}

impl Site {
    fn new(specimen: Specimen) -> Self {
        let cost = cost(&specimen);
        let dummy = match specimen.unknown {
            Unknown::InvalidDummy => Hash::invalid_dummy(),
            _ => Hash::dummy(cost),
        };
        let tokens = specimen.tokens;
        Self {
            specimen,
            accounts: Mutex::default(),
            tokens: Mutex::new(Tokens::new(tokens)),
            failures: Mutex::default(),
            signing_key: tokens::random(),
            nonces: Mutex::default(),
            dummy,
            serial: AtomicU64::new(1),
            attempts: AtomicU64::new(0),
        }
    }

    /// Makes an account, if there is none of this name.
    fn add(&self, name: String, password: &str) -> bool {
        let is_new = !lock(&self.accounts).contains_key(&name);
        if is_new {
            self.set(name, password);
        }
        is_new
    }

    /// Gives an account this password. Blocks for a hash.
    pub(crate) fn set(&self, name: String, password: &str) {
        let salt = self.serial.fetch_add(1, Ordering::Relaxed);
        let counted = self.specimen.passwords.counted(password);
        let hash = Hash::of(counted, salt, cost(&self.specimen));
        lock(&self.accounts).insert(name, hash);
    }

    /// Whether the account exists, and whether the password is right. Blocks for a hash.
    pub(crate) fn verify(&self, name: &str, password: &str) -> (bool, bool) {
        let password = self.specimen.passwords.counted(password);
        let stored = lock(&self.accounts).get(name).cloned();
        match stored {
            Some(hash) => {
                let started = Instant::now();
                let later = Duration::from_micros(self.specimen.quick.unwrap_or_default());
                let right = hash.verify(password);
                // As a hash would: it keeps a core busy.
                while started.elapsed() < later {
                    std::hint::spin_loop();
                }
                (true, right)
            }
            None => {
                let at_once = [Unknown::SkipsHash, Unknown::OtherWordsAtOnce];
                if !at_once.contains(&self.specimen.unknown) {
                    self.dummy.verify(password);
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

async fn register(State(site): State<Arc<Site>>, Json(new): Json<Registered>) -> Response {
    if !site.specimen.passwords.allow(&new.password) {
        let words = Json(json!({"detail": "choose another password"}));
        return (StatusCode::UNPROCESSABLE_ENTITY, words).into_response();
    }
    let tells = site.specimen.tells_at_registration;
    let added = tokio::task::spawn_blocking(move || site.add(new.username, &new.password)).await;
    if tells && matches!(added, Ok(false)) {
        return (StatusCode::CONFLICT, Json(json!({"detail": "taken"}))).into_response();
    }
    (StatusCode::CREATED, Json(json!({"status": "created"}))).into_response()
}

type Sent = Result<Json<Credentials>, JsonRejection>;

async fn login(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    credentials: Sent,
) -> Response {
    let (name, passwords) = match read(&site, credentials) {
        Ok(read) => read,
        Err(response) => return response,
    };
    let specimen = &site.specimen;
    let address = site.address_of(peer, &headers);
    let (account, counted) = match specimen.spelling {
        Spelling::Exact => (name.clone(), name),
        Spelling::Folded => (folded(&name), folded(&name)),
        Spelling::FoldedTooLate => (folded(&name), name),
    };
    // One attempt, however many passwords it brings.
    let password = passwords.first().cloned().unwrap_or_default();
    let charges_late = specimen.races || specimen.verifies_first;
    let unlocked = specimen.locks_existing && !lock(&site.accounts).contains_key(&account);
    let wait = {
        let mut failures = lock(&site.failures);
        let wait = failures.wait(&specimen.limits, &counted, address, &password);
        match wait {
            None if unlocked => failures.record_stranger(address),
            None if !charges_late => failures.record(&counted, address, &password),
            _ => {}
        }
        wait
    };
    if let Some(wait) = wait.filter(|_| !specimen.verifies_first) {
        return refuse(specimen, wait);
    }
    let (exists, right) = verify(&site, &account, passwords).await;
    if right {
        let mut failures = lock(&site.failures);
        if wait.is_none() && !charges_late {
            failures.take_back(&counted, address, &password);
        }
        if specimen.resets {
            failures.reset(address);
        }
        drop(failures);
        return succeed(&site, account, peer.ip());
    }
    if let Some(wait) = wait {
        return refuse(specimen, wait);
    }
    if charges_late {
        lock(&site.failures).record(&counted, address, &password);
    }
    fail(specimen, exists)
}

/// The same login where somebody mounted it twice.
async fn login_unlimited(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    credentials: Sent,
) -> Response {
    let (name, passwords) = match read(&site, credentials) {
        Ok(read) => read,
        Err(response) => return response,
    };
    match verify(&site, &name, passwords).await {
        (_, true) => succeed(&site, name, peer.ip()),
        (exists, false) => fail(&site.specimen, exists),
    }
}

fn read(site: &Site, credentials: Sent) -> Result<(String, Vec<String>), Response> {
    site.attempts.fetch_add(1, Ordering::Relaxed);
    let Json(credentials) = match credentials {
        Ok(credentials) => credentials,
        Err(_) if site.specimen.stumbles => return Err(stumble()),
        Err(rejection) => return Err(rejection.into_response()),
    };
    let passwords = match credentials.password {
        Password::One(password) => vec![password],
        Password::Several(passwords) if site.specimen.batches => passwords,
        Password::Several(_) => return Err(StatusCode::UNPROCESSABLE_ENTITY.into_response()),
    };
    Ok((credentials.username, passwords))
}

/// Whether the account exists, and whether one of the passwords is right.
async fn verify(site: &Arc<Site>, name: &str, passwords: Vec<String>) -> (bool, bool) {
    let (verifier, name) = (Arc::clone(site), name.to_owned());
    let verify = move || {
        let verified = passwords
            .iter()
            .map(|password| verifier.verify(&name, password));
        let either = |(exists, right), (e, r)| (exists || e, right || r);
        verified.fold((false, false), either)
    };
    tokio::task::spawn_blocking(verify)
        .await
        .unwrap_or_default()
}

fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

fn refuse(specimen: &Specimen, wait: Duration) -> Response {
    let (status, words) = match specimen.refusal {
        Refusal::TooMany => (StatusCode::TOO_MANY_REQUESTS, "slow down"),
        Refusal::Challenge => (StatusCode::UNAUTHORIZED, "solve the captcha first"),
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

fn succeed(site: &Site, name: String, address: IpAddr) -> Response {
    let pair = lock(&site.tokens).issue(&name, address);
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

pub(crate) fn granted(site: &Site, pair: &Pair) -> Response {
    let body = json!({
        "access_token": pair.access, "refresh_token": pair.refresh, "token_type": "bearer"
    });
    if site.specimen.tokens.cacheable {
        return Json(body).into_response();
    }
    ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

async fn openapi(State(site): State<Arc<Site>>) -> Json<serde_json::Value> {
    let mut schemes = json!({"bearer": {"type": "http", "scheme": "bearer"}});
    if site.specimen.password_grant {
        schemes["oauth2"] =
            json!({"type": "oauth2", "flows": {"password": {"tokenUrl": "login", "scopes": {}}}});
    }
    let credentials = json!({"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Credentials"}}}});
    let fields = |names: &[&str]| {
        let properties: HashMap<_, _> = names
            .iter()
            .map(|name| (*name, json!({"type": "string"})))
            .collect();
        json!({"content": {"application/json": {"schema": {"type": "object", "required": names, "properties": properties}}}})
    };
    let answers = |status: &str| json!({status: {"description": "done"}});
    let opened = json!([{"bearer": []}]);
    let asked = |id: &str| json!({"get": {"operationId": id, "security": opened, "responses": answers("200")}});
    Json(json!({
        "openapi": "3.1.0",
        "info": {"title": "lab", "version": "1"},
        "paths": {
            "/login": {"post": {"operationId": "login", "requestBody": credentials, "responses": answers("200")}},
            "/register": {"post": {"operationId": "register", "requestBody": credentials, "responses": answers("201")}},
            "/me": asked("me"),
            "/users/{name}": asked("user"),
            "/admin/accounts": asked("accounts"),
            "/logout": {"post": {"operationId": "logout", "security": opened, "responses": answers("204")}},
            "/refresh": {"post": {"operationId": "refresh", "requestBody": fields(&["refresh_token"]), "responses": answers("200")}},
            "/password": {"post": {"operationId": "change_password", "security": opened, "requestBody": fields(&["current_password", "new_password"]), "responses": answers("204")}},
            "/forgot": {"post": {"operationId": "forgot", "requestBody": fields(&["username"]), "responses": answers("202")}},
            "/revoke": {"post": {"operationId": "revoke", "responses": answers("200")}}
        },
        "components": {"securitySchemes": schemes, "schemas": {"Credentials": {"type": "object", "required": ["username", "password"], "properties": {
            "username": {"type": "string"}, "password": {"type": "string", "format": "password"}
        }}}}
    }))
}

fn cost(specimen: &Specimen) -> Cost {
    if specimen.quick.is_some() {
        Cost::Least
    } else {
        Cost::Usual
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
