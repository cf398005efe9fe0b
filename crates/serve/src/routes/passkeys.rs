//! Passkeys: adding, listing and removing them, logging in with one.

use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use super::{Fields, Shared, Signed, broken, credentials, json, problem};
use crate::{
    App,
    door::From,
    login::{self, ENROLL_SECONDS, Factor},
    passkeys::{self, Party},
    second_factor,
    tokens::{self, Session, sha256},
    users::{self, User},
};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/passkeys", get(list).post(add))
        .route("/passkeys/options", post(options))
        .route("/passkeys/{id}/remove", post(remove))
        .route("/passkeys/login/options", post(login_options))
        .route("/passkeys/login", post(login))
}

fn party(app: &App) -> Result<&Party, Response> {
    app.passkeys.as_ref().ok_or_else(|| {
        problem(
            StatusCode::NOT_FOUND,
            "Passkeys are not available: the issuer is an IP address, not a host name.",
        )
    })
}

/// Returns the options for a browser, and the token of the challenge.
fn challenge(token: &str, options: &Value) -> Response {
    json(
        StatusCode::OK,
        &json!({"token": token, "publicKey": options}),
    )
}

/// A request to change a user's passkeys.
pub(super) struct Changing<'a> {
    pub(super) user: &'a User,
    pub(super) session: &'a Session,
    pub(super) fields: &'a Fields,
    pub(super) from: &'a From,
}

impl Changing<'_> {
    /// Verifies the password, and the factors that the user has.
    async fn authorize(&self, app: &Shared) -> Result<(), Response> {
        let password = self.fields.need("password")?;
        if !app
            .password_is_right(self.user, password, self.from)
            .await?
        {
            return Err(problem(StatusCode::FORBIDDEN, "The password is incorrect."));
        }
        let code = self.fields.get("code");
        has_factors(app, self.user, self.session, code, self.from).await
    }
}

/// The age, in seconds, up to which a login counts as proof of all its factors.
const JUST_NOW: i64 = 600;

/// Verifies the existing factors before one is changed: the login is recent, or there is a code.
/// Otherwise a stolen session and a password would be enough to add a factor permanently.
async fn has_factors(
    app: &Shared,
    user: &User,
    session: &Session,
    code: Option<&str>,
    from: &From,
) -> Result<(), Response> {
    if !user.has_second_factor() || app.now() - session.created <= JUST_NOW {
        return Ok(());
    }
    let Some(code) = code.map(str::trim) else {
        let detail =
            "This login is older than ten minutes; log in again or send a second-factor code.";
        return Err(problem(StatusCode::FORBIDDEN, detail));
    };
    match app
        .factor_is_right(user, Factor::of(code), code, from)
        .await?
    {
        true => Ok(()),
        false => Err(problem(StatusCode::FORBIDDEN, "The code is incorrect.")),
    }
}

/// Returns the options for a new passkey.
pub(super) async fn registration_options(
    app: &Shared,
    by: &Changing<'_>,
) -> Result<Response, Response> {
    let (party, user) = (party(app)?, by.user);
    by.authorize(app).await?;
    let id = user.id.clone();
    let there = app
        .store
        .read(move |connection| passkeys::of_user(connection, &id));
    let there = there.await.map_err(|error| app.failed(&error))?;
    let asked = party.ask_new(&app.seal, user, &there);
    let asked = asked.map_err(|error| app.failed(&error))?;
    let token = app
        .wait_for("passkey", user, Some(asked.state), ENROLL_SECONDS)
        .await?;
    Ok(challenge(token.expose(), &asked.options))
}

/// `POST /passkeys/options`: what to hand to `navigator.credentials.create`.
async fn options(
    State(app): State<Shared>,
    from: From,
    signed: Signed,
    fields: Fields,
) -> Result<Response, Response> {
    let by = Changing {
        user: &signed.user,
        session: &signed.session,
        fields: &fields,
        from: &from,
    };
    registration_options(&app, &by).await
}

