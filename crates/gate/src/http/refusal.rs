//! Responses in place of the application's: problem documents (RFC 9457).

use std::time::Duration;

use http::{
    HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
};

use crate::Denial;

/// The problem type of the httpapi rate-limit draft (draft-ietf-httpapi-ratelimit-headers) for clients
/// that are denied because of their behaviour.
const ABNORMAL_USAGE: &str =
    "https://iana.org/assignments/http-problem-types#abnormal-usage-detected";

/// Returns the response to a denied attempt: 429 with Retry-After (RFC 6585 §4). It is the same for every
/// cause except for the time: it reveals neither which limit applied nor whether the account exists.
pub fn too_many(denial: Denial) -> Response<String> {
    let mut response = problem(
        StatusCode::TOO_MANY_REQUESTS,
        ABNORMAL_USAGE,
        "Too many attempts. Wait before trying again.",
    );
    let seconds = ceil_seconds(denial.retry_after);
    response.headers_mut().insert(RETRY_AFTER, seconds.into());
    response
}

/// Returns any other rejection, with a sentence for the client.
pub fn refused(status: StatusCode, detail: &str) -> Response<String> {
    problem(status, "about:blank", detail)
}

fn problem(status: StatusCode, kind: &str, detail: &str) -> Response<String> {
    let body = serde_json::json!({
        "type": kind,
        "title": status.canonical_reason().unwrap_or("Refused"),
        "status": status.as_u16(),
        "detail": detail,
    });
    let mut response = Response::new(body.to_string());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn ceil_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_says_when_and_not_why() {
        let response = too_many(Denial {
            retry_after: Duration::from_millis(1_001),
        });
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[RETRY_AFTER], "2");
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        let body: serde_json::Value = serde_json::from_str(response.body()).unwrap();
        assert_eq!(body["status"], 429);
        assert!(body["detail"].is_string());
    }
}
