//! A token in the URL will do.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{Confidence, Evidence, Severity, Verdict, access, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "token-in-url",
    title: "A token in the URL is accepted",
    severity: Severity::Low,
    what: "The protected route is asked with the own token in the query (access_token \
           and token) and not in a header: is it answered like the own token?",
    why: "URLs stand in logs, histories and Referer headers, and so do tokens that \
          are in them.",
    sends: "One request with the own token in the query.",
    max_requests: 1,
    measures_limits: false,
    side_by_side: true,
    evidence: "It is answered like the own token in its header; no token and garbage \
               are not.",
    false_alarms: "None is known. RFC 6750 section 2.3 allows it and says not to; RFC \
                   9700 section 4.3.2 forbids it.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["14.2.1"],
        cwe: &[598],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "8.2.8"],
        soc2: &["CC6.1"],
    },
    fix: "Read tokens from the Authorization header or a cookie only. \
             Flask-JWT-Extended: leave \"query_string\" out of JWT_TOKEN_LOCATION.",
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
            (None, _) => return Ok(Verdict::not_applicable("the login hands out no token")),
        };
        let token = issued.credential.token();
        let encoded: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
        let sign = if door.path.contains('?') { '&' } else { '?' };
        let path = format!("{}{sign}access_token={encoded}&token={encoded}", door.path);
        let answer = access::ask(session, &path, None).await?;
        let shown = ("the own token in the query".to_owned(), answer.describe());
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
            Evidence::of("The own token in the URL is accepted."),
        ),
        Some(false) => Verdict::pass("A token in the URL is not looked at."),
        None => Verdict::inconclusive("a token in the URL is answered like neither control"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_is_found() {
        assert!(matches!(judge(Some(true)), Verdict::Find(_)));
        assert!(matches!(judge(Some(false)), Verdict::Pass(_)));
        assert!(matches!(
            judge(None),
            Verdict::Skip {
                inconclusive: true,
                ..
            }
        ));
    }
}
