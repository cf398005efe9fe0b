//! Device tokens in HTTP: a cookie for browsers, a header for other clients.

use doorwarden_decision::{TOKEN_CHARS, TOKEN_SECONDS};
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{COOKIE, SET_COOKIE},
};

/// The cookie. The prefix makes browsers accept it only over TLS (or on localhost) and send it only to
/// this host (RFC 6265bis §4.1.3.2).
const COOKIE_NAME: &str = "__Host-doorwarden";

/// The header, for clients without cookies. A client that sends it, even empty, receives one back.
const HEADER: HeaderName = HeaderName::from_static("x-doorwarden-device");

/// Accounts that one device may be known to: a family's computer.
const MOST_TOKENS: usize = 4;

/// The device tokens of a request.
#[derive(Debug, Default)]
pub struct Tokens {
    /// The tokens as received, not verified.
    pub tokens: Vec<String>,
    by_header: bool,
}

impl Tokens {
    /// Reads the tokens of the cookie and the header; skips malformed ones.
    pub fn of(headers: &HeaderMap) -> Self {
        let cookies = headers.get_all(COOKIE).iter();
        let cookies = cookies.filter_map(|value| value.to_str().ok());
        let ours = cookies
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='));
        let header = headers.get(HEADER);
        let header = header.and_then(|value| value.to_str().ok());
        let tokens = ours.chain(header).flat_map(|value| value.split('.'));
        let plain = |token: &&str| {
            let mut bytes = token.bytes();
            bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let tokens = tokens
            .map(str::trim)
            .filter(|token| token.len() == TOKEN_CHARS)
            .filter(plain);
        Self {
            tokens: tokens.take(MOST_TOKENS).map(str::to_owned).collect(),
            by_header: headers.contains_key(HEADER),
        }
    }

    /// Sets the new token of the device, in front of those of other accounts.
    pub fn give(&self, token: &str, headers: &mut HeaderMap) {
        // A renewed token begins like the one it replaces: with the same device.
        const DEVICE_CHARS: usize = 10;
        let others = self.tokens.iter().map(String::as_str);
        let others = others.filter(|other| other.get(..DEVICE_CHARS) != token.get(..DEVICE_CHARS));
        let all: Vec<&str> = [token]
            .into_iter()
            .chain(others)
            .take(MOST_TOKENS)
            .collect();
        let all = all.join(".");
        let cookie = format!(
            "{COOKIE_NAME}={all}; Path=/; Max-Age={TOKEN_SECONDS}; Secure; HttpOnly; SameSite=Lax"
        );
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            headers.append(SET_COOKIE, cookie);
        }
        if let (true, Ok(value)) = (self.by_header, HeaderValue::from_str(&all)) {
            headers.insert(HEADER, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(letter: char) -> String {
        std::iter::repeat_n(letter, TOKEN_CHARS).collect()
    }

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        [(name, HeaderValue::from_str(value).unwrap())]
            .into_iter()
            .collect()
    }

    #[test]
    fn tokens_come_in_a_cookie_or_a_header_and_nothing_else_is_one() {
        let (a, b) = (token('a'), token('b'));
        let cookie = format!("x=1; __Host-doorwarden={a}.{b}.short; __Host-doorwardens={a}");
        assert_eq!(Tokens::of(&headers(COOKIE, &cookie)).tokens, [a.clone(), b]);
        assert_eq!(Tokens::of(&headers(HEADER, &a)).tokens, [a]);
        let many = vec![token('c'); 50].join(".");
        assert_eq!(
            Tokens::of(&headers(HEADER, &many)).tokens.len(),
            MOST_TOKENS
        );
    }

    #[test]
    fn a_new_token_replaces_its_devices_and_keeps_the_others() {
        let (old, other) = (token('a'), token('b'));
        let renewed = format!("{}{}", &old[..20], &other[20..]);
        let came = Tokens::of(&headers(
            COOKIE,
            &format!("__Host-doorwarden={old}.{other}"),
        ));
        let mut answer = HeaderMap::new();
        came.give(&renewed, &mut answer);
        let cookie = answer[SET_COOKIE].to_str().unwrap();
        assert!(cookie.starts_with(&format!("__Host-doorwarden={renewed}.{other}; Path=/;")));
        assert!(cookie.contains("Secure; HttpOnly; SameSite=Lax"));
        assert!(!answer.contains_key(HEADER));
        Tokens::of(&headers(HEADER, "")).give(&renewed, &mut answer);
        assert_eq!(answer[HEADER], renewed);
    }
}
