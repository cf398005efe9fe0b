//! A user's signing secrets: shown once, rotated with overlap.

use axum::{
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::json;

use super::{Fields, Shared, Signed, broken, json, problem};
use crate::{App, audit, door::From, signatures, tokens, users::User};

/// Creates a secret. The one that it replaces expires in a day; both and the audit event are one write.
async fn create(
    app: &App,
    user: &User,
    replaces: Option<String>,
    from: &From,
) -> Result<Response, Response> {
    let id = tokens::id().map_err(|_| broken())?;
    let secret = signatures::secret().map_err(|_| broken())?;
    let sealed = app.seal.seal(&signatures::purpose(&id), secret.as_bytes());
    let sealed = sealed.map_err(|error| app.failed(&error))?;
    let (event, what, detail) = match &replaces {
        None => (
            "signing-secret-added",
            "A signing secret was added",
            json!({"keyid": id, "address": from.client}),
        ),
        Some(old) => (
            "signing-secret-rotated",
            "A signing secret was rotated",
            json!({"keyid": id, "replaces": old, "address": from.client}),
        ),
    };
    let (now, kept, owner) = (app.now(), id.clone(), user.id.clone());
    let adding = app.store.write(move |connection| {
        if let Some(old) = replaces
            && !signatures::end(connection, &old, &owner, now + signatures::OVERLAP, now)?
        {
            return Ok(None);
        }
        let added = signatures::add(connection, &kept, &owner, &sealed, now)?;
        if added {
            audit::note(connection, now, event, Some(&owner), &detail)?;
        }
        Ok(Some(added))
    });
    match adding.await.map_err(|error| app.failed(&error))? {
        None => Err(not_found()),
        Some(false) => {
            let most = signatures::MOST;
            let detail = format!("You already have {most} signing secrets; revoke one first.");
            Err(problem(StatusCode::CONFLICT, &detail))
        }
        Some(true) => {
            app.notify(user, what);
            Ok(json(
                StatusCode::CREATED,
                &json!({"keyid": id, "secret": *secret, "alg": "hmac-sha256"}),
            ))
        }
    }
}

fn not_found() -> Response {
    problem(StatusCode::NOT_FOUND, "Signing secret not found.")
}

/// Verifies the password again: a secret outlives the access token that it is requested with.
async fn verify_password(
    app: &App,
    user: &User,
    fields: &Fields,
    from: &From,
) -> Result<(), Response> {
    let password = fields.need("password")?;
    match app.password_is_right(user, password, from).await? {
        true => Ok(()),
        false => Err(problem(StatusCode::FORBIDDEN, "The password is incorrect.")),
    }
}

/// `POST /me/signers`: a new secret.
pub(super) async fn add(
    State(app): State<Shared>,
    from: From,
    signed: Signed,
    fields: Fields,
) -> Result<Response, Response> {
    verify_password(&app, &signed.user, &fields, &from).await?;
    create(&app, &signed.user, None, &from).await
}

/// `POST /me/signers/{id}/rotate`: the next secret; this one expires in a day.
pub(super) async fn rotate(
    State(app): State<Shared>,
    from: From,
    signed: Signed,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Response, Response> {
    verify_password(&app, &signed.user, &fields, &from).await?;
    create(&app, &signed.user, Some(id), &from).await
}

/// `DELETE /me/signers/{id}`.
pub(super) async fn revoke(
    State(app): State<Shared>,
    from: From,
    signed: Signed,
    Path(id): Path<String>,
) -> Result<Response, Response> {
    let (owner, now) = (signed.user.id, app.now());
    let detail = json!({"keyid": id, "address": from.client});
    let revoking = app.store.write(move |connection| {
        let revoked = signatures::end(connection, &id, &owner, now, now)?;
        if revoked {
            let event = "signing-secret-revoked";
            audit::note(connection, now, event, Some(&owner), &detail)?;
        }
        Ok(revoked)
    });
    match revoking.await.map_err(|error| app.failed(&error))? {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(not_found()),
    }
}
