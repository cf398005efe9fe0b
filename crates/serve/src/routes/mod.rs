//! The routes, one file per group, and what they share: fields, responses, callers.

mod administration;
mod authorize;
mod credentials;
mod health;
mod me;
mod oauth;
mod openapi;
mod pages;
#[cfg(feature = "passkeys")]
mod passkeys;
mod second_factor;
mod signers;
mod well_known;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Instant};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, DefaultBodyLimit, FromRequest, FromRequestParts, MatchedPath, Request},
    middleware::{self, Next},
    response::Response,
    routing::{delete, get, post},
};
use doorwarden_gate::http::{Unambiguous, device::Tokens, refusal};
use http::{
    HeaderName, HeaderValue, Method, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
        STRICT_TRANSPORT_SECURITY, USER_AGENT, X_CONTENT_TYPE_OPTIONS,
    },
    request::Parts,
};
use serde_json::Value;
use tracing::Instrument;
use zeroize::Zeroizing;

use crate::{App, door::From};

pub(crate) use authorize::Signed;

/// The maximum size of a body, which has a few fields.
const BODY_LIMIT: usize = 16 * 1024;

/// The maximum number of fields in a body.
const MOST_FIELDS: usize = 32;

type Shared = Arc<App>;

/// Returns all routes.
pub(crate) fn all(app: Arc<App>) -> Router {
    let https = app.issuer.starts_with("https://");
    let routes = Router::new();
    #[cfg(feature = "passkeys")]
    let routes = routes.merge(passkeys::routes());
    routes
        .route("/login", post(credentials::login))
        .route("/register", post(credentials::register))
        .route("/password/change", post(credentials::change))
        .route("/password/reset", post(credentials::ask_reset))
        .route("/password/reset/confirm", post(credentials::reset))
        .route("/logout", post(me::logout))
        .route("/logout/all", post(me::logout_all))
        .route("/me", get(me::me))
        .route("/me/sessions", get(me::sessions))
        .route("/me/sessions/{id}", delete(me::end_session))
        .route("/me/signers", post(signers::add))
        .route("/me/signers/{id}", delete(signers::revoke))
        .route("/me/signers/{id}/rotate", post(signers::rotate))
        .route("/signed/me", get(me::signed))
        .route("/mfa/totp", post(second_factor::totp))
        .route("/mfa/recovery", post(second_factor::recovery))
        .route("/mfa/totp/enroll", post(second_factor::enroll))
        .route("/mfa/totp/confirm", post(second_factor::confirm))
        .route("/mfa/totp/remove", post(second_factor::remove))
        .route("/oauth/token", post(oauth::token))
        .route("/oauth/introspect", post(oauth::introspect))
        .route("/oauth/revoke", post(oauth::revoke))
        .route("/.well-known/jwks.json", get(well_known::jwks))
        .route(
            "/.well-known/oauth-authorization-server",
            get(well_known::metadata),
        )
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/openapi.json", get(openapi::document))
        .route("/docs", get(openapi::page))
        .merge(administration::routes())
        .merge(pages::routes())
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn(plain_path))
        .layer(middleware::map_response(move |response| {
            hardened(response, https)
        }))
        .layer(middleware::from_fn(trace))
        .with_state(app)
}

async fn not_found() -> Response {
    problem(StatusCode::NOT_FOUND, "Not found; see GET /openapi.json.")
}

/// Rejects a path with a NUL character: no name and no id has one.
async fn plain_path(request: Request, next: Next) -> Response {
    if request.uri().path().contains("%00") {
        return not_found().await;
    }
    next.run(request).await
}

async fn method_not_allowed() -> Response {
    problem(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed.")
}

/// Returns the method and the pattern of the path of a request. A method or path that isn't known is the
/// client's text, and not returned.
fn route(method: &Method, matched: Option<&MatchedPath>) -> (&'static str, String) {
    let method = match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    };
    (
        method,
        matched.map_or("unmatched", MatchedPath::as_str).to_owned(),
    )
}

/// Traces a request, without its query, headers, body and the values in its path.
async fn trace(request: Request, next: Next) -> Response {
    let (method, route) = route(request.method(), request.extensions().get());
    let span = tracing::debug_span!(
        "request",
        method,
        route,
        status = tracing::field::Empty,
        elapsed_ms = tracing::field::Empty
    );
    let started = Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    span.record("status", response.status().as_u16());
    span.record("elapsed_ms", started.elapsed().as_millis() as u64);
    tracing::debug!(parent: &span, "request finished");
    response
}

/// Adds security headers (OWASP's REST and HTTP headers cheat sheets); a route's own have precedence.
async fn hardened(mut response: Response, https: bool) -> Response {
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    set(CACHE_CONTROL, "no-store");
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(REFERRER_POLICY, "no-referrer");
    set(
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    );
    if https {
        set(
            STRICT_TRANSPORT_SECURITY,
            "max-age=63072000; includeSubDomains",
        );
    }
    response
}

/// Returns a problem document (RFC 9457).
pub(crate) fn problem(status: StatusCode, detail: &str) -> Response {
    refusal::refused(status, detail).map(Body::from)
}

/// Returns the response to an internal error.
pub(crate) fn broken() -> Response {
    problem(
        StatusCode::INTERNAL_SERVER_ERROR,
        "Internal error; it has been reported to the operator.",
    )
}

