//! JWTs that supply the key that they are verified with.

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access,
    jwt::{Jwt, Key},
    probe::{KeyServer, Stop},
    scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "jwt-key-injection",
    title: "A JWT that supplies its own key is accepted",
    severity: Severity::High,
    what: "Signs the scanner's token with a new key and names that key: in its header (jwk), at a \
           URL (jku, x5u), or as an empty file (kid). Checks whether the token is accepted or the \
           URL is requested.",
    why: "An attacker who chooses the key can sign tokens for any account (RFC 8725 section 3.10).",
    sends: "Up to four requests with forged tokens of the scanner's own account. The URLs that \
           they name are the scanner's own, on loopback, and are tried on loopback targets only.",
    max_requests: 4,
    measures_limits: false,
    side_by_side: true,
    evidence: "The forged token gets the same response as the scanner's token (positive control), \
           while no token, a made-up token and the scanner's token with one character changed do \
           not (negative controls). For jku and x5u, a request to the URL is enough, since \
           nothing else knows it.",
    false_alarms: "None known.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["9.1.3"],
        cwe: &[347, 345],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "8.3.2"],
        soc2: &["CC6.1"],
    },
    fix: "Take the key from your own configuration or from the JWKS of an issuer that you \
           configured, by a kid that it contains; ignore jwk, jku, x5u and x5c in a token.",
    recipes: &recipes::JWT,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let access = access::access(session).await?;
        let (jwt, issued, door) = match access.jwt_at_door() {
            Ok(found) => found,
            Err(reason) => return Ok(Verdict::not_applicable(reason)),
        };
        let Some((key, algorithm, jwk)) = Key::invented(jwt.algorithm()) else {
            return Ok(Verdict::inconclusive("no key could be generated"));
        };
        let server = match session.probe.is_loopback() {
            true => KeyServer::start(&json!({"keys": [jwk]})).await,
            false => None,
        };
        let mut answers = Vec::new();
        for (how, token) in forged(&jwt, &key, algorithm, &jwk, server.as_ref()) {
            let credential = issued.credential.with(&token);
            let answer = access::ask(session, &door.path, Some(&credential)).await?;
            let opens = door.opens(&answer);
            answers.push((how, opens, answer.describe()));
            if opens == Some(true) {
                break;
            }
        }
        let asked = server.is_some_and(|server| server.was_asked());
        let (verdict, shown) = judge(&answers, asked);
        Ok(access::with_controls(verdict, door, shown))
    })
}

/// Returns the scanner's token under headers that name the key, each with the header's name.
fn forged(
    jwt: &Jwt,
    key: &Key,
    algorithm: &str,
    jwk: &Value,
    server: Option<&KeyServer>,
) -> Vec<(&'static str, String)> {
    let with = |member: &str, value: Value| {
        let mut header = json!({"alg": algorithm, "typ": "JWT", "kid": "dw"});
        header[member] = value;
        header
    };
    let mut all = vec![(
        "jwk",
        Jwt::signed_by(key, &with("jwk", jwk.clone()), &jwt.claims),
    )];
    if let Some(url) = server.map(KeyServer::url) {
        for member in ["jku", "x5u"] {
            let header = with(member, url.clone().into());
            all.push((member, Jwt::signed_by(key, &header, &jwt.claims)));
        }
    }
    if algorithm == "HS256" {
        // A file that is empty on every system that has it.
        let header = with("kid", "../../../../../../dev/null".into());
        let empty = Key::Secret(Vec::new());
        all.push(("kid", Jwt::signed_by(&empty, &header, &jwt.claims)));
    }
    let made = all
        .into_iter()
        .filter_map(|(how, token)| Some((how, token?)));
    made.collect()
}

/// Judges the response to each header, and whether the scanner's own URL was requested.
fn judge(
    answers: &[(&str, Option<bool>, String)],
    asked: bool,
) -> (Verdict, Option<(String, String)>) {
    let find =
        |summary: String| Verdict::find(Severity::High, Confidence::High, Evidence::of(summary));
    if let Some((how, _, answer)) = answers.iter().find(|(_, opens, _)| *opens == Some(true)) {
        let shown = (
            format!("the scanner's token with another key in {how}"),
            answer.clone(),
        );
        let verdict = find(format!(
            "The scanner's token is accepted with a key that its {how} header names."
        ));
        return (verdict, Some(shown));
    }
    if asked {
        let verdict = find("The target requested a URL that a token named for its keys.".into());
        return (verdict, None);
    }
    if answers.is_empty() || answers.iter().any(|(_, opens, _)| opens.is_none()) {
        let reason = "a forged token got a response that matches neither control";
        return (Verdict::inconclusive(reason), None);
    }
    let tried: Vec<&str> = answers.iter().map(|(how, _, _)| *how).collect();
    let summary = format!(
        "Keys that a token names are not trusted: {}.",
        tried.join(", ")
    );
    (Verdict::pass(summary), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_or_asks_is_found() {
        let judged = |opens, asked| judge(&[("jwk", opens, "200".into())], asked).0;
        assert!(matches!(judged(Some(true), false), Verdict::Find(_)));
        assert!(matches!(judged(Some(false), true), Verdict::Find(_)));
        assert!(matches!(judged(Some(false), false), Verdict::Pass(_)));
        assert!(judged(None, false).is_inconclusive());
    }
}
