//! The limit counts accounts only.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    limits::{self, LimitFacts},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "limit-ignores-address",
    title: "The limit counts accounts only",
    severity: Severity::High,
    what: "One address fails on 32 different names without meeting a limit, while failures of \
           one account are limited.",
    why: "A single host can try one common password on every account there is, or a list of \
           leaked pairs, as fast as it can send.",
    sends: "Judges the measurement of login-unlimited and sends nothing of its own.",
    max_requests: 0,
    measures_limits: true,
    side_by_side: false,
    evidence: "Fresh random names with random passwords from one address (not limited, and a right \
           login from there still gets in), against one account from fresh addresses (limited).",
    false_alarms: "A limit of more than 32 failures an address is taken for none; one that counts only \
           names that exist is not seen.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.3.1"],
        cwe: &[307],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Count failures by client address too (IPv6 by /64), taking the address from trusted \
           proxies only.",
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
    if let Some(untold) = facts.untold() {
        return untold;
    }
    let (Some(account), Some(address)) = (&facts.account, &facts.address) else {
        return Verdict::inconclusive("not all arms could be measured");
    };
    if address.limited() {
        return Verdict::pass(format!("From one address, {}.", address.words()));
    }
    if !account.limited() {
        return Verdict::not_applicable(
            "accounts are not limited either; see login-unlimited and limit-per-pair",
        );
    }
    let evidence = Evidence::of(format!(
        "For one account, {}; but from one address over {} names, nothing changed and a right login got in.",
        account.words(),
        address.tried
    ));
    let evidence = evidence.exhibit(
        format!(
            "{} wrong passwords from one address, each for another name",
            address.tried
        ),
        "each as a wrong password is; then a right login got in",
    );
    Verdict::find(Severity::High, Confidence::High, evidence)
}

#[cfg(test)]
mod tests {
    use super::super::limits::tests::found_by;
    use super::*;

    #[test]
    fn truth_table() {
        assert_eq!(found_by(judge), ["account only"]);
    }
}
