//! A refresh token can be used twice.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict,
    access::{self, Issued},
    probe::Stop,
    request::Request,
    scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "refresh-token-reuse",
    title: "A refresh token can be used twice",
    severity: Severity::Medium,
    what: "Exchanges the refresh token of the scanner's login twice. Checks whether the second \
           exchange is rejected.",
    why: "A stolen refresh token is as good as the password. Rotation exposes a theft: the second \
          use revokes the token family.",
    sends: "Two exchanges of the scanner's refresh token, at the route found in the OpenAPI \
            document or given with --refresh.",
    max_requests: 2,
    measures_limits: false,
    side_by_side: false,
    evidence: "The first exchange returns a new access token (positive control); so does the \
               second.",
    false_alarms: "A short grace period for clients that lost a response is common; it is reported \
                   all the same, since a thief has it too.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["10.4.5"],
        cwe: &[294, 613],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "8.2.8"],
        soc2: &["CC6.1"],
    },
    fix: "Issue a new refresh token with each exchange, and on the second use of an old one revoke \
          its whole family (RFC 9700 section 4.14.2). simplejwt: ROTATE_REFRESH_TOKENS and \
          BLACKLIST_AFTER_ROTATION.",
    recipes: &recipes::TOKENS,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let access = access::access(session).await?;
        let refresh = access
            .issued
            .as_ref()
            .and_then(|issued| issued.refresh.clone());
        let Some((field, token)) = refresh else {
            return Ok(Verdict::not_applicable(
                "the login returns no refresh token",
            ));
        };
        let Some(route) = session.found.refresh.clone() else {
            let reason = "no route that accepts refresh tokens was found; specify it with --refresh 'POST /refresh'";
            return Ok(Verdict::not_applicable(reason));
        };
        let mut gives = Vec::new();
        for _ in 0..2 {
            let request = Request::json(&route.method, &route.path, &field, token.expose());
            let answer = session.ask(request).await?;
            let given = answer.status < 300 && Issued::of(&answer, &[]).is_some();
            gives.push((given, answer.describe()));
        }
        Ok(judge(&gives))
    })
}

/// Judges whether each exchange returned a token, and its response.
fn judge(gives: &[(bool, String)]) -> Verdict {
    match gives {
        [(true, _), (false, answer)] => Verdict::pass(format!("The second use returns {answer}.")),
        [(true, first), (true, second)] => {
            let evidence = Evidence::of("The same refresh token yields an access token twice.")
                .exhibit("the refresh token, first use", first)
                .exhibit("the same, second use", second);
            Verdict::find(Severity::Medium, Confidence::High, evidence)
        }
        [(_, first), ..] => Verdict::inconclusive(format!(
            "the refresh token was not exchanged; the response was {first}; specify the route with --refresh"
        )),
        [] => Verdict::inconclusive("no exchange was made"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_is_once_too_often() {
        let judged = |gives: [bool; 2]| judge(&gives.map(|gives| (gives, "200".to_owned())));
        assert!(matches!(judged([true, false]), Verdict::Pass(_)));
        assert!(matches!(judged([true, true]), Verdict::Find(_)));
        assert!(judged([false, false]).is_inconclusive());
    }
}
