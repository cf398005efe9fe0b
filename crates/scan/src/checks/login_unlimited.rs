//! No limit within twelve wrong passwords for one account.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    limits::{self, Hold, LimitFacts},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "login-unlimited",
    title: "No limit within twelve wrong passwords for one account",
    severity: Severity::High,
    what: "Twelve wrong passwords for one test account: does any answer differ from the usual \
           failure (in status, headers, body or a redirect, not only by a 429), and does the \
           right password still get in afterwards?",
    why: "Without a limit for each account, a guesser needs only time: ten guesses a second \
           are 864,000 a day.",
    sends: "Up to 12 wrong passwords and one right one for a test account, each from an address \
           of its own; where those are not limited, the same for another account from one \
           address. The other limit checks judge the same measurement.",
    max_requests: 0,
    measures_limits: true,
    side_by_side: false,
    evidence: "A finding needs both: no answer that differs from two wrong logins learned at the \
           start of the run (the negative control), and a right login that still gets in (the \
           positive control). So a limit that refuses in silence is seen.",
    false_alarms: "A limit of more than twelve failures is not seen. SP 800-63B-4 allows up to 100; \
           twelve is what this scan may fail on an account.",
    standards: Standards {
        owasp_api: &["API2:2023", "API4:2023"],
        asvs: &["6.3.1", "2.4.1"],
        cwe: &[307, 799],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Count failures for each account, before the password is verified and whether or not \
           the account exists; refuse with 429 and Retry-After. FastAPI: slowapi keys on the \
           address only, so count by the submitted name in a shared store. Flask: Flask-Limiter \
           with a key function that reads the name. Django: django-axes with \
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
    // The pair arm says more: whoever is not limited there is not limited at all.
    let Some(arm) = facts.pair.as_ref().or(facts.account.as_ref()) else {
        return Verdict::inconclusive(
            "everybody was already refused, so what one account meets can't be told",
        );
    };
    let words = format!("For one account, {}.", arm.words());
    match arm.hold() {
        Hold::Shut => Verdict::pass(words),
        Hold::Unclear => Verdict::inconclusive(words),
        Hold::Open => {
            let evidence = Evidence::of(words)
                .exhibit(
                    format!("{} wrong passwords for one account", arm.tried),
                    "none kept the right one out",
                )
                .exhibit("then the right password", "logged in");
            // Medium: a limit of more failures than were tried may be there.
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
        assert!(matches!(
            judge(&soft),
            Verdict::Skip {
                inconclusive: true,
                ..
            }
        ));
        let everybody = LimitFacts {
            bystander_refused: true,
            ..LimitFacts::default()
        };
        assert!(matches!(
            judge(&everybody),
            Verdict::Skip {
                inconclusive: true,
                ..
            }
        ));
    }
}
