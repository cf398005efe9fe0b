//! HTML pages, rendered on the server. The only script is for passkeys, which require one.
//!
//! A session is a cookie that scripts can't read and other sites can't send (`HttpOnly`,
//! `SameSite=Strict`). In addition, forms of other sites are rejected by `Sec-Fetch-Site` and `Origin`, so
//! that users can't be logged in as someone else either.

use askama::Template;
use axum::{
    Router,
    extract::{FromRequestParts, RawQuery, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE},
    request::Parts,
};

use super::{Fields, Shared, credentials, problem, second_factor};
use crate::{
    App,
    door::From,
    login::{Factor, Login, Proven},
    tokens::{self, Caller, Session, Unissued},
    users::User,
};

#[cfg(feature = "passkeys")]
mod passkeys;

pub(super) fn routes() -> Router<Shared> {
    let forms = Router::new()
        .route("/account", get(account))
        .route("/account/login", get(login_page).post(log_in))
        .route("/account/second-factor", post(second_half))
        .route("/account/register", get(register_page).post(register))
        .route("/account/forgot", get(forgot_page).post(forgot))
        .route("/account/reset", get(reset_page).post(reset))
        .route("/account/password", post(change))
        .route("/account/factor", post(enroll))
        .route("/account/factor/confirm", post(confirm))
        .route("/account/factor/remove", post(remove))
        .route("/account/sessions/end", post(end_session))
        .route("/account/logout", post(log_out));
    #[cfg(feature = "passkeys")]
    let forms = forms.merge(passkeys::routes());
    let forms = forms.layer(middleware::from_fn(only_own));
    Router::new()
        .route("/", get(|| async { Redirect::to("/account") }))
        .route("/style.css", get(style))
        .merge(forms)
}

const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Renders a page.
pub(super) fn shown(status: StatusCode, page: &impl Template) -> Response {
    let Ok(html) = page.render() else {
        return super::broken();
    };
    let mut response = Response::new(html.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

async fn style() -> Response {
    let style = include_str!("../../templates/style.css");
    fixed(style, "text/css; charset=utf-8")
}

/// Returns a static file of the pages.
fn fixed(text: &'static str, kind: &'static str) -> Response {
    let mut response = Response::new(text.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(
        http::header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=3600"),
    );
    response
}

/// Rejects forms of other sites (Fetch Metadata; for browsers too old for it, Origin).
async fn only_own(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let own = match text("sec-fetch-site") {
        Some(site) => matches!(site, "same-origin" | "none"),
        None => match (headers.get(ORIGIN), text("host")) {
            (None, _) => true,
            (Some(origin), Some(host)) => {
                let origin = origin.to_str().unwrap_or_default();
                origin
                    .split_once("://")
                    .is_some_and(|(_, authority)| authority == host)
            }
            (Some(_), None) => false,
        },
    };
    if request.method() == Method::POST && !own {
        return problem(
            StatusCode::FORBIDDEN,
            "The form was submitted from another site.",
        );
    }
    next.run(request).await
}

/// Returns the name of the session cookie: with TLS, one that no other host can set (RFC 6265bis §4.1.3.2).
fn cookie_name(app: &App) -> &'static str {
    if app.issuer.starts_with("https://") {
        "__Host-session"
    } else {
        "session"
    }
}

fn set_cookie(app: &App, headers: &mut HeaderMap, value: &str, seconds: i64) {
    let secure = if app.issuer.starts_with("https://") {
        "; Secure"
    } else {
        ""
    };
    let name = cookie_name(app);
    let cookie =
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        headers.append(SET_COOKIE, cookie);
    }
}

/// A user who is logged in to the pages.
struct Visitor {
    user: User,
    session: Session,
}

impl FromRequestParts<Shared> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Response> {
        let prefix = format!("{}=", cookie_name(app));
        let cookies = parts
            .headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let token = cookies
            .flat_map(|value| value.split(';'))
            .find_map(|pair| pair.trim().strip_prefix(&prefix));
        let login = || Redirect::to("/account/login").into_response();
        let token = token
            .filter(|token| token.starts_with(tokens::PAGE))
            .ok_or_else(login)?;
        match app.whose(token).await.map_err(|error| app.failed(&error))? {
            Some(Caller {
                user: Some(user),
                session: Some(session),
                ..
            }) => Ok(Self { user, session }),
            _ => Err(login()),
        }
    }
}

/// Returns the status and the message of an API response, for a page.
async fn words(response: Response) -> (StatusCode, String) {
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 64 * 1024)
        .await
        .unwrap_or_default();
    let read: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let said = read["detail"]
        .as_str()
        .or(read["error_description"].as_str());
    (status, said.unwrap_or("Internal error.").to_owned())
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    said: &'a str,
    name: &'a str,
    registers: bool,
    passkeys: bool,
}

