//! JWTs that are verified with the public key as a shared secret.

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
    title: "A JWT signed with the public key is accepted",
    severity: Severity::High,
    what: "For tokens signed with a private key, checks whether the scanner's token is accepted \
           if its header says HS256 and it is signed with the target's public key file as the \
           secret.",
    why: "The public key is public: anyone can sign tokens for any account with it (RFC 8725 \
           section 2.1).",
    sends: "Up to three requests for the target's keys (/.well-known/jwks.json, its OIDC metadata \
           and the address that this names), and two with forged tokens of the scanner's own \
           account.",
    max_requests: 5,
    measures_limits: false,
    side_by_side: true,
    evidence: "The forged token gets the same response as the scanner's token (positive control), \
           while no token, a made-up token and the scanner's token with one character changed do \
           not (negative controls).",
    false_alarms: "None known: the claims are those of the scanner's own account, and only the \
           algorithm and the signature differ.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["9.1.2", "9.1.3"],
        cwe: &[347, 327],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "8.3.2"],
        soc2: &["CC6.1"],
    },
    fix: "Fix the algorithm where the key is configured: verify with a list that contains RS256 \
           (or whichever you use) and no HS algorithm.",
    recipes: &recipes::JWT,
    policy: "",
    run,
};

/// The usual path of the public keys, and of metadata that may name another (OpenID Connect
/// Discovery).
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
                "the tokens are signed with a shared secret, not with a private key",
            ));
        }
        let Some(key) = public_key(session, &jwt).await? else {
            let reason =
                "no public key was found at /.well-known/jwks.json or through OIDC metadata";
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

/// Returns the key that the token names, or else the first.
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

/// Returns the verdict and the exhibit that it rests on.
fn judge(answers: &[(Option<bool>, String)]) -> (Verdict, Option<(String, String)>) {
    if let Some((_, answer)) = answers.iter().find(|(opens, _)| *opens == Some(true)) {
        let evidence = Evidence::of(
            "The scanner's token, changed to HS256 and signed with the public key, is accepted.",
        );
        let shown = (
            "the scanner's token signed with the public key".to_owned(),
            answer.clone(),
        );
        return (
            Verdict::find(Severity::High, Confidence::High, evidence),
            Some(shown),
        );
    }
    let verdict = match answers.iter().any(|(opens, _)| opens.is_none()) || answers.is_empty() {
        true => Verdict::inconclusive("a forged token got a response that matches neither control"),
        false => Verdict::pass("HS256 tokens signed with the public key are rejected."),
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
        assert!(judged(&[Some(false), None]).is_inconclusive());
    }
}
