//! Tokens are not bound to a client.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{Confidence, Evidence, Severity, Verdict, access, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "token-unbound",
    title: "Tokens are not bound to a client",
    severity: Severity::Info,
    what: "Checks whether the scanner's token is accepted from another IP address, from a client \
           that presents no key of its own.",
    why: "A bearer token that is copied from a log, a browser or a proxy works for the thief (RFC \
          6750 section 5.2). DPoP (RFC 9449) and mTLS (RFC 8705) bind it to a key.",
    sends: "One request to the protected route from an IP address that was not used before.",
    max_requests: 1,
    measures_limits: false,
    side_by_side: true,
    evidence: "The route accepts the token from another IP address as it did from the first \
               (positive control); no token and garbage are rejected (negative controls).",
    false_alarms: "The finding is informational: most tokens are bearer tokens, and short \
                   lifetimes are the usual mitigation.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["10.3.5"],
        cwe: &[294],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "8.2.8"],
        soc2: &["CC6.1"],
    },
    fix: "Keep access tokens short-lived, or bind them: DPoP for applications in browsers and on \
          phones, mTLS between servers.",
    recipes: &recipes::TOKENS,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let access = access::access(session).await?;
        let (door, issued) = match access.at_door() {
            Ok(found) => found,
            Err(reason) => return Ok(Verdict::not_applicable(reason)),
        };
        if !session.probe.has_sources() {
            let reason = "there is no other IP address to send from; provide some with --source";
            return Ok(Verdict::inconclusive(reason));
        }
        let source = session.need_source()?;
        let answer =
            access::ask_from(session, source, &door.path, Some(&issued.credential)).await?;
        Ok(judge(door.opens(&answer)))
    })
}

fn judge(opens: Option<bool>) -> Verdict {
    match opens {
        Some(true) => Verdict::find(
            Severity::Info,
            Confidence::High,
            Evidence::of("The route also accepts the scanner's token from another IP address."),
        ),
        Some(false) => Verdict::pass("The scanner's token is rejected from another IP address."),
        None => {
            Verdict::inconclusive("the response from another IP address matches neither control")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_travels_is_told() {
        assert!(matches!(judge(Some(true)), Verdict::Find(_)));
        assert!(matches!(judge(Some(false)), Verdict::Pass(_)));
        assert!(judge(None).is_inconclusive());
    }
}
