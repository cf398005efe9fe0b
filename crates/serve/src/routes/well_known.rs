//! Keys (RFC 7517) and metadata (RFC 8414).

use axum::{extract::State, response::Response};
use http::{HeaderValue, StatusCode, header::CACHE_CONTROL};
use serde_json::json;

use super::{Shared, json};
use crate::{dpop, keys::JWKS_MAX_AGE};

fn cacheable(mut response: Response) -> Response {
    if let Ok(value) = HeaderValue::from_str(&format!("public, max-age={JWKS_MAX_AGE}")) {
        response.headers_mut().insert(CACHE_CONTROL, value);
    }
    response
}

/// `GET /.well-known/jwks.json`.
pub(super) async fn jwks(State(app): State<Shared>) -> Response {
    cacheable(json(StatusCode::OK, &app.keys.public(app.now())))
}

/// `GET /.well-known/oauth-authorization-server`. The login is the application's own and not a grant, so it
/// is not listed.
pub(super) async fn metadata(State(app): State<Shared>) -> Response {
    let issuer = &app.issuer;
    let at = |path: &str| format!("{issuer}{path}");
    let by_secret = ["client_secret_basic", "client_secret_post"];
    let proofs: Vec<String> = dpop::ALGORITHMS.iter().map(ToString::to_string).collect();
    cacheable(json(
        StatusCode::OK,
        &json!({
            "issuer": issuer,
            "token_endpoint": at("/oauth/token"),
            "introspection_endpoint": at("/oauth/introspect"),
            "revocation_endpoint": at("/oauth/revoke"),
            "jwks_uri": at("/.well-known/jwks.json"),
            "response_types_supported": [],
            "grant_types_supported": ["refresh_token", "client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "introspection_endpoint_auth_methods_supported": by_secret,
            "revocation_endpoint_auth_methods_supported": by_secret,
            "dpop_signing_alg_values_supported": proofs,
            "access_token_signing_alg_values_supported": app.keys.algorithms(),
            "service_documentation": at("/docs"),
        }),
    ))
}
