//! Long passwords are refused.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    long_passwords::{self, Facts},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "password-length-capped",
    title: "Passwords of 64 characters are refused",
    severity: Severity::Low,
    what: "Is a password of 64 characters refused where the scanner's usual ones of \
           20 are taken?",
    why: "SP 800-63B-4 section 3.1.1.2 wants at least 64 characters allowed: \
          passphrases and what password managers make.",
    sends: "A registration of an invented name, and what password-truncated sends; \
            only with --register.",
    max_requests: 0,
    measures_limits: false,
    side_by_side: false,
    evidence: "A random password of 20 characters is taken (control, from registering \
               the test accounts), one of the same characters and more of them is \
               not.",
    false_alarms: "A rule against repetition could refuse it; the characters are \
                   random.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.2.9"],
        cwe: &[521],
        nist: &["3.1.1.2"],
        pci_dss: &["8.3.6"],
        soc2: &["CC6.1"],
    },
    fix: "Allow at least 64 characters; bound them by what hashing costs, at a \
             thousand or so.",
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
    let refused = facts
        .taken
        .iter()
        .find(|(length, taken, _)| *length <= 64 && !taken);
    match refused {
        Some((_, _, status)) if matches!(status, 429 | 500..) => {
            Verdict::inconclusive(format!("a registration was answered {status}"))
        }
        Some((length, _, status)) => {
            let summary =
                format!("A random password of {length} characters is refused ({status}).");
            Verdict::find(Severity::Low, Confidence::High, Evidence::of(summary))
        }
        None => Verdict::pass("A password of 64 characters is taken."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixty_four_must_be_taken() {
        let judged = |taken, status| {
            judge(&Facts {
                taken: vec![(64, taken, status)],
                logins: None,
            })
        };
        assert!(matches!(judged(false, 422), Verdict::Find(_)));
        assert!(matches!(judged(true, 201), Verdict::Pass(_)));
        assert!(matches!(judged(false, 429), Verdict::Skip { .. }));
    }
}
