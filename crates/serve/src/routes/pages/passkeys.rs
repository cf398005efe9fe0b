//! Passkeys on the pages: the script requests options, and submits its forms here.

use axum::{
    Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use http::StatusCode;

use super::{Row, Visitor, account_page, ago, entered, fixed, login_form, refusal, said};
use crate::{
    door::From,
    login::Login,
    passkeys,
    routes::{Fields, Shared, passkeys as api},
    store::{Connection, Queried},
};

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/passkeys.js", get(script))
        .route("/account/passkey/options", post(api::login_options))
        .route("/account/passkey", post(log_in))
        .route("/account/passkeys/options", post(options))
        .route("/account/passkeys", post(add))
        .route("/account/passkeys/remove", post(remove))
}

async fn script() -> Response {
    let script = include_str!("../../../templates/passkeys.js");
    fixed(script, "text/javascript; charset=utf-8")
}

pub(super) fn rows(connection: &Connection, user: &str, now: i64) -> Queried<Vec<Row>> {
    let row = |one: passkeys::Passkey| Row {
        id: one.shown(),
        since: match one.used {
            Some(used) => format!("last used {}", ago(now - used)),
            None => "never used".to_owned(),
        },
        device: one.name,
        current: false,
    };
    let all = passkeys::of_user(connection, user)?;
    Ok(all.into_iter().map(row).collect())
}

async fn log_in(
    State(app): State<Shared>,
    from: From,
    before: Result<Visitor, Response>,
    fields: Fields,
) -> Response {
    let of = |name: &str| fields.get(name).unwrap_or_default();
    match app.passkey(of("token"), of("credential"), &from).await {
        Ok(Login::In(proven, device)) => entered(&app, &proven, device, &from, before).await,
        Ok(_) => {
            let said = "Unknown passkey, or the login has expired.";
            login_form(&app, StatusCode::UNAUTHORIZED, said, "")
        }
        Err(refused) => refusal(&app, refused).await,
    }
}

fn changing<'a>(visitor: &'a Visitor, fields: &'a Fields, from: &'a From) -> api::Changing<'a> {
    api::Changing {
        user: &visitor.user,
        session: &visitor.session,
        fields,
        from,
    }
}

/// Requested by the script, which shows errors.
async fn options(
    State(app): State<Shared>,
    from: From,
    visitor: Visitor,
    fields: Fields,
) -> Result<Response, Response> {
    api::registration_options(&app, &changing(&visitor, &fields, &from)).await
}

async fn add(State(app): State<Shared>, from: From, visitor: Visitor, fields: Fields) -> Response {
    let (user, session) = (&visitor.user, &visitor.session.id);
    match api::register(&app, user, session, &fields, &from).await {
        Ok((_, codes)) => {
            let said = "The passkey has been added.";
            account_page(&app, &visitor, StatusCode::OK, said, None, codes).await
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
    let (by, id) = (changing(&visitor, &fields, &from), fields.get("id"));
    match api::delete(&app, &by, id.unwrap_or_default()).await {
        Ok(()) => {
            let said = "The passkey has been removed.";
            account_page(&app, &visitor, StatusCode::OK, said, None, Vec::new()).await
        }
        Err(refused) => said(&app, &visitor, refused).await,
    }
}
