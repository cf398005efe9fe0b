//! Tokens stay valid after logout.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access, probe::Stop, request::Request, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "token-outlives-logout",
    title: "Tokens stay valid after logout",
    severity: Severity::Medium,
    what: "Logs in to the scanner's account and logs out with the new token. Checks whether the \
           protected route still accepts the token.",
    why: "Users log out because someone else will use the machine, or because they fear that their \
          token was stolen.",
    sends: "A login, the logout route found in the OpenAPI document or given with --logout, and \
            the protected route after it.",
    max_requests: 4,
    measures_limits: false,
    side_by_side: false,
    evidence: "The logout returns 2xx or 3xx, and the route accepts the token afterwards as it did \
               before (positive control). No token and garbage are rejected (negative controls).",
    false_alarms: "A logout that happens only in the browser, which discards the token, is \
                   reported: the token still works.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["7.4.1"],
        cwe: &[613],
        nist: &["5.1"],
        pci_dss: &["6.2.4", "8.2.8"],
        soc2: &["CC6.1"],
    },
    fix: "Revoke the token on the server: delete the session, or keep the JWT's jti in a list \
          until its exp. Flask-JWT-Extended: token_in_blocklist_loader. simplejwt: the \
          token_blacklist app, and short access tokens. Express: session.destroy().",
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
        let Some(logout) = session.found.logout.clone() else {
            let reason = "no logout route was found; specify it with --logout 'POST /logout'";
            return Ok(Verdict::not_applicable(reason));
        };
        let (issued, door) = match access::fresh(session, door).await? {
            Ok(fresh) => fresh,
            Err(reason) => return Ok(Verdict::inconclusive(reason)),
        };
        let request = Request::new(&logout.method, &logout.path);
        let left = session
            .ask(access::with(request, Some(&issued.credential)))
            .await?;
        let after = access::ask(session, &door.path, Some(&issued.credential)).await?;
        let shown = (
            "the same token after the logout".to_owned(),
            after.describe(),
        );
        let verdict = judge(left.status, door.opens(&after));
        Ok(access::with_controls(verdict, &door, Some(shown)))
    })
}

/// Judges the status of the logout and whether the route accepts the token after it.
fn judge(logout: u16, opens: Option<bool>) -> Verdict {
    if !(200..400).contains(&logout) {
        return Verdict::inconclusive(format!(
            "the logout returned {logout}; specify it with --logout"
        ));
    }
    match opens {
        Some(true) => Verdict::find(
            Severity::Medium,
            Confidence::High,
            Evidence::of("After the logout, the route accepts the token as before."),
        ),
        Some(false) => Verdict::pass("After the logout, the token is rejected."),
        None => Verdict::inconclusive(
            "after the logout, the response to the token matches neither control",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_still_opens_is_found() {
        assert!(matches!(judge(204, Some(false)), Verdict::Pass(_)));
        assert!(matches!(judge(303, Some(true)), Verdict::Find(_)));
        for (logout, opens) in [(404, Some(true)), (200, None)] {
            let judged = judge(logout, opens);
            assert!(judged.is_inconclusive());
        }
    }
}
