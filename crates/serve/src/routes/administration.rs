//! Administration over an API, for administrators who are logged in.

use axum::{
    Router,
    extract::{FromRequestParts, Path, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{StatusCode, request::Parts};
use serde_json::{Value, json};

use super::{Fields, Shared, Signed, broken, json, problem};
use crate::{admin, audit, keys, second_factor, tokens, unlocks, users};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/admin/users", get(list))
        .route("/admin/users/{name}/disable", post(disable))
        .route("/admin/users/{name}/enable", post(enable))
        .route("/admin/users/{name}/unlock", post(unlock))
        .route("/admin/users/{name}/reset-factors", post(reset_factors))
        .route("/admin/audit", get(happened))
        .route(
            "/admin/users/{name}/sessions",
            get(sessions).delete(end_sessions),
        )
        .route("/admin/clients", post(add_client))
        .route("/admin/keys/rotate", post(rotate))
}

/// Somebody who administers.
struct Administrator(Signed);

impl FromRequestParts<Shared> for Administrator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Response> {
        let signed = Signed::from_request_parts(parts, app).await?;
        match signed.user.admin {
            true => Ok(Self(signed)),
            false => Err(problem(
                StatusCode::FORBIDDEN,
                "This is for administrators.",
            )),
        }
    }
}

fn nobody() -> Response {
    problem(StatusCode::NOT_FOUND, "There is no such account.")
}

async fn list(State(app): State<Shared>, _: Administrator) -> Result<Response, Response> {
    let users = app
        .store
        .read(users::all)
        .await
        .map_err(|error| app.failed(&error))?;
    let listed: Vec<admin::Listed> = users.into_iter().map(admin::listed).collect();
    Ok(json(StatusCode::OK, &json!(listed)))
}

async fn set_disabled(
    app: Shared,
    by: Administrator,
    name: String,
    disabled: bool,
) -> Result<Response, Response> {
    let now = app.now();
    let setting = app.store.write(move |connection| {
        let Some(user) = admin::named(connection, &name)? else {
            return Ok(None);
        };
        users::disable(connection, &user.id, disabled, now)?;
        Ok(Some(user.id))
    });
    let id = setting
        .await
        .map_err(|error| app.failed(&error))?
        .ok_or_else(nobody)?;
    let event = if disabled { "disabled" } else { "enabled" };
    app.audit(event, Some(&id), json!({"by": by.0.user.id}));
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn disable(
    State(app): State<Shared>,
    by: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Response> {
    set_disabled(app, by, name, true).await
}

async fn enable(
    State(app): State<Shared>,
    by: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Response> {
    set_disabled(app, by, name, false).await
}

async fn unlock(
    State(app): State<Shared>,
    by: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Response> {
    let (now, id) = (app.now(), tokens::id().map_err(|_| broken())?);
    let writing = app.store.write(move |connection| {
        let Some(user) = admin::named(connection, &name)? else {
            return Ok(None);
        };
        unlocks::write(connection, &id, &user.id, now)?;
        Ok(Some(user.id))
    });
    let written = writing.await.map_err(|error| app.failed(&error))?;
    let id = written.ok_or_else(nobody)?;
    app.audit("unlocked", Some(&id), json!({"by": by.0.user.id}));
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn reset_factors(
    State(app): State<Shared>,
    by: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Response> {
    let now = app.now();
    let resetting = app.store.write(move |connection| {
        let Some(user) = admin::named(connection, &name)? else {
            return Ok(None);
        };
        second_factor::reset(connection, &user.id, now)?;
        Ok(Some(user))
    });
    let reset = resetting.await.map_err(|error| app.failed(&error))?;
    let user = reset.ok_or_else(nobody)?;
    app.notify(
        &user,
        "Your second factors were removed by an administrator",
    );
    app.audit("factors-reset", Some(&user.id), json!({"by": by.0.user.id}));
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn happened(State(app): State<Shared>, _: Administrator) -> Result<Response, Response> {
    let reading = app
        .store
        .read(|connection| audit::last(connection, None, audit::MOST));
    let last = reading.await.map_err(|error| app.failed(&error))?;
    Ok(json(StatusCode::OK, &json!(last)))
}

async fn sessions(
    State(app): State<Shared>,
    _: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Response> {
    let now = app.now();
    let query = app.store.read(move |connection| {
        let Some(user) = admin::named(connection, &name)? else {
            return Ok(None);
        };
        tokens::of_user(connection, &user.id, now).map(Some)
    });
    let sessions = query
        .await
        .map_err(|error| app.failed(&error))?
        .ok_or_else(nobody)?;
    let listed: Vec<Value> = sessions
        .iter()
        .map(|one| super::me::session(one, ""))
        .collect();
    Ok(json(StatusCode::OK, &Value::Array(listed)))
}

async fn end_sessions(
    State(app): State<Shared>,
    by: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Response> {
    let now = app.now();
    let ending = app.store.write(move |connection| {
        let Some(user) = admin::named(connection, &name)? else {
            return Ok(None);
        };
        tokens::end_all(connection, &user.id, now)?;
        Ok(Some(user.id))
    });
    let id = ending
        .await
        .map_err(|error| app.failed(&error))?
        .ok_or_else(nobody)?;
    app.audit("sessions-ended", Some(&id), json!({"by": by.0.user.id}));
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn add_client(
    State(app): State<Shared>,
    by: Administrator,
    fields: Fields,
) -> Result<Response, Response> {
    let added = admin::add_client(&app.store, fields.need("name")?, app.now()).await;
    let (id, secret) = added.map_err(|error| app.failed(&error))?;
    app.audit("client-added", Some(&by.0.user.id), json!({"client": id}));
    Ok(json(
        StatusCode::CREATED,
        &json!({"client_id": id, "client_secret": secret.expose()}),
    ))
}

async fn rotate(State(app): State<Shared>, by: Administrator) -> Result<Response, Response> {
    let rotating = keys::rotate(
        &app.store,
        &app.seal,
        app.config.algorithm,
        app.config.access(),
        app.now(),
    );
    let kid = rotating.await.map_err(|error| app.failed(&error))?;
    let reloading = app.keys.reload(&app.store, &app.seal).await;
    reloading.map_err(|error| app.failed(&error))?;
    app.audit("keys-rotated", Some(&by.0.user.id), json!({"kid": kid}));
    Ok(json(StatusCode::CREATED, &json!({"kid": kid})))
}
