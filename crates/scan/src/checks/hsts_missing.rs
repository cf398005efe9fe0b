//! Logins over HTTPS that send no Strict-Transport-Security.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{Confidence, Evidence, Severity, Verdict, access, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "hsts-missing",
    title: "Strict-Transport-Security is missing",
    severity: Severity::Low,
    what: "Over HTTPS, checks whether the login response has Strict-Transport-Security with a \
           max-age (RFC 6797).",
    why: "Without it, the first request of a visit may go over plain HTTP, where an attacker on \
           the network path can keep it.",
    sends: "It evaluates the response to the scanner's login.",
    max_requests: 0,
    measures_limits: false,
    side_by_side: true,
    evidence: "The header of the response to a successful login; a max-age of 0 counts as \
           missing. Over plain HTTP the header has no effect, and the check does not apply.",
    false_alarms: "A host on the browsers' preload list does not need the header, but should send \
           it anyway.",
    standards: Standards {
        owasp_api: &["API8:2023"],
        asvs: &["3.4.1"],
        cwe: &[319, 523],
        nist: &["3.1.1.2"],
        pci_dss: &["4.2.1", "6.2.4"],
        soc2: &["CC6.7"],
    },
    fix: "Send Strict-Transport-Security: max-age=31536000; includeSubDomains. nginx: add_header \
           Strict-Transport-Security \"max-age=31536000\" always; Django: SECURE_HSTS_SECONDS; \
           Express: helmet.",
    recipes: &recipes::TRANSPORT,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        if !session.probe.is_https() {
            return Ok(Verdict::not_applicable(
                "the header has no effect over plain HTTP",
            ));
        }
        let access = access::access(session).await?;
        let Some(issued) = &access.issued else {
            return Ok(Verdict::inconclusive(
                "the response to a successful login contains no token",
            ));
        };
        Ok(judge(issued.answer.header("strict-transport-security")))
    })
}

fn judge(header: Option<&str>) -> Verdict {
    let directives = header.unwrap_or_default().split(';');
    let age = directives.filter_map(|part| {
        part.trim()
            .to_lowercase()
            .strip_prefix("max-age=")
            .map(str::to_owned)
    });
    let seconds: u64 = age
        .filter_map(|age| age.trim_matches('"').parse().ok())
        .next()
        .unwrap_or(0);
    if seconds > 0 {
        return Verdict::pass(format!("Browsers use HTTPS only, for {seconds} seconds."));
    }
    let summary =
        "The login response over HTTPS has no Strict-Transport-Security with a max-age above 0.";
    Verdict::find(Severity::Low, Confidence::High, Evidence::of(summary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_max_age_is_asked_for() {
        assert!(matches!(
            judge(Some("includeSubDomains; Max-Age=31536000")),
            Verdict::Pass(_)
        ));
        for header in [None, Some("max-age=0"), Some("includeSubDomains")] {
            assert!(matches!(judge(header), Verdict::Find(_)), "{header:?}");
        }
    }
}
