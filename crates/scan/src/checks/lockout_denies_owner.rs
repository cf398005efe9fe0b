//! An attacker can lock the owner out.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    limits::{self, LimitFacts},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "lockout-denies-owner",
    title: "An attacker can lock the owner out",
    severity: Severity::Info,
    what: "After the failures that lock an account, each from a different IP address, checks \
           whether its correct password is rejected from an address that never failed, and for how \
           long.",
    why: "A limit by account alone can be used against the account's owner (OWASP calls it a \
          denial of service by lockout). It is better than no limit.",
    sends: "It evaluates the limit measurement.",
    max_requests: 0,
    measures_limits: true,
    side_by_side: false,
    evidence: "The correct password was accepted before the failures (positive control), and an \
               account that never failed logs in after them from another new IP address (negative \
               control).",
    false_alarms: "The finding is informational: limiting accounts without ever affecting their \
                   owners requires known devices. The scan uses only new IP addresses and no \
                   device token; an owner on a known device may well get in.",
    standards: Standards {
        owasp_api: &["API4:2023"],
        asvs: &["6.1.1"],
        cwe: &[645],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Give known devices a budget of their own (OWASP's device cookies), or require a second \
          factor instead of rejecting.",
    recipes: &recipes::LIMITS,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async { Ok(judge(&limits::facts(session).await?)) })
}

fn judge(facts: &LimitFacts) -> Verdict {
    if facts.bystander_refused {
        return Verdict::inconclusive("all logins were rejected; see limit-global");
    }
    let Some(account) = &facts.account else {
        return Verdict::inconclusive(
            facts
                .blind
                .unwrap_or("the per-account limit was not measured"),
        );
    };
    if !account.limited() {
        return Verdict::pass(
            "Failures from other IP addresses did not block the correct password.",
        );
    }
    let long = match account.retry_after {
        Some(seconds) => format!("for {seconds} seconds according to Retry-After"),
        None => "for an unspecified time".into(),
    };
    let summary = format!(
        "After {} failures from other IP addresses, the correct password is rejected from a new one {long}.",
        account.tried
    );
    Verdict::find(Severity::Info, Confidence::High, Evidence::of(summary))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::limits::Arm;

    #[test]
    fn an_owner_who_is_kept_out_is_told() {
        let facts = |right_gets_in, bystander_refused| LimitFacts {
            account: Some(Arm {
                tried: 11,
                right_gets_in,
                ..Arm::default()
            }),
            bystander_refused,
            ..LimitFacts::default()
        };
        assert!(matches!(judge(&facts(false, false)), Verdict::Find(_)));
        assert!(matches!(judge(&facts(true, false)), Verdict::Pass(_)));
        assert!(judge(&facts(false, true)).is_inconclusive());
    }
}
