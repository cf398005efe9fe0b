//! The routes that were tested, which of them a check is about, and a command that reproduces a
//! request.

use std::fmt::Write;

use doorwarden_decision::{ACCOUNT, Login, PASSWORD};

use super::Endpoint;
use crate::{Fields, Options, Route, discover::Discovered, request::Request, scan::Session};

/// Placeholders for secrets in the commands.
const NAME: &str = "NAME";
const SECRET: &str = "SECRET";
const TOKEN: &str = "TOKEN";

/// Returns all routes that the scan discovered, the login first.
pub(super) fn all(options: &Options, found: &Discovered, session: &Session) -> Vec<Endpoint> {
    let mut all = Vec::new();
    let mut add = |kind: &str, request: Request| {
        let line = found.document.as_ref().and_then(|(document, lines)| {
            let path = request.path.split('?').next().unwrap_or_default();
            Some(((*document).to_owned(), *lines.get(path)?))
        });
        all.push(Endpoint {
            method: request.method.clone(),
            path: request.path.clone(),
            kind: kind.into(),
            document: line.as_ref().map(|(document, _)| document.clone()),
            line: line.map(|(_, line)| line),
            curl: curl(&options.target.to_string(), &request),
        });
    };
    let login = |login: &Login| Request::login(login, NAME, SECRET);
    let route = |route: &Route| Request::new(&route.method, &route.path);
    let bearer = |request: Request| request.with_header("authorization", format!("Bearer {TOKEN}"));
    let fields = |fields: &Fields, words: &[&str]| Request::filled(fields, words);
    add("login", login(&session.learned.login));
    if let Some(registration) = &found.registration {
        add("registration", login(registration));
    }
    let door = session
        .measured_access()
        .and_then(|access| access.door.as_ref().ok());
    if let Some(door) = door {
        add("protected", bearer(Request::get(&door.path)));
    }
    if let Some(logout) = &found.logout {
        add("logout", bearer(route(logout)));
    }
    if let Some(refresh) = &found.refresh {
        let request = Request::json(&refresh.method, &refresh.path, "refresh_token", TOKEN);
        add("refresh", request);
    }
    if let Some(reset) = &found.reset {
        add("reset", fields(reset, &[NAME]));
    }
    if let Some(change) = &found.change_password {
        add(
            "password_change",
            bearer(fields(change, &[SECRET, "NEW-SECRET"])),
        );
    }
    for (kind, form) in [
        ("introspection", &found.introspection),
        ("revocation", &found.revocation),
    ] {
        if let Some(form) = form {
            add(kind, Request::form(&form.path, "token", TOKEN));
        }
    }
    if let Some(signed) = &options.signed {
        add("signed", signed.bare());
    }
    all
}

/// Returns the kind of route that a check is about.
pub(super) fn kind_of(check: &str) -> &'static str {
    match check {
        "enumeration-by-registration"
        | "weak-password-accepted"
        | "password-truncated"
        | "password-length-capped" => "registration",
        "enumeration-by-reset" => "reset",
        "token-outlives-logout" => "logout",
        "token-outlives-password-change" => "password_change",
        "refresh-token-reuse" => "refresh",
        "introspection-open" => "introspection",
        "revocation-open" => "revocation",
        "token-not-checked"
        | "token-in-url"
        | "token-unbound"
        | "cors-credentials"
        | "jwt-unsigned-accepted"
        | "jwt-algorithm-confusion"
        | "jwt-key-injection"
        | "jwt-expired-accepted"
        | "jwt-claims-unchecked" => "protected",
        _ if check.starts_with("signature-") => "signed",
        _ => "login",
    }
}

/// Returns a command for a POSIX shell, with placeholders in capitals for secrets.
fn curl(target: &str, request: &Request) -> String {
    let mut line = format!("curl -i -X {}", request.method);
    for (name, value) in &request.headers {
        if name == "authorization" && value.starts_with("Basic") {
            write_to(&mut line, format_args!(" -u {NAME}:{SECRET}"));
        } else if name != "accept" {
            write_to(
                &mut line,
                format_args!(" -H {}", quoted(&format!("{name}: {value}"))),
            );
        }
    }
    if !request.body.is_empty() {
        let body = String::from_utf8_lossy(&request.body)
            .replace(ACCOUNT, NAME)
            .replace(PASSWORD, SECRET);
        write_to(&mut line, format_args!(" -d {}", quoted(&body)));
    }
    let url = format!("{}{}", target.trim_end_matches('/'), request.path);
    write_to(&mut line, format_args!(" {}", quoted(&url)));
    line
}

fn write_to(line: &mut String, words: std::fmt::Arguments<'_>) {
    // Writing to a String fails only when Display does, and these are strings.
    let _ = line.write_fmt(words);
}

/// Quotes text for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_has_placeholders_for_secrets_and_quotes_the_rest() {
        let login = "POST /l'x json:/u json:/p".parse().unwrap();
        let line = curl("http://127.0.0.1:1", &Request::login(&login, NAME, SECRET));
        assert_eq!(
            line,
            r#"curl -i -X POST -H 'content-type: application/json' -d '{"p":"SECRET","u":"NAME"}' 'http://127.0.0.1:1/l'\''x'"#
        );
        let basic = "GET /l basic".parse().unwrap();
        let line = curl("http://h", &Request::login(&basic, NAME, SECRET));
        assert_eq!(line, "curl -i -X GET -u NAME:SECRET 'http://h/l'");
    }

    #[test]
    fn each_check_is_about_a_route() {
        let kinds: Vec<_> = crate::checks::ALL
            .iter()
            .map(|check| kind_of(check.id))
            .collect();
        assert!(kinds.contains(&"signed") && kinds.contains(&"registration"));
        assert_eq!(kind_of("login-unlimited"), "login");
    }
}
