//! Being locked tells that the account exists.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    locks::{self, Locks},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "lockout-reveals-account",
    title: "A lock tells which accounts exist",
    severity: Severity::Medium,
    what: "A name that nobody has fails as often as locked an account that exists: is \
           it refused too, and in the same way?",
    why: "A lock that only accounts have answers the question whether there is one, \
          however alike all other answers are.",
    sends: "Nothing of its own: it judges the burst of limit-race.",
    max_requests: 0,
    measures_limits: true,
    side_by_side: false,
    evidence: "The account that exists is refused after so many failures (positive \
               control, from the measurement of the limits); the name that nobody has \
               is not, or in other words.",
    false_alarms: "None is known: answers are compared without names, numbers and \
                   tokens.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.3.8"],
        cwe: &[204],
        nist: &["3.2.2"],
        pci_dss: &["6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Count failures by the name that was sent, whether it exists or not, \
             before it is looked up, and refuse both with the same answer.",
    recipes: &recipes::UNIFORM,
    policy: r#"[guard.failure]
status = 401
body = '{"detail":"Incorrect username or password"}'"#,
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        Ok(match locks::facts(session).await? {
            Ok(locks) => judge(&locks),
            Err(reason) => Verdict::not_applicable(reason),
        })
    })
}

fn judge(locks: &Locks) -> Verdict {
    let find = |summary: String| {
        let evidence = Evidence::of(summary);
        Verdict::find(Severity::Medium, Confidence::High, evidence)
    };
    match (&locks.account, &locks.stranger) {
        (Some(_), None) => find(format!(
            "After {} failures an account that exists is refused, and a name that nobody has is not.",
            locks.limit + 1
        )),
        (Some(account), Some(stranger)) if account != stranger => find(format!(
            "An account that exists is refused otherwise than a name that nobody has: {}.",
            account.difference(stranger)
        )),
        (Some(_), Some(_)) => {
            Verdict::pass("A name that nobody has is refused as one that exists is.")
        }
        (None, _) => Verdict::not_applicable("no account was refused in words"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::answer;

    #[test]
    fn only_equal_refusals_pass() {
        let refusal = |words| Some(answer(429, &[], words).signature());
        let judged = |account, stranger| {
            judge(&Locks {
                limit: 5,
                stranger,
                account,
                race: None,
            })
        };
        assert!(matches!(
            judged(refusal("no"), refusal("no")),
            Verdict::Pass(_)
        ));
        assert!(matches!(judged(refusal("no"), None), Verdict::Find(_)));
        assert!(matches!(
            judged(refusal("no"), refusal("who")),
            Verdict::Find(_)
        ));
        assert!(matches!(judged(None, None), Verdict::Skip { .. }));
    }
}
