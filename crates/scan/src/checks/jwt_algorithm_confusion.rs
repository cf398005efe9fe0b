//! The public key is taken for a secret.

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access,
    jwt::{Jwt, Key, public_key_files},
    probe::Stop,
    request::Request,
    scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "jwt-algorithm-confusion",
    title: "A JWT that is signed with the public key is accepted",
    severity: Severity::High,
    what: "Tokens that a private key signs: is the own token accepted when it says \
           HS256 and is signed with the target's public key, as a file, as its \
           secret?",
    why: "The public key is public. Whoever can sign with it makes tokens for anybody \
          (RFC 8725 section 2.1).",
    sends: "Up to two requests for the target's keys (/.well-known/jwks.json, and \
            what its OIDC metadata names), and two with forged tokens of the \
            scanner's own account.",
    max_requests: 5,
    measures_limits: false,
    side_by_side: true,
    evidence: "The forged token is answered like the own one (positive control), \
               while no token, garbage and the own token with one character changed \
               are not (negative controls).",
    false_alarms: "None is known: the claims are the own account's, and only the \
                   algorithm and the signature differ.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["9.1.2", "9.1.3"],
        cwe: &[347, 327],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "8.3.2"],
        soc2: &["CC6.1"],
    },
    fix: "Fix the algorithm where the key is: verify with a list that holds RS256 \
             (or whichever it is) and no HS algorithm.",
    recipes: &recipes::JWT,
    policy: "",
    run,
};

/// Where public keys usually are, and what else may name them (OpenID Connect Discovery).
const USUAL: &str = "/.well-known/jwks.json";
const METADATA: &str = "/.well-known/openid-configuration";

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let access = access::access(session).await?;
        let (jwt, issued, door) = match access.jwt_at_door() {
            Ok(found) => found,
            Err(reason) => return Ok(Verdict::not_applicable(reason)),
        };
        if jwt.algorithm().starts_with("HS") {
            return Ok(Verdict::not_applicable(
                "a secret signs the tokens, and no private key",
            ));
        }
        let Some(key) = public_key(session, &jwt).await? else {
            let reason = "no public key was found at /.well-known/jwks.json or by OIDC metadata";
            return Ok(Verdict::not_applicable(reason));
        };
        let Some(files) = public_key_files(&key) else {
            return Ok(Verdict::not_applicable(
                "the public key is neither RSA nor P-256",
            ));
        };
        let mut header = jwt.header.clone();
        header["alg"] = "HS256".into();
        let mut answers = Vec::new();
        for file in files {
            let Some(token) = Jwt::signed_by(&Key::Secret(file), &header, &jwt.claims) else {
                continue;
            };
            let credential = issued.credential.with(&token);
            let answer = access::ask(session, &door.path, Some(&credential)).await?;
            answers.push((door.opens(&answer), answer.describe()));
        }
        let (verdict, shown) = judge(&answers);
        Ok(access::with_controls(verdict, door, shown))
    })
}

/// The key that the token names, else the first.
async fn public_key(session: &mut Session, jwt: &Jwt) -> Result<Option<Value>, Stop> {
    let mut path = USUAL.to_owned();
    for _ in 0..2 {
        let answer = session.ask(Request::get(&path)).await?;
        let document: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let keys = document
            .as_ref()
            .and_then(|document| document["keys"].as_array());
        if let Some(keys) = keys {
            let named = keys.iter().find(|key| key["kid"] == jwt.header["kid"]);
            return Ok(named.or(keys.first()).cloned());
        }
        if path != USUAL {
            break;
        }
        let metadata = session.ask(Request::get(METADATA)).await?;
        let metadata: Option<Value> = serde_json::from_slice(&metadata.body).ok();
        let named = metadata
            .as_ref()
            .and_then(|metadata| metadata["jwks_uri"].as_str());
        match named.and_then(|uri| session.probe.path_on_target(uri)) {
            Some(named) => path = named,
            None => break,
        }
    }
    Ok(None)
}

/// The verdict, and what to show for it.
fn judge(answers: &[(Option<bool>, String)]) -> (Verdict, Option<(String, String)>) {
    if let Some((_, answer)) = answers.iter().find(|(opens, _)| *opens == Some(true)) {
        let evidence =
            Evidence::of("The own token under HS256, signed with the public key, is accepted.");
        let shown = (
            "the own token signed with the public key".to_owned(),
            answer.clone(),
        );
        return (
            Verdict::find(Severity::High, Confidence::High, evidence),
            Some(shown),
        );
    }
    let verdict = match answers.iter().any(|(opens, _)| opens.is_none()) || answers.is_empty() {
        true => Verdict::inconclusive("a forged token was answered like neither control"),
        false => Verdict::pass("Tokens under HS256, signed with the public key, are refused."),
    };
    (verdict, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_opens_is_found() {
        let judged = |opens: &[Option<bool>]| {
            let answers: Vec<_> = opens
                .iter()
                .map(|opens| (*opens, "200".to_owned()))
                .collect();
            judge(&answers).0
        };
        assert!(matches!(
            judged(&[Some(false), Some(true)]),
            Verdict::Find(_)
        ));
        assert!(matches!(
            judged(&[Some(false), Some(false)]),
            Verdict::Pass(_)
        ));
        assert!(matches!(
            judged(&[Some(false), None]),
            Verdict::Skip {
                inconclusive: true,
                ..
            }
        ));
    }
}
