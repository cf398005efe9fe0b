//! The key of the JWTs stands in a list.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access, jwt::Jwt, probe::Stop, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "jwt-weak-secret",
    title: "The key that signs JWTs is a well-known one",
    severity: Severity::High,
    what: "Is the own token signed with a key that stands in documentation, tutorials \
           and templates, or that is an empty or one-word placeholder?",
    why: "Who knows the key makes tokens for anybody, and no login is asked.",
    sends: "Nothing: it reads the token of the scanner's own login.",
    max_requests: 0,
    measures_limits: false,
    side_by_side: true,
    evidence: "The key verifies the signature of the own token: certain, and without \
               a request.",
    false_alarms: "None: a key either verifies the signature or does not. A pass says \
                   only that the key is not among these.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["9.1.1", "11.2.3"],
        cwe: &[326, 798, 1391],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "8.3.2"],
        soc2: &["CC6.1"],
    },
    fix: "Make a key of 32 random bytes (openssl rand -hex 32), keep it out of the \
             repository, and give it by the environment; all tokens that the old one \
             signed end with it.",
    recipes: &recipes::JWT,
    policy: "",
    run,
};

/// Keys that everybody knows: placeholders, and those that documentation shows (jwt.io, FastAPI's
/// tutorial, Flask's, Django's and Express's examples).
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

/// The well-known key that signed it, if one did.
pub(crate) fn well_known(jwt: &Jwt) -> Option<&'static str> {
    KEYS.into_iter().find(|key| jwt.is_signed_with(key))
}

fn judge(jwt: &Jwt) -> Verdict {
    if !jwt.algorithm().starts_with("HS") {
        let algorithm = jwt.algorithm().escape_debug().to_string();
        return Verdict::not_applicable(format!(
            "tokens are signed by {algorithm}, not by a shared secret"
        ));
    }
    match well_known(jwt) {
        // The key is public already; which one it is helps to find where it stands.
        Some(key) => Verdict::find(
            Severity::High,
            Confidence::High,
            Evidence::of(format!(
                "The own token is signed with the well-known key {key:?}."
            )),
        ),
        None => Verdict::pass(format!(
            "The own token is signed with none of {} well-known keys.",
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
