//! Responses of the target, and which of them are alike.

use std::time::Duration;

use reqwest::header::HeaderMap;
use url::form_urlencoded::byte_serialize;

use crate::Secret;

/// A response, bounded in size.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The time from the start of the request to the head of the response.
    pub(crate) elapsed: Duration,
    /// What the response may echo, which must not be compared or shown.
    pub(crate) echoes: Echoes,
}

/// Omits headers and body: the response to a successful login contains a token.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Answer");
        shown.field("status", &self.status).finish_non_exhaustive()
    }
}

/// Names and passwords that a response may repeat.
#[derive(Clone, Debug, Default)]
pub(crate) struct Echoes {
    pub(crate) names: Vec<String>,
    pub(crate) passwords: Vec<Secret>,
}

/// The part of a response that is the same each time if nothing changed: the status, the names of
/// headers and cookies, the redirect target, and the body without the account's name, numbers and
/// tokens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Signature {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// Headers whose presence or value changes on its own.
const VOLATILE: [&str; 12] = [
    "date",
    "age",
    "etag",
    "expires",
    "last-modified",
    "connection",
    "keep-alive",
    "server-timing",
    "content-length",
    "transfer-encoding",
    "x-runtime",
    "x-response-time",
];

/// How much of a body is compared.
const COMPARED: usize = 16 * 1024;

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the seconds after which the client may retry (RFC 9110 §10.2.3, in seconds).
    pub(crate) fn retry_after(&self) -> Option<u64> {
        self.header("retry-after")?.trim().parse().ok()
    }

    /// Returns the response without what changes on its own or echoes the request.
    pub(crate) fn signature(&self) -> Signature {
        let value = |name: &str, value: &str| match name {
            "set-cookie" => value.split('=').next().unwrap_or_default().to_owned(),
            // The presence of these headers is what counts; their values change.
            _ if name.starts_with("x-ratelimit") || name.starts_with("ratelimit") => String::new(),
            _ => self.constant(value),
        };
        let mut headers: Vec<(String, String)> = self
            .headers
            .iter()
            .filter(|(name, _)| !VOLATILE.contains(&name.as_str()))
            .map(|(name, v)| {
                (
                    name.to_string(),
                    value(name.as_str(), v.to_str().unwrap_or("")),
                )
            })
            .collect();
        headers.sort();
        headers.dedup();
        let compared = &self.body[..self.body.len().min(COMPARED)];
        Signature {
            status: self.status,
            headers,
            body: self.constant(&String::from_utf8_lossy(compared)),
        }
    }

    /// Returns a short description without secrets: the status and the masked beginning of the
    /// body.
    pub(crate) fn describe(&self) -> String {
        let retry = match self.header("retry-after") {
            Some(_) => " with Retry-After",
            None => "",
        };
        let text = self.constant(&self.text());
        let shown: String = text.chars().filter(|c| !c.is_control()).take(120).collect();
        format!("{}{retry} {shown}", self.status)
            .trim_end()
            .to_owned()
    }
}

impl Signature {
    /// Returns the names of the cookies that the response sets.
    pub(crate) fn cookies(&self) -> Vec<String> {
        let set = self.headers.iter().filter(|(name, _)| name == "set-cookie");
        set.map(|(_, cookie)| cookie.clone()).collect()
    }

    /// Reduces the signature to status and header names, for bodies that change on their own.
    pub(crate) fn coarse(mut self) -> Self {
        self.body.clear();
        self.headers.iter_mut().for_each(|(_, value)| value.clear());
        self
    }

    /// Describes how two responses differ.
    pub(crate) fn difference(&self, other: &Self) -> String {
        let mut parts = Vec::new();
        if self.status != other.status {
            parts.push(format!("status {} vs. {}", self.status, other.status));
        }
        for (one, two) in [(self, other), (other, self)] {
            for (name, value) in &one.headers {
                let twin = two.headers.iter().find(|(n, _)| n == name);
                if twin.is_none() {
                    parts.push(format!("header {name} in only one of them"));
                } else if std::ptr::eq(one, self) && twin.is_some_and(|(_, v)| v != value) {
                    parts.push(format!("different values of {name}"));
                }
            }
        }
        if self.body != other.body {
            parts.push(format!(
                "body {:?} vs. {:?}",
                short(&self.body),
                short(&other.body)
            ));
        }
        parts.join(", ")
    }
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

impl Answer {
    /// Returns a text without what differs between two equivalent responses: the names and
    /// passwords of test accounts, runs of digits, and long random-looking words.
    pub(crate) fn constant(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for password in &self.echoes.passwords {
            for spelling in spellings(password.expose()) {
                text = text.replace(&spelling, "{password}");
            }
        }
        for name in &self.echoes.names {
            for spelling in spellings(name) {
                text = replace_word(&text, &spelling, "{account}");
            }
        }
        without_tokens(&text)
    }
}

/// Returns the forms in which a response may contain a word: as it is, in lower case, in JSON, in a
/// URL.
fn spellings(word: &str) -> Vec<String> {
    let quoted = serde_json::Value::from(word).to_string();
    let in_json = quoted[1..quoted.len() - 1].to_owned();
    let in_url: String = byte_serialize(word.as_bytes()).collect();
    let mut spellings = vec![word.to_owned(), word.to_lowercase(), in_json, in_url];
    spellings.retain(|spelling| !spelling.is_empty());
    spellings.dedup();
    spellings
}

/// Replaces a whole word: `user` is not replaced in `username`.
fn replace_word(text: &str, word: &str, with: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let joins = |c: char| c.is_alphanumeric() || c == '_';
        let last = before
            .chars()
            .next_back()
            .or_else(|| out.chars().next_back());
        let alone = !last.is_some_and(joins) && !after.chars().next().is_some_and(joins);
        out.push_str(before);
        out.push_str(if alone { with } else { word });
        rest = after;
    }
    out + rest
}

