//! Whether it lives, whether it is ready, and its figures.

use axum::{extract::State, response::Response};
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde_json::json;

use super::{Shared, json, nowhere, problem};
use crate::door::From;

/// `GET /healthz`.
pub(super) async fn live() -> Response {
    json(StatusCode::OK, &json!({"status": "alive"}))
}

/// `GET /readyz`: whether the database answers.
pub(super) async fn ready(State(app): State<Shared>) -> Response {
    let asked = app
        .store
        .read(|connection| connection.query_row("SELECT 1", [], |_| Ok(())))
        .await;
    match asked {
        Ok(()) => json(StatusCode::OK, &json!({"status": "ready"})),
        Err(_) => problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "The database does not answer.",
        ),
    }
}

/// `GET /metrics`, for Prometheus, from this machine alone: figures tell who is under attack.
pub(super) async fn metrics(State(app): State<Shared>, from: From) -> Response {
    if !from.client.is_loopback() {
        return nowhere().await;
    }
    let mut response = Response::new(app.door.gate().metrics().into());
    let kind = HeaderValue::from_static("text/plain; version=0.0.4");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
