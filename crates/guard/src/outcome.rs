//! What the application's response to a login means.

use doorwarden_decision::Outcome;
use http::{
    HeaderMap, StatusCode, Uri,
    header::{LOCATION, SET_COOKIE},
};
use serde::Deserialize;

use crate::path::Route;

/// Which responses mean that the login succeeded. All configured conditions must hold.
///
/// By default: 2xx, or a redirect to anywhere except the login itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OutcomeRule {
    /// The status is one of these.
    pub status: Option<Vec<u16>>,
    /// The JSON body has something other than null or false at this pointer (RFC 6901).
    pub json: Option<String>,
    /// A cookie of this name is set, with a non-empty value.
    pub cookie: Option<String>,
}

impl OutcomeRule {
    /// Returns the outcome of a login at `route` if the head of the response determines it; `None` if
    /// the body is needed. 5xx and informational responses mean that nothing was verified; any other that is not
    /// a success is a failure.
    pub(crate) fn by_head(
        &self,
        route: &Route,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Option<Outcome> {
        if status.is_server_error() || status.is_informational() {
            return Some(Outcome::Unverified);
        }
        let status_fits = match &self.status {
            Some(statuses) => statuses.contains(&status.as_u16()),
            None => status.is_success() || leads_elsewhere(route, status, headers),
        };
        let cookie_fits = self.cookie.as_ref().is_none_or(|name| sets(headers, name));
        match (status_fits && cookie_fits, &self.json) {
            (false, _) => Some(Outcome::Failure),
            (true, None) => Some(Outcome::Success),
            (true, Some(_)) => None,
        }
    }

    /// Returns the outcome if the head did not determine it.
    pub(crate) fn by_body(&self, body: &[u8]) -> Outcome {
        match &self.json {
            Some(pointer) if !has(body, pointer) => Outcome::Failure,
            _ => Outcome::Success,
        }
    }
}

fn leads_elsewhere(route: &Route, status: StatusCode, headers: &HeaderMap) -> bool {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| location.parse::<Uri>().ok());
    status.is_redirection() && target.is_some_and(|target| !route.is_named_by(target.path()))
}

fn has(body: &[u8], pointer: &str) -> bool {
    let value: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let found = value.as_ref().and_then(|value| value.pointer(pointer));
    found.is_some_and(|found| !found.is_null() && found != &serde_json::Value::Bool(false))
}

fn sets(headers: &HeaderMap, name: &str) -> bool {
    headers
        .get_all(SET_COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok()?.split(';').next()?.split_once('='))
        .any(|(cookie, value)| cookie.trim() == name && !value.trim().trim_matches('"').is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(
        rule: &OutcomeRule,
        status: u16,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> Outcome {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        let by_head = rule.by_head(&Route::new("/login"), status, &map);
        by_head.unwrap_or_else(|| rule.by_body(body.as_bytes()))
    }

    #[test]
    fn the_default_reads_statuses_and_redirects() {
        let rule = OutcomeRule::default();
        for (status, location, expected) in [
            (200, None, Outcome::Success),
            (204, None, Outcome::Success),
            (303, Some("/home"), Outcome::Success),
            (303, Some("https://site/login?failed=1"), Outcome::Failure),
            (302, Some("/Login/"), Outcome::Failure),
            (302, None, Outcome::Failure),
            (400, None, Outcome::Failure),
            (401, None, Outcome::Failure),
            (422, None, Outcome::Failure),
            (429, None, Outcome::Failure),
            (500, None, Outcome::Unverified),
            (503, None, Outcome::Unverified),
        ] {
            let headers: Vec<_> = location.map(|l| ("location", l)).into_iter().collect();
            assert_eq!(
                told(&rule, status, &headers, ""),
                expected,
                "{status} {location:?}"
            );
        }
    }

    #[test]
    fn a_failure_may_hide_in_a_200() {
        let rule = OutcomeRule {
            json: Some("/token".into()),
            ..OutcomeRule::default()
        };
        assert_eq!(told(&rule, 200, &[], r#"{"token":"x"}"#), Outcome::Success);
        assert_eq!(
            told(&rule, 200, &[], r#"{"status":"fail","token":null}"#),
            Outcome::Failure
        );
        assert_eq!(told(&rule, 200, &[], "<html>"), Outcome::Failure);
        let rule = OutcomeRule {
            cookie: Some("session".into()),
            ..OutcomeRule::default()
        };
        assert_eq!(
            told(&rule, 200, &[("set-cookie", "session=x; Path=/")], ""),
            Outcome::Success
        );
        for other in ["sessions=x", "session=; Max-Age=0", "session=\"\"; Path=/"] {
            let told = told(&rule, 200, &[("set-cookie", other)], "");
            assert_eq!(told, Outcome::Failure, "{other}");
        }
    }
}
