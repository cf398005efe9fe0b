//! The current user, their sessions, and logging out.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Value, json};

use super::{Shared, Signed, authorize::BySignature, json, problem};
use crate::{App, tokens, users::User};

/// `GET /me`.
pub(super) async fn me(signed: Signed) -> Response {
    user_info(&signed.user)
}

/// `GET /signed/me`: the user who signed the request (RFC 9421).
pub(super) async fn signed(BySignature(user): BySignature) -> Response {
    user_info(&user)
}

fn user_info(user: &User) -> Response {
    json(
        StatusCode::OK,
        &json!({
            "sub": user.id,
            "username": user.name,
            "email": user.mail,
            "admin": user.admin,
            "second_factor": user.has_second_factor(),
            "created": user.created,
        }),
    )
}

/// `GET /me/sessions`.
pub(super) async fn sessions(
    State(app): State<Shared>,
    signed: Signed,
) -> Result<Response, Response> {
    let (now, user) = (app.now(), signed.user.id);
    let sessions = app
        .store
        .read(move |connection| tokens::of_user(connection, &user, now))
        .await;
    let sessions = sessions.map_err(|error| app.failed(&error))?;
    let listed: Vec<Value> = sessions
        .iter()
        .map(|one| session(one, &signed.session.id))
        .collect();
    Ok(json(StatusCode::OK, &Value::Array(listed)))
}

pub(super) fn session(one: &tokens::Session, current: &str) -> Value {
    json!({
        "id": one.id,
        "device": one.device,
        "created": one.created,
        "last_used": one.used,
        "expires": one.expires,
        "current": one.id == current,
    })
}

/// `DELETE /me/sessions/{id}`.
pub(super) async fn end_session(
    State(app): State<Shared>,
    signed: Signed,
    Path(id): Path<String>,
) -> Result<Response, Response> {
    match ended(&app, &signed.user, id).await? {
        false => Err(problem(StatusCode::NOT_FOUND, "Session not found.")),
        true => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// Ends a session of a user; returns false if the user has no such session.
pub(super) async fn ended(app: &App, user: &User, id: String) -> Result<bool, Response> {
    let (now, owner, ended) = (app.now(), user.id.clone(), id.clone());
    let ending = app
        .store
        .write(move |connection| tokens::end_own(connection, &id, &owner, now));
    let was_there = ending.await.map_err(|error| app.failed(&error))? > 0;
    if was_there {
        app.audit("session-ended", Some(&user.id), json!({"session": ended}));
    }
    Ok(was_there)
}

/// `POST /logout`: ends the session of the token.
pub(super) async fn logout(
    State(app): State<Shared>,
    signed: Signed,
) -> Result<Response, Response> {
    let (now, id) = (app.now(), signed.session.id);
    let ending = app
        .store
        .write(move |connection| tokens::end(connection, &id, now));
    ending.await.map_err(|error| app.failed(&error))?;
    let of = |claim: &str| signed.caller.claims.get(claim);
    if let (Some(jti), Some(end)) = (
        of("jti").and_then(Value::as_str),
        of("exp").and_then(Value::as_i64),
    ) {
        let revoking = app.revoke_id(jti.to_owned(), end).await;
        revoking.map_err(|error| app.failed(&error))?;
    }
    app.audit("logout", Some(&signed.user.id), json!({}));
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `POST /logout/all`: ends all sessions of the user.
pub(super) async fn logout_all(
    State(app): State<Shared>,
    signed: Signed,
) -> Result<Response, Response> {
    let (now, user) = (app.now(), signed.user.id.clone());
    let ending = app
        .store
        .write(move |connection| tokens::end_all(connection, &user, now));
    ending.await.map_err(|error| app.failed(&error))?;
    app.audit("logout-all", Some(&signed.user.id), json!({}));
    Ok(StatusCode::NO_CONTENT.into_response())
}
