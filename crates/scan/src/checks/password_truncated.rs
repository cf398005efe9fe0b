//! The end of a long password does not count.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    long_passwords::{self, Facts},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "password-truncated",
    title: "The end of a long password does not count",
    severity: Severity::Medium,
    what: "An account is registered with a password of 100 characters and logged in \
           with one that differs after the 72nd: does it get in?",
    why: "bcrypt reads 72 bytes. Whoever hashes something before the password with it \
          (a name, a pepper) lets any password in; everybody else promises more than \
          is checked.",
    sends: "A registration and up to three logins of an invented name, which \
            password-length-capped judges too; only with --register.",
    max_requests: long_passwords::MAX_REQUESTS,
    measures_limits: false,
    side_by_side: false,
    evidence: "The whole password gets in (positive control), one that differs at the \
               tenth character does not (negative control), and one that differs \
               after the 72nd does.",
    false_alarms: "None is known.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.2.8", "6.2.9"],
        cwe: &[916, 521],
        nist: &["3.1.1.2"],
        pci_dss: &["8.3.6"],
        soc2: &["CC6.1"],
    },
    fix: "Hash with Argon2id or scrypt, or hash the password with SHA-256 and \
             encode it before bcrypt (Django: BCryptSHA256PasswordHasher), or refuse \
             what is longer than 72 bytes and say so.",
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
        None => Verdict::not_applicable("no password of 100 characters could be had"),
        Some([false, ..]) => {
            Verdict::inconclusive("the account with the long password can't log in with it")
        }
        Some([true, true, _]) => {
            Verdict::inconclusive("a password that is wrong from its tenth character got in")
        }
        Some([true, false, true]) => {
            let evidence =
                Evidence::of("Of a password of 100 characters those after the 72nd don't count.")
                    .exhibit("the password of 100 characters", "logged in")
                    .exhibit("another tenth character", "refused")
                    .exhibit("others after the 72nd", "logged in");
            Verdict::find(Severity::Medium, Confidence::High, evidence)
        }
        Some([true, false, false]) => Verdict::pass("All 100 characters of a password count."),
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
        assert!(matches!(
            judged(Some([true, true, true])),
            Verdict::Skip {
                inconclusive: true,
                ..
            }
        ));
        assert!(matches!(
            judged(Some([false, false, false])),
            Verdict::Skip {
                inconclusive: true,
                ..
            }
        ));
        assert!(matches!(
            judged(None),
            Verdict::Skip {
                inconclusive: false,
                ..
            }
        ));
    }
}
