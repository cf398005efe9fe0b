//! The route that requires each request to be signed with a shared secret.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;

use crate::{
    signatures::{SignatureRules, SignedRequest},
    site::{Site, lock},
};

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new().route("/signed", get(signed))
}

async fn signed(State(site): State<Arc<Site>>, uri: Uri, headers: HeaderMap) -> Response {
    let rules = site.specimen.signatures;
    let accepted = SignedRequest::parse(&uri, &headers, rules).is_some_and(|request| {
        // The nonce comes last, so that a forged request can't use one up.
        request.is_valid(&site.signing_key, rules)
            && (lock(&site.nonces).insert(request.nonce) || rules == SignatureRules::Replayed)
    });
    if accepted {
        Json(json!({"status": "done"})).into_response()
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    }
}
