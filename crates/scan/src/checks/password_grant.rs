//! The API declares the OAuth password grant.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "password-grant",
    title: "The API declares the OAuth password grant",
    severity: Severity::Info,
    what: "Checks whether the OpenAPI document declares the OAuth password flow.",
    why: "The grant gives the password to the client and leaves no room for a second factor; OAuth \
          2.1 removes it (RFC 9700 section 2.4).",
    sends: "It evaluates the OpenAPI document.",
    max_requests: 0,
    measures_limits: false,
    side_by_side: true,
    evidence: "A security scheme of type oauth2 with a password flow, or Swagger 2.0's flow: \
               password.",
    false_alarms: "FastAPI's tutorial declares it for an application's own login, which is not an \
                   OAuth client. The finding is informational and does not lower the score.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["10.4.4"],
        cwe: &[522],
        nist: &["3.1.1.2"],
        pci_dss: &["6.2.4", "8.2.8"],
        soc2: &["CC6.1"],
    },
    fix: "Use the authorization code grant with PKCE if other clients log in; for your own pages a \
          session is enough.",
    recipes: &recipes::TOKENS,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    let has_document = session.found.document.is_some();
    let declared = has_document.then_some(session.found.password_grant);
    Box::pin(async move { Ok(judge(declared)) })
}

/// Judges whether the document declares it; `None` if there is no document.
fn judge(declared: Option<bool>) -> Verdict {
    match declared {
        Some(true) => Verdict::find(
            Severity::Info,
            Confidence::High,
            Evidence::of("The OpenAPI document declares the OAuth password grant."),
        ),
        Some(false) => Verdict::pass("The OpenAPI document does not declare the password grant."),
        None => Verdict::not_applicable("there is no OpenAPI document"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_information() {
        let Verdict::Find(found) = judge(Some(true)) else {
            panic!("the grant is not reported");
        };
        assert_eq!(found.severity, Severity::Info);
        assert!(matches!(judge(Some(false)), Verdict::Pass(_)));
        assert!(matches!(judge(None), Verdict::NotApplicable(_)));
    }
}
