//! Learns what a successful and a failed login of a test account look like. Real logins report a
//! failure with 200, 303, 400, 401, 403, 404 or 422, so nothing is assumed.

use std::{collections::BTreeSet, time::Duration};

use doorwarden_decision::Login;
use serde_json::Value;

use crate::answer::{Answer, Signature};

/// What a response to a login means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// The login succeeded.
    Right,
    /// The login failed as with an incorrect password.
    Wrong,
    /// Anything else: a limit, a challenge, an error.
    Other,
}

/// A login whose responses can be classified.
#[derive(Clone, Debug)]
pub(crate) struct Learned {
    pub(crate) login: Login,
    wrong: Signature,
    right: RightShape,
    /// The body of responses to failures changes on its own, so only status and header names count.
    coarse: bool,
    pub(crate) usual: Duration,
}

/// What the responses to all successful logins have in common.
#[derive(Clone, Debug, PartialEq)]
struct RightShape {
    status: u16,
    leads_to: Option<String>,
    keys: Option<String>,
    cookies: BTreeSet<String>,
}

/// Why a login cannot be learned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unlearnable {
    #[error(
        "the correct and an incorrect password of {account} get the same response ({answer}); \
         check the account's password and the fields in --login"
    )]
    Alike { account: String, answer: String },
    #[error(
        "a login of {account} with the correct password failed ({answer}); check the path and fields \
         in --login"
    )]
    NoSuccess { account: String, answer: String },
    #[error(
        "two successful logins of {account} got different responses, so success cannot be \
         distinguished from failure"
    )]
    Varies { account: String },
}

impl Learned {
    /// Learns from the responses to one successful and two failed logins of the same account.
    pub(crate) fn from(
        login: Login,
        account: &str,
        right: &Answer,
        wrong: [&Answer; 2],
    ) -> Result<Self, Unlearnable> {
        let [first, second] = wrong.map(Answer::signature);
        let coarse = first != second;
        let wrong_signature = if coarse { first.coarse() } else { first };
        let learned = Self {
            login,
            wrong: wrong_signature,
            right: RightShape::of(right),
            coarse,
            usual: wrong[0].elapsed.max(wrong[1].elapsed),
        };
        // Never the body: the response to a successful login contains a token.
        let told = || (account.to_owned(), format!("status {}", right.status));
        let wrong_shape = RightShape::of(wrong[0]);
        if learned.signature(right) == learned.wrong || wrong_shape == learned.right {
            let (account, answer) = told();
            return Err(Unlearnable::Alike { account, answer });
        }
        if right.status >= 400 {
            let (account, answer) = told();
            return Err(Unlearnable::NoSuccess { account, answer });
        }
        Ok(learned)
    }

    /// Learns without an account, from the responses to a nonexistent name. No response counts as a
    /// successful login then.
    pub(crate) fn of_nobody(login: Login, wrong: [&Answer; 2]) -> Self {
        let [first, second] = wrong.map(Answer::signature);
        let coarse = first != second;
        Self {
            login,
            wrong: if coarse { first.coarse() } else { first },
            right: RightShape {
                status: 0,
                leads_to: None,
                keys: None,
                cookies: BTreeSet::new(),
            },
            coarse,
            usual: wrong[0].elapsed.max(wrong[1].elapsed),
        }
    }

    /// Classifies a response to a login.
    pub(crate) fn class(&self, answer: &Answer) -> Class {
        if self.signature(answer) == self.wrong {
            Class::Wrong
        } else if RightShape::of(answer) == self.right {
            Class::Right
        } else {
            Class::Other
        }
    }

    /// Returns the cookies that a failed login sets too, and which are thus not session cookies.
    pub(crate) fn wrong_cookies(&self) -> Vec<String> {
        self.wrong.cookies()
    }

    /// Returns the signature of a response, as detailed as the responses of this login allow.
    pub(crate) fn signature(&self, answer: &Answer) -> Signature {
        let signature = answer.signature();
        if self.coarse {
            signature.coarse()
        } else {
            signature
        }
    }

