//! Expired JWTs that are accepted.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access, jwt::Jwt, probe::Stop, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "jwt-expired-accepted",
    title: "An expired JWT is accepted",
    severity: Severity::High,
    what: "Signs the scanner's token again with the signing key and an expiry one hour ago. \
           Checks whether it is accepted.",
    why: "A token that never expires is a password that cannot be changed.",
    sends: "Two requests with tokens of the scanner's own account. It needs the signing key: a \
           well-known one (jwt-weak-secret), or the one in DOORWARDEN_JWT_KEY.",
    max_requests: 2,
    measures_limits: false,
    side_by_side: true,
    evidence: "The original claims, signed again, are accepted (positive control: the key is \
           correct), and so are the same claims with an expiry in the past. No token and a \
           made-up token are rejected (negative controls).",
    false_alarms: "A grace period of minutes is common; one of an hour is not.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["9.2.1"],
        cwe: &[613],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "8.3.2"],
        soc2: &["CC6.1"],
    },
    fix: "Have the library check exp, and require it. PyJWT: options={\"require\": [\"exp\"]}; it \
           checks exp by default unless verify_exp is off. jsonwebtoken: ignoreExpiration must \
           not be set.",
    recipes: &recipes::JWT,
    policy: "",
    run,
};

/// Seconds since the expiry; more than any grace period.
const ENDED: f64 = 3600.0;

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let access = access::access(session).await?;
        let (jwt, key) = match access::keyed_jwt(session, &access) {
            Ok(keyed) => keyed,
            Err(verdict) => return Ok(*verdict),
        };
        let mut claims = jwt.claims.clone();
        for claim in ["iat", "nbf"] {
            if let Some(at) = jwt.seconds(claim) {
                claims[claim] = ((at - 2.0 * ENDED) as u64).into();
            }
        }
        claims["exp"] = ((session.now() - ENDED) as u64).into();
        let tokens =
            [jwt.claims.clone(), claims].map(|claims| Jwt::signed_by(&key, &jwt.header, &claims));
        let (door, issued) = match access.at_door() {
            Ok(found) => found,
            Err(reason) => return Ok(Verdict::not_applicable(reason)),
        };
        let mut answers = Vec::new();
        for token in tokens.into_iter().flatten() {
            let credential = issued.credential.with(&token);
            let answer = access::ask(session, &door.path, Some(&credential)).await?;
            answers.push((door.opens(&answer), answer.describe()));
        }
        let verdict = judge(&answers.iter().map(|(opens, _)| *opens).collect::<Vec<_>>());
        let shown = answers.pop().map(|(_, answer)| {
            (
                "the scanner's token with an expiry an hour ago".to_owned(),
                answer,
            )
        });
        Ok(access::with_controls(verdict, door, shown))
    })
}

/// Judges the responses to the original claims, signed again, and to expired ones.
fn judge(opens: &[Option<bool>]) -> Verdict {
    match opens {
        [Some(true), Some(true)] => Verdict::find(
            Severity::High,
            Confidence::High,
            Evidence::of("The scanner's token is accepted an hour after its expiry."),
        ),
        [Some(true), Some(false)] => Verdict::pass("A token that expired an hour ago is rejected."),
        [Some(true), _] => {
            Verdict::inconclusive("an expired token got a response that matches neither control")
        }
        _ => Verdict::inconclusive(access::NOT_THE_KEY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ended_token_that_opens_is_found_where_the_key_is_right() {
        assert!(matches!(judge(&[Some(true), Some(true)]), Verdict::Find(_)));
        assert!(matches!(
            judge(&[Some(true), Some(false)]),
            Verdict::Pass(_)
        ));
        assert!(judge(&[Some(false), Some(false)]).is_inconclusive());
        assert!(judge(&[Some(true), None]).is_inconclusive());
    }
}
