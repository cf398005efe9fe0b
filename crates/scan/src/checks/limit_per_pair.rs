//! The limit counts account and address together.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    limits::{self, LimitFacts},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "limit-per-pair",
    title: "The limit counts account and address together",
    severity: Severity::High,
    what: "Failures are limited for one account from one address, and neither for the account \
           from elsewhere nor for the address on other accounts.",
    why: "It looks limited to whoever tries it by hand. A sprayer changes the account with \
           each guess, a botnet the address: neither ever meets it.",
    sends: "Judges the measurement of login-unlimited and sends nothing of its own.",
    max_requests: 0,
    measures_limits: true,
    side_by_side: false,
    evidence: "All three arms in one run: one account from one address is limited; the same with \
           fresh addresses is not; fresh accounts from one address are not.",
    false_alarms: "Limits above twelve failures for an account or 32 for an address are taken for none.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.3.1"],
        cwe: &[307],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Use two counters, one for the account and one for the address, instead of one for \
           both together.",
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
    let pair_limited = facts.pair.as_ref().is_some_and(limits::Arm::limited);
    if account.limited() || address.limited() {
        return Verdict::pass(
            "The limit has a key of its own: it does not need account and address together.",
        );
    }
    match &facts.pair {
        Some(pair) if pair_limited => {
            let evidence = Evidence::of(format!(
                "For one account from one address, {}; from fresh addresses {}, and from one address over {} names nothing changed.",
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
