//! The login is OAuth's password grant.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "password-grant",
    title: "The login is OAuth's password grant",
    severity: Severity::Info,
    what: "Does the OpenAPI document declare the flow password?",
    why: "The grant gives the password to the client and leaves no room for a second \
          factor; OAuth 2.1 drops it (RFC 9700 section 2.4).",
    sends: "Nothing: it reads the OpenAPI document.",
    max_requests: 0,
    measures_limits: false,
    side_by_side: true,
    evidence: "A security scheme of type oauth2 with a flow password, or Swagger \
               2.0's flow: password.",
    false_alarms: "FastAPI's tutorial declares it for a login of the application's \
                   own, which is no OAuth client. It is information and lowers no \
                   score.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["10.4.4"],
        cwe: &[522],
        nist: &["3.1.1.2"],
        pci_dss: &["6.2.4", "8.2.8"],
        soc2: &["CC6.1"],
    },
    fix: "Use the authorization code grant with PKCE where other clients log in; \
             for one's own pages a session will do.",
    recipes: &recipes::TOKENS,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    let has_document = session.found.document.is_some();
    let declared = has_document.then_some(session.found.password_grant);
    Box::pin(async move { Ok(judge(declared)) })
}

/// Whether the document declares it; `None` where there is no document.
fn judge(declared: Option<bool>) -> Verdict {
    match declared {
        Some(true) => Verdict::find(
            Severity::Info,
            Confidence::High,
            Evidence::of("The OpenAPI document declares OAuth's password grant."),
        ),
        Some(false) => Verdict::pass("The OpenAPI document declares no password grant."),
        None => Verdict::not_applicable("there is no OpenAPI document"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_information() {
        let Verdict::Find(found) = judge(Some(true)) else {
            panic!("the grant is not told");
        };
        assert_eq!(found.severity, Severity::Info);
        assert!(matches!(judge(Some(false)), Verdict::Pass(_)));
        assert!(matches!(judge(None), Verdict::Skip { .. }));
    }
}
