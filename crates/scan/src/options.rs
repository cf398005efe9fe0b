//! What a scan is asked to do.

use std::{net::IpAddr, time::Duration};

use doorwarden_decision::Login;

use crate::{Account, OperatorKey, Secret, Target, signed::Signed};

/// What a scan is asked to do.
#[derive(Debug)]
pub struct Options {
    /// What to scan.
    pub target: Target,
    /// The operator's key, for targets that are not on loopback.
    pub key: Option<OperatorKey>,
    /// The login; discovered where none is named.
    pub login: Option<Login>,
    /// Test accounts with their right passwords.
    pub accounts: Vec<Account>,
    /// Whether and how to register test accounts.
    pub registration: Registration,
    /// Where a login's answer has its token, and how that is carried; found where it is not named.
    pub token: Option<TokenPlace>,
    /// A route that asks for the token; found where none is named.
    pub protected: Option<Route>,
    /// The logout; discovered where none is named.
    pub logout: Option<Route>,
    /// Where a refresh token is exchanged; discovered where none is named.
    pub refresh: Option<Route>,
    /// Where a new password can be asked for by mail; discovered where none is named.
    pub reset: Option<Fields>,
    /// Where a password is changed, with the fields of the old and the new one; discovered where
    /// none is named.
    pub change_password: Option<Fields>,
    /// The key that signs the target's JWTs: a secret, or a private key in PEM. With it, tokens of
    /// the scanner's own account can be made whose end has come, or that are for somebody else.
    pub jwt_key: Option<Secret>,
    /// A route that wants its requests signed.
    pub signed: Option<Signed>,
    /// The most requests that are sent, in all.
    pub budget: u32,
    /// The most requests a second.
    pub pace: f64,
    /// The most failures in a row for one account.
    pub failures_per_account: u32,
    /// Addresses of this machine to send from. On loopback there are enough without.
    pub sources: Vec<IpAddr>,
    /// Only these checks, by id; all when empty.
    pub only: Vec<String>,
}

/// A method and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method, in capitals.
    pub method: String,
    /// The path, from `/`.
    pub path: String,
}

/// Why words are no route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a route; write 'GET /me', 'POST /logout' or only the path")]
pub struct InvalidRoute(String);

impl Route {
    /// A route from words; without a method it is `method`.
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

/// Where a login's answer has its token, and how a request carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPlace {
    /// Where it comes from.
    pub from: TokenFrom,
    /// The header that carries it, in small letters, and the word before it, which may be empty. A
    /// cookie is carried as one.
    pub header: (String, String),
}

/// Where a token comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenFrom {
    /// The answer's JSON, by pointer (RFC 6901).
    Json(String),
    /// A cookie.
    Cookie(String),
    /// A header of the answer.
    Header(String),
}

/// Why words name no place of a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no place of a token; write 'json:/data/token', 'json:/token Token', \
     'json:/token header:X-Auth', 'header:X-Auth' or 'cookie:session'"
)]
pub struct InvalidTokenPlace(String);

impl std::str::FromStr for TokenPlace {
    type Err = InvalidTokenPlace;

    /// A place, then the word before the token in `Authorization`, or another header.
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

/// A route that takes some fields, in the grammar `POST /forgot json:/email`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// The route.
    pub route: Route,
    /// Whether it takes a JSON document; else a form.
    pub json: bool,
    /// The fields; of a JSON document, its own members.
    pub names: Vec<String>,
}

/// Why words are no route with fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{words}` is not a route with {count} field(s); write it as {example}")]
pub struct InvalidFields {
    words: String,
    count: usize,
    example: &'static str,
}

impl Fields {
    /// Where a new password can be asked for, such as `POST /forgot json:/email`.
    pub fn reset(words: &str) -> Result<Self, InvalidFields> {
        Self::parse(words, 1, "'POST /forgot json:/email'")
    }

    /// Where a password is changed, such as `POST /password json:/old json:/new`.
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
    /// At the registration that the OpenAPI document names.
    Discover,
    /// At this endpoint.
    At(Login),
}

impl Options {
    /// 250 requests at 5 a second, 12 failures in a row for an account.
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
