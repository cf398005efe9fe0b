//! Administration over an API, for administrators who are logged in.

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequestParts, Path, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE, request::Parts};
use serde_json::{Value, json};

use super::{Fields, Shared, Signed, broken, json, problem};
use crate::{
    admin, audit,
    door::From,
    keys,
    login::Wanted,
    second_factor,
    store::{Connection, Queried},
    tokens, unlocks,
    users::{self, User},
};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/admin/users", get(list).post(add_user))
        .route(
            "/admin/users/import",
            post(import).layer(DefaultBodyLimit::max(LONGEST_IMPORT)),
        )
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

/// An import of some ten thousand accounts; the command line takes longer ones.
const LONGEST_IMPORT: usize = 4 << 20;

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

async fn add_user(
    State(app): State<Shared>,
    from: From,
    by: Administrator,
    fields: Fields,
) -> Result<Response, Response> {
    let wanted = Wanted {
        name: fields.need("username")?,
        password: fields.need("password")?,
        mail: fields.get("mail").map(str::to_owned),
        admin: fields.get("admin") == Some("true"),
    };
    let admin = wanted.admin;
    let made = app.make_account("POST /admin/users", wanted, &from).await?;
    let Some(id) = made else {
        let detail = "There is such an account already.";
        return Err(problem(StatusCode::CONFLICT, detail));
    };
    let detail = json!({"by": by.0.user.id, "admin": admin});
    app.audit("added", Some(&id), detail);
    Ok(json(StatusCode::CREATED, &json!({"id": id})))
}

/// Accounts with hashes of another system, in the body: CSV, or a JSON object a line.
async fn import(
    State(app): State<Shared>,
    by: Administrator,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    let is_csv = match kind {
        Some("text/csv") => true,
        Some("application/x-ndjson") => false,
        _ => {
            let detail = "The body has to be text/csv or application/x-ndjson.";
            return Err(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
    };
    let text = std::str::from_utf8(&body);
    let text = text.map_err(|_| problem(StatusCode::BAD_REQUEST, "The body is no UTF-8."))?;
    let imported = admin::import(&app.store, text, is_csv).await;
    let imported = imported.map_err(|error| app.failed(&error))?;
    let detail = json!({"made": imported.made, "by": by.0.user.id});
    app.audit("imported", None, detail);
    Ok(json(StatusCode::OK, &json!(imported)))
}

/// Changes an account, and notes by whom in the same write.
async fn change(
    app: &Shared,
    by: &Administrator,
    name: String,
    event: &'static str,
    job: impl FnOnce(&Connection, &User, i64) -> Queried<()> + Send + 'static,
) -> Result<User, Response> {
    let (now, detail) = (app.now(), json!({"by": by.0.user.id}));
    let changing = app.store.write(move |connection| {
        let Some(user) = admin::named(connection, &name)? else {
            return Ok(None);
        };
        job(connection, &user, now)?;
        audit::note(connection, now, event, Some(&user.id), &detail)?;
        Ok(Some(user))
    });
    let changed = changing.await.map_err(|error| app.failed(&error))?;
    changed.ok_or_else(nobody)
}

async fn disable(
    State(app): State<Shared>,
    by: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Response> {
    let changing = change(&app, &by, name, "disabled", |connection, user, now| {
        users::disable(connection, &user.id, true, now)
    });
    changing.await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn enable(
    State(app): State<Shared>,
    by: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Response> {
    let changing = change(&app, &by, name, "enabled", |connection, user, now| {
        users::disable(connection, &user.id, false, now)
    });
    changing.await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn unlock(
    State(app): State<Shared>,
    by: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Response> {
    let id = tokens::id().map_err(|_| broken())?;
    let changing = change(&app, &by, name, "unlocked", move |connection, user, now| {
        unlocks::write(connection, &id, &user.id, now)
    });
    changing.await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn reset_factors(
    State(app): State<Shared>,
    by: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Response> {
    let changing = change(&app, &by, name, "factors-reset", |connection, user, now| {
        second_factor::reset(connection, &user.id, now)
    });
    let user = changing.await?;
    app.notify(
        &user,
        "Your second factors were removed by an administrator",
    );
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
    let changing = change(
        &app,
        &by,
        name,
        "sessions-ended",
        |connection, user, now| tokens::end_all(connection, &user.id, now).map(drop),
    );
    changing.await?;
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
