//! A user's secrets for signed requests: shown once, rotated with overlap.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::json;

use super::{Fields, Shared, Signed, broken, json, problem};
use crate::{App, door::From, signatures, tokens, users::User};

/// Makes a secret; the one that it replaces ends in a day, and both are written or neither.
async fn made(app: &App, user: &User, replaces: Option<String>) -> Result<Response, Response> {
    let id = tokens::id().map_err(|_| broken())?;
    let secret = signatures::secret().map_err(|_| broken())?;
    let sealed = app.seal.seal(&signatures::purpose(&id), secret.as_bytes());
    let sealed = sealed.map_err(|error| app.failed(&error))?;
    let (now, kept, owner) = (app.now(), id.clone(), user.id.clone());
    let adding = app.store.write(move |connection| {
        if let Some(old) = replaces
            && !signatures::end(connection, &old, &owner, now + signatures::OVERLAP)?
        {
            return Ok(None);
        }
        signatures::add(connection, &kept, &owner, &sealed, now).map(Some)
    });
    match adding.await.map_err(|error| app.failed(&error))? {
        None => Err(nothing()),
        Some(false) => {
            let detail = format!(
                "There are {} secrets of yours; end one first.",
                signatures::MOST
            );
            Err(problem(StatusCode::CONFLICT, &detail))
        }
        Some(true) => {
            app.notify(user, "A secret for signed requests was made");
            app.audit("signer-added", Some(&user.id), json!({"signer": id}));
            Ok(json(
                StatusCode::CREATED,
                &json!({"keyid": id, "secret": *secret, "alg": "hmac-sha256"}),
            ))
        }
    }
}

fn nothing() -> Response {
    problem(StatusCode::NOT_FOUND, "There is no such secret of yours.")
}

/// Asks for the password again: such a secret outlives the token that it is asked for with.
async fn asked(app: &App, user: &User, fields: &Fields, from: &From) -> Result<(), Response> {
    let password = fields.need("password")?;
    match app
        .password_is_right("POST /me/signers", user, password, from)
        .await?
    {
        true => Ok(()),
        false => Err(problem(StatusCode::FORBIDDEN, "The password is wrong.")),
    }
}

/// `POST /me/signers`: a new secret.
pub(super) async fn add(
    State(app): State<Shared>,
    from: From,
    signed: Signed,
    fields: Fields,
) -> Result<Response, Response> {
    asked(&app, &signed.user, &fields, &from).await?;
    made(&app, &signed.user, None).await
}

/// `POST /me/signers/{id}/rotate`: the next secret; this one ends in a day.
pub(super) async fn rotate(
    State(app): State<Shared>,
    from: From,
    signed: Signed,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Response, Response> {
    asked(&app, &signed.user, &fields, &from).await?;
    made(&app, &signed.user, Some(id)).await
}

/// `DELETE /me/signers/{id}`.
pub(super) async fn end(
    State(app): State<Shared>,
    signed: Signed,
    Path(id): Path<String>,
) -> Result<Response, Response> {
    let (owner, now) = (signed.user.id, app.now());
    let ending = app
        .store
        .write(move |connection| signatures::end(connection, &id, &owner, now));
    match ending.await.map_err(|error| app.failed(&error))? {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(nothing()),
    }
}
