//! The limit counts addresses only.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    limits::{self, LimitFacts},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "limit-ignores-account",
    title: "The limit counts addresses only",
    severity: Severity::High,
    what: "One account takes failures from fresh addresses without end, while failures from one \
           address are limited on whatever account.",
    why: "Residential proxies sell millions of addresses. A limit by address stops none of \
           their holders; only a count for the account does.",
    sends: "Judges the measurement of login-unlimited and sends nothing of its own.",
    max_requests: 0,
    measures_limits: true,
    side_by_side: false,
    evidence: "Three arms in one run: one account from fresh addresses (not limited), one account \
           from one address (limited), fresh accounts from one address (limited). The address \
           is fresh when the account's key is tested, so that no limit masks another.",
    false_alarms: "An account's limit above twelve failures is taken for none.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.3.1"],
        cwe: &[307],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Count failures by account as well as by address, and before verifying.",
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
    if account.limited() {
        return Verdict::pass(format!(
            "For one account from fresh addresses, {}.",
            account.words()
        ));
    }
    if !address.limited() {
        return Verdict::not_applicable(
            "there is no limit by address; see login-unlimited and limit-per-pair",
        );
    }
    let evidence = Evidence::of(format!(
        "From one address, {}; but for one account from fresh addresses, {}.",
        address.words(),
        account.words()
    ));
    let evidence = evidence.exhibit(
        format!(
            "{} wrong passwords for one account, each from a fresh address",
            account.tried
        ),
        "each as a wrong password is; then the right one logged in",
    );
    Verdict::find(Severity::High, Confidence::High, evidence)
}

#[cfg(test)]
mod tests {
    use super::super::limits::tests::found_by;
    use super::*;

    #[test]
    fn truth_table() {
        assert_eq!(found_by(judge), ["address only"]);
    }
}
