//! A JWT whose end has come is accepted.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access, jwt::Jwt, probe::Stop, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "jwt-expired-accepted",
    title: "A JWT is accepted after its end",
    severity: Severity::High,
    what: "The own token is signed anew by the key that signs it, with an end that \
           was an hour ago: is it accepted?",
    why: "A token that never ends is a password that nobody can change.",
    sends: "Two requests with tokens of the scanner's own account. It takes the key: \
            a well-known one (jwt-weak-secret), or the one that the operator gives in \
            DOORWARDEN_JWT_KEY.",
    max_requests: 2,
    measures_limits: false,
    side_by_side: true,
    evidence: "The own claims signed anew are accepted (positive control: the key is \
               the right one); the same with an end that has come are accepted too. \
               No token and garbage are refused (negative controls).",
    false_alarms: "A grace of minutes is common; an hour is none.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["9.2.1"],
        cwe: &[613],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "8.3.2"],
        soc2: &["CC6.1"],
    },
    fix: "Have the library check exp, and require it. PyJWT: options={\"require\": \
             [\"exp\"]}; it checks by itself unless verify_exp is off. jsonwebtoken: \
             ignoreExpiration must not be set.",
    recipes: &recipes::JWT,
    policy: "",
    run,
};

/// Seconds since the end; more than any grace.
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
        let shown = answers
            .pop()
            .map(|(_, answer)| ("the own token with an end an hour ago".to_owned(), answer));
        Ok(access::with_controls(verdict, door, shown))
    })
}

/// What the route says to the own claims signed anew, and to ended ones.
fn judge(opens: &[Option<bool>]) -> Verdict {
    match opens {
        [Some(true), Some(true)] => Verdict::find(
            Severity::High,
            Confidence::High,
            Evidence::of("The own token is accepted an hour after its end."),
        ),
        [Some(true), Some(false)] => Verdict::pass("A token whose end was an hour ago is refused."),
        [Some(true), _] => {
            Verdict::inconclusive("an ended token was answered like neither control")
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
        assert!(matches!(
            judge(&[Some(false), Some(false)]),
            Verdict::Skip {
                inconclusive: true,
                ..
            }
        ));
        assert!(matches!(
            judge(&[Some(true), None]),
            Verdict::Skip {
                inconclusive: true,
                ..
            }
        ));
    }
}