fn login_form(app: &App, status: StatusCode, said: &str, name: &str) -> Response {
    shown(
        status,
        &LoginPage {
            said,
            name,
            registers: app.config.registration,
            passkeys: app.takes_passkeys(),
        },
    )
}

async fn login_page(State(app): State<Shared>) -> Response {
    login_form(&app, StatusCode::OK, "", "")
}

async fn log_in(
    State(app): State<Shared>,
    from: From,
    before: Result<Visitor, Response>,
    fields: Fields,
) -> Response {
    let (name, password) = (
        fields.get("username").unwrap_or_default(),
        fields.get("password").unwrap_or_default(),
    );
    if name.is_empty() || password.is_empty() {
        return login_form(
            &app,
            StatusCode::UNPROCESSABLE_ENTITY,
            "Enter your username and password.",
            name,
        );
    }
    match app.log_in(name, password, &from).await {
        Ok(Login::Wrong) => login_form(
            &app,
            StatusCode::UNAUTHORIZED,
            "Incorrect username or password.",
            "",
        ),
        Ok(Login::SecondFactor(token, factors, device)) => {
            let mut response = shown(
                StatusCode::OK,
                &FactorPage {
                    said: "",
                    token: token.expose(),
                    passkeys: factors.passkeys,
                },
            );
            if let Some(device) = device {
                from.tokens.give(&device, response.headers_mut());
            }
            response
        }
        Ok(Login::In(proven, device)) => entered(&app, &proven, device, &from, before).await,
        Err(refused) => refusal(&app, refused).await,
    }
}

/// Shows a denial by the gate on the login page, with its headers.
async fn refusal(app: &App, refused: Response) -> Response {
    let retry = refused.headers().get(http::header::RETRY_AFTER).cloned();
    let (status, said) = words(refused).await;
    let mut response = login_form(app, status, &said, "");
    if let Some(retry) = retry {
        response
            .headers_mut()
            .insert(http::header::RETRY_AFTER, retry);
    }
    response
}

/// Begins a session, in place of the one that this browser had.
async fn entered(
    app: &App,
    proven: &Proven,
    device: Option<String>,
    from: &From,
    before: Result<Visitor, Response>,
) -> Response {
    if let Ok(before) = before {
        let (id, now) = (before.session.id, app.now());
        let ending = app
            .store
            .write(move |connection| tokens::end(connection, &id, now));
        if let Err(error) = ending.await {
            return app.failed(&error);
        }
    }
    match app.begin_page(proven, &from.device).await {
        Ok(token) => {
            let mut response = Redirect::to("/account").into_response();
            set_cookie(
                app,
                response.headers_mut(),
                token.expose(),
                app.config.lifetime().most,
            );
            if let Some(device) = device {
                from.tokens.give(&device, response.headers_mut());
            }
            response
        }
        // The password was changed meanwhile, or the account disabled.
        Err(Unissued::Outdated) => login_form(
            app,
            StatusCode::UNAUTHORIZED,
            "Incorrect username or password.",
            "",
        ),
        Err(error) => app.failed(&error),
    }
}

#[derive(Template)]
#[template(path = "factor.html")]
struct FactorPage<'a> {
    said: &'a str,
    token: &'a str,
    passkeys: bool,
}

async fn second_half(
    State(app): State<Shared>,
    from: From,
    before: Result<Visitor, Response>,
    fields: Fields,
) -> Response {
    let (token, code) = (
        fields.get("mfa_token").unwrap_or_default(),
        fields.get("code").unwrap_or_default().trim(),
    );
    match app
        .second_factor(token, Factor::of(code), code, &from)
        .await
    {
        Ok(Login::In(proven, device)) => entered(&app, &proven, device, &from, before).await,
        Ok(_) => shown(
            StatusCode::UNAUTHORIZED,
            &FactorPage {
                said: "That code is incorrect, already used, or has expired.",
                token,
                passkeys: app.takes_passkeys(),
            },
        ),
        Err(refused) => refusal(&app, refused).await,
    }
}

#[derive(Template)]
#[template(path = "register.html")]
struct RegisterPage<'a> {
    said: &'a str,
    done: bool,
    name: &'a str,
    least: usize,
}

fn register_form(app: &App, status: StatusCode, said: &str, done: bool, name: &str) -> Response {
    shown(
        status,
        &RegisterPage {
            said,
            done,
            name,
            least: app.config.least_password(false),
        },
    )
}

async fn register_page(State(app): State<Shared>) -> Response {
    register_form(&app, StatusCode::OK, "", false, "")
}

