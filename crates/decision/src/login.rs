//! The grammar of logins: the route, and where the request carries the two credentials.
//!
//! `scan` and `guard` share it: one builds requests from it, the other reads them.
//!
//! ```text
//! POST /token form:username form:password
//! POST /login json:/user/name json:/user/password
//! GET  /session basic
//! POST /login body:{"u":"{{account}}","p":"{{password}}","remember":true}
//! ```

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de};

/// A login's route and the shape of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The method, in capitals.
    pub method: String,
    /// The path, from `/`, without a query.
    pub path: String,
    /// Where the request carries the credentials.
    pub shape: Shape,
}

/// Where a login request carries the credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Two fields of `application/x-www-form-urlencoded`.
    Form {
        /// The field with the account name.
        account: String,
        /// The field with the password.
        password: String,
    },
    /// Two strings in a JSON document, by JSON pointer (RFC 6901).
    Json {
        /// The pointer to the account name.
        account: String,
        /// The pointer to the password.
        password: String,
    },
    /// The `Authorization: Basic` header (RFC 7617).
    Basic,
    /// A whole body with the placeholders `{{account}}` and `{{password}}`: JSON if it starts
    /// with `{` or `[`, otherwise a form.
    Body(String),
}

/// Why a login could not be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLogin {
    /// It does not match the grammar.
    #[error(
        "invalid login `{0}`; write 'POST /token form:username form:password', \
         'POST /login json:/username json:/password', 'POST /login basic', or \
         'POST /login body:{{\"u\":\"{{{{account}}}}\",\"p\":\"{{{{password}}}}\"}}'"
    )]
    Grammar(String),
    /// The path does not start with `/`, or it has a query or a fragment.
    #[error("invalid path `{0}`; a path starts with / and contains no ? or #")]
    Path(String),
    /// The template lacks a placeholder.
    #[error("the body template must contain both {{{{account}}}} and {{{{password}}}}")]
    Template,
}

/// The placeholder for the account name in a body template.
pub const ACCOUNT: &str = "{{account}}";
/// The placeholder for the password in a body template.
pub const PASSWORD: &str = "{{password}}";

impl FromStr for Login {
    type Err = InvalidLogin;

    fn from_str(words: &str) -> Result<Self, InvalidLogin> {
        let grammar = || InvalidLogin::Grammar(words.to_owned());
        let (method, rest) = words
            .trim()
            .split_once(char::is_whitespace)
            .ok_or_else(grammar)?;
        let (path, shape) = rest
            .trim_start()
            .split_once(char::is_whitespace)
            .ok_or_else(grammar)?;
        if method.is_empty() || !method.bytes().all(|b| b.is_ascii_alphabetic()) {
            return Err(grammar());
        }
        if !path.starts_with('/') || path.contains(['?', '#']) {
            return Err(InvalidLogin::Path(path.to_owned()));
        }
        Ok(Self {
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            shape: shape_of(shape.trim()).ok_or_else(grammar)??,
        })
    }
}

fn shape_of(words: &str) -> Option<Result<Shape, InvalidLogin>> {
    if words.eq_ignore_ascii_case("basic") {
        return Some(Ok(Shape::Basic));
    }
    if let Some(template) = words.strip_prefix("body:") {
        let complete = template.contains(ACCOUNT) && template.contains(PASSWORD);
        return Some(
            complete
                .then(|| Shape::Body(template.to_owned()))
                .ok_or(InvalidLogin::Template),
        );
    }
    let (account, password) = words.split_once(char::is_whitespace)?;
    let password = password.trim_start();
    let field = |word: &str, prefix| {
        let name = word.strip_prefix(prefix)?;
        let whole = !name.is_empty() && !name.contains(char::is_whitespace);
        whole.then(|| name.to_owned())
    };
    if let (Some(account), Some(password)) = (field(account, "form:"), field(password, "form:")) {
        return Some(Ok(Shape::Form { account, password }));
    }
    let pointer = |word| field(word, "json:").filter(|name| name.starts_with('/'));
    Some(Ok(Shape::Json {
        account: pointer(account)?,
        password: pointer(password)?,
    }))
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ", self.method, self.path)?;
        match &self.shape {
            Shape::Form { account, password } => write!(f, "form:{account} form:{password}"),
            Shape::Json { account, password } => write!(f, "json:{account} json:{password}"),
            Shape::Basic => f.write_str("basic"),
            Shape::Body(template) => write!(f, "body:{template}"),
        }
    }
}

impl Serialize for Login {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Login {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = String::deserialize(deserializer)?;
        words.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for words in [
            "POST /token form:username form:password",
            "POST /api/auth/login json:/user/name json:/user/password",
            "GET /session basic",
            r#"POST /login body:{"u":"{{account}}","p":"{{password}}"}"#,
        ] {
            let login: Login = words.parse().unwrap();
            assert_eq!(login.to_string(), words);
        }
    }

    #[test]
    fn mistakes_are_named() {
        for words in [
            "",
            "POST",
            "POST /t",
            "POST /t form:u",
            "POST /t form:u json:/p",
            "POST /t json:u json:p",
            "P0ST /t basic",
        ] {
            assert!(
                matches!(words.parse::<Login>(), Err(InvalidLogin::Grammar(_))),
                "{words}"
            );
        }
        assert!(matches!(
            "POST login basic".parse::<Login>(),
            Err(InvalidLogin::Path(_))
        ));
        assert_eq!(
            "POST /l body:{}".parse::<Login>(),
            Err(InvalidLogin::Template)
        );
        let message = "POST".parse::<Login>().unwrap_err().to_string();
        assert!(message.contains(r#"body:{"u":"{{account}}""#), "{message}");
    }
}
