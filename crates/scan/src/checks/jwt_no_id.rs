//! JWTs without an ID.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access, jwt::Jwt, probe::Stop, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "jwt-no-id",
    title: "JWTs have no ID",
    severity: Severity::Low,
    what: "Checks whether the scanner's token has the claim jti (RFC 7519 section 4.1.7) or the \
           ID of its session.",
    why: "A token without an ID cannot be put on a revocation list, so logout can only revoke all \
           tokens or none.",
    sends: "It evaluates the token from the scanner's login.",
    max_requests: 0,
    measures_limits: false,
    side_by_side: true,
    evidence: "The claims of the scanner's token.",
    false_alarms: "An application may revoke tokens by their hash, or by the time of the user's \
           last logout.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["7.4.1"],
        cwe: &[613],
        nist: &["5.1"],
        pci_dss: &["6.2.4", "8.3.2"],
        soc2: &["CC6.1"],
    },
    fix: "Give each token a random jti of 128 bits and keep the revoked ones until their exp.",
    recipes: &recipes::JWT,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(access::judge_jwt(session, judge))
}

fn judge(jwt: &Jwt) -> Verdict {
    let names = ["jti", "sid", "session_id", "session_state"];
    match names.iter().find(|name| !jwt.claims[**name].is_null()) {
        Some(name) => Verdict::pass(format!(
            "The scanner's token can be identified by its {name}."
        )),
        None => Verdict::find(
            Severity::Low,
            Confidence::High,
            Evidence::of(
                "The scanner's token has no ID (jti or sid), so it cannot be revoked individually.",
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jwt::tests::signed;

    #[test]
    fn an_id_of_the_token_or_its_session_will_do() {
        assert!(matches!(
            judge(&signed(json!({"jti": "x"}), "k")),
            Verdict::Pass(_)
        ));
        assert!(matches!(
            judge(&signed(json!({"sid": 7}), "k")),
            Verdict::Pass(_)
        ));
        assert!(matches!(
            judge(&signed(json!({"sub": "a"}), "k")),
            Verdict::Find(_)
        ));
    }
}
