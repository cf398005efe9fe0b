//! Passwords go over the network in the clear.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "plain-http",
    title: "The login is reached over plain http",
    severity: Severity::High,
    what: "Is the target scanned over http, and not on this machine?",
    why: "Whoever is on the way reads each password and token.",
    sends: "Nothing: it looks at the target.",
    max_requests: 0,
    measures_limits: false,
    side_by_side: true,
    evidence: "The scheme of the target that was named. Loopback carries nothing over \
               a network, and is passed over.",
    false_alarms: "A network that only a proxy with TLS reaches is better scanned \
                   through that proxy.",
    standards: Standards {
        owasp_api: &["API8:2023"],
        asvs: &["12.2.1"],
        cwe: &[319],
        nist: &["3.1.1.2"],
        pci_dss: &["4.2.1", "6.2.4"],
        soc2: &["CC6.7"],
    },
    fix: "Serve the login over TLS only and redirect http there. uvicorn and \
             gunicorn: behind nginx or Caddy; Django: SECURE_SSL_REDIRECT = True.",
    recipes: &recipes::TRANSPORT,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    let (https, loopback) = (session.probe.is_https(), session.probe.is_loopback());
    Box::pin(async move { Ok(judge(https, loopback)) })
}

fn judge(https: bool, loopback: bool) -> Verdict {
    match (https, loopback) {
        (true, _) => Verdict::pass("The login is reached over https."),
        (false, true) => Verdict::not_applicable("on loopback nothing goes over a network"),
        (false, false) => Verdict::find(
            Severity::High,
            Confidence::High,
            Evidence::of(
                "The login is reached over http: passwords go over the network in the clear.",
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_over_a_network_is_found() {
        assert!(matches!(judge(true, false), Verdict::Pass(_)));
        assert!(matches!(judge(false, true), Verdict::Skip { .. }));
        assert!(matches!(judge(false, false), Verdict::Find(_)));
    }
}
