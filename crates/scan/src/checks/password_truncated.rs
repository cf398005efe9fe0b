//! The end of a long password is ignored.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    long_passwords::{self, Facts},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "password-truncated",
    title: "The end of a long password is ignored",
    severity: Severity::Medium,
    what: "Registers an account with a password of 100 characters and logs in with one that \
           differs after the 72nd. Checks whether that login succeeds.",
    why: "bcrypt reads 72 bytes. An application that hashes something in front of the password (a \
          name, a pepper) can accept any password; any other checks less than it promises.",
    sends: "Up to two registrations of invented account names, with passwords of 100 and, if that \
           is rejected, 64 characters, and up to three logins with the longer one. \
           password-length-capped evaluates them too; only with --register.",
    max_requests: long_passwords::MAX_REQUESTS,
    measures_limits: false,
    side_by_side: false,
    evidence: "The full password logs in (positive control), one that differs from the tenth \
               character on does not (negative control), and one that differs after the 72nd does.",
    false_alarms: "None known.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.2.8", "6.2.9"],
        cwe: &[916, 521],
        nist: &["3.1.1.2"],
        pci_dss: &["8.3.6"],
        soc2: &["CC6.1"],
    },
    fix: "Hash with Argon2id or scrypt, or hash the password with SHA-256 and encode it before \
          bcrypt (Django: BCryptSHA256PasswordHasher), or reject passwords longer than 72 bytes \
          and say so.",
    recipes: &recipes::PASSWORDS,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        Ok(match long_passwords::facts(session).await? {
            Some(facts) => judge(&facts),
            None => Verdict::not_applicable(super::NEEDS_REGISTRATION),
        })
    })
}

fn judge(facts: &Facts) -> Verdict {
    match facts.logins {
        None => Verdict::not_applicable(
            "no account could be registered with a password of 100 characters",
        ),
        Some([false, ..]) => {
            Verdict::inconclusive("the account can't log in with its long password")
        }
        Some([true, true, _]) => Verdict::inconclusive(
            "a password that differs from the tenth character on was accepted",
        ),
        Some([true, false, true]) => {
            let evidence =
                Evidence::of("In a password of 100 characters, those after the 72nd are ignored.")
                    .exhibit("the password of 100 characters", "logged in")
                    .exhibit("one that differs from the tenth character on", "rejected")
                    .exhibit("one that differs after the 72nd", "logged in");
            Verdict::find(Severity::Medium, Confidence::High, evidence)
        }
        Some([true, false, false]) => {
            Verdict::pass("All 100 characters of a password are checked.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_may_differ_for_a_finding() {
        let judged = |logins| {
            judge(&Facts {
                taken: Vec::new(),
                logins,
            })
        };
        assert!(matches!(
            judged(Some([true, false, true])),
            Verdict::Find(_)
        ));
        assert!(matches!(
            judged(Some([true, false, false])),
            Verdict::Pass(_)
        ));
        assert!(judged(Some([true, true, true])).is_inconclusive());
        assert!(judged(Some([false, false, false])).is_inconclusive());
        assert!(matches!(judged(None), Verdict::NotApplicable(_)));
    }
}
