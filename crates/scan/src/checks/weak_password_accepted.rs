//! Registration accepts common passwords.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Account, Confidence, Evidence, Secret, Severity, Verdict, learn::Class, probe::Stop,
    scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "weak-password-accepted",
    title: "Registration accepts common passwords",
    severity: Severity::Medium,
    what: "Checks whether new accounts can be registered with two of the passwords at the top of \
           every list of common passwords.",
    why: "A spray tries those first and compromises every account that uses one (SP 800-63B-4 \
          section 3.1.1.2 requires a blocklist).",
    sends: "Two registrations of invented account names, and a login with the correct password for \
            each that is accepted; only with --register.",
    max_requests: 4,
    measures_limits: false,
    side_by_side: false,
    evidence: "A random password is accepted (control, from registering the test accounts), the \
               common one gets the same response, and logs in.",
    false_alarms: "None: the account has been created.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.2.4"],
        cwe: &[521, 1391],
        nist: &["3.1.1.2"],
        pci_dss: &["8.3.6"],
        soc2: &["CC6.1"],
    },
    fix: "Check new passwords against a list of common and leaked ones. Django: \
          CommonPasswordValidator in AUTH_PASSWORD_VALIDATORS. FastAPI-users: validate_password. \
          Flask-Security: SECURITY_PASSWORD_CHECK_BREACHED. Express: a list such as zxcvbn.",
    recipes: &recipes::PASSWORDS,
    policy: "",
    run,
};

/// At the top of every list of leaked passwords, and long enough for the shortest allowed (eight).
const COMMON: [&str; 2] = ["password123", "12345678"];

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let Some(usual) = session
            .registration
            .as_ref()
            .map(|known| known.usual.clone())
        else {
            return Ok(Verdict::not_applicable(super::NEEDS_REGISTRATION));
        };
        let mut taken = Vec::new();
        for common in COMMON {
            let (name, password) = (session.new_name(), Secret::new(common.into()));
            if let Some(answer) = session.register(&name, &password).await? {
                let mut like_any = answer.signature().coarse() == usual.clone().coarse();
                if like_any {
                    // A rejection may look the same; only a login proves that the password was set.
                    let account = Account { name, password };
                    let source = session.need_source()?;
                    like_any = session.right(source, &account).await?.1 == Class::Right;
                }
                taken.push((common, like_any, answer.status));
            }
        }
        Ok(judge(&taken))
    })
}

/// Judges each password, whether its response was that of a random one, and the status.
fn judge(taken: &[(&str, bool, u16)]) -> Verdict {
    if let Some((_, _, status)) = taken
        .iter()
        .find(|(_, _, status)| matches!(status, 429 | 500..))
    {
        return Verdict::inconclusive(format!("a registration returned {status}"));
    }
    let accepted: Vec<&str> = taken
        .iter()
        .filter(|(_, like_any, _)| *like_any)
        .map(|t| t.0)
        .collect();
    if accepted.is_empty() {
        return Verdict::pass(format!("{} are rejected.", COMMON.join(" and ")));
    }
    let summary = format!(
        "An account was registered with the password {}.",
        accepted.join(" and one with ")
    );
    Verdict::find(Severity::Medium, Confidence::High, Evidence::of(summary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_answered_like_a_random_one_was_taken() {
        assert!(matches!(
            judge(&[("a", true, 201), ("b", false, 422)]),
            Verdict::Find(_)
        ));
        assert!(matches!(
            judge(&[("a", false, 422), ("b", false, 422)]),
            Verdict::Pass(_)
        ));
        assert!(judge(&[("a", true, 201), ("b", false, 429)]).is_inconclusive());
    }
}
