//! A signed request can be replayed.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes, signing};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "signature-replay",
    title: "A signed request can be replayed",
    severity: Severity::Medium,
    what: "Sends the same signed request, byte for byte, twice. Checks whether it is accepted both \
           times.",
    why: "Anyone who sees a request in a log or a proxy can send it again for as long as its \
          timestamp is accepted.",
    sends: "The operator names the route (--signed), describes how it is signed (--signing) and \
            supplies the key in DOORWARDEN_SIGNING_KEY. One signed request, twice.",
    max_requests: 2,
    measures_limits: false,
    side_by_side: false,
    evidence: "Correctly signed requests succeed (positive control, twice); requests without a \
               signature and with an invalid one are rejected (negative controls); the second of \
               two identical requests gets the same response as the first.",
    false_alarms: "A GET that changes nothing may be repeatable on purpose; the route should \
                   document that.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["4.1.5"],
        cwe: &[294],
        nist: &["3.1.3"],
        pci_dss: &["6.2.4"],
        soc2: &["CC6.1", "CC6.7"],
    },
    fix: "Remember each nonce for as long as its timestamp is accepted (Redis: SET key 1 NX EX \
          120) and reject it the second time; verify the signature first, so that no one can use \
          up the nonces of others.",
    recipes: &recipes::SIGNATURES,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let door = signing::discerning(session).await?;
        let (door, signed) = match &door {
            Ok(found) => found,
            Err(verdict) => return Ok(*verdict.clone()),
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

/// Nothing in a request is unique, so the next one is the same.
fn judge_without_nonce() -> Verdict {
    Verdict::find(
        Severity::Medium,
        Confidence::High,
        Evidence::of(
            "The signature covers no nonce, so a request can be replayed while its timestamp is accepted.",
        ),
    )
}

fn judge(opens: Option<bool>) -> Verdict {
    match opens {
        Some(true) => Verdict::find(
            Severity::Medium,
            Confidence::High,
            Evidence::of("The same signed request is accepted twice."),
        ),
        Some(false) => Verdict::pass("The same signed request is rejected the second time."),
        None => Verdict::inconclusive("the second response matches neither control"),
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
