//! 64-character passwords are rejected.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    long_passwords::{self, Facts},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "password-length-capped",
    title: "64-character passwords are rejected",
    severity: Severity::Low,
    what: "Checks whether a password of 64 characters is rejected although the scanner's usual \
           passwords of 20 characters are accepted.",
    why: "SP 800-63B-4 section 3.1.1.2 asks that at least 64 characters be allowed, for \
          passphrases and for what password managers generate.",
    sends: "It evaluates the registrations of password-truncated; only with --register.",
    max_requests: 0,
    measures_limits: false,
    side_by_side: false,
    evidence: "A random password of 20 characters is accepted (control, from registering the test \
               accounts); a longer one of the same kinds of characters is not.",
    false_alarms: "A rule against repetition could reject it, but the characters are random.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.2.9"],
        cwe: &[521],
        nist: &["3.1.1.2"],
        pci_dss: &["8.3.6"],
        soc2: &["CC6.1"],
    },
    fix: "Allow at least 64 characters; set the maximum by the cost of hashing, at about a \
          thousand.",
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
            Verdict::inconclusive(format!("a registration returned {status}"))
        }
        Some((length, _, status)) => {
            let summary =
                format!("A random password of {length} characters is rejected ({status}).");
            Verdict::find(Severity::Low, Confidence::High, Evidence::of(summary))
        }
        None => Verdict::pass("A password of 64 characters is accepted."),
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
        assert!(judged(false, 429).is_inconclusive());
    }
}
