//! JWTs that contain secrets.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access, jwt::Jwt, probe::Stop, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "jwt-sensitive-claims",
    title: "JWTs contain a password, a hash or a personal number",
    severity: Severity::Medium,
    what: "Checks whether a claim of the scanner's token has the name of a secret or of a \
           personal number, or the form of a password hash.",
    why: "A JWT is signed but not encrypted: anyone who holds it or sees it in a log can read its \
           claims.",
    sends: "It evaluates the token from the scanner's login.",
    max_requests: 0,
    measures_limits: false,
    side_by_side: true,
    evidence: "The names and forms of the claims of the scanner's token; values are not shown.",
    false_alarms: "A claim may have such a name and hold something harmless; the finding names it.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["9.1.1", "14.2.4"],
        cwe: &[200, 312],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "8.3.2"],
        soc2: &["CC6.1"],
    },
    fix: "Put an opaque user ID into the token and look up the rest.",
    recipes: &recipes::JWT,
    policy: "",
    run,
};

/// Parts of claim names, in lower case and without dashes and underscores.
const NAMES: [&str; 9] = [
    "password",
    "passwd",
    "pwd",
    "secret",
    "privatekey",
    "apikey",
    "ssn",
    "creditcard",
    "cardnumber",
];

/// Prefixes of password hashes: bcrypt, Argon2, scrypt, crypt, Django, Werkzeug.
const FORMS: [&str; 9] = [
    "$2a$", "$2b$", "$2y$", "$argon2", "$scrypt$", "$6$", "pbkdf2", "scrypt:", "bcrypt",
];

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(access::judge_jwt(session, judge))
}

fn judge(jwt: &Jwt) -> Verdict {
    let claims = jwt.claims.as_object().into_iter().flatten();
    let told: Vec<String> = claims
        .filter(|(name, value)| is_sensitive(name, value.as_str().unwrap_or_default()))
        .map(|(name, _)| name.escape_debug().to_string())
        .collect();
    if told.is_empty() {
        return Verdict::pass(
            "No claim of the scanner's token has the name or the form of a secret.",
        );
    }
    let summary = format!(
        "The scanner's token contains {}, which anyone who holds it can read.",
        told.join(", ")
    );
    Verdict::find(Severity::Medium, Confidence::Medium, Evidence::of(summary))
}

fn is_sensitive(name: &str, value: &str) -> bool {
    let name = name.to_lowercase().replace(['_', '-'], "");
    NAMES.iter().any(|word| name.contains(word)) || FORMS.iter().any(|form| value.starts_with(form))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jwt::tests::signed;

    #[test]
    fn names_and_forms_of_secrets_are_known() {
        let sound = json!({"sub": "7", "email": "a@b.c", "scope": "read", "exp": 9});
        assert!(matches!(judge(&signed(sound, "k")), Verdict::Pass(_)));
        for claims in [
            json!({"user": {"a": 1}, "passwordHash": "x"}),
            json!({"h": "$argon2id$v=19$m=65536"}),
            json!({"ssn": "078-05-1120"}),
        ] {
            assert!(
                matches!(judge(&signed(claims.clone(), "k")), Verdict::Find(_)),
                "{claims}"
            );
        }
    }
}
