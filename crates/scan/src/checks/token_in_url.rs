//! A token in the URL is accepted.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{Confidence, Evidence, Severity, Verdict, access, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "token-in-url",
    title: "A token in the URL is accepted",
    severity: Severity::Low,
    what: "Requests the protected route with the scanner's token in the query (access_token and \
           token) instead of a header. Checks whether the response is the same as with the token \
           in its header.",
    why: "URLs end up in logs, browser histories and Referer headers, and so do the tokens in \
          them.",
    sends: "One request with the scanner's token in the query.",
    max_requests: 1,
    measures_limits: false,
    side_by_side: true,
    evidence: "The response is the same as with the token in its header; without a token and with \
               garbage it is not.",
    false_alarms: "None known. RFC 6750 section 2.3 allows it but advises against it; RFC 9700 \
                   section 4.3.2 forbids it.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["14.2.1"],
        cwe: &[598],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "8.2.8"],
        soc2: &["CC6.1"],
    },
    fix: "Read tokens from the Authorization header or a cookie only. Flask-JWT-Extended: leave \
          \"query_string\" out of JWT_TOKEN_LOCATION.",
    recipes: &recipes::TOKENS,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let access = access::access(session).await?;
        let (issued, door) = match (&access.issued, access.discerning_door()) {
            (Some(issued), Ok(door)) => (issued, door),
            (_, Err(reason)) => return Ok(Verdict::not_applicable(reason)),
            (None, _) => return Ok(Verdict::not_applicable("the login returns no token")),
        };
        let token = issued.credential.token();
        let encoded: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
        let sign = if door.path.contains('?') { '&' } else { '?' };
        let path = format!("{}{sign}access_token={encoded}&token={encoded}", door.path);
        let answer = access::ask(session, &path, None).await?;
        let shown = (
            "the scanner's token in the query".to_owned(),
            answer.describe(),
        );
        Ok(access::with_controls(
            judge(door.opens(&answer)),
            door,
            Some(shown),
        ))
    })
}

fn judge(opens: Option<bool>) -> Verdict {
    match opens {
        Some(true) => Verdict::find(
            Severity::Low,
            Confidence::High,
            Evidence::of("The scanner's token is accepted in the URL."),
        ),
        Some(false) => Verdict::pass("A token in the URL is ignored."),
        None => Verdict::inconclusive("the response to a token in the URL matches neither control"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_is_found() {
        assert!(matches!(judge(Some(true)), Verdict::Find(_)));
        assert!(matches!(judge(Some(false)), Verdict::Pass(_)));
        assert!(judge(None).is_inconclusive());
    }
}
