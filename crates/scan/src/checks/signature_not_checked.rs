//! Request signatures are not verified.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes, signing};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "signature-not-checked",
    title: "Request signatures are not verified",
    severity: Severity::High,
    what: "Sends requests to a route that requires signed ones: without a signature, with one of \
           random bytes, and with a valid one that has one bit changed. Checks whether any of them \
           gets the same response as a correctly signed request.",
    why: "A signature that is not verified is just a header.",
    sends: "The operator names the route (--signed), describes how it is signed (--signing) and \
            supplies the key in DOORWARDEN_SIGNING_KEY. Two correctly signed requests and three \
            others, which the other signature checks use as controls.",
    max_requests: signing::MAX_REQUESTS,
    measures_limits: false,
    side_by_side: false,
    evidence: "Correctly signed requests succeed (positive control, twice); a finding is an \
               incorrectly signed one that gets the same response.",
    false_alarms: "None known.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["4.1.5"],
        cwe: &[347, 345],
        nist: &["3.1.3"],
        pci_dss: &["6.2.4"],
        soc2: &["CC6.1", "CC6.7"],
    },
    fix: "Compute the tag over the received message, compare it in constant time, and reject \
          requests without one. Python: hmac.compare_digest. Node: crypto.timingSafeEqual.",
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
            Err(verdict) => *verdict.clone(),
        })
    })
}

fn judge(accepted: [(&str, bool); 3]) -> Verdict {
    let accepted = accepted.into_iter().filter(|(_, accepted)| *accepted);
    let accepted: Vec<&str> = accepted.map(|(how, _)| how).collect();
    if accepted.is_empty() {
        return Verdict::pass(
            "Requests without a signature, with random bytes and with one bit changed are rejected.",
        );
    }
    let summary = format!(
        "The signed route accepts requests with {}.",
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
