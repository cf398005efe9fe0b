//! Login, registration, password changes and resets.

use axum::{extract::State, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, header::WWW_AUTHENTICATE};
use serde_json::json;

use super::{Fields, Shared, Signed, json, problem};
use crate::{
    App, Profile,
    door::From,
    dpop::{self, NoProof, Proof, Use},
    login::Login,
    tokens::Unissued,
};

/// Returns the DPoP proof of a request to a token endpoint, if it has one.
pub(super) fn bound(app: &App, headers: &HeaderMap, path: &str) -> Result<Option<Proof>, NoProof> {
    let url = format!("{}{path}", app.issuer);
    let used = Use {
        method: "POST",
        url: &url,
        token: None,
        now: app.now(),
    };
    let bound = dpop::proof(headers, &used)?;
    if bound.is_none() && app.config.profile == Profile::Strict {
        return Err(NoProof::Missing);
    }
    Ok(bound)
}

pub(super) fn no_proof(error: &NoProof) -> Response {
    json(
        StatusCode::BAD_REQUEST,
        &json!({"error": "invalid_dpop_proof", "error_description": error.to_string()}),
    )
}

/// The response to every failed login, by form or by JSON.
pub(super) fn wrong() -> Response {
    let mut response = problem(
        StatusCode::UNAUTHORIZED,
        "Incorrect username, password or code.",
    );
    response
        .headers_mut()
        .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// The response to a login.
pub(super) async fn ended(app: &App, login: Login, from: &From, bound: Option<Proof>) -> Response {
    let (mut response, device) = match login {
        Login::Wrong => return wrong(),
        Login::SecondFactor(token, factors, device) => {
            let methods = [
                (factors.totp, "totp"),
                (factors.passkeys, "passkey"),
                (true, "recovery"),
            ];
            let methods = methods
                .iter()
                .filter(|(there, _)| *there)
                .map(|(_, name)| *name);
            let waits = json!({
                "error": "mfa_required",
                "error_description": "A second factor is required; POST mfa_token and code to /mfa/totp or /mfa/recovery, or log in at /passkeys/login, as listed in methods.",
                "mfa_token": token.expose(),
                "methods": methods.collect::<Vec<_>>(),
            });
            (json(StatusCode::FORBIDDEN, &waits), device)
        }
        Login::In(proven, device) => {
            if let Some(proof) = &bound {
                match app.use_up(proof).await {
                    Ok(Ok(())) => {}
                    Ok(Err(replayed)) => return no_proof(&replayed),
                    Err(error) => return app.failed(&error),
                }
            }
            let bound = bound.map(|proof| proof.thumbprint);
            match app.begin(&proven, None, &from.device, bound).await {
                Ok(issued) => (json(StatusCode::OK, &issued.json()), device),
                // The password was changed meanwhile, or the account disabled.
                Err(Unissued::Outdated) => return wrong(),
                Err(error) => return app.failed(&error),
            }
        }
    };
    if let Some(device) = device {
        from.tokens.give(&device, response.headers_mut());
    }
    response
}

/// `POST /login`: username and password, as a form (such as FastAPI's OAuth2PasswordRequestForm) or as JSON.
/// Not an OAuth grant: the application's own login.
pub(super) async fn login(
    State(app): State<Shared>,
    headers: HeaderMap,
    from: From,
    fields: Fields,
) -> Result<Response, Response> {
    let (name, password) = (fields.need("username")?, fields.need("password")?);
    let bound = bound(&app, &headers, "/login").map_err(|error| no_proof(&error))?;
    let login = app.log_in(name, password, &from).await?;
    Ok(ended(&app, login, &from, bound).await)
}

/// `POST /register`: the same response whether or not the name was available.
pub(super) async fn register(
    State(app): State<Shared>,
    from: From,
    fields: Fields,
) -> Result<Response, Response> {
    if !app.config.registration {
        return Err(problem(
            StatusCode::FORBIDDEN,
            "Registration is disabled; ask the operator for an account.",
        ));
    }
    let (name, password) = (fields.need("username")?, fields.need("password")?);
    let email = fields.get("email").map(str::to_owned);
    app.register(name, password, email, &from).await?;
    Ok(json(
        StatusCode::ACCEPTED,
        &json!({"detail": "If that name was available, your account has been created. Log in."}),
    ))
}

/// `POST /password/change`: ends all sessions, including this one.
pub(super) async fn change(
    State(app): State<Shared>,
    from: From,
    signed: Signed,
    fields: Fields,
) -> Result<Response, Response> {
    let (old, new) = (fields.need("old_password")?, fields.need("new_password")?);
    changed(&app, &signed.user, old, new, &from).await?;
    Ok(json(
        StatusCode::OK,
        &json!({"detail": "The password has been changed; log in with the new one."}),
    ))
}

/// Changes a password, if the old one is correct.
pub(super) async fn changed(
    app: &App,
    user: &crate::users::User,
    old: &str,
    new: &str,
    from: &From,
) -> Result<(), Response> {
    let fits = app.fits(new, &user.name, user.has_second_factor()).await;
    fits.map_err(|error| problem(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()))?;
    if !app.password_is_right(user, old, from).await? {
        return Err(problem(
            StatusCode::FORBIDDEN,
            "The old password is incorrect.",
        ));
    }
    match app.set_password(user, new, None, from).await? {
        true => Ok(()),
        false => Err(problem(
            StatusCode::CONFLICT,
            "The password was changed in the meantime; log in with the new one.",
        )),
    }
}

/// `POST /password/reset`: the same response whether or not the account exists.
pub(super) async fn ask_reset(
    State(app): State<Shared>,
    from: From,
    fields: Fields,
) -> Result<Response, Response> {
    app.ask_reset(fields.need("username")?, &from).await?;
    Ok(json(
        StatusCode::ACCEPTED,
        &json!({"detail": "If the account exists and has an email address, a password-reset email is being sent to it."}),
    ))
}

/// `POST /password/reset/confirm`.
pub(super) async fn reset(
    State(app): State<Shared>,
    from: From,
    fields: Fields,
) -> Result<Response, Response> {
    let (token, password) = (fields.need("token")?, fields.need("password")?);
    if app.reset(token, password, &from).await? {
        Ok(json(
            StatusCode::OK,
            &json!({"detail": "The password has been changed; log in with the new one."}),
        ))
    } else {
        Err(problem(
            StatusCode::BAD_REQUEST,
            "The token is invalid, already used, or has expired.",
        ))
    }
}
