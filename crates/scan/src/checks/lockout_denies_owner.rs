//! Who fails on purpose keeps the owner out.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    limits::{self, LimitFacts},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "lockout-denies-owner",
    title: "Who fails on purpose keeps the owner out",
    severity: Severity::Info,
    what: "After the failures that shut an account, each from an address of its own: \
           is its right password refused from an address that never failed, and for \
           how long?",
    why: "A limit by account alone can be used against its owner (OWASP calls it a \
          denial of service by lockout). It is better than no limit.",
    sends: "Nothing of its own: it judges the measurement of the limits.",
    max_requests: 0,
    measures_limits: true,
    side_by_side: false,
    evidence: "The right login was accepted before the failures (positive control), \
               and an account that never failed is accepted after them, from another \
               fresh address (negative control).",
    false_alarms: "It is information: to limit accounts and never to meet their \
                   owners takes known devices. The scan comes from addresses that are \
                   all new, without a device's token; an owner on a known device may \
                   well get in.",
    standards: Standards {
        owasp_api: &["API4:2023"],
        asvs: &["6.1.1"],
        cwe: &[645],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Give known devices a budget of their own (OWASP's device cookies), or \
             ask for a second factor instead of refusing.",
    recipes: &recipes::LIMITS,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async { Ok(judge(&limits::facts(session).await?)) })
}

fn judge(facts: &LimitFacts) -> Verdict {
    if facts.bystander_refused {
        return Verdict::inconclusive("everybody was refused; see limit-global");
    }
    let Some(account) = &facts.account else {
        return Verdict::inconclusive(
            facts
                .blind
                .unwrap_or("the limit of an account was not measured"),
        );
    };
    if !account.limited() {
        return Verdict::pass("Failures from elsewhere did not keep the right password out.");
    }
    let long = match account.retry_after {
        Some(seconds) => format!("for {seconds} seconds, it says"),
        None => "for a time that it does not say".into(),
    };
    let summary = format!(
        "After {} failures from other addresses the right password is refused from a fresh one, {long}.",
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
        assert!(matches!(
            judge(&facts(false, true)),
            Verdict::Skip {
                inconclusive: true,
                ..
            }
        ));
    }
}
