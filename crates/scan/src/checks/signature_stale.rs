//! Old signed requests are accepted.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes, signing};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "signature-stale",
    title: "Old signed requests are accepted",
    severity: Severity::Medium,
    what: "Signs a request correctly with a timestamp one hour old. Checks whether it is accepted.",
    why: "A request that was seen once stays valid forever, and nonces can't be remembered \
          forever.",
    sends: "The operator names the route (--signed), describes how it is signed (--signing) and \
            supplies the key in DOORWARDEN_SIGNING_KEY. One request.",
    max_requests: 1,
    measures_limits: false,
    side_by_side: false,
    evidence: "Correctly signed requests succeed (positive control, twice); requests without a \
               signature and with an invalid one are rejected (negative controls); one with a \
               timestamp one hour old gets the same response as the correctly signed ones.",
    false_alarms: "Some services tolerate a quarter of an hour of clock skew; an hour is more than \
                   that.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["4.1.5"],
        cwe: &[294, 613],
        nist: &["3.1.3"],
        pci_dss: &["6.2.4"],
        soc2: &["CC6.1", "CC6.7"],
    },
    fix: "Reject requests that are more than a minute or two old or in the future, and document \
          the tolerated clock skew.",
    recipes: &recipes::SIGNATURES,
    policy: "",
    run,
};

/// Seconds; more than any clock skew.
const OLD: u64 = 3600;

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let door = signing::discerning(session).await?;
        let (door, signed) = match &door {
            Ok(found) => found,
            Err(verdict) => return Ok(*verdict.clone()),
        };
        let said = signing::said(session, signed, OLD);
        let answer = session.ask(signed.request(&said)).await?;
        Ok(judge(door.opens(&answer)))
    })
}

fn judge(opens: Option<bool>) -> Verdict {
    match opens {
        Some(true) => Verdict::find(
            Severity::Medium,
            Confidence::High,
            Evidence::of("A request with a timestamp one hour old is accepted."),
        ),
        Some(false) => Verdict::pass("A request with a timestamp one hour old is rejected."),
        None => Verdict::inconclusive("the response matches neither control"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_answered_is_found() {
        assert!(matches!(judge(Some(true)), Verdict::Find(_)));
        assert!(matches!(judge(Some(false)), Verdict::Pass(_)));
        assert!(judge(None).is_inconclusive());
    }
}
