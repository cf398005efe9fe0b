//! The login is served over plain HTTP.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "plain-http",
    title: "The login is served over plain HTTP",
    severity: Severity::High,
    what: "Checks whether the target is scanned over HTTP and is not on this machine.",
    why: "Anyone on the network path can read every password and token.",
    sends: "It evaluates the target's URL.",
    max_requests: 0,
    measures_limits: false,
    side_by_side: true,
    evidence: "The scheme of the target's URL. Loopback sends nothing over a network and is \
               skipped.",
    false_alarms: "A network that is reachable only through a TLS proxy is better scanned through \
                   that proxy.",
    standards: Standards {
        owasp_api: &["API8:2023"],
        asvs: &["12.2.1"],
        cwe: &[319],
        nist: &["3.1.1.2"],
        pci_dss: &["4.2.1", "6.2.4"],
        soc2: &["CC6.7"],
    },
    fix: "Serve the login over TLS only and redirect HTTP there. uvicorn and gunicorn: behind \
          nginx or Caddy; Django: SECURE_SSL_REDIRECT = True.",
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
        (true, _) => Verdict::pass("The login is served over HTTPS."),
        (false, true) => {
            Verdict::not_applicable("the target is on loopback, which sends nothing over a network")
        }
        (false, false) => Verdict::find(
            Severity::High,
            Confidence::High,
            Evidence::of(
                "The login is served over HTTP: passwords cross the network in plain text.",
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
        assert!(matches!(judge(false, true), Verdict::NotApplicable(_)));
        assert!(matches!(judge(false, false), Verdict::Find(_)));
    }
}
