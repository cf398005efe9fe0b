//! Authenticates callers, by the token or the signature of a request.

use axum::{extract::FromRequestParts, response::Response};
use http::{
    HeaderValue, StatusCode,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
    request::Parts,
};

use super::{Shared, problem};
use crate::{
    App, Profile,
    door::From,
    dpop::{self, Use},
    signatures::{Signature, Target},
    tokens::{Caller, Session},
    users::User,
};

/// An authenticated user and their session.
pub(crate) struct Signed {
    pub(crate) user: User,
    pub(crate) session: Session,
    /// The claims of the token.
    pub(crate) caller: Caller,
}

/// Returns the response to an invalid token (RFC 6750 §3): the same for every cause.
pub(super) fn unauthorized(scheme: &'static str) -> Response {
    let mut response = problem(
        StatusCode::UNAUTHORIZED,
        "Authentication required: missing, invalid or expired access token.",
    );
    response
        .headers_mut()
        .insert(WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
    response
}

/// Returns the caller of a request, by its `Authorization` header.
pub(super) async fn caller(app: &App, parts: &Parts) -> Result<Caller, Response> {
    let mut values = parts.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(unauthorized("Bearer"));
    };
    if values.next().is_some() {
        return Err(problem(
            StatusCode::BAD_REQUEST,
            "Duplicate Authorization header.",
        ));
    }
    let said = value.to_str().ok().and_then(|value| value.split_once(' '));
    let Some((scheme, token)) = said else {
        return Err(unauthorized("Bearer"));
    };
    let bearer = scheme.eq_ignore_ascii_case("bearer");
    if !bearer && !scheme.eq_ignore_ascii_case("dpop") {
        return Err(unauthorized("Bearer"));
    }
    let token = token.trim();
    // The token of a page's cookie is valid only in that cookie.
    if token.starts_with(crate::tokens::PAGE) {
        return Err(unauthorized("Bearer"));
    }
    let found = app.whose(token).await.map_err(|error| app.failed(&error))?;
    let caller = found.ok_or_else(|| unauthorized("Bearer error=\"invalid_token\""))?;
    match caller.bound() {
        None if bearer && app.config.profile != Profile::Strict => Ok(caller),
        None => Err(unauthorized("DPoP error=\"invalid_token\"")),
        Some(bound) => {
            let url = format!("{}{}", app.issuer, parts.uri.path());
            let used = Use {
                method: parts.method.as_str(),
                url: &url,
                token: Some(token),
                now: app.now(),
            };
            let proven = dpop::proof(&parts.headers, &used);
            let proven = proven.map_err(|_| unauthorized("DPoP error=\"invalid_dpop_proof\""))?;
            let own = proven.filter(|proof| !bearer && proof.thumbprint == bound);
            let own = own.ok_or_else(|| unauthorized("DPoP error=\"invalid_token\""))?;
            let first = app.use_up(&own).await.map_err(|error| app.failed(&error))?;
            first.map_err(|_| unauthorized("DPoP error=\"invalid_dpop_proof\""))?;
            Ok(caller)
        }
    }
}

/// The user who signed the request (RFC 9421).
pub(crate) struct BySignature(pub(crate) User);

/// Returns the response to an invalid signature.
fn unsigned(detail: &str) -> Response {
    let mut response = problem(StatusCode::UNAUTHORIZED, detail);
    response
        .headers_mut()
        .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Signature"));
    response
}

impl FromRequestParts<Shared> for BySignature {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Response> {
        let now = app.now();
        let target = Target {
            method: &parts.method,
            issuer: &app.issuer,
            uri: &parts.uri,
            headers: &parts.headers,
        };
        let read = Signature::of(&target, now)
            .map_err(|error| unsigned(&format!("Invalid signature: {error}.")))?;
        let signature =
            read.ok_or_else(|| unsigned("Missing signature; sign the request (RFC 9421)."))?;
        let from = From::from_request_parts(parts, app).await?;
        let user = app.signer(&signature, &from).await?;
        let user =
            user.ok_or_else(|| unsigned("The signature is incorrect, or was used before."))?;
        Ok(Self(user))
    }
}

impl FromRequestParts<Shared> for Signed {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Response> {
        let mut caller = caller(app, parts).await?;
        match (caller.user.take(), caller.session.take()) {
            (Some(user), Some(session)) => Ok(Self {
                user,
                session,
                caller,
            }),
            // A client's own token has no user.
            _ => Err(problem(
                StatusCode::FORBIDDEN,
                "This route requires a user's token, not a client's.",
            )),
        }
    }
}
