//! The response that contains the token may be cached.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict,
    access::{self, Credential},
    probe::Stop,
    scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "token-response-cacheable",
    title: "The response that contains the token may be cached",
    severity: Severity::Low,
    what: "Checks whether the response that contains the scanner's token forbids storing it \
           (Cache-Control: no-store).",
    why: "A shared machine's browser or a proxy that stores the response exposes the token to the \
          next user.",
    sends: "It evaluates the response to the scanner's login.",
    max_requests: 0,
    measures_limits: false,
    side_by_side: true,
    evidence: "The Cache-Control header of the response to a successful login whose body contains \
               a token (RFC 6749 section 5.1).",
    false_alarms: "Responses to POST are rarely stored; if they are not, fixing the finding costs \
                   only the header.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["14.3.2"],
        cwe: &[524, 525],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "8.2.8"],
        soc2: &["CC6.1"],
    },
    fix: "Return Cache-Control: no-store for logins and refreshes. FastAPI: \
          response.headers[\"Cache-Control\"] = \"no-store\"; nginx: add_header Cache-Control \
          no-store always.",
    recipes: &recipes::TOKENS,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let access = access::access(session).await?;
        let Some(issued) = &access.issued else {
            return Ok(Verdict::not_applicable(
                "the response to a successful login contains no token",
            ));
        };
        if matches!(issued.credential, Credential::Cookie { .. }) {
            return Ok(Verdict::not_applicable(
                "the token is in a cookie, which caches leave alone",
            ));
        }
        Ok(judge(issued.answer.header("cache-control")))
    })
}

fn judge(cache_control: Option<&str>) -> Verdict {
    let value = cache_control.map(|value| value.to_lowercase());
    let forbidden = value
        .as_ref()
        .is_some_and(|value| value.contains("no-store"));
    if forbidden {
        return Verdict::pass("The response that contains the token has Cache-Control: no-store.");
    }
    let said = value.map_or("no Cache-Control".into(), |value| {
        format!("Cache-Control: {}", value.escape_debug())
    });
    let summary = format!("The response that contains the token lacks no-store: it has {said}.");
    Verdict::find(Severity::Low, Confidence::High, Evidence::of(summary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_no_store_will_do() {
        assert!(matches!(judge(Some("private, No-Store")), Verdict::Pass(_)));
        for said in [None, Some("no-cache"), Some("max-age=60")] {
            assert!(matches!(judge(said), Verdict::Find(_)), "{said:?}");
        }
    }
}
