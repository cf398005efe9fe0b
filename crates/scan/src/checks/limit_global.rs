//! A few failures shut everybody out.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    limits::{self, LimitFacts},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "limit-global",
    title: "A few failures shut everybody out",
    severity: Severity::Medium,
    what: "After failures on some accounts from some addresses, an account that never failed is \
           refused from an address that was never used.",
    why: "Whoever sends a handful of wrong passwords closes the login for all: a denial of \
           service that needs no botnet.",
    sends: "Judges the measurement of login-unlimited, whose controls are right logins of an \
           untouched account from fresh addresses. Sends nothing of its own.",
    max_requests: 0,
    measures_limits: true,
    side_by_side: false,
    evidence: "The right login got in at the start of the scan (positive control) and was refused \
           after failures of others, from an address that had sent nothing yet.",
    false_alarms: "Addresses that look like many here and like one to the target (behind a proxy that \
                   hides them) share a limit by address. A site that is down for everybody.",
    standards: Standards {
        owasp_api: &["API4:2023"],
        asvs: &["6.1.1"],
        cwe: &[645],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Limit by account and by address. Let a site-wide surge of failures tighten those \
           limits instead of refusing everybody.",
    recipes: &recipes::LIMITS,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async { Ok(judge(&limits::facts(session).await?)) })
}

fn judge(facts: &LimitFacts) -> Verdict {
    if let Some(reason) = facts.blind {
        return Verdict::inconclusive(reason);
    }
    if !facts.bystander_refused {
        return Verdict::pass(
            "While others were exhausted, an account that never failed got in from a fresh address.",
        );
    }
    let evidence = Evidence::of(
        "After failures of other accounts from other addresses, a right login from an address that was never used was refused.",
    )
    .exhibit("the right password, at the start of the scan", "logged in")
    .exhibit("the right password, from a fresh address, after others had failed", "refused");
    Verdict::find(Severity::Medium, Confidence::High, evidence)
}

#[cfg(test)]
mod tests {
    use super::super::limits::tests::facts;
    use super::*;

    #[test]
    fn only_a_refused_bystander_is_found() {
        let quiet = facts(Some(11), None, Some(21));
        assert!(matches!(judge(&quiet), Verdict::Pass(_)));
        let refused = LimitFacts {
            bystander_refused: true,
            ..quiet
        };
        assert!(matches!(judge(&refused), Verdict::Find(_)));
        let blind = LimitFacts {
            blind: Some("one address"),
            ..LimitFacts::default()
        };
        assert!(matches!(
            judge(&blind),
            Verdict::Skip {
                inconclusive: true,
                ..
            }
        ));
    }
}
