//! A token works on after the password was changed.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Account, Confidence, Evidence, Severity, Verdict, access, learn::Class, probe::Stop,
    request::Request, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "token-outlives-password-change",
    title: "A token works on after the password was changed",
    severity: Severity::Medium,
    what: "A test account logs in and changes its password: does the token from \
           before the change still open the protected route?",
    why: "People change a password because somebody else may know it. Who has logged \
          in with it stays in.",
    sends: "A login, the route, the change that the OpenAPI document names or \
            --change-password says, the route again, and a login with the new \
            password. Only with an account that the scan registered itself.",
    max_requests: 5,
    measures_limits: false,
    side_by_side: false,
    evidence: "The token opens the route before the change (positive control), the \
               new password logs in afterwards (the change was made), and the token \
               opens the route still. No token and garbage are refused (negative \
               controls).",
    false_alarms: "A short life of access tokens makes it matter less; the finding \
                   says nothing of refresh tokens.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["7.4.3"],
        cwe: &[613],
        nist: &["5.1"],
        pci_dss: &["6.2.4", "8.2.8"],
        soc2: &["CC6.1"],
    },
    fix: "End all other sessions and tokens with a change, or offer it. Django: \
             sessions end by themselves (update_session_auth_hash keeps the own one); \
             simplejwt: CHECK_REVOKE_TOKEN. JWTs: a number of changes in the claims, \
             held against the account's.",
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
            let reason = "no change of passwords was found; name it: --change-password 'POST /password json:/old json:/new'";
            return Ok(Verdict::not_applicable(reason));
        };
        let Some(account) = session.spare() else {
            return Ok(Verdict::not_applicable(super::NEEDS_REGISTRATION));
        };
        let Some(issued) = access::log_in_as(session, &account).await? else {
            return Ok(Verdict::inconclusive("a fresh login was given no token"));
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

/// How the change was answered, whether the new password logs in, and whether the token opened the
/// route before it and after it.
fn judge(status: u16, changed: bool, opens: [Option<bool>; 2]) -> Verdict {
    if !changed {
        return Verdict::inconclusive(format!(
            "the change was answered {status} and the new password does not log in; name it with --change-password"
        ));
    }
    match opens {
        [Some(true), Some(true)] => Verdict::find(
            Severity::Medium,
            Confidence::High,
            Evidence::of("After the password was changed the token opens the route as before."),
        ),
        [Some(true), Some(false)] => {
            Verdict::pass("After the password was changed the token is refused.")
        }
        _ => Verdict::inconclusive("the token did not open the route before the change"),
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
        assert!(matches!(
            judge(404, false, [open, open]),
            Verdict::Skip {
                inconclusive: true,
                ..
            }
        ));
        assert!(matches!(
            judge(204, true, [None, open]),
            Verdict::Skip {
                inconclusive: true,
                ..
            }
        ));
    }
}
