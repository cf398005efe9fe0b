//! The routes that require a token, and those that change an account.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use axum::{
    Form, Json, Router,
    extract::{ConnectInfo, Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::site::{Site, lock};

type Peer = ConnectInfo<SocketAddr>;

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/me", get(me))
        .route("/users/{name}", get(user))
        .route("/admin/accounts", get(accounts))
        .route("/logout", post(log_out))
        .route("/refresh", post(refresh))
        .route("/introspect", post(introspect))
        .route("/revoke", post(revoke))
        .route("/password", post(change_password))
        .route("/forgot", post(forgot))
        .route("/.well-known/jwks.json", get(jwks))
}

/// Returns the token in the header or in the session cookie.
fn find_token(headers: &HeaderMap) -> Option<&str> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let cookie = || text(header::COOKIE).and_then(|value| value.strip_prefix("session="));
    bearer.or_else(cookie).filter(|token| !token.is_empty())
}

/// Returns the account whose token the request contains.
fn authenticate(site: &Site, headers: &HeaderMap, peer: SocketAddr) -> Option<String> {
    lock(&site.tokens).find_owner(find_token(headers), peer.ip())
}

async fn me(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): Peer,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let in_url = query
        .get("access_token")
        .filter(|_| site.specimen.tokens.accepted_in_url);
    let token = find_token(&headers).or(in_url.map(String::as_str));
    let owner = lock(&site.tokens).find_owner(token, peer.ip());
    let mut response = match owner {
        Some(name) => Json(json!({"username": name})).into_response(),
        None => StatusCode::UNAUTHORIZED.into_response(),
    };
    if let Some(origin) = headers
        .get(header::ORIGIN)
        .filter(|_| site.specimen.trusts_any_origin)
    {
        let added = response.headers_mut();
        added.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        added.insert(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            header::HeaderValue::from_static("true"),
        );
    }
    response
}

async fn user(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): Peer,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    match authenticate(&site, &headers, peer) {
        None => StatusCode::UNAUTHORIZED.into_response(),
        Some(user) if user != name && !site.specimen.exposes_other_users => {
            StatusCode::FORBIDDEN.into_response()
        }
        Some(_) if !lock(&site.accounts).contains_key(&name) => {
            StatusCode::NOT_FOUND.into_response()
        }
        Some(_) => Json(json!({"username": name, "address": "1 Some Street"})).into_response(),
    }
}

/// The lab has no administrator, so a sound login denies every user.
async fn accounts(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
) -> Response {
    match authenticate(&site, &headers, peer) {
        None => StatusCode::UNAUTHORIZED.into_response(),
        Some(_) if !site.specimen.exposes_admin => StatusCode::FORBIDDEN.into_response(),
        Some(_) => Json(json!({"accounts": lock(&site.accounts).len()})).into_response(),
    }
}

async fn log_out(State(site): State<Arc<Site>>, headers: HeaderMap) -> StatusCode {
    if let Some(token) = find_token(&headers) {
        lock(&site.tokens).log_out(token);
    }
    StatusCode::NO_CONTENT
}

/// RFC 7662. A sound login requires authentication, and the lab has no client that could
/// authenticate.
async fn introspect(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): Peer,
    Form(fields): Form<HashMap<String, String>>,
) -> Response {
    if !site.specimen.introspects_for_anyone {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let token = fields.get("token").map(String::as_str);
    let owner = lock(&site.tokens).find_owner(token, peer.ip());
    Json(json!({"active": owner.is_some(), "username": owner})).into_response()
}

/// RFC 7009. Requires authentication in the same way.
async fn revoke(
    State(site): State<Arc<Site>>,
    Form(fields): Form<HashMap<String, String>>,
) -> StatusCode {
    if !site.specimen.revokes_for_anyone {
        return StatusCode::UNAUTHORIZED;
    }
    if let Some(token) = fields.get("token") {
        lock(&site.tokens).revoke(token);
    }
    StatusCode::OK
}

#[derive(Deserialize)]
struct Refresh {
    refresh_token: String,
}

async fn refresh(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): Peer,
    Json(body): Json<Refresh>,
) -> Response {
    let pair = lock(&site.tokens).refresh(&body.refresh_token, peer.ip());
    match pair {
        Some(pair) => site.token_response(&pair),
        None => {
            let body = Json(json!({"detail": "no longer good"}));
            (StatusCode::UNAUTHORIZED, body).into_response()
        }
    }
}

#[derive(Deserialize)]
struct NewPassword {
    current_password: String,
    new_password: String,
}

async fn change_password(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
    Json(body): Json<NewPassword>,
) -> StatusCode {
    let Some(name) = authenticate(&site, &headers, peer) else {
        return StatusCode::UNAUTHORIZED;
    };
    let (changing, account) = (Arc::clone(&site), name.clone());
    let change = move || {
        let (_, is_correct) = changing.verify(&account, &body.current_password);
        let is_allowed = is_correct && changing.specimen.passwords.allow(&body.new_password);
        if is_allowed {
            changing.set_password(account, &body.new_password);
        }
        is_allowed
    };
    match tokio::task::spawn_blocking(change).await {
        Ok(true) => {
            lock(&site.tokens).revoke_after_change(&name);
            StatusCode::NO_CONTENT
        }
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

#[derive(Deserialize)]
struct Forgot {
    username: String,
}

async fn forgot(State(site): State<Arc<Site>>, Json(body): Json<Forgot>) -> Response {
    let exists = lock(&site.accounts).contains_key(&body.username);
    if !exists && site.specimen.reveals_names_at_reset {
        return (
            StatusCode::NOT_FOUND,
            Json(json!({"detail": "no such user"})),
        )
            .into_response();
    }
    let body = json!({"status": "if the account exists, an email has been sent"});
    (StatusCode::ACCEPTED, Json(body)).into_response()
}

async fn jwks(State(site): State<Arc<Site>>) -> Json<Value> {
    Json(lock(&site.tokens).jwks())
}
