//! A signed request may be as old as it likes.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes, signing};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "signature-stale",
    title: "An old signed request is answered",
    severity: Severity::Medium,
    what: "A request is signed rightly with a time of an hour ago: is it answered?",
    why: "A request that was seen once is good for ever, and nonces can't be \
          remembered for ever.",
    sends: "The operator names the route (--signed), says how it is signed \
            (--signing) and gives the key in DOORWARDEN_SIGNING_KEY. One request.",
    max_requests: 1,
    measures_limits: false,
    side_by_side: false,
    evidence: "Rightly signed requests are answered (positive control, twice), and \
               without a signature and with a wrong one they are refused (negative \
               controls); one with a time of an hour ago is answered alike.",
    false_alarms: "Some services accept a quarter of an hour for bad clocks; an hour \
                   is more than that.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["4.1.5"],
        cwe: &[294, 613],
        nist: &["3.1.3"],
        pci_dss: &["6.2.4"],
        soc2: &["CC6.1", "CC6.7"],
    },
    fix: "Refuse what is older or younger than a minute or two, and say in the \
             documentation how far clocks may differ.",
    recipes: &recipes::SIGNATURES,
    policy: "",
    run,
};

/// Seconds; more than clocks differ.
const OLD: u64 = 3600;

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let door = signing::discerning(session).await?;
        let (door, signed) = match &door {
            Ok(found) => found,
            Err(reason) => return Ok(signing::untold(reason)),
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
            Evidence::of("A request that was signed for a time of an hour ago is answered."),
        ),
        Some(false) => Verdict::pass("A request that was signed an hour ago is refused."),
        None => Verdict::inconclusive("it is answered like neither control"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_answered_is_found() {
        assert!(matches!(judge(Some(true)), Verdict::Find(_)));
        assert!(matches!(judge(Some(false)), Verdict::Pass(_)));
        assert!(matches!(
            judge(None),
            Verdict::Skip {
                inconclusive: true,
                ..
            }
        ));
    }
}
