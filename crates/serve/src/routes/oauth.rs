//! OAuth's endpoints: tokens (RFC 6749), introspection (RFC 7662), revocation (RFC 7009).

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{AUTHORIZATION, PRAGMA, WWW_AUTHENTICATE},
};
use serde_json::{Value, json};

use super::{Fields, Form, Shared, credentials::bound, json};
use crate::{
    App,
    door::From,
    dpop::Proof,
    login::Client,
    tokens::{Issued, PAGE, Unissued},
};

/// Returns an error response (RFC 6749 §5.2).
pub(super) fn error(status: StatusCode, code: &str, description: &str) -> Response {
    json(
        status,
        &json!({"error": code, "error_description": description}),
    )
}

fn bad(code: &str, description: &str) -> Response {
    error(StatusCode::BAD_REQUEST, code, description)
}

/// Returns the response to an unknown client or an incorrect secret.
fn no_client() -> Response {
    let mut response = error(
        StatusCode::UNAUTHORIZED,
        "invalid_client",
        "unknown client or incorrect secret",
    );
    response.headers_mut().insert(
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Basic realm=\"doorwarden\", charset=\"UTF-8\""),
    );
    response
}

fn issued(tokens: Result<Issued, Unissued>, app: &App) -> Response {
    match tokens {
        Ok(tokens) => {
            let mut response = json(StatusCode::OK, &tokens.json());
            response
                .headers_mut()
                .insert(PRAGMA, HeaderValue::from_static("no-cache"));
            response
        }
        Err(error) => app.failed(&error),
    }
}

/// The maximum length of a client id.
const LONGEST_ID: usize = 128;

/// Returns the client's id and secret: from Basic authentication, form-decoded (RFC 6749 §2.3.1), or from the
/// form; not from both.
fn credentials(headers: &HeaderMap, form: &Fields) -> Result<Option<(String, String)>, Response> {
    let in_form = form.get("client_id").zip(form.get("client_secret"));
    if in_form.is_some_and(|(id, _)| id.len() > LONGEST_ID) {
        return Err(no_client());
    }
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(in_form.map(|(id, secret)| (id.to_owned(), secret.to_owned())));
    };
    if values.next().is_some() || form.get("client_secret").is_some() {
        return Err(bad(
            "invalid_request",
            "the client uses more than one authentication method",
        ));
    }
    let read = || {
        let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
        let decoded = scheme
            .eq_ignore_ascii_case("basic")
            .then(|| BASE64_STANDARD.decode(rest.trim()).ok())??;
        let text = String::from_utf8(decoded).ok()?;
        let (id, secret) = text.split_once(':')?;
        let plain = |text: &str| {
            let spaced = text.replace('+', " ");
            let decoded = percent_encoding::percent_decode_str(&spaced)
                .decode_utf8()
                .ok()?;
            Some(decoded.into_owned())
        };
        Some((plain(id)?, plain(secret)?))
    };
    let (id, secret) = read().ok_or_else(no_client)?;
    // PostgreSQL stores no NUL characters.
    if id.len() > LONGEST_ID || id.contains('\0') {
        return Err(no_client());
    }
    if form.get("client_id").is_some_and(|named| named != id) {
        return Err(bad(
            "invalid_request",
            "client_id does not match the authenticated client",
        ));
    }
    Ok(Some((id, secret)))
}

/// Authenticates the client.
async fn client(
    app: &App,
    headers: &HeaderMap,
    form: &Fields,
    from: &From,
) -> Result<Client, Response> {
    let (id, secret) = credentials(headers, form)?.ok_or_else(no_client)?;
    app.client(&id, &secret, from).await?.ok_or_else(no_client)
}

/// Consumes a DPoP proof, if there is one; fails if it was used before.
async fn first(app: &App, proof: Option<&Proof>) -> Result<(), Response> {
    let Some(proof) = proof else { return Ok(()) };
    let used = app
        .use_up(proof)
        .await
        .map_err(|error| app.failed(&error))?;
    used.map_err(|error| bad("invalid_dpop_proof", &error.to_string()))
}

