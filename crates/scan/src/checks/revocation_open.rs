//! Token revocation needs no authentication.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access, probe::Stop, request::Request, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "revocation-open",
    title: "Token revocation needs no authentication",
    severity: Severity::Low,
    what: "Sends a new token of the scanner's account to the revocation endpoint (RFC 7009) \
           without any credentials. Checks whether the token is revoked.",
    why: "Anyone who finds a token can log its owner out, and anyone who guesses at tokens does \
          not even have to authenticate.",
    sends: "A login, a request to the revocation endpoint found in the OpenAPI document, and the \
            protected route after it.",
    max_requests: 4,
    measures_limits: false,
    side_by_side: false,
    evidence: "The route accepted the token before (positive control) and rejects it after the \
               revocation, which carried no credentials (RFC 7009 section 2.1 has the client \
               authenticate).",
    false_alarms: "Public clients have no credentials and send only their client_id; a server for \
                   those only is reported all the same.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["10.4.9"],
        cwe: &[306],
        nist: &["5.1"],
        pci_dss: &["6.2.4", "8.2.8"],
        soc2: &["CC6.1"],
    },
    fix: "Require client credentials, or the token itself in the Authorization header as a logout \
          would.",
    recipes: &recipes::TOKENS,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let access = access::access(session).await?;
        let door = match access.discerning_door() {
            Ok(door) => door,
            Err(reason) => return Ok(Verdict::not_applicable(reason)),
        };
        let Some(route) = session.found.revocation.clone() else {
            return Ok(Verdict::not_applicable("no revocation endpoint was found"));
        };
        let (issued, door) = match access::fresh(session, door).await? {
            Ok(fresh) => fresh,
            Err(reason) => return Ok(Verdict::inconclusive(reason)),
        };
        let token = issued.credential.token();
        let revoked = session
            .ask(Request::form(&route.path, "token", token))
            .await?;
        let after = access::ask(session, &door.path, Some(&issued.credential)).await?;
        let shown = (
            "the token after an unauthenticated revocation".to_owned(),
            after.describe(),
        );
        let verdict = judge(revoked.status, door.opens(&after));
        Ok(access::with_controls(verdict, &door, Some(shown)))
    })
}

/// Judges the status of the revocation and whether the route accepts the token after it.
fn judge(status: u16, opens: Option<bool>) -> Verdict {
    match (status, opens) {
        (404 | 405, _) => {
            Verdict::not_applicable("the declared revocation endpoint does not exist")
        }
        (_, Some(false)) => Verdict::find(
            Severity::Low,
            Confidence::High,
            Evidence::of(format!(
                "A revocation without any credentials returned {status} and revoked the token."
            )),
        ),
        (_, Some(true)) => Verdict::pass(format!(
            "A revocation without credentials returned {status}, and the token is still valid."
        )),
        (_, None) => Verdict::inconclusive(
            "after the revocation, the response to the token matches neither control",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_anybody_ends_is_found() {
        assert!(matches!(judge(200, Some(false)), Verdict::Find(_)));
        assert!(matches!(judge(401, Some(true)), Verdict::Pass(_)));
        assert!(matches!(judge(404, Some(true)), Verdict::NotApplicable(_)));
        assert!(judge(200, None).is_inconclusive());
    }
}
