//! A user's secrets for signed requests: shown once, rotated with overlap.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::json;

use super::{Shared, Signed, broken, json, problem};
use crate::{App, signatures, tokens, users::User};

async fn made(app: &App, user: &User) -> Result<Response, Response> {
    let (id, secret) = (
        tokens::id().map_err(|_| broken())?,
        signatures::secret().map_err(|_| broken())?,
    );
    let sealed = app.seal.seal(&signatures::purpose(&id), secret.as_bytes());
    let sealed = sealed.map_err(|error| app.failed(&error))?;
    let (now, kept, owner) = (app.now(), id.clone(), user.id.clone());
    let adding = app
        .store
        .write(move |connection| signatures::add(connection, &kept, &owner, &sealed, now));
    if !adding.await.map_err(|error| app.failed(&error))? {
        let detail = format!(
            "There are {} secrets of yours; end one first.",
            signatures::MOST
        );
        return Err(problem(StatusCode::CONFLICT, &detail));
    }
    app.audit("signer-added", Some(&user.id), json!({"signer": id}));
    Ok(json(
        StatusCode::CREATED,
        &json!({"keyid": id, "secret": *secret, "alg": "hmac-sha256"}),
    ))
}

async fn ended(app: &App, user: &User, id: String, at: i64) -> Result<(), Response> {
    let owner = user.id.clone();
    let ending = app
        .store
        .write(move |connection| signatures::end(connection, &id, &owner, at));
    match ending.await.map_err(|error| app.failed(&error))? {
        true => Ok(()),
        false => Err(problem(
            StatusCode::NOT_FOUND,
            "There is no such secret of yours.",
        )),
    }
}

/// `POST /me/signers`: a new secret.
pub(super) async fn add(State(app): State<Shared>, signed: Signed) -> Result<Response, Response> {
    made(&app, &signed.user).await
}

/// `POST /me/signers/{id}/rotate`: the next secret; this one ends in a day.
pub(super) async fn rotate(
    State(app): State<Shared>,
    signed: Signed,
    Path(id): Path<String>,
) -> Result<Response, Response> {
    ended(&app, &signed.user, id, app.now() + signatures::OVERLAP).await?;
    made(&app, &signed.user).await
}

/// `DELETE /me/signers/{id}`.
pub(super) async fn end(
    State(app): State<Shared>,
    signed: Signed,
    Path(id): Path<String>,
) -> Result<Response, Response> {
    ended(&app, &signed.user, id, app.now()).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