/// `POST /oauth/token`.
pub(super) async fn token(
    State(app): State<Shared>,
    headers: HeaderMap,
    from: From,
    Form(form): Form,
) -> Result<Response, Response> {
    let kind = form
        .get("grant_type")
        .ok_or_else(|| bad("invalid_request", "missing grant_type"))?;
    if !matches!(kind, "refresh_token" | "client_credentials") {
        return Err(bad(
            "unsupported_grant_type",
            "unsupported grant_type; use refresh_token or client_credentials",
        ));
    }
    if form.get("scope").is_some() {
        return Err(bad("invalid_scope", "scopes are not supported"));
    }
    let proven = bound(&app, &headers, "/oauth/token")
        .map_err(|error| bad("invalid_dpop_proof", &error.to_string()))?;
    if kind == "client_credentials" {
        let client = client(&app, &headers, &form, &from).await?;
        first(&app, proven.as_ref()).await?;
        let bound = proven.map(|proof| proof.thumbprint);
        return Ok(issued(app.client_token(&client.id, bound).await, &app));
    }
    let token = form
        .get("refresh_token")
        .ok_or_else(|| bad("invalid_request", "missing refresh_token"))?;
    // Tokens of the login have no client; a request that names one has to authenticate.
    let client = match credentials(&headers, &form)? {
        Some((id, secret)) => Some(
            app.client(&id, &secret, &from)
                .await?
                .ok_or_else(no_client)?
                .id,
        ),
        None => None,
    };
    let bound = proven.as_ref().map(|proof| proof.thumbprint.clone());
    match app.refresh(token, client, bound).await {
        Ok(Ok(tokens)) => {
            first(&app, proven.as_ref()).await?;
            Ok(issued(Ok(tokens), &app))
        }
        Ok(Err(_)) => Err(bad(
            "invalid_grant",
            "the refresh token is invalid, already used, expired, or belongs to another client",
        )),
        Err(error) => Err(app.failed(&error)),
    }
}

/// `POST /oauth/introspect`: the same response to everything that is not an active access token.
pub(super) async fn introspect(
    State(app): State<Shared>,
    headers: HeaderMap,
    from: From,
    Form(form): Form,
) -> Result<Response, Response> {
    client(&app, &headers, &form, &from).await?;
    let token = form
        .get("token")
        .ok_or_else(|| bad("invalid_request", "missing token"))?;
    let found = if token.starts_with(PAGE) {
        None
    } else {
        app.whose(token).await.map_err(|error| app.failed(&error))?
    };
    let inactive = json!({"active": false});
    let Some(caller) = found else {
        return Ok(json(StatusCode::OK, &inactive));
    };
    let mut claims = json!({"active": true, "token_type": "Bearer"});
    for claim in ["iss", "aud", "sub", "client_id", "iat", "exp", "jti", "cnf"] {
        if let Some(value) = caller.claims.get(claim) {
            claims[claim] = value.clone();
        }
    }
    if claims.get("cnf").is_some() {
        claims["token_type"] = Value::from("DPoP");
    }
    if let Some(user) = caller.user {
        claims["username"] = user.name.into();
    }
    Ok(json(StatusCode::OK, &claims))
}

/// `POST /oauth/revoke`: the same response for unknown tokens (RFC 7009 §2.2).
pub(super) async fn revoke(
    State(app): State<Shared>,
    headers: HeaderMap,
    from: From,
    Form(form): Form,
) -> Result<Response, Response> {
    let client = client(&app, &headers, &form, &from).await?;
    let token = form
        .get("token")
        .ok_or_else(|| bad("invalid_request", "missing token"))?;
    app.revoke(token, &client.id)
        .await
        .map_err(|error| app.failed(&error))?;
    Ok(StatusCode::OK.into_response())
}
