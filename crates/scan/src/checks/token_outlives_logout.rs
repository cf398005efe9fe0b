//! A token that works on after logout.

use futures_util::future::BoxFuture;

use super::{Check, Standards};
use crate::{
    Confidence, Evidence, Severity, Verdict, access, probe::Stop, request::Request, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "token-outlives-logout",
    title: "A token works on after logout",
    severity: Severity::Medium,
    what: "A fresh login of the own account: its token opens the protected route; it \
           logs out with it; does the token still open the route?",
    why: "People log out because somebody else comes to the machine, or because they \
          fear that their token was taken.",
    sends: "A login, the protected route before and after, and the logout that the \
            OpenAPI document names or --logout says.",
    max_requests: 4,
    measures_limits: false,
    evidence: "The route opens before the logout (positive control), the logout \
               answers 2xx or 3xx, and the route opens after it like before. No token \
               and garbage are refused (negative controls).",
    false_alarms: "A logout that only the browser carries out, by forgetting the \
                   token, is found: the token still works.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["7.4.1"],
        cwe: &[613],
        nist: &["5.1"],
    },
    remedy: "End the token at the server: delete the session, or keep the JWT's jti \
             in a list until its exp. Flask-JWT-Extended: token_in_blocklist_loader. \
             simplejwt: the token_blacklist app, and short access tokens. Express: \
             session.destroy().",
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
            let reason = "no logout was found; name it: --logout 'POST /logout'";
            return Ok(Verdict::not_applicable(reason));
        };
        let Some(issued) = access::log_in(session).await? else {
            return Ok(Verdict::inconclusive("a fresh login was given no token"));
        };
        let before = access::ask(session, &door.path, Some(&issued.credential)).await?;
        let request = Request::new(&logout.method, &logout.path);
        let left = session
            .ask(access::with(request, Some(&issued.credential)))
            .await?;
        let after = access::ask(session, &door.path, Some(&issued.credential)).await?;
        let facts = Facts {
            before: door.opens(&before),
            logout: left.status,
            after: door.opens(&after),
        };
        let shown = (
            "the same token after the logout".to_owned(),
            after.describe(),
        );
        Ok(access::with_controls(judge(&facts), door, Some(shown)))
    })
}

struct Facts {
    before: Option<bool>,
    logout: u16,
    after: Option<bool>,
}

fn judge(facts: &Facts) -> Verdict {
    if facts.before != Some(true) {
        return Verdict::inconclusive("a fresh token did not open the route");
    }
    if !(200..400).contains(&facts.logout) {
        let status = facts.logout;
        return Verdict::inconclusive(format!(
            "the logout answered {status}; name it with --logout"
        ));
    }
    match facts.after {
        Some(true) => Verdict::find(
            Severity::Medium,
            Confidence::High,
            Evidence::of("After the logout the token opens the route as before."),
        ),
        Some(false) => Verdict::pass("After the logout the token is refused."),
        None => {
            Verdict::inconclusive("after the logout the token is answered like neither control")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_that_opened_and_still_does_is_found() {
        let judged = |before, logout, after| {
            judge(&Facts {
                before,
                logout,
                after,
            })
        };
        assert!(matches!(
            judged(Some(true), 204, Some(false)),
            Verdict::Pass(_)
        ));
        assert!(matches!(
            judged(Some(true), 303, Some(true)),
            Verdict::Find(_)
        ));
        for (before, logout, after) in [
            (Some(false), 204, Some(true)),
            (Some(true), 404, Some(true)),
            (Some(true), 200, None),
        ] {
            assert!(matches!(
                judged(before, logout, after),
                Verdict::Skip {
                    inconclusive: true,
                    ..
                }
            ));
        }
    }
}
