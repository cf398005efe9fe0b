//! A few failed logins lock out all users.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    limits::{self, LimitFacts},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "limit-global",
    title: "A few failed logins lock out all users",
    severity: Severity::Medium,
    what: "Checks whether, after failed logins on some accounts from some IP addresses, an account \
           that never failed is rejected from an address that was never used.",
    why: "Anyone who sends a handful of incorrect passwords blocks the login for all users: a \
          denial of service that needs no botnet.",
    sends: "It evaluates the limit measurement, whose controls are logins with the correct \
           password of an untouched account from new IP addresses.",
    max_requests: 0,
    measures_limits: true,
    side_by_side: false,
    evidence: "The correct password logged in at the start of the scan (positive control) and was \
               rejected after failures on other accounts, from an IP address that had sent nothing \
               yet.",
    false_alarms: "IP addresses that are distinct here but appear as one to the target (behind a \
                   proxy that hides them) share a per-IP limit. A site that is down for all users.",
    standards: Standards {
        owasp_api: &["API4:2023"],
        asvs: &["6.1.1"],
        cwe: &[645],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Limit by account and by IP address. Let a site-wide surge of failures tighten those \
          limits instead of rejecting all users.",
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
            "While others were exhausted, an account that never failed logged in from a new IP address.",
        );
    }
    let evidence = Evidence::of(
        "After failed logins on other accounts from other IP addresses, a login with the correct password from an unused IP address was rejected.",
    )
    .exhibit("the correct password at the start of the scan", "logged in")
    .exhibit("the correct password from a new IP address, after failures on other accounts", "rejected");
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
        assert!(judge(&blind).is_inconclusive());
    }
}
