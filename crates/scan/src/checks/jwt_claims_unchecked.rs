//! JWTs whose audience, issuer, start or type is not checked.

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access, jwt::Jwt, probe::Stop, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "jwt-claims-unchecked",
    title: "The audience, issuer, start or type of a JWT is not checked",
    severity: Severity::Medium,
    what: "Signs the scanner's token again with the signing key and one claim changed: another \
           audience (aud), another issuer (iss), a start tomorrow (nbf) or, if the type is \
           at+jwt, another type (typ). Checks whether it is accepted.",
    why: "Services that share a key or an issuer accept each other's tokens unless they check \
           whom a token is for (RFC 8725 sections 3.8, 3.9 and 3.11).",
    sends: "Up to five requests with tokens of the scanner's own account. It needs the signing \
           key, as jwt-expired-accepted does.",
    max_requests: 5,
    measures_limits: false,
    side_by_side: true,
    evidence: "The original claims, signed again, are accepted (positive control), and so is the \
           token with one claim changed. No token and a made-up token are rejected (negative \
           controls). Except for nbf, only claims that the original token has are changed.",
    false_alarms: "An application that shares its key with no other may ignore aud on purpose; it \
           should not issue one then.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["9.2.2", "9.2.3", "9.2.4"],
        cwe: &[345, 287],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "8.3.2"],
        soc2: &["CC6.1"],
    },
    fix: "State what you expect. PyJWT: jwt.decode(token, key, algorithms=[\"HS256\"], \
           audience=\"api\", issuer=\"me\"). jsonwebtoken.verify: audience and issuer. simplejwt: \
           AUDIENCE and ISSUER. Flask-JWT-Extended: JWT_DECODE_AUDIENCE and JWT_DECODE_ISSUER.",
    recipes: &recipes::JWT,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let access = access::access(session).await?;
        let (jwt, key) = match access::keyed_jwt(session, &access) {
            Ok(keyed) => keyed,
            Err(verdict) => return Ok(*verdict),
        };
        let (door, issued) = match access.at_door() {
            Ok(found) => found,
            Err(reason) => return Ok(Verdict::not_applicable(reason)),
        };
        let mut answers = Vec::new();
        for (what, header, claims) in changed(&jwt, session.now()) {
            let Some(token) = Jwt::signed_by(&key, &header, &claims) else {
                continue;
            };
            let credential = issued.credential.with(&token);
            let answer = access::ask(session, &door.path, Some(&credential)).await?;
            answers.push((what, door.opens(&answer)));
        }
        Ok(access::with_controls(judge(&answers), door, None))
    })
}

/// Returns the scanner's token, and copies of it with one change each.
fn changed(jwt: &Jwt, now: f64) -> Vec<(&'static str, Value, Value)> {
    let mut all = vec![("", jwt.header.clone(), jwt.claims.clone())];
    let mut add = |what, claim: &str, value: Value| {
        let mut claims = jwt.claims.clone();
        claims[claim] = value;
        all.push((what, jwt.header.clone(), claims));
    };
    if !jwt.claims["aud"].is_null() {
        add("another audience (aud)", "aud", "another-audience".into());
    }
    if !jwt.claims["iss"].is_null() {
        add(
            "another issuer (iss)",
            "iss",
            "https://another-issuer.invalid".into(),
        );
    }
    add(
        "a start tomorrow (nbf)",
        "nbf",
        ((now + 86_400.0) as u64).into(),
    );
    let typ = jwt.header["typ"].as_str().unwrap_or_default();
    if typ.eq_ignore_ascii_case("at+jwt") {
        let mut header = jwt.header.clone();
        header["typ"] = "logout+jwt".into();
        all.push(("another type (typ)", header, jwt.claims.clone()));
    }
    all
}

/// Judges the response to the original claims, which comes first, and to each change.
fn judge(answers: &[(&str, Option<bool>)]) -> Verdict {
    let Some(((_, Some(true)), changes)) = answers.split_first() else {
        return Verdict::inconclusive(access::NOT_THE_KEY);
    };
    let told = |wanted: Option<bool>| -> Vec<&str> {
        let of = changes.iter().filter(|(_, opens)| *opens == wanted);
        of.map(|(what, _)| *what).collect()
    };
    let accepted = told(Some(true));
    if !accepted.is_empty() {
        let summary = format!(
            "The scanner's token is accepted with {}.",
            accepted.join(", ")
        );
        return Verdict::find(Severity::Medium, Confidence::High, Evidence::of(summary));
    }
    if !told(None).is_empty() {
        return Verdict::inconclusive(
            "a changed token got a response that matches neither control",
        );
    }
    Verdict::pass(format!(
        "The scanner's token is rejected with {}.",
        told(Some(false)).join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jwt::tests::signed;

    #[test]
    fn a_change_that_opens_is_found() {
        let judged = |own, other| judge(&[("", own), ("another audience", other)]);
        assert!(matches!(judged(Some(true), Some(true)), Verdict::Find(_)));
        assert!(matches!(judged(Some(true), Some(false)), Verdict::Pass(_)));
        assert!(judged(Some(false), Some(true)).is_inconclusive());
        assert!(judged(Some(true), None).is_inconclusive());
    }

    #[test]
    fn only_what_is_there_is_changed() {
        let count = |claims| changed(&signed(claims, "k"), 0.0).len();
        assert_eq!(
            (
                count(json!({"sub": "a"})),
                count(json!({"aud": "x", "iss": "y"}))
            ),
            (2, 4)
        );
    }
}
