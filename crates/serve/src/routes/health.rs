//! Liveness, readiness and metrics.

use std::net::SocketAddr;

use axum::{
    extract::{ConnectInfo, State},
    response::Response,
};
use doorwarden_gate::http::client_addr::FORWARDING_HEADERS;
use http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde_json::json;

use super::{Shared, json, not_found, problem};
use crate::store::params;

/// `GET /healthz`.
pub(super) async fn live() -> Response {
    json(StatusCode::OK, &json!({"status": "alive"}))
}

/// `GET /readyz`: 503 if the database does not respond.
pub(super) async fn ready(State(app): State<Shared>) -> Response {
    let asked = app
        .store
        .read(|connection| connection.first("SELECT 1", params![], |_| Ok(())))
        .await;
    match asked {
        Ok(_) => json(StatusCode::OK, &json!({"status": "ready"})),
        Err(_) => problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "The database does not respond.",
        ),
    }
}

/// `GET /metrics`, for Prometheus, from this machine only: metrics show which attacks are under way.
///
/// Behind a proxy all requests come from this machine, so forwarded ones are rejected too.
pub(super) async fn metrics(
    State(app): State<Shared>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
) -> Response {
    let forwarded = FORWARDING_HEADERS
        .iter()
        .any(|name| headers.contains_key(name));
    if !peer.ip().is_loopback() || forwarded || headers.contains_key("via") {
        return not_found().await;
    }
    let mut response = Response::new(app.door.gate().metrics().into());
    let kind = HeaderValue::from_static("text/plain; version=0.0.4");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
