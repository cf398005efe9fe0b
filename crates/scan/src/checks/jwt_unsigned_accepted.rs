//! Unsigned JWTs that are accepted.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{Confidence, Evidence, Severity, Verdict, access, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "jwt-unsigned-accepted",
    title: "An unsigned JWT is accepted",
    severity: Severity::High,
    what: "Sends the scanner's token again with its claims unchanged: with a header that sets the \
           algorithm to none (in four spellings), and with its signature removed. Checks whether \
           one of them gets the same response as the scanner's token.",
    why: "An attacker who can leave out the signature can write any name into the claims (RFC \
           8725 section 3.1).",
    sends: "Up to five requests with forged tokens of the scanner's own account, to the route of \
           the controls.",
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
        asvs: &["9.1.1", "9.1.2"],
        cwe: &[347, 345],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "8.3.2"],
        soc2: &["CC6.1"],
    },
    fix: "Verify with a fixed list of algorithms, whatever the token says about itself. PyJWT: \
           jwt.decode(token, key, algorithms=[\"HS256\"]). python-jose, Authlib and joserfc: pass \
           the algorithms too. Express: jsonwebtoken.verify(token, key, { algorithms: [\"HS256\"] \
           }). Django REST: simplejwt does so by default.",
    recipes: &recipes::JWT,
    policy: "",
    run,
};

/// Spellings of `none` that have passed filters.
const SPELLINGS: [&str; 4] = ["none", "None", "NONE", "nOnE"];

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let access = access::access(session).await?;
        let (jwt, issued, door) = match access.jwt_at_door() {
            Ok(found) => found,
            Err(reason) => return Ok(Verdict::not_applicable(reason)),
        };
        let unsigned =
            SPELLINGS.map(|spelling| (format!("alg {spelling}"), jwt.unsigned(spelling)));
        let stripped = ("its signature removed".to_owned(), jwt.stripped());
        let mut answers = Vec::new();
        for (how, token) in unsigned.into_iter().chain([stripped]) {
            let credential = issued.credential.with(&token);
            let answer = access::ask(session, &door.path, Some(&credential)).await?;
            let opens = door.opens(&answer);
            answers.push((how, opens, answer.describe()));
            if opens == Some(true) {
                break;
            }
        }
        let (verdict, shown) = judge(&answers);
        Ok(access::with_controls(verdict, door, shown))
    })
}

/// Returns the verdict and the exhibit that it rests on.
fn judge(answers: &[(String, Option<bool>, String)]) -> (Verdict, Option<(String, String)>) {
    let taken = answers.iter().find(|(_, opens, _)| *opens == Some(true));
    if let Some((how, _, answer)) = taken {
        let summary = format!("The scanner's token with {how} is accepted.");
        let verdict = Verdict::find(Severity::High, Confidence::High, Evidence::of(summary));
        return (
            verdict,
            Some((format!("the scanner's token with {how}"), answer.clone())),
        );
    }
    if answers.iter().any(|(_, opens, _)| opens.is_none()) {
        let reason = "an unsigned token got a response that matches neither control";
        return (Verdict::inconclusive(reason), None);
    }
    let summary = "Unsigned tokens are rejected: with alg none in four spellings, and with the signature removed.";
    (Verdict::pass(summary), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_opens_is_found() {
        let answers = |opens: &[Option<bool>]| -> Vec<(String, Option<bool>, String)> {
            opens
                .iter()
                .map(|opens| ("alg none".into(), *opens, "200".into()))
                .collect()
        };
        let refused = judge(&answers(&[Some(false); 5])).0;
        assert!(matches!(refused, Verdict::Pass(_)));
        let taken = judge(&answers(&[Some(false), Some(true)])).0;
        assert!(matches!(taken, Verdict::Find(_)));
        let odd = judge(&answers(&[Some(false), None])).0;
        assert!(odd.is_inconclusive());
    }
}
