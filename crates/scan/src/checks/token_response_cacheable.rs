//! Caches may keep the answer that holds the token.

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
    title: "Caches may keep the answer that holds the token",
    severity: Severity::Low,
    what: "Does the answer that holds the own token forbid storing it (Cache-Control: \
           no-store)?",
    why: "A shared machine's browser or a proxy that keeps the answer hands the token \
          to the next one.",
    sends: "Nothing: it reads the answer to the own login.",
    max_requests: 0,
    measures_limits: false,
    side_by_side: true,
    evidence: "The header Cache-Control of the answer to a right login whose body \
               holds a token (RFC 6749 section 5.1).",
    false_alarms: "Answers to POST are rarely stored; where they are not, the finding \
                   costs nothing but the header.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["14.3.2"],
        cwe: &[524, 525],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "8.2.8"],
        soc2: &["CC6.1"],
    },
    fix: "Answer logins and refreshes with Cache-Control: no-store. FastAPI: \
             response.headers[\"Cache-Control\"] = \"no-store\"; nginx: add_header \
             Cache-Control no-store always.",
    recipes: &recipes::TOKENS,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let access = access::access(session).await?;
        let Some(issued) = &access.issued else {
            return Ok(Verdict::not_applicable(
                "the answer to a right login holds no token",
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
    let told = cache_control.map(|value| value.to_lowercase());
    let forbidden = told
        .as_ref()
        .is_some_and(|value| value.contains("no-store"));
    if forbidden {
        return Verdict::pass("The answer that holds the token says no-store.");
    }
    let said = told.map_or("no Cache-Control".into(), |value| {
        format!("Cache-Control: {}", value.escape_debug())
    });
    let summary = format!("The answer that holds the token says {said}, not no-store.");
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
