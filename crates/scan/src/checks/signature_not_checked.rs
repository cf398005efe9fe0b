//! A signed request is answered whatever its signature.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes, signing};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "signature-not-checked",
    title: "The signature of a request is not checked",
    severity: Severity::High,
    what: "A route that wants signed requests is asked without a signature, with one \
           of random bytes, and with a right one of which one bit is changed: is one \
           of them answered like a rightly signed one?",
    why: "A signature that nobody checks is a header.",
    sends: "The operator names the route (--signed), says how it is signed \
            (--signing) and gives the key in DOORWARDEN_SIGNING_KEY. Two rightly \
            signed requests and three others, which the other checks of signatures \
            use as controls.",
    max_requests: signing::MAX_REQUESTS,
    measures_limits: false,
    side_by_side: false,
    evidence: "Rightly signed requests are answered (positive control, twice); a \
               finding is a wrong one that is answered alike.",
    false_alarms: "None is known.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["4.1.5"],
        cwe: &[347, 345],
        nist: &["3.1.3"],
        pci_dss: &["6.2.4"],
        soc2: &["CC6.1", "CC6.7"],
    },
    fix: "Compute the tag over what was received, compare it in constant time, and \
             refuse where it is missing. Python: hmac.compare_digest. Node: \
             crypto.timingSafeEqual.",
    recipes: &recipes::SIGNATURES,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let door = signing::door(session).await?;
        Ok(match &*door {
            Ok(door) => judge([
                ("no signature", door.takes_nothing()),
                ("random bytes", door.takes_garbage()),
                ("one bit changed", door.takes_changed()),
            ]),
            Err(reason) => signing::untold(reason),
        })
    })
}

fn judge(accepted: [(&str, bool); 3]) -> Verdict {
    let accepted = accepted.into_iter().filter(|(_, accepted)| *accepted);
    let accepted: Vec<&str> = accepted.map(|(how, _)| how).collect();
    if accepted.is_empty() {
        return Verdict::pass(
            "Without a signature, with random bytes and with one bit changed it is refused.",
        );
    }
    let summary = format!(
        "The signed route answers requests with {}.",
        accepted.join(", ")
    );
    Verdict::find(Severity::High, Confidence::High, Evidence::of(summary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_wrong_one_that_is_answered_is_found() {
        assert!(matches!(
            judge([("a", false), ("b", false), ("c", true)]),
            Verdict::Find(_)
        ));
        assert!(matches!(
            judge([("a", false), ("b", false), ("c", false)]),
            Verdict::Pass(_)
        ));
    }
}
