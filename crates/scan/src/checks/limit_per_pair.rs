//! The limit is per pair of account and IP address.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    limits::{self, LimitFacts},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "limit-per-pair",
    title: "The limit is per pair of account and IP address",
    severity: Severity::High,
    what: "Checks whether failures are limited for one account from one IP address, but neither \
           for the account from other addresses nor for the address on other accounts.",
    why: "The login looks limited when tested by hand. A sprayer changes the account with each \
          guess, a botnet the IP address: neither ever reaches the limit.",
    sends: "It evaluates the limit measurement.",
    max_requests: 0,
    measures_limits: true,
    side_by_side: false,
    evidence: "Three series in one run: one account from one IP address is limited; one account \
               from new addresses is not; random account names from one address are not.",
    false_alarms: "A limit above twelve failures per account or 26 per IP address is treated as no \
                   limit.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.3.1"],
        cwe: &[307],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Use two counters, one per account and one per IP address, instead of one for the pair.",
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
        return Verdict::inconclusive("the limit measurement is incomplete");
    };
    let pair_limited = facts.pair.as_ref().is_some_and(limits::Arm::limited);
    if account.limited() || address.limited() {
        return Verdict::pass(
            "The limit applies to the account or the IP address alone, not only to the pair.",
        );
    }
    match &facts.pair {
        Some(pair) if pair_limited => {
            let evidence = Evidence::of(format!(
                "For one account from one IP address, {}; from new IP addresses {}, and from one IP address over {} account names nothing changed.",
                pair.words(),
                account.words(),
                address.tried
            ));
            Verdict::find(Severity::High, Confidence::High, evidence)
        }
        _ => Verdict::not_applicable("there is no limit at all; see login-unlimited"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::limits::tests::found_by;
    use super::*;

    #[test]
    fn truth_table() {
        assert_eq!(found_by(judge), ["pair only"]);
    }
}
