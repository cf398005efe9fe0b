//! JWTs that any service that verifies them can issue.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access, jwt::Jwt, probe::Stop, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "jwt-symmetric",
    title: "JWTs are signed with a shared secret",
    severity: Severity::Info,
    what: "Checks whether the scanner's token is signed with a shared secret (HS256, HS384, \
           HS512).",
    why: "Every service that can verify such a token can also issue one. That is not a flaw of \
           one application alone; it is one if several share the key.",
    sends: "It evaluates the token from the scanner's login.",
    max_requests: 0,
    measures_limits: false,
    side_by_side: true,
    evidence: "The header of the scanner's token.",
    false_alarms: "The finding is informational and does not lower the score.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["9.1.3"],
        cwe: &[347],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "8.3.2"],
        soc2: &["CC6.1"],
    },
    fix: "If more than one service verifies tokens, sign with RS256, ES256 or EdDSA and publish \
           the keys (JWKS).",
    recipes: &recipes::JWT,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(access::judge_jwt(session, judge))
}

fn judge(jwt: &Jwt) -> Verdict {
    let algorithm = jwt.algorithm().escape_debug().to_string();
    if algorithm.starts_with("HS") {
        let summary = format!(
            "The scanner's token is signed with {algorithm}: any service that can verify it can issue it."
        );
        return Verdict::find(Severity::Info, Confidence::High, Evidence::of(summary));
    }
    Verdict::pass(format!("The scanner's token is signed with {algorithm}."))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jwt::tests::signed;

    #[test]
    fn a_shared_secret_is_information() {
        let Verdict::Find(found) = judge(&signed(json!({}), "k")) else {
            panic!("HS256 is not reported");
        };
        assert_eq!(found.severity, Severity::Info);
    }
}