/// Stores a new passkey, and ends the user's other sessions, which had none. The first factor comes with
/// recovery codes.
pub(super) async fn register(
    app: &App,
    user: &User,
    session: &str,
    fields: &Fields,
    from: &From,
) -> Result<(String, Vec<String>), Response> {
    let (token, answer) = (fields.need("token")?, fields.need("credential")?);
    let name = fields.get("name").unwrap_or("Passkey");
    let refused = |why: &str| problem(StatusCode::BAD_REQUEST, why);
    let waiting = app.waiting("passkey", token).await?;
    let state = waiting
        .filter(|waiting| waiting.user.id == user.id)
        .and_then(|waiting| waiting.data);
    let state = state.ok_or_else(|| refused("The token is invalid or has expired."))?;
    let now = app.now();
    let made = party(app)?.made(&app.seal, &state, answer, user, name);
    let made = made.map_err(|error| refused(&format!("Invalid passkey: {error}.")))?;
    let codes = second_factor::codes().map_err(|_| broken())?;
    let shown = made.shown();
    let (id, session, token) = (user.id.clone(), session.to_owned(), sha256(token));
    let keeping = app.store.write(move |connection| {
        if !login::use_up(connection, "passkey", &token, now)? {
            return Ok(None);
        }
        let had_one = users::by_id(connection, &id)?.is_some_and(|user| user.has_second_factor());
        if !passkeys::add(connection, &id, &made)? {
            return Ok(None);
        }
        if !had_one {
            second_factor::keep_codes(connection, &id, &codes)?;
        }
        tokens::end_others(connection, &id, &session, now)?;
        Ok(Some(if had_one { Vec::new() } else { codes }))
    });
    let Some(codes) = keeping.await.map_err(|error| app.failed(&error))? else {
        let most = passkeys::MOST;
        let why =
            format!("The passkey already exists, or you already have {most}; remove one first.");
        return Err(problem(StatusCode::CONFLICT, &why));
    };
    app.notify(user, "A passkey was added");
    let detail = json!({"address": from.client});
    app.audit("passkey-added", Some(&user.id), detail);
    Ok((shown, codes))
}

/// `POST /passkeys`: stores a passkey that the browser has created.
async fn add(
    State(app): State<Shared>,
    from: From,
    signed: Signed,
    fields: Fields,
) -> Result<Response, Response> {
    let adding = register(&app, &signed.user, &signed.session.id, &fields, &from);
    let (id, codes) = adding.await?;
    Ok(json(
        StatusCode::CREATED,
        &json!({"id": id, "recovery_codes": codes}),
    ))
}

/// `GET /passkeys`.
async fn list(State(app): State<Shared>, signed: Signed) -> Result<Response, Response> {
    let id = signed.user.id;
    let there = app
        .store
        .read(move |connection| passkeys::of_user(connection, &id));
    let there = there.await.map_err(|error| app.failed(&error))?;
    let listed = there.iter().map(|one| {
        json!({"id": one.shown(), "name": one.name, "created": one.created, "last_used": one.used})
    });
    Ok(json(StatusCode::OK, &Value::Array(listed.collect())))
}

/// Removes a passkey.
pub(super) async fn delete(app: &Shared, by: &Changing<'_>, id: &str) -> Result<(), Response> {
    by.authorize(app).await?;
    let none = || problem(StatusCode::NOT_FOUND, "Passkey not found.");
    let id = BASE64.decode(id).map_err(|_| none())?;
    let owner = by.user.clone();
    let removing = app
        .store
        .write(move |connection| passkeys::remove(connection, &owner, &id));
    if !removing.await.map_err(|error| app.failed(&error))? {
        return Err(none());
    }
    app.notify(by.user, "A passkey was removed");
    let detail = json!({"address": by.from.client});
    app.audit("passkey-removed", Some(&by.user.id), detail);
    Ok(())
}

/// `POST /passkeys/{id}/remove`.
async fn remove(
    State(app): State<Shared>,
    from: From,
    signed: Signed,
    Path(id): Path<String>,
    fields: Fields,
) -> Result<Response, Response> {
    let by = Changing {
        user: &signed.user,
        session: &signed.session,
        fields: &fields,
        from: &from,
    };
    delete(&app, &by, &id).await?;
    let detail = json!({"detail": "The passkey has been removed."});
    Ok(json(StatusCode::OK, &detail))
}

/// `POST /passkeys/login/options`: what to hand to `navigator.credentials.get`.
pub(super) async fn login_options(State(app): State<Shared>) -> Result<Response, Response> {
    let party = party(&app)?;
    let asked = party.ask().map_err(|error| app.failed(&error))?;
    let token = party.token(&asked.state);
    let token = token.map_err(|error| app.failed(&error))?;
    Ok(challenge(&token, &asked.options))
}

/// `POST /passkeys/login`: the authenticator's response.
async fn login(
    State(app): State<Shared>,
    headers: HeaderMap,
    from: From,
    fields: Fields,
) -> Result<Response, Response> {
    const PATH: &str = "/passkeys/login";
    let (token, answer) = (fields.need("token")?, fields.need("credential")?);
    party(&app)?;
    let bound = credentials::bound(&app, &headers, PATH);
    let bound = bound.map_err(|error| credentials::no_proof(&error))?;
    let login = app.passkey(token, answer, &from);
    Ok(credentials::ended(&app, login.await?, &from, bound).await)
}
