//! JWTs that never expire.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access, jwt::Jwt, probe::Stop, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "jwt-no-expiry",
    title: "JWTs never expire",
    severity: Severity::Medium,
    what: "Checks whether the scanner's token has the claim exp (RFC 7519 section 4.1.4).",
    why: "A token that never expires works forever for anyone who finds it in a log or a backup.",
    sends: "It evaluates the token from the scanner's login.",
    max_requests: 0,
    measures_limits: false,
    side_by_side: true,
    evidence: "The claims of the scanner's token, as issued.",
    false_alarms: "An application may revoke tokens with a list of its own; even then, the \
           finding is true of the token.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["9.2.1"],
        cwe: &[613],
        nist: &["5.2"],
        pci_dss: &["6.2.4", "8.3.2"],
        soc2: &["CC6.1"],
    },
    fix: "Give access tokens an exp of 5 to 60 minutes and renew them with a refresh token. \
           PyJWT: \"exp\": datetime.now(timezone.utc) + timedelta(minutes=15). \
           Flask-JWT-Extended: JWT_ACCESS_TOKEN_EXPIRES. simplejwt: ACCESS_TOKEN_LIFETIME. \
           jsonwebtoken: expiresIn.",
    recipes: &recipes::JWT,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(access::judge_jwt(session, judge))
}

fn judge(jwt: &Jwt) -> Verdict {
    match jwt.seconds("exp") {
        Some(_) => Verdict::pass("The scanner's token has an expiry (exp)."),
        None => Verdict::find(
            Severity::Medium,
            Confidence::High,
            Evidence::of("The scanner's token has no claim exp: it never expires."),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jwt::tests::signed;

    #[test]
    fn an_end_is_a_number() {
        assert!(matches!(
            judge(&signed(json!({"exp": 1_900_000_000}), "k")),
            Verdict::Pass(_)
        ));
        for claims in [json!({}), json!({"exp": "soon"})] {
            assert!(matches!(judge(&signed(claims, "k")), Verdict::Find(_)));
        }
    }
}
