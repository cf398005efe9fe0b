//! A lockout reveals which accounts exist.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    locks::{self, Locks},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "lockout-reveals-account",
    title: "A lockout reveals which accounts exist",
    severity: Severity::Medium,
    what: "Fails on a nonexistent account name as often as it takes to lock an existing account. \
           Checks whether that name is rejected too, and with the same response.",
    why: "A lock that only existing accounts have reveals whether an account exists, however \
          uniform all other responses are.",
    sends: "It evaluates the burst of limit-race.",
    max_requests: 0,
    measures_limits: true,
    side_by_side: false,
    evidence: "The existing account is rejected after that many failures (positive control, from \
               the limit measurement); the nonexistent name is not, or with a different response.",
    false_alarms: "None known: responses are compared without names, numbers and tokens.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.3.8"],
        cwe: &[204],
        nist: &["3.2.2"],
        pci_dss: &["6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Count failures by the submitted account name, whether it exists or not, before it is \
          looked up, and reject both with the same response.",
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
            "After {} failures an existing account is rejected, and a nonexistent account name is not.",
            locks.limit + 1
        )),
        (Some(account), Some(stranger)) if account != stranger => find(format!(
            "An existing account is rejected differently from a nonexistent account name: {}.",
            account.difference(stranger)
        )),
        (Some(_), Some(_)) => Verdict::pass(
            "A nonexistent account name is rejected in the same way as an existing one.",
        ),
        (None, _) => Verdict::not_applicable("no account was visibly rejected"),
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
        assert!(matches!(judged(None, None), Verdict::NotApplicable(_)));
    }
}
