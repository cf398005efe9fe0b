//! The options of a scan.

use std::{net::IpAddr, time::Duration};

use doorwarden_decision::Login;

use crate::{Account, OperatorKey, Secret, Target, signed::Signed};

/// The options of a scan.
#[derive(Debug)]
pub struct Options {
    /// The target.
    pub target: Target,
    /// The operator key, for targets that are not on loopback.
    pub key: Option<OperatorKey>,
    /// The login; discovered if `None`.
    pub login: Option<Login>,
    /// Test accounts with their passwords.
    pub accounts: Vec<Account>,
    /// Whether and how to register test accounts.
    pub registration: Registration,
    /// Where the response to a login contains its token, and how requests carry it; detected if
    /// `None`.
    pub token: Option<TokenPlace>,
    /// A route that requires the token; discovered if `None`.
    pub protected: Option<Route>,
    /// The logout; discovered if `None`.
    pub logout: Option<Route>,
    /// The endpoint that exchanges refresh tokens; discovered if `None`.
    pub refresh: Option<Route>,
    /// The endpoint that requests a password-reset email; discovered if `None`.
    pub reset: Option<Fields>,
    /// The endpoint that changes a password, with the fields of the old and the new one; discovered
    /// if `None`.
    pub change_password: Option<Fields>,
    /// The key that signs the target's JWTs: a shared secret, or a private key in PEM. The scan
    /// uses it to sign tokens for its own account that are expired, or meant for another audience.
    pub jwt_key: Option<Secret>,
    /// A route that requires signed requests.
    pub signed: Option<Signed>,
    /// Maximum number of requests.
    pub budget: u32,
    /// Maximum number of requests per second.
    pub pace: f64,
    /// Maximum number of consecutive failures for an account.
    pub failures_per_account: u32,
    /// Addresses of this machine to send from; not needed on loopback.
    pub sources: Vec<IpAddr>,
    /// The ids of the checks to run; all if empty.
    pub only: Vec<String>,
}

/// A method and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method, in upper case.
    pub method: String,
    /// The path, starting with `/`.
    pub path: String,
}

/// A text that is not a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a route; write 'GET /me', 'POST /logout' or just a path")]
pub struct InvalidRoute(String);

impl Route {
    /// Parses a route; the method defaults to `method`.
    pub fn parse(words: &str, method: &str) -> Result<Self, InvalidRoute> {
        let (method, path) = words
            .trim()
            .split_once(' ')
            .unwrap_or((method, words.trim()));
        let path = path.trim();
        let is_method = !method.is_empty() && method.bytes().all(|b| b.is_ascii_alphabetic());
        let is_path = path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic());
        if !is_method || !is_path {
            return Err(InvalidRoute(words.escape_debug().to_string()));
        }
        Ok(Self {
            method: method.to_uppercase(),
            path: path.to_owned(),
        })
    }
}

/// Where the response to a login contains its token, and how requests carry it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPlace {
    /// Where the token is.
    pub from: TokenFrom,
    /// The header that carries the token, in lower case, and the scheme before the token, which may
    /// be empty. A cookie is sent back as a cookie.
    pub header: (String, String),
}

/// Where a response contains a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFrom {
    /// In the JSON body, at a pointer (RFC 6901).
    Json(String),
    /// In a cookie.
    Cookie(String),
    /// In a header.
    Header(String),
}

/// A text that does not say where a token is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` does not say where the token is; write 'json:/data/token', 'json:/token Token', \
     'json:/token header:X-Auth', 'header:X-Auth' or 'cookie:session'"
)]
pub struct InvalidTokenPlace(String);

impl std::str::FromStr for TokenPlace {
    type Err = InvalidTokenPlace;

    /// Parses a place, optionally followed by the scheme of `Authorization` or by another header.
    fn from_str(words: &str) -> Result<Self, InvalidTokenPlace> {
        let invalid = || InvalidTokenPlace(words.escape_debug().to_string());
        let is_word = |word: &str| {
            let mut bytes = word.bytes();
            !word.is_empty() && bytes.all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        let mut parts = words.split_whitespace();
        let (kind, place) = parts
            .next()
            .and_then(|part| part.split_once(':'))
            .ok_or_else(invalid)?;
        let from = match kind {
            "json" if place.starts_with('/') => TokenFrom::Json(place.into()),
            "cookie" if is_word(place) => TokenFrom::Cookie(place.into()),
            "header" if is_word(place) => TokenFrom::Header(place.to_lowercase()),
            _ => return Err(invalid()),
        };
        let header = match parts.next() {
            None => ("authorization".into(), "Bearer".into()),
            Some(to) => match to.strip_prefix("header:") {
                Some(name) if is_word(name) => (name.to_lowercase(), String::new()),
                None if is_word(to) => ("authorization".into(), to.into()),
                _ => return Err(invalid()),
            },
        };
        match parts.next() {
            None => Ok(Self { from, header }),
            Some(_) => Err(invalid()),
        }
    }
}

/// A route with fields, written as `POST /forgot json:/email`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// The route.
    pub route: Route,
    /// Whether the route takes JSON; otherwise it takes a form.
    pub json: bool,
    /// The names of the fields; for JSON, top-level members.
    pub names: Vec<String>,
}