async fn register(State(app): State<Shared>, from: From, fields: Fields) -> Response {
    let (name, password) = (
        fields.get("username").unwrap_or_default(),
        fields.get("password").unwrap_or_default(),
    );
    if !app.config.registration {
        return register_form(
            &app,
            StatusCode::FORBIDDEN,
            "Registration is disabled; ask the operator for an account.",
            false,
            "",
        );
    }
    match app
        .register(
            name,
            password,
            fields.get("email").map(str::to_owned),
            &from,
        )
        .await
    {
        Ok(()) => register_form(
            &app,
            StatusCode::ACCEPTED,
            "If that name was available, your account has been created.",
            true,
            name,
        ),
        Err(refused) => {
            let (status, said) = words(refused).await;
            register_form(&app, status, &said, false, name)
        }
    }
}

#[derive(Template)]
#[template(path = "forgot.html")]
struct ForgotPage<'a> {
    said: &'a str,
}

async fn forgot_page() -> Response {
    shown(StatusCode::OK, &ForgotPage { said: "" })
}

async fn forgot(State(app): State<Shared>, from: From, fields: Fields) -> Response {
    let name = fields.get("username").unwrap_or_default();
    let (status, said) = match app.ask_reset(name, &from).await {
        Ok(()) => (
            StatusCode::ACCEPTED,
            "If the account exists and has an email address, a password-reset email is being sent to it.".to_owned(),
        ),
        Err(refused) => words(refused).await,
    };
    shown(status, &ForgotPage { said: &said })
}

#[derive(Template)]
#[template(path = "reset.html")]
struct ResetPage<'a> {
    said: &'a str,
    token: &'a str,
    done: bool,
}

async fn reset_page(RawQuery(query): RawQuery) -> Response {
    let query = query.unwrap_or_default();
    let token = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token");
    let token = token
        .map(|(_, token)| token.into_owned())
        .unwrap_or_default();
    shown(
        StatusCode::OK,
        &ResetPage {
            said: "",
            token: &token,
            done: false,
        },
    )
}

async fn reset(State(app): State<Shared>, from: From, fields: Fields) -> Response {
    let (token, password) = (
        fields.get("token").unwrap_or_default(),
        fields.get("password").unwrap_or_default(),
    );
    let (status, said, done) = match app.reset(token, password, &from).await {
        Ok(true) => (
            StatusCode::OK,
            "Your password has been changed. All sessions have ended.".to_owned(),
            true,
        ),
        Ok(false) => (
            StatusCode::BAD_REQUEST,
            "The link is invalid, already used, or has expired.".to_owned(),
            false,
        ),
        Err(refused) => {
            let (status, said) = words(refused).await;
            (status, said, false)
        }
    };
    shown(
        status,
        &ResetPage {
            said: &said,
            token,
            done,
        },
    )
}

/// A session in the account's list.
struct Row {
    id: String,
    device: String,
    since: String,
    current: bool,
}

/// An authenticator that is being set up.
struct Enrolling {
    secret: String,
    link: String,
    picture: String,
    token: String,
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    said: String,
    name: String,
    mail: String,
    factor: bool,
    enrolling: Option<Enrolling>,
    codes: Vec<String>,
    sessions: Vec<Row>,
    /// Whether passkeys are available, and the user's.
    takes_passkeys: bool,
    passkeys: Vec<Row>,
    least: usize,
}

/// Describes how long ago something was.
fn ago(seconds: i64) -> String {
    let of =
        |count: i64, unit: &str| format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" });
    match seconds {
        ..60 => "just now".to_owned(),
        60..3600 => of(seconds / 60, "minute"),
        3600..86_400 => of(seconds / 3600, "hour"),
        _ => of(seconds / 86_400, "day"),
    }
}

async fn account_page(
    app: &App,
    visitor: &Visitor,
    status: StatusCode,
    said: &str,
    enrolling: Option<Enrolling>,
    codes: Vec<String>,
) -> Response {
    let (now, id) = (app.now(), visitor.user.id.clone());
    let read = app.store.read(move |connection| {
        let user = crate::users::by_id(connection, &id)?;
        #[cfg(feature = "passkeys")]
        let passkeys = passkeys::rows(connection, &id, now)?;
        #[cfg(not(feature = "passkeys"))]
        let passkeys = Vec::new();
        Ok((user, tokens::of_user(connection, &id, now)?, passkeys))
    });
    let (user, sessions, passkeys) = match read.await {
        Ok(read) => read,
        Err(error) => return app.failed(&error),
    };
    let row = |session: Session| Row {
        current: session.id == visitor.session.id,
        since: ago(now - session.created),
        device: session.device,
        id: session.id,
    };
    let page = AccountPage {
        said: said.to_owned(),
        name: visitor.user.name.clone(),
        mail: visitor.user.mail.clone().unwrap_or_default(),
        factor: user.as_ref().is_some_and(|user| user.totp.is_some()),
        enrolling,
        codes,
        sessions: sessions.into_iter().map(row).collect(),
        takes_passkeys: app.takes_passkeys(),
        passkeys,
        least: app
            .config
            .least_password(user.is_some_and(|user| user.has_second_factor())),
    };
    shown(status, &page)
}

