//! What a token opens, and what changes an account.

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

use crate::login::{Site, granted, lock};

type Peer = ConnectInfo<SocketAddr>;

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/me", get(me))
        .route("/users/{name}", get(user))
        .route("/admin/accounts", get(accounts))
        .route("/logout", post(logout))
        .route("/refresh", post(refresh))
        .route("/introspect", post(introspect))
        .route("/revoke", post(revoke))
        .route("/password", post(change_password))
        .route("/forgot", post(forgot))
        .route("/.well-known/jwks.json", get(jwks))
}

/// The token in the header, or the session's in its cookie.
fn token(headers: &HeaderMap) -> Option<&str> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
    let cookie = || text(header::COOKIE).and_then(|value| value.strip_prefix("session="));
    bearer.or_else(cookie).filter(|token| !token.is_empty())
}

/// Whose token the request carries.
fn visitor(site: &Site, headers: &HeaderMap, peer: SocketAddr) -> Option<String> {
    lock(&site.tokens).owner(token(headers), peer.ip())
}

async fn me(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): Peer,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let in_url = query
        .get("access_token")
        .filter(|_| site.specimen.tokens.in_url);
    let token = token(&headers).or(in_url.map(String::as_str));
    let owner = lock(&site.tokens).owner(token, peer.ip());
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

async fn user(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): Peer,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Response {
    match visitor(&site, &headers, peer) {
        None => StatusCode::UNAUTHORIZED.into_response(),
        Some(visitor) if visitor != name && !site.specimen.opens_others => {
            StatusCode::FORBIDDEN.into_response()
        }
        Some(_) if !lock(&site.accounts).contains_key(&name) => {
            StatusCode::NOT_FOUND.into_response()
        }
        Some(_) => Json(json!({"username": name, "address": "1 Some Street"})).into_response(),
    }
}

/// There is no administrator in the lab, so the sound one opens it for nobody.
async fn accounts(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): Peer,
    headers: HeaderMap,
) -> Response {
    match visitor(&site, &headers, peer) {
        None => StatusCode::UNAUTHORIZED.into_response(),
        Some(_) if !site.specimen.opens_admin => StatusCode::FORBIDDEN.into_response(),
        Some(_) => Json(json!({"accounts": lock(&site.accounts).len()})).into_response(),
    }
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
    ConnectInfo(peer): Peer,
    Form(asked): Form<HashMap<String, String>>,
) -> Response {
    if !site.specimen.introspects {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let token = asked.get("token").map(String::as_str);
    let owner = lock(&site.tokens).owner(token, peer.ip());
    Json(json!({"active": owner.is_some(), "username": owner})).into_response()
}

/// RFC 7009, in the same way.
async fn revoke(
    State(site): State<Arc<Site>>,
    Form(asked): Form<HashMap<String, String>>,
) -> StatusCode {
    if !site.specimen.revokes {
        return StatusCode::UNAUTHORIZED;
    }
    if let Some(token) = asked.get("token") {
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
    Json(asked): Json<Refresh>,
) -> Response {
    let pair = lock(&site.tokens).refresh(&asked.refresh_token, peer.ip());
    let refused = || {
        let words = Json(json!({"detail": "no longer good"}));
        (StatusCode::UNAUTHORIZED, words).into_response()
    };
    pair.map_or_else(refused, |pair| granted(&site, &pair))
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
    Json(asked): Json<NewPassword>,
) -> StatusCode {
    let Some(name) = visitor(&site, &headers, peer) else {
        return StatusCode::UNAUTHORIZED;
    };
    let (there, changed) = (Arc::clone(&site), name.clone());
    let change = move || {
        let (_, right) = there.verify(&changed, &asked.current_password);
        let allowed = right && there.specimen.passwords.allow(&asked.new_password);
        if allowed {
            there.set(changed, &asked.new_password);
        }
        allowed
    };
    match tokio::task::spawn_blocking(change).await {
        Ok(true) => {
            lock(&site.tokens).changed(&name);
            StatusCode::NO_CONTENT
        }
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

#[derive(Deserialize)]
struct Forgot {
    username: String,
}

async fn forgot(State(site): State<Arc<Site>>, Json(asked): Json<Forgot>) -> Response {
    let exists = lock(&site.accounts).contains_key(&asked.username);
    if !exists && site.specimen.tells_at_reset {
        return (
            StatusCode::NOT_FOUND,
            Json(json!({"detail": "no such user"})),
        )
            .into_response();
    }
    let words = json!({"status": "if there is such an account, a mail is on its way"});
    (StatusCode::ACCEPTED, Json(words)).into_response()
}

async fn jwks(State(site): State<Arc<Site>>) -> Json<Value> {
    Json(lock(&site.tokens).jwks())
}
