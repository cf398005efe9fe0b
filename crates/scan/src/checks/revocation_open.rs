//! Anybody may end a token.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access, probe::Stop, request::Request, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "revocation-open",
    title: "Anybody may end a token",
    severity: Severity::Low,
    what: "A fresh token of the own account is sent to the revocation (RFC 7009) \
           without any credentials: is it ended?",
    why: "Who finds a token can throw its owner out, and who guesses at tokens is not \
          even asked who they are.",
    sends: "A login, the revocation that the OpenAPI document names, and the \
            protected route after it.",
    max_requests: 4,
    measures_limits: false,
    side_by_side: false,
    evidence: "The token opened the route before (positive control) and is refused \
               after the revocation, which had no credentials (RFC 7009 section 2.1 \
               has the client authenticate).",
    false_alarms: "Public clients have no credentials and send their client_id alone; \
                   a server for those only is found all the same.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["10.4.9"],
        cwe: &[306],
        nist: &["5.1"],
        pci_dss: &["6.2.4", "8.2.8"],
        soc2: &["CC6.1"],
    },
    fix: "Ask the caller for client credentials, or for the token itself in the \
             Authorization header as a logout would.",
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
            return Ok(Verdict::not_applicable("no revocation was found"));
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
            "the token after a revocation by nobody".to_owned(),
            after.describe(),
        );
        let verdict = judge(revoked.status, door.opens(&after));
        Ok(access::with_controls(verdict, &door, Some(shown)))
    })
}

/// How the revocation was answered, and whether the token opens the route after it.
fn judge(status: u16, opens: Option<bool>) -> Verdict {
    match (status, opens) {
        (404 | 405, _) => Verdict::not_applicable("the revocation that was named is not there"),
        (_, Some(false)) => Verdict::find(
            Severity::Low,
            Confidence::High,
            Evidence::of(format!(
                "A revocation without any credentials was answered {status} and ended the token."
            )),
        ),
        (_, Some(true)) => Verdict::pass(format!(
            "A revocation without credentials is answered {status}, and the token is good still."
        )),
        (_, None) => Verdict::inconclusive("after it the token is answered like neither control"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_anybody_ends_is_found() {
        assert!(matches!(judge(200, Some(false)), Verdict::Find(_)));
        assert!(matches!(judge(401, Some(true)), Verdict::Pass(_)));
        assert!(matches!(
            judge(404, Some(true)),
            Verdict::Skip {
                inconclusive: false,
                ..
            }
        ));
        assert!(matches!(
            judge(200, None),
            Verdict::Skip {
                inconclusive: true,
                ..
            }
        ));
    }
}
