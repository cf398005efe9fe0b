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

/// An error of RFC 6749 §5.2.
pub(super) fn error(status: StatusCode, code: &str, description: &str) -> Response {
    json(
        status,
        &json!({"error": code, "error_description": description}),
    )
}

fn bad(code: &str, description: &str) -> Response {
    error(StatusCode::BAD_REQUEST, code, description)
}

/// A client that is not known, or has another secret.
fn no_client() -> Response {
    let mut response = error(
        StatusCode::UNAUTHORIZED,
        "invalid_client",
        "the client is not known, or its secret is wrong",
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

/// Longer ids are no client's.
const LONGEST_ID: usize = 128;

/// The client's id and secret: by Basic, form-decoded (RFC 6749 §2.3.1), or in the form; not by both.
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
            "the client authenticates in more than one way",
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
    // No text of a database has U+0000.
    if id.len() > LONGEST_ID || id.contains('\0') {
        return Err(no_client());
    }
    if form.get("client_id").is_some_and(|named| named != id) {
        return Err(bad(
            "invalid_request",
            "client_id is another than the one that authenticates",
        ));
    }
    Ok(Some((id, secret)))
}

/// The client that calls; it has to authenticate.
async fn client(
    app: &App,
    headers: &HeaderMap,
    form: &Fields,
    from: &From,
) -> Result<Client, Response> {
    let (id, secret) = credentials(headers, form)?.ok_or_else(no_client)?;
    app.client(&id, &secret, from).await?.ok_or_else(no_client)
}

/// A proof that was used before is none.
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
        .ok_or_else(|| bad("invalid_request", "grant_type is missing"))?;
    if !matches!(kind, "refresh_token" | "client_credentials") {
        return Err(bad(
            "unsupported_grant_type",
            "refresh_token and client_credentials are supported",
        ));
    }
    if form.get("scope").is_some() {
        return Err(bad("invalid_scope", "this server has no scopes"));
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
        .ok_or_else(|| bad("invalid_request", "refresh_token is missing"))?;
    // The application's own pages have no client; whoever says a client's name has to prove it.
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
            "the refresh token is not valid, was used, or is not this client's",
        )),
        Err(error) => Err(app.failed(&error)),
    }
}

/// `POST /oauth/introspect`: what is not a live access token is not told apart.
pub(super) async fn introspect(
    State(app): State<Shared>,
    headers: HeaderMap,
    from: From,
    Form(form): Form,
) -> Result<Response, Response> {
    client(&app, &headers, &form, &from).await?;
    let token = form
        .get("token")
        .ok_or_else(|| bad("invalid_request", "token is missing"))?;
    let found = if token.starts_with(PAGE) {
        None
    } else {
        app.whose(token).await.map_err(|error| app.failed(&error))?
    };
    let inactive = json!({"active": false});
    let Some(caller) = found else {
        return Ok(json(StatusCode::OK, &inactive));
    };
    let mut told = json!({"active": true, "token_type": "Bearer"});
    for claim in ["iss", "aud", "sub", "client_id", "iat", "exp", "jti", "cnf"] {
        if let Some(value) = caller.claims.get(claim) {
            told[claim] = value.clone();
        }
    }
    if told.get("cnf").is_some() {
        told["token_type"] = Value::from("DPoP");
    }
    if let Some(user) = caller.user {
        told["username"] = user.name.into();
    }
    Ok(json(StatusCode::OK, &told))
}

/// `POST /oauth/revoke`: an unknown token is answered as a known one (RFC 7009 §2.2).
pub(super) async fn revoke(
    State(app): State<Shared>,
    headers: HeaderMap,
    from: From,
    Form(form): Form,
) -> Result<Response, Response> {
    let client = client(&app, &headers, &form, &from).await?;
    let token = form
        .get("token")
        .ok_or_else(|| bad("invalid_request", "token is missing"))?;
    app.revoke(token, &client.id)
        .await
        .map_err(|error| app.failed(&error))?;
    Ok(StatusCode::OK.into_response())
}
