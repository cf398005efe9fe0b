//! No limit within twelve incorrect passwords for one account.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    limits::{self, Hold, LimitFacts},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "login-unlimited",
    title: "No limit within twelve incorrect passwords for one account",
    severity: Severity::High,
    what: "Sends twelve incorrect passwords for one test account. Checks whether any response \
           differs from the usual failure (in status, headers, body or redirect, not only by a \
           429), and whether the correct password still logs in afterwards.",
    why: "Without a limit per account, an attacker needs only time: ten guesses per second are \
          864,000 per day.",
    sends: "It evaluates the limit measurement: up to 12 incorrect passwords and one correct one \
           for a test account, each from a different IP address; if those are not limited, the \
           same for another account from one address; and failures on new account names from one \
           address.",
    max_requests: 0,
    measures_limits: true,
    side_by_side: false,
    evidence: "A finding requires both: no response that differs from two failed logins learned at \
               the start of the run (the negative control), and a correct password that still logs \
               in (the positive control). A limit that rejects silently is therefore detected.",
    false_alarms: "A limit of more than twelve failures is not detected. SP 800-63B-4 allows up to \
                   100; twelve is the most that this scan may fail on an account.",
    standards: Standards {
        owasp_api: &["API2:2023", "API4:2023"],
        asvs: &["6.3.1", "2.4.1"],
        cwe: &[307, 799],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Count failures per account, before the password is verified and whether or not the \
          account exists; reject with 429 and Retry-After. FastAPI: slowapi keys on the IP address \
          only, so count by the submitted account name in a shared store. Flask: Flask-Limiter \
          with a key function that reads the account name. Django: django-axes with \
          AXES_LOCKOUT_PARAMETERS = [\"username\"].",
    recipes: &recipes::LIMITS,
    policy: r#"[policy]
account = "10 per 15 minutes; 50 per day"
address = "20 per 10 minutes; 300 per day""#,
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async { Ok(judge(&limits::facts(session).await?)) })
}

fn judge(facts: &LimitFacts) -> Verdict {
    // The pair arm shows more: an account that is not limited there is not limited at all.
    let Some(arm) = facts.pair.as_ref().or(facts.account.as_ref()) else {
        return Verdict::inconclusive(
            "all logins were already rejected, so the limit of one account could not be measured",
        );
    };
    let words = format!("For one account, {}.", arm.words());
    match arm.hold() {
        Hold::Shut => Verdict::pass(words),
        Hold::Unclear => Verdict::inconclusive(words),
        Hold::Open => {
            let evidence = Evidence::of(words)
                .exhibit(
                    format!("{} incorrect passwords for one account", arm.tried),
                    "none blocked the correct one",
                )
                .exhibit("then the correct password", "logged in");
            // Medium: there may be a limit of more failures than were tried.
            Verdict::find(Severity::High, Confidence::Medium, evidence)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::tests::facts;
    use super::*;

    #[test]
    fn only_a_login_without_any_limit_is_found() {
        for (measured, found) in [
            (facts(None, None, None), true),
            (facts(None, None, Some(21)), true),
            (facts(Some(11), None, None), false),
            (facts(None, Some(11), None), false),
        ] {
            assert_eq!(
                matches!(judge(&measured), Verdict::Find(_)),
                found,
                "{measured:?}"
            );
        }
        let mut soft = facts(None, None, None);
        soft.pair = Some(limits::Arm {
            right_gets_in: true,
            ..limits::tests::arm(Some(11))
        });
        assert!(judge(&soft).is_inconclusive());
        let everybody = LimitFacts {
            bystander_refused: true,
            ..LimitFacts::default()
        };
        assert!(judge(&everybody).is_inconclusive());
    }
}
