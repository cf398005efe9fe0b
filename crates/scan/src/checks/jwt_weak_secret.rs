//! JWTs that are signed with a well-known key.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access, jwt::Jwt, probe::Stop, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "jwt-weak-secret",
    title: "JWTs are signed with a well-known key",
    severity: Severity::High,
    what: "Checks whether the scanner's token is signed with a key from documentation, tutorials \
           or templates, or with an empty or one-word placeholder.",
    why: "Anyone who knows the key can sign tokens for any account, without a login.",
    sends: "It evaluates the token from the scanner's login.",
    max_requests: 0,
    measures_limits: false,
    side_by_side: true,
    evidence: "The key verifies the signature of the scanner's token: this is certain, and needs \
           no request.",
    false_alarms: "None: a key either verifies the signature or does not. A pass means only that \
           the key is not one of these.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["9.1.1", "11.2.3"],
        cwe: &[326, 798, 1391],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "8.3.2"],
        soc2: &["CC6.1"],
    },
    fix: "Generate a key of 32 random bytes (openssl rand -hex 32), keep it out of the repository \
           and pass it through the environment. All tokens signed with the old key become \
           invalid.",
    recipes: &recipes::JWT,
    policy: "",
    run,
};

/// Well-known keys: placeholders, and those in documentation (jwt.io, FastAPI's tutorial, examples
/// of Flask, Django and Express).
const KEYS: [&str; 28] = [
    "",
    "secret",
    "Secret",
    "SECRET",
    "secretkey",
    "secret_key",
    "secret-key",
    "SECRET_KEY",
    "mysecret",
    "mysecretkey",
    "my_secret_key",
    "my-secret-key",
    "supersecret",
    "super-secret",
    "supersecretkey",
    "jwt_secret",
    "jwt-secret",
    "jwt-secret-string",
    "JWT_SECRET",
    "changeme",
    "change-me",
    "password",
    "test",
    "dev",
    "key",
    "your-256-bit-secret",
    "a-string-secret-at-least-256-bits-long",
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
];

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(access::judge_jwt(session, judge))
}

/// Returns the well-known key that signed it, if one did.
pub(crate) fn well_known(jwt: &Jwt) -> Option<&'static str> {
    KEYS.into_iter().find(|key| jwt.is_signed_with(key))
}

fn judge(jwt: &Jwt) -> Verdict {
    if !jwt.algorithm().starts_with("HS") {
        let algorithm = jwt.algorithm().escape_debug().to_string();
        return Verdict::not_applicable(format!(
            "tokens are signed with {algorithm}, not with a shared secret"
        ));
    }
    match well_known(jwt) {
        // The key is public already; naming it helps to find where it is configured.
        Some(key) => Verdict::find(
            Severity::High,
            Confidence::High,
            Evidence::of(format!(
                "The scanner's token is signed with the well-known key {key:?}."
            )),
        ),
        None => Verdict::pass(format!(
            "The scanner's token is not signed with any of {} well-known keys.",
            KEYS.len()
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jwt::tests::signed;

    #[test]
    fn a_well_known_key_is_known() {
        assert!(matches!(
            judge(&signed(json!({"sub": "a"}), "k")),
            Verdict::Pass(_)
        ));
        for key in ["secret", "your-256-bit-secret", ""] {
            let jwt = signed(json!({"sub": "a"}), key);
            assert!(matches!(judge(&jwt), Verdict::Find(_)), "{key}");
        }
    }
}