/// Returns the response of a server at its capacity.
pub(crate) fn busy() -> Response {
    let mut response = problem(
        StatusCode::SERVICE_UNAVAILABLE,
        "The server is busy. Try again in a moment.",
    );
    let headers = response.headers_mut();
    headers.insert(http::header::RETRY_AFTER, HeaderValue::from_static("2"));
    response
}

/// Returns a JSON response.
pub(crate) fn json(status: StatusCode, value: &Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The fields of a form or a JSON object: strings, without duplicates. Zeroized when dropped.
pub(crate) struct Fields(BTreeMap<String, Zeroizing<String>>);

impl Fields {
    /// Returns a required field.
    pub(crate) fn need(&self, name: &str) -> Result<&str, Response> {
        let missing = || {
            problem(
                StatusCode::UNPROCESSABLE_ENTITY,
                &format!("Missing field `{name}`."),
            )
        };
        self.get(name).ok_or_else(missing)
    }

    /// Returns a field, if it is present and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(|value| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn of_form(body: &[u8]) -> Result<Self, &'static str> {
        std::str::from_utf8(body).map_err(|_| "The body is not valid UTF-8.")?;
        Self::of(
            url::form_urlencoded::parse(body)
                .map(|(name, value)| Ok((name.into_owned(), value.into_owned()))),
        )
    }

    fn of_json(body: &[u8]) -> Result<Self, &'static str> {
        let read: Result<Unambiguous, _> = serde_json::from_slice(body);
        let Ok(Unambiguous(Value::Object(object))) = read else {
            return Err("The body is not a JSON object, or a member appears more than once.");
        };
        Self::of(
            object
                .into_iter()
                .filter(|(_, value)| !value.is_null())
                .map(|(name, value)| match value {
                    Value::String(text) => Ok((name, text)),
                    _ => Err("Every field must be a string."),
                }),
        )
    }

    fn of(
        pairs: impl Iterator<Item = Result<(String, String), &'static str>>,
    ) -> Result<Self, &'static str> {
        let mut fields = BTreeMap::new();
        for pair in pairs {
            let (name, value) = pair?;
            let value = Zeroizing::new(value);
            if value.contains('\0') {
                return Err("A field contains a NUL character (U+0000).");
            }
            if fields.insert(name, value).is_some() {
                return Err("A field appears more than once.");
            }
            if fields.len() > MOST_FIELDS {
                return Err("Too many fields.");
            }
        }
        Ok(Self(fields))
    }
}

/// Returns true if a body is a form, false if it is JSON.
fn is_form(parts: &Parts) -> Option<bool> {
    let kind = parts.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let kind = kind.split(';').next()?.trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/x-www-form-urlencoded" => Some(true),
        "application/json" => Some(false),
        _ => None,
    }
}

impl FromRequest<Shared> for Fields {
    type Rejection = Response;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let Some(is_form) = is_form(&parts) else {
            let detail = "Unsupported Content-Type; send application/json or application/x-www-form-urlencoded.";
            return Err(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        };
        let request = Request::from_parts(parts, body);
        let body = Bytes::from_request(request, state).await;
        let body = body.map_err(|error| {
            problem(
                error.status(),
                "The body is longer than 16 kB, or incomplete.",
            )
        })?;
        let fields = if is_form {
            Self::of_form(&body)
        } else {
            Self::of_json(&body)
        };
        fields.map_err(|reason| problem(StatusCode::BAD_REQUEST, reason))
    }
}

/// The fields of a form; JSON is rejected (RFC 6749 §3.2; parameters must not repeat).
pub(crate) struct Form(pub(crate) Fields);

impl FromRequest<Shared> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, state: &Shared) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        if is_form(&parts) != Some(true) {
            return Err(oauth::error(
                StatusCode::BAD_REQUEST,
                "invalid_request",
                "unsupported Content-Type; send application/x-www-form-urlencoded",
            ));
        }
        let body = Bytes::from_request(Request::from_parts(parts, body), state).await;
        let body = body.map_err(|error| {
            problem(
                error.status(),
                "The body is longer than 16 kB, or incomplete.",
            )
        })?;
        let fields = Fields::of_form(&body);
        fields
            .map(Self)
            .map_err(|reason| oauth::error(StatusCode::BAD_REQUEST, "invalid_request", reason))
    }
}

impl FromRequestParts<Shared> for From {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Response> {
        let peer = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|peer| peer.0.ip());
        let client = app.proxies.client(peer.ok_or_else(broken)?, &parts.headers);
        let agent = parts
            .headers
            .get(USER_AGENT)
            .and_then(|agent| agent.to_str().ok());
        let (method, path) = route(&parts.method, parts.extensions.get());
        Ok(Self {
            route: format!("{method} {path}"),
            client,
            tokens: Tokens::of(&parts.headers),
            device: device(agent.unwrap_or_default()),
        })
    }
}

/// Describes a device, so that its user recognizes it in a list.
fn device(agent: &str) -> String {
    let of = |known: &[(&str, &str)]| {
        let found = known.iter().find(|(mark, _)| agent.contains(mark));
        found.map(|(_, name)| (*name).to_owned())
    };
    let browser = of(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
        ("python", "Python"),
    ]);
    let system = of(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "Unknown device".to_owned(),
    }
}
