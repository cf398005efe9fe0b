//! Tokens stay valid after a password change.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Account, Confidence, Evidence, Severity, Verdict, access, learn::Class, probe::Stop,
    request::Request, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "token-outlives-password-change",
    title: "Tokens stay valid after a password change",
    severity: Severity::Medium,
    what: "Logs in to a test account and changes its password. Checks whether the protected route \
           still accepts the token from before the change.",
    why: "Users change a password because someone else may know it. Anyone who has logged in with \
          the old one stays logged in.",
    sends: "A login, the protected route, the password-change route found in the OpenAPI document \
            or given with --change-password, the protected route again, and a login with the new \
            password. Only with an account that the scan registered itself.",
    max_requests: 5,
    measures_limits: false,
    side_by_side: false,
    evidence: "The route accepts the token before the change (positive control), the new password \
               logs in afterwards (the change was made), and the route still accepts the token. No \
               token and garbage are rejected (negative controls).",
    false_alarms: "Short-lived access tokens make it matter less; the finding does not cover \
                   refresh tokens.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["7.4.3"],
        cwe: &[613],
        nist: &["5.1"],
        pci_dss: &["6.2.4", "8.2.8"],
        soc2: &["CC6.1"],
    },
    fix: "End all other sessions and tokens when the password changes, or offer to. Django: \
          sessions end automatically (update_session_auth_hash keeps the current one); simplejwt: \
          CHECK_REVOKE_TOKEN. JWTs: put a change counter in the claims and compare it with the \
          account's.",
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
        let Some(change) = session.found.change_password.clone() else {
            let reason = "no password-change route was found; specify it with --change-password 'POST /password json:/old json:/new'";
            return Ok(Verdict::not_applicable(reason));
        };
        let Some(account) = session.spare() else {
            return Ok(Verdict::not_applicable(super::NEEDS_REGISTRATION));
        };
        let Some(issued) = access::log_in_as(session, &account).await? else {
            return Ok(Verdict::inconclusive("a new login returned no token"));
        };
        let token = Some(&issued.credential);
        let before = access::ask(session, &door.path, token).await?;
        let opened = door.shown_to(before);
        let changed = Account {
            name: account.name.clone(),
            password: session.wrong_password(),
        };
        let words = [account.password.expose(), changed.password.expose()];
        let request = access::with(Request::filled(&change, &words), token);
        let answer = session.ask(request).await?;
        let after = access::ask(session, &door.path, token).await?;
        let (_, class) = session.right(None, &changed).await?;
        if class == Class::Right {
            session.password_changed(&changed);
        }
        let verdict = judge(
            answer.status,
            class == Class::Right,
            [
                opened.as_ref().map(|_| true),
                opened.as_ref().and_then(|door| door.opens(&after)),
            ],
        );
        let shown = (
            "the same token after the change".to_owned(),
            after.describe(),
        );
        Ok(access::with_controls(verdict, door, Some(shown)))
    })
}

/// Judges the status of the change, whether the new password logs in, and whether the route accepted
/// the token before the change and after it.
fn judge(status: u16, changed: bool, opens: [Option<bool>; 2]) -> Verdict {
    if !changed {
        return Verdict::inconclusive(format!(
            "the password change returned {status} and the new password does not log in; specify the route with --change-password"
        ));
    }
    match opens {
        [Some(true), Some(true)] => Verdict::find(
            Severity::Medium,
            Confidence::High,
            Evidence::of("After the password change, the route accepts the token as before."),
        ),
        [Some(true), Some(false)] => {
            Verdict::pass("After the password change, the token is rejected.")
        }
        _ => Verdict::inconclusive("the route did not accept the token before the change"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_still_opens_is_found() {
        let open = Some(true);
        assert!(matches!(judge(204, true, [open, open]), Verdict::Find(_)));
        assert!(matches!(
            judge(204, true, [open, Some(false)]),
            Verdict::Pass(_)
        ));
        assert!(judge(404, false, [open, open]).is_inconclusive());
        assert!(judge(204, true, [None, open]).is_inconclusive());
    }
}