async fn account(State(app): State<Shared>, visitor: Visitor) -> Response {
    account_page(&app, &visitor, StatusCode::OK, "", None, Vec::new()).await
}

async fn said(app: &App, visitor: &Visitor, refused: Response) -> Response {
    let (status, said) = words(refused).await;
    account_page(app, visitor, status, &said, None, Vec::new()).await
}

async fn change(
    State(app): State<Shared>,
    from: From,
    visitor: Visitor,
    fields: Fields,
) -> Response {
    let of = |name: &str| fields.get(name).unwrap_or_default();
    match credentials::changed(
        &app,
        &visitor.user,
        of("old_password"),
        of("new_password"),
        &from,
    )
    .await
    {
        Ok(()) => login_form(
            &app,
            StatusCode::OK,
            "Your password has been changed; log in with the new one.",
            &visitor.user.name,
        ),
        Err(refused) => said(&app, &visitor, refused).await,
    }
}

async fn enroll(
    State(app): State<Shared>,
    from: From,
    visitor: Visitor,
    fields: Fields,
) -> Response {
    let password = fields.get("password").unwrap_or_default();
    match begin_enrolling(&app, &visitor.user, password, &from).await {
        Ok(enrolling) => {
            account_page(
                &app,
                &visitor,
                StatusCode::OK,
                "",
                Some(enrolling),
                Vec::new(),
            )
            .await
        }
        Err(refused) => said(&app, &visitor, refused).await,
    }
}

async fn begin_enrolling(
    app: &App,
    user: &User,
    password: &str,
    from: &From,
) -> Result<Enrolling, Response> {
    let begun = second_factor::enrolling(app, user, password, from).await?;
    let picture = picture(&begun.link).ok_or_else(super::broken)?;
    Ok(Enrolling {
        secret: begun.secret,
        link: begun.link,
        picture,
        token: begun.token.expose().to_owned(),
    })
}

/// Renders a QR code as SVG.
fn picture(text: &str) -> Option<String> {
    let code = qrcode::QrCode::new(text).ok()?;
    let svg = code
        .render::<qrcode::render::svg::Color<'_>>()
        .min_dimensions(220, 220)
        .build();
    svg.find("<svg").map(|at| svg[at..].to_owned())
}

async fn confirm(
    State(app): State<Shared>,
    from: From,
    visitor: Visitor,
    fields: Fields,
) -> Response {
    let of = |name: &str| fields.get(name).unwrap_or_default();
    match second_factor::confirmed(
        &app,
        &visitor.user,
        &visitor.session.id,
        of("enroll_token"),
        of("code").trim(),
        &from,
    )
    .await
    {
        Ok(codes) => {
            account_page(
                &app,
                &visitor,
                StatusCode::OK,
                "The second factor has been added.",
                None,
                codes,
            )
            .await
        }
        Err(refused) => said(&app, &visitor, refused).await,
    }
}

async fn remove(
    State(app): State<Shared>,
    from: From,
    visitor: Visitor,
    fields: Fields,
) -> Response {
    let of = |name: &str| fields.get(name).unwrap_or_default();
    match second_factor::removed(
        &app,
        &visitor.user,
        of("password"),
        of("code").trim(),
        &from,
    )
    .await
    {
        Ok(()) => {
            account_page(
                &app,
                &visitor,
                StatusCode::OK,
                "The second factor has been removed.",
                None,
                Vec::new(),
            )
            .await
        }
        Err(refused) => said(&app, &visitor, refused).await,
    }
}

async fn end_session(State(app): State<Shared>, visitor: Visitor, fields: Fields) -> Response {
    let id = fields.get("id").unwrap_or_default().to_owned();
    // A session that no longer exists has ended too.
    match super::me::ended(&app, &visitor.user, id).await {
        Ok(_) => Redirect::to("/account").into_response(),
        Err(refused) => refused,
    }
}

async fn log_out(
    State(app): State<Shared>,
    visitor: Visitor,
    fields: Result<Fields, Response>,
) -> Response {
    let (now, id, user) = (app.now(), visitor.session.id, visitor.user.id.clone());
    // Without fields, only this session ends.
    let everywhere = fields.is_ok_and(|fields| fields.get("everywhere").is_some());
    let ending = app.store.write(move |connection| match everywhere {
        true => tokens::end_all(connection, &user, now),
        false => tokens::end(connection, &id, now),
    });
    if let Err(error) = ending.await {
        return app.failed(&error);
    }
    let event = if everywhere { "logout-all" } else { "logout" };
    app.audit(event, Some(&visitor.user.id), serde_json::json!({}));
    let mut response = Redirect::to("/account/login").into_response();
    set_cookie(&app, response.headers_mut(), "", 0);
    response
}
