//! The limit is per IP address only.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    limits::{self, LimitFacts},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "limit-ignores-account",
    title: "The limit is per IP address only",
    severity: Severity::High,
    what: "Checks whether one account accepts failures from new IP addresses without limit while \
           failures from one address are limited regardless of the account.",
    why: "Residential proxies sell millions of IP addresses. A per-IP limit stops none of their \
          users; only a count per account does.",
    sends: "It evaluates the limit measurement.",
    max_requests: 0,
    measures_limits: true,
    side_by_side: false,
    evidence: "Three series in one run: one account from new IP addresses (not limited), one \
               account from one address (limited), random account names from one address \
               (limited). The address is new when the account's key is tested, so that no limit \
               masks another.",
    false_alarms: "A per-account limit above twelve failures is treated as no limit.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.3.1"],
        cwe: &[307],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Count failures per account as well as per IP address, before the password is verified.",
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
    if account.limited() {
        return Verdict::pass(format!(
            "For one account from new IP addresses, {}.",
            account.words()
        ));
    }
    if !address.limited() {
        return Verdict::not_applicable(
            "there is no per-IP limit; see login-unlimited and limit-per-pair",
        );
    }
    let evidence = Evidence::of(format!(
        "From one IP address, {}; but for one account from new IP addresses, {}.",
        address.words(),
        account.words()
    ));
    let evidence = evidence.exhibit(
        format!(
            "{} incorrect passwords for one account, each from a new IP address",
            account.tried
        ),
        "each got the usual response to an incorrect password; then the correct one logged in",
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
