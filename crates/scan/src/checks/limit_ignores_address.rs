//! The limit is per account only.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    limits::{self, LimitFacts},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "limit-ignores-address",
    title: "The limit is per account only",
    severity: Severity::High,
    what: "Checks whether one IP address can fail on 26 different account names without reaching a \
           limit while failures on one account are limited.",
    why: "A single host can try one common password on every account, or a list of leaked \
          credentials, as fast as it can send.",
    sends: "It evaluates the limit measurement.",
    max_requests: 0,
    measures_limits: true,
    side_by_side: false,
    evidence: "Random account names with random passwords from one IP address (not limited, and a \
               login with the correct password from there still succeeds), compared with one \
               account from new addresses (limited).",
    false_alarms: "A limit of more than 26 failures per IP address is treated as no limit; one \
                   that counts only existing account names is not detected.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.3.1"],
        cwe: &[307],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Count failures per client IP address too (IPv6 by /64), and accept forwarded addresses \
          from trusted proxies only.",
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
    if address.limited() {
        return Verdict::pass(format!("From one IP address, {}.", address.words()));
    }
    if !account.limited() {
        return Verdict::not_applicable(
            "accounts are not limited either; see login-unlimited and limit-per-pair",
        );
    }
    let evidence = Evidence::of(format!(
        "For one account, {}; but from one IP address over {} account names nothing changed, and the correct password of a test account logged in.",
        account.words(),
        address.tried
    ));
    let evidence = evidence.exhibit(
        format!(
            "{} incorrect passwords from one IP address, each for a different account name",
            address.tried
        ),
        "each got the usual response to an incorrect password; then a correct one logged in",
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