/// A text that is not a route with fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{words}` is not a route with {count} field(s); write it as {example}")]
pub struct InvalidFields {
    words: String,
    count: usize,
    example: &'static str,
}

impl Fields {
    /// Parses the endpoint that requests a password-reset email, such as `POST /forgot
    /// json:/email`.
    pub fn reset(words: &str) -> Result<Self, InvalidFields> {
        Self::parse(words, 1, "'POST /forgot json:/email'")
    }

    /// Parses the endpoint that changes a password, such as `POST /password json:/old json:/new`.
    pub fn change(words: &str) -> Result<Self, InvalidFields> {
        Self::parse(words, 2, "'POST /password json:/old json:/new'")
    }

    fn parse(words: &str, count: usize, example: &'static str) -> Result<Self, InvalidFields> {
        let invalid = || InvalidFields {
            words: words.escape_debug().to_string(),
            count,
            example,
        };
        let mut parts = words.split_whitespace();
        let (Some(method), Some(path)) = (parts.next(), parts.next()) else {
            return Err(invalid());
        };
        let route = Route::parse(&format!("{method} {path}"), "POST").map_err(|_| invalid())?;
        let fields: Vec<&str> = parts.collect();
        let json = fields.iter().all(|field| field.starts_with("json:/"));
        let prefix = if json { "json:/" } else { "form:" };
        let names = fields.iter().map(|field| field.strip_prefix(prefix));
        let names: Option<Vec<String>> = names
            .map(|name| name.filter(|name| !name.is_empty()).map(str::to_owned))
            .collect();
        let names = names.filter(|names| names.len() == count);
        Ok(Self {
            route,
            json,
            names: names.ok_or_else(invalid)?,
        })
    }
}

/// How test accounts are registered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// Not at all.
    #[default]
    None,
    /// At the registration endpoint of the OpenAPI document.
    Discover,
    /// At this endpoint.
    At(Login),
}

impl Options {
    /// Returns the defaults: at most 250 requests, 5 per second, 12 consecutive failures per
    /// account.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            key: None,
            login: None,
            accounts: Vec::new(),
            registration: Registration::None,
            token: None,
            protected: None,
            logout: None,
            refresh: None,
            reset: None,
            change_password: None,
            jwt_key: None,
            signed: None,
            budget: 250,
            pace: 5.0,
            failures_per_account: 12,
            sources: Vec::new(),
            only: Vec::new(),
        }
    }

    pub(crate) fn interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.pace.clamp(0.1, 1000.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_tokens_are_read_or_told() {
        let read = |words: &str| {
            words
                .parse::<TokenPlace>()
                .map(|place| (place.from, place.header))
        };
        let header = |name: &str, word: &str| (name.to_owned(), word.to_owned());
        assert_eq!(
            read("json:/key Token"),
            Ok((
                TokenFrom::Json("/key".into()),
                header("authorization", "Token")
            ))
        );
        assert_eq!(
            read("header:X-Auth header:X-Auth"),
            Ok((TokenFrom::Header("x-auth".into()), header("x-auth", "")))
        );
        assert_eq!(
            read("cookie:sid").unwrap().0,
            TokenFrom::Cookie("sid".into())
        );
        for wrong in [
            "",
            "token",
            "json:token",
            "cookie:",
            "json:/a b c",
            "json:/a header:",
        ] {
            assert!(
                read(wrong)
                    .unwrap_err()
                    .to_string()
                    .contains("write 'json:"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn fields_are_read_or_told() {
        let change = Fields::change("put /me/password json:/old json:/new").unwrap();
        assert_eq!((change.route.method.as_str(), change.json), ("PUT", true));
        assert_eq!(change.names, ["old", "new"]);
        assert!(!Fields::reset("POST /forgot form:email").unwrap().json);
        for wrong in [
            "POST /forgot",
            "/forgot json:/email",
            "POST /f json:/a form:b",
            "POST /f json:/",
        ] {
            let error = Fields::reset(wrong).unwrap_err().to_string();
            assert!(error.contains("POST /forgot json:/email"), "{error}");
        }
    }
}
