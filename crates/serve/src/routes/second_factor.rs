//! The second factor: using, adding and removing it.

use axum::{extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::{Fields, Shared, Signed, broken, credentials, json, problem};
use crate::{
    App,
    door::From,
    login::{self, ENROLL_SECONDS, Factor},
    second_factor,
    tokens::{self, Random, sha256},
    users::User,
};

async fn factor(
    app: Shared,
    headers: HeaderMap,
    from: From,
    fields: Fields,
    factor: Factor,
    path: &'static str,
) -> Result<Response, Response> {
    let (token, code) = (fields.need("mfa_token")?, fields.need("code")?);
    let bound =
        credentials::bound(&app, &headers, path).map_err(|error| credentials::no_proof(&error))?;
    let login = app.second_factor(token, factor, code, &from).await?;
    Ok(credentials::ended(&app, login, &from, bound).await)
}

/// `POST /mfa/totp`: completes a login with its token and a code.
pub(super) async fn totp(
    State(app): State<Shared>,
    headers: HeaderMap,
    from: From,
    fields: Fields,
) -> Result<Response, Response> {
    factor(app, headers, from, fields, Factor::Totp, "/mfa/totp").await
}

/// `POST /mfa/recovery`: completes a login with its token and a recovery code, which is consumed.
pub(super) async fn recovery(
    State(app): State<Shared>,
    headers: HeaderMap,
    from: From,
    fields: Fields,
) -> Result<Response, Response> {
    factor(
        app,
        headers,
        from,
        fields,
        Factor::Recovery,
        "/mfa/recovery",
    )
    .await
}

/// A second factor that waits for its first code.
pub(super) struct Enrolling {
    /// The secret in Base32.
    pub(super) secret: String,
    /// The same, as a link for authenticators.
    pub(super) link: String,
    pub(super) token: Random,
}

/// Creates a secret for a user who proves the password and has no authenticator yet.
pub(super) async fn enrolling(
    app: &App,
    user: &User,
    password: &str,
    from: &From,
) -> Result<Enrolling, Response> {
    has_none(user)?;
    if !app.password_is_right(user, password, from).await? {
        return Err(problem(StatusCode::FORBIDDEN, "The password is incorrect."));
    }
    let secret = second_factor::secret().map_err(|_| broken())?;
    let sealed = app.seal.seal(&second_factor::purpose(&user.id), &secret);
    let sealed = sealed.map_err(|error| app.failed(&error))?;
    let token = app
        .wait_for("enroll", user, Some(sealed), ENROLL_SECONDS)
        .await?;
    let (secret, link) = second_factor::shown(&secret, "Doorwarden", &user.name);
    Ok(Enrolling {
        secret,
        link,
        token,
    })
}

/// `POST /mfa/totp/enroll`: a secret for an authenticator.
pub(super) async fn enroll(
    State(app): State<Shared>,
    from: From,
    signed: Signed,
    fields: Fields,
) -> Result<Response, Response> {
    let enrolling = enrolling(&app, &signed.user, fields.need("password")?, &from).await?;
    Ok(json(
        StatusCode::OK,
        &json!({
            "secret": enrolling.secret,
            "otpauth_uri": enrolling.link,
            "enroll_token": enrolling.token.expose(),
        }),
    ))
}

/// `POST /mfa/totp/confirm`: verifies the first code; returns the recovery codes, once.
pub(super) async fn confirm(
    State(app): State<Shared>,
    from: From,
    signed: Signed,
    fields: Fields,
) -> Result<Response, Response> {
    let (token, code) = (fields.need("enroll_token")?, fields.need("code")?);
    let codes = confirmed(&app, &signed.user, &signed.session.id, token, code, &from).await?;
    Ok(json(StatusCode::OK, &json!({"recovery_codes": codes})))
}

/// Fails if the user has an authenticator: it is replaced only by removing it, which takes a code.
fn has_none(user: &User) -> Result<(), Response> {
    match user.totp {
        None => Ok(()),
        Some(_) => Err(problem(
            StatusCode::CONFLICT,
            "A second factor is already set up; remove it first.",
        )),
    }
}

/// Stores a factor whose first code is correct, and ends the user's other sessions, which had none.
pub(super) async fn confirmed(
    app: &Shared,
    user: &User,
    session: &str,
    token: &str,
    code: &str,
    from: &From,
) -> Result<Vec<String>, Response> {
    let not_right = || {
        problem(
            StatusCode::BAD_REQUEST,
            "The code is incorrect, or the secret has expired.",
        )
    };
    let waiting = app.waiting("enroll", token).await?;
    let sealed = waiting
        .filter(|waiting| waiting.user.id == user.id)
        .and_then(|waiting| waiting.data);
    let sealed = sealed.ok_or_else(not_right)?;
    let (account, tried) = (format!("enroll:{}", user.id), format!("{}:{code}", user.id));
    let entry = app.door.admit(&account, &tried, from).await?;
    let secret = match app.seal.open(&second_factor::purpose(&user.id), &sealed) {
        Ok(secret) => secret,
        Err(error) => {
            entry.given_up().await;
            return Err(app.failed(&error));
        }
    };
    let Some(step) = second_factor::step(&secret, code, 0, app.now()) else {
        entry.wrong().await;
        return Err(not_right());
    };
    entry.right().await;
    let codes = second_factor::codes().map_err(|_| broken())?;
    let (id, kept, now) = (user.id.clone(), codes.clone(), app.now());
    let (session, token) = (session.to_owned(), sha256(token));
    let keeping = app.store.write(move |connection| {
        if !login::use_up(connection, "enroll", &token, now)? {
            return Ok(false);
        }
        second_factor::keep(connection, &id, &sealed, step, &kept)?;
        tokens::end_others(connection, &id, &session, now)?;
        Ok(true)
    });
    if !keeping.await.map_err(|error| app.failed(&error))? {
        return Err(not_right());
    }
    app.notify(user, "A second factor was added");
    app.audit(
        "second-factor-added",
        Some(&user.id),
        json!({"address": from.client}),
    );
    Ok(codes)
}

/// `POST /mfa/totp/remove`: takes the password and a code.
pub(super) async fn remove(
    State(app): State<Shared>,
    from: From,
    signed: Signed,
    fields: Fields,
) -> Result<Response, Response> {
    let (password, code) = (fields.need("password")?, fields.need("code")?);
    removed(&app, &signed.user, password, code, &from).await?;
    Ok(json(
        StatusCode::OK,
        &json!({"detail": "The second factor has been removed."}),
    ))
}

/// Removes a factor.
pub(super) async fn removed(
    app: &Shared,
    user: &User,
    password: &str,
    code: &str,
    from: &From,
) -> Result<(), Response> {
    let wrong = || problem(StatusCode::FORBIDDEN, "The password or code is incorrect.");
    if !app.password_is_right(user, password, from).await? {
        return Err(wrong());
    }
    if !app
        .factor_is_right(user, Factor::of(code), code, from)
        .await?
    {
        return Err(wrong());
    }
    let removed = user.clone();
    let removing = app
        .store
        .write(move |connection| second_factor::remove(connection, &removed));
    if !removing.await.map_err(|error| app.failed(&error))? {
        return Err(wrong());
    }
    app.notify(user, "The second factor was removed");
    app.audit(
        "second-factor-removed",
        Some(&user.id),
        json!({"address": from.client}),
    );
    Ok(())
}
