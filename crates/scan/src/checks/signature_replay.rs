//! A signed request may come twice.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes, signing};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "signature-replay",
    title: "A signed request is answered twice",
    severity: Severity::Medium,
    what: "The same signed request, byte for byte, is sent twice: is it answered both \
           times?",
    why: "Who sees one request in a log or a proxy can send it again, as long as its \
          time is accepted.",
    sends: "The operator names the route (--signed), says how it is signed \
            (--signing) and gives the key in DOORWARDEN_SIGNING_KEY. One signed \
            request, twice.",
    max_requests: 2,
    measures_limits: false,
    side_by_side: false,
    evidence: "Rightly signed requests are answered (positive control, twice), and \
               without a signature and with a wrong one they are refused (negative \
               controls); the second of two equal ones is answered like the first.",
    false_alarms: "A GET that changes nothing may be answered twice by intent; the \
                   route should say so.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["4.1.5"],
        cwe: &[294],
        nist: &["3.1.3"],
        pci_dss: &["6.2.4"],
        soc2: &["CC6.1", "CC6.7"],
    },
    fix: "Remember each nonce for as long as its time is accepted (Redis: SET key \
             1 NX EX 120) and refuse it the second time; check the signature first, \
             so that nobody uses up the nonces of others.",
    recipes: &recipes::SIGNATURES,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let door = signing::discerning(session).await?;
        let (door, signed) = match &door {
            Ok(found) => found,
            Err(reason) => return Ok(signing::untold(reason)),
        };
        if !signed.has_nonce() {
            return Ok(judge_without_nonce());
        }
        let said = signing::said(session, signed, 0);
        session.ask(signed.request(&said)).await?;
        let again = session.ask(signed.request(&said)).await?;
        Ok(judge(door.opens(&again)))
    })
}

/// Nothing in a request is its own, so the next one is the same.
fn judge_without_nonce() -> Verdict {
    Verdict::find(
        Severity::Medium,
        Confidence::High,
        Evidence::of(
            "What is signed holds no nonce, so a request can be sent again while its time is accepted.",
        ),
    )
}

fn judge(opens: Option<bool>) -> Verdict {
    match opens {
        Some(true) => Verdict::find(
            Severity::Medium,
            Confidence::High,
            Evidence::of("The same signed request is answered twice."),
        ),
        Some(false) => Verdict::pass("The same signed request is refused the second time."),
        None => Verdict::inconclusive("the second one is answered like neither control"),
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