    /// Returns true if the bodies of responses vary on their own and cannot be compared.
    pub(crate) fn is_coarse(&self) -> bool {
        self.coarse
    }
}

impl RightShape {
    fn of(answer: &Answer) -> Self {
        let json: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let cookies = answer.headers.get_all("set-cookie").iter();
        Self {
            status: answer.status,
            leads_to: answer
                .header("location")
                .map(|to| answer.constant(path_of(to))),
            keys: json.filter(Value::is_object).map(|json| kinds(&json, 2)),
            cookies: cookies
                .filter_map(|value| value.to_str().ok()?.split('=').next())
                .map(|name| name.trim().to_owned())
                .collect(),
        }
    }
}

/// Returns the path of a redirect, without query and session.
fn path_of(location: &str) -> &str {
    location.split(['?', '#', ';']).next().unwrap_or_default()
}

/// Describes the keys of a document and the types of their values, down to `depth` levels: `code` 0
/// or 1 may be the only difference, but then other fields are present or null.
fn kinds(value: &Value, depth: usize) -> String {
    match value {
        Value::Object(object) if depth > 0 => {
            let fields = object
                .iter()
                .map(|(key, value)| format!("{key}:{}", kinds(value, depth - 1)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Object(_) => "object".into(),
        Value::Array(_) => "array".into(),
        Value::String(_) => "string".into(),
        Value::Number(_) => "number".into(),
        Value::Bool(value) => value.to_string(),
        Value::Null => "null".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::answer;

    fn learned(right: &Answer, wrong: [&Answer; 2]) -> Result<Learned, Unlearnable> {
        Learned::from(
            "POST /l json:/u json:/p".parse().unwrap(),
            "alice",
            right,
            wrong,
        )
    }

    #[test]
    fn success_and_failure_are_learned_whatever_their_status() {
        let cases = [
            (
                answer(200, &[], r#"{"token":"abc"}"#),
                answer(401, &[], r#"{"detail":"no"}"#),
                answer(429, &[], "slow"),
            ),
            (
                answer(200, &[], r#"{"token":"abc"}"#),
                answer(200, &[], r#"{"status":"fail"}"#),
                answer(200, &[], r#"{"status":"locked"}"#),
            ),
            (
                answer(200, &[], r#"{"code":0,"data":{"token":"abc"}}"#),
                answer(200, &[], r#"{"code":1,"data":null}"#),
                answer(200, &[], r#"{"code":2,"wait":60}"#),
            ),
            (
                answer(303, &[("location", "/me/17"), ("set-cookie", "s=1")], ""),
                answer(200, &[], "<p>wrong"),
                answer(403, &[], "<p>blocked"),
            ),
            (
                answer(303, &[("location", "/home")], ""),
                answer(303, &[("location", "/login?e=1")], ""),
                answer(303, &[("location", "/captcha")], ""),
            ),
        ];
        for (right, wrong, other) in cases {
            let learned = learned(&right, [&wrong, &wrong]).unwrap();
            assert_eq!(learned.class(&right), Class::Right);
            assert_eq!(learned.class(&wrong), Class::Wrong);
            assert_eq!(learned.class(&other), Class::Other, "{other:?}");
        }
    }

    #[test]
    fn a_body_that_changes_by_itself_is_passed_over() {
        let right = answer(200, &[], r#"{"token":"abc"}"#);
        let (one, two) = (answer(401, &[], "apple"), answer(401, &[], "pear"));
        let learned = learned(&right, [&one, &two]).unwrap();
        assert_eq!(learned.class(&answer(401, &[], "plum")), Class::Wrong);
        assert_eq!(learned.class(&answer(429, &[], "plum")), Class::Other);
    }

    #[test]
    fn a_wrong_password_is_told() {
        let wrong = answer(401, &[], r#"{"detail":"no"}"#);
        let message = learned(&wrong, [&wrong, &wrong]).unwrap_err().to_string();
        assert!(
            message.contains("check the account's password"),
            "{message}"
        );
        let not_found = answer(404, &[], "nothing");
        assert!(matches!(
            learned(&not_found, [&wrong, &wrong]),
            Err(Unlearnable::NoSuccess { .. })
        ));
    }
}
