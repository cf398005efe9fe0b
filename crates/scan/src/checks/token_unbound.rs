//! A token is good for whoever has it.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{Confidence, Evidence, Severity, Verdict, access, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "token-unbound",
    title: "A token is good wherever it is sent from",
    severity: Severity::Info,
    what: "Is the own token accepted from another address, by a client that shows no \
           key of its own?",
    why: "A bearer token that is copied out of a log, a browser or a proxy works for \
          the thief (RFC 6750 section 5.2). DPoP (RFC 9449) and mTLS (RFC 8705) bind \
          it to a key.",
    sends: "The protected route from an address that was not used before.",
    max_requests: 1,
    measures_limits: false,
    side_by_side: true,
    evidence: "The token opens the route from another address as it did from the \
               first (positive control); no token and garbage are refused (negative \
               controls).",
    false_alarms: "It is information: most tokens are bearer tokens, and short lives \
                   are the usual answer to it.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["10.3.5"],
        cwe: &[294],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "8.2.8"],
        soc2: &["CC6.1"],
    },
    fix: "Keep access tokens short, or bind them: DPoP for applications in \
             browsers and on telephones, mTLS between servers.",
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
            let reason = "there is no other address to ask from; give some with --source";
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
            Evidence::of("The own token opens the route from another address too."),
        ),
        Some(false) => Verdict::pass("From another address the own token is refused."),
        None => Verdict::inconclusive("from another address the answer is like neither control"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_travels_is_told() {
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
