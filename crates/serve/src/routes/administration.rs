//! The administration API, for administrators.

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, FromRequestParts, Path, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use doorwarden_gate::http::credentials::Password;
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE, request::Parts};
use serde_json::{Value, json};

use super::{Fields, Shared, Signed, broken, json, problem};
use crate::{
    accounts::NewAccount,
    admin,
    audit::{self, Actor},
    door::From,
    keys, second_factor,
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
        .route("/admin/audit", get(audit_events))
        .route(
            "/admin/users/{name}/sessions",
            get(sessions).delete(end_sessions),
        )
        .route("/admin/clients", post(add_client))
        .route("/admin/keys/rotate", post(rotate))
}

/// The maximum size of an import, some ten thousand accounts; the command line takes larger ones.
const LONGEST_IMPORT: usize = 4 << 20;

/// An authenticated administrator.
struct Administrator(Signed);

impl Administrator {
    fn actor(&self) -> Actor {
        Actor::Administrator(self.0.user.id.clone())
    }
}

impl FromRequestParts<Shared> for Administrator {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Response> {
        let signed = Signed::from_request_parts(parts, app).await?;
        match signed.user.admin {
            true => Ok(Self(signed)),
            false => Err(problem(
                StatusCode::FORBIDDEN,
                "Only administrators may do this.",
            )),
        }
    }
}

fn not_found() -> Response {
    problem(StatusCode::NOT_FOUND, "Account not found.")
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
    let new = NewAccount {
        name: fields.need("username")?,
        password: &Password::new(fields.need("password")?.to_owned()),
        email: fields.get("email").map(str::to_owned),
        admin: fields.get("admin") == Some("true"),
    };
    let actor = by.actor();
    let record = move |connection: &Connection, new: &users::New| {
        let detail = json!({"admin": new.admin});
        let event = "account-added";
        audit::note_change(connection, new.now, event, Some(&new.id), &actor, detail)
    };
    let created = app.create_account(new, &from, record).await?;
    let Some(id) = created else {
        return Err(problem(StatusCode::CONFLICT, "The account already exists."));
    };
    Ok(json(StatusCode::CREATED, &json!({"id": id})))
}

/// Imports accounts with hashes of another system, as CSV or one JSON object per line.
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
            let detail = "Unsupported Content-Type; send text/csv or application/x-ndjson.";
            return Err(problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
    };
    let text = std::str::from_utf8(&body);
    let text =
        text.map_err(|_| problem(StatusCode::BAD_REQUEST, "The body is not valid UTF-8."))?;
    let imported = admin::import(&app.store, text, is_csv, by.actor()).await;
    let imported = imported.map_err(|error| app.failed(&error))?;
    Ok(json(StatusCode::OK, &json!(imported)))
}

/// Changes an account, and records it in the same write.
async fn change(
    app: &Shared,
    by: &Administrator,
    name: String,
    event: &'static str,
    job: impl FnOnce(&Connection, &User, i64) -> Queried<()> + Send + 'static,
) -> Result<User, Response> {
    let (now, by) = (app.now(), by.actor());
    let changing = app.store.write(move |connection| {
        let Some(user) = admin::named(connection, &name)? else {
            return Ok(None);
        };
        job(connection, &user, now)?;
        audit::note_change(connection, now, event, Some(&user.id), &by, json!({}))?;
        Ok(Some(user))
    });
    let changed = changing.await.map_err(|error| app.failed(&error))?;
    changed.ok_or_else(not_found)
}

async fn disable(
    State(app): State<Shared>,
    by: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Response> {
    let changing = change(
        &app,
        &by,
        name,
        "account-disabled",
        |connection, user, now| users::disable(connection, &user.id, true, now),
    );
    changing.await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn enable(
    State(app): State<Shared>,
    by: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Response> {
    let changing = change(
        &app,
        &by,
        name,
        "account-enabled",
        |connection, user, now| users::disable(connection, &user.id, false, now),
    );
    changing.await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn unlock(
    State(app): State<Shared>,
    by: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Response> {
    let id = tokens::id().map_err(|_| broken())?;
    let changing = change(
        &app,
        &by,
        name,
        "account-unlocked",
        move |connection, user, now| unlocks::write(connection, &id, &user.id, now),
    );
    changing.await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn reset_factors(
    State(app): State<Shared>,
    by: Administrator,
    Path(name): Path<String>,
) -> Result<Response, Response> {
    let changing = change(
        &app,
        &by,
        name,
        "second-factors-reset",
        |connection, user, now| second_factor::reset(connection, &user.id, now),
    );
    let user = changing.await?;
    app.notify(&user, "An administrator removed your second factors");
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn audit_events(State(app): State<Shared>, _: Administrator) -> Result<Response, Response> {
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
        .ok_or_else(not_found)?;
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
    let added = admin::add_client(&app.store, fields.need("name")?, by.actor(), app.now()).await;
    let (id, secret) = added.map_err(|error| app.failed(&error))?;
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
        by.actor(),
        app.now(),
    );
    let kid = rotating.await.map_err(|error| app.failed(&error))?;
    let reloading = app.keys.reload(&app.store, &app.seal).await;
    reloading.map_err(|error| app.failed(&error))?;
    Ok(json(StatusCode::CREATED, &json!({"kid": kid})))
}