fn without_tokens(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for c in text.chars().chain(std::iter::once('\n')) {
        if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '=' | '.') {
            word.push(c);
        } else {
            out.push_str(&constant_word(&word));
            word.clear();
            out.push(c);
        }
    }
    out.pop();
    out
}

fn constant_word(word: &str) -> String {
    let any = |kind: fn(&char) -> bool| word.chars().any(|c| kind(&c));
    let (digits, small, large) = (
        any(char::is_ascii_digit),
        any(char::is_ascii_lowercase),
        any(char::is_ascii_uppercase),
    );
    let mixed = [digits, small, large]
        .into_iter()
        .filter(|kind| *kind)
        .count()
        >= 2;
    let hex = word.len() >= 8 && digits && word.chars().all(|c| c.is_ascii_hexdigit());
    if hex || (word.len() >= 16 && mixed) {
        return "{token}".into();
    }
    let mut out = String::new();
    for c in word.chars() {
        match c {
            '0'..='9' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        Answer {
            status,
            headers: map,
            body: body.as_bytes().to_vec(),
            elapsed: Duration::from_millis(10),
            echoes: Echoes::default(),
        }
    }

    /// Returns the response to a login with this name and password.
    pub(crate) fn echoing(mut answer: Answer, name: &str, password: &str) -> Answer {
        answer.echoes.names.push(name.to_owned());
        answer
            .echoes
            .passwords
            .push(Secret::new(password.to_owned()));
        answer
    }

    #[test]
    fn what_changes_by_itself_makes_no_difference() {
        let one = answer(
            401,
            &[("date", "Mon"), ("x-request-id", "7f3a9c0011aa22bb33")],
            r#"{"detail":"alice: wrong","left":4,"at":"2026-11-21T10:00:00"}"#,
        );
        let two = answer(
            401,
            &[("date", "Tue"), ("x-request-id", "00ffee1122aa33cc44")],
            r#"{"detail":"bob: wrong","left":3,"at":"2026-11-21T10:00:01"}"#,
        );
        let (one, two) = (echoing(one, "alice", "p"), echoing(two, "bob", "q"));
        assert_eq!(one.signature(), two.signature());
    }

    #[test]
    fn names_are_masked_as_words_and_passwords_everywhere() {
        let text = r#"Incorrect username for user: "User" %22, a%40x.org, se\"cret9 xse\"cret9x"#;
        let user = echoing(answer(401, &[], text), "user", r#"se"cret9"#);
        let shown = user.describe();
        assert!(shown.contains("username for {account}"), "{shown}");
        assert!(!shown.contains("cret"), "{shown}");
        let mail = echoing(answer(401, &[], "/login?e=a%40x.org"), "a@x.org", "p4");
        assert!(mail.describe().contains("{account}"), "{}", mail.describe());
    }

    #[test]
    fn what_means_something_does() {
        let base = answer(401, &[], r#"{"detail":"wrong"}"#).signature();
        for other in [
            answer(429, &[], r#"{"detail":"wrong"}"#),
            answer(401, &[("retry-after", "60")], r#"{"detail":"wrong"}"#),
            answer(401, &[("set-cookie", "captcha=1")], r#"{"detail":"wrong"}"#),
            answer(401, &[], r#"{"detail":"too many"}"#),
        ] {
            let signature = other.signature();
            assert_ne!(signature, base);
            assert!(!signature.difference(&base).is_empty());
        }
    }

    #[test]
    fn a_description_masks_tokens() {
        let text = answer(
            200,
            &[],
            r#"{"access_token":"eyJhbGciOiJIUzI1NiJ9.e30.abc123def456"}"#,
        )
        .describe();
        assert!(text.contains("{token}") && !text.contains("eyJ"), "{text}");
    }
}
