//! Token introspection that needs no authentication.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access, answer::Answer, probe::Stop, request::Request,
    scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "introspection-open",
    title: "Token introspection needs no authentication",
    severity: Severity::Medium,
    what: "Sends the scanner's token to the introspection endpoint (RFC 7662) without any \
           credentials. Checks whether it is reported as active, and a made-up token is not.",
    why: "Anyone who finds a token learns whose it is and how long it is valid, and an attacker \
           who guesses tokens learns when one is valid, bypassing the limits of the login.",
    sends: "The scanner's token, to the introspection endpoint that the OpenAPI document lists or \
           else to /introspect; and a made-up token, if the first was reported as active.",
    max_requests: 2,
    measures_limits: false,
    side_by_side: true,
    evidence: "Without credentials, the scanner's token is reported as active (positive control) \
           and a made-up token is not (negative control). RFC 7662 section 2.1 requires \
           authorization.",
    false_alarms: "An introspection endpoint that only the internal network can reach is reported \
           if the scan runs from there.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["10.4.10"],
        cwe: &[306, 200],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "8.2.8"],
        soc2: &["CC6.1"],
    },
    fix: "Require client credentials or a token of the caller's own before looking at the \
           submitted token, and limit the requests of each caller.",
    recipes: &recipes::TOKENS,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let access = access::access(session).await?;
        let Some(issued) = &access.issued else {
            return Ok(Verdict::not_applicable("the login returns no token"));
        };
        let named = session.found.introspection.clone();
        let path = named.map_or_else(|| "/introspect".to_owned(), |route| route.path);
        let token = issued.credential.token().to_owned();
        let own = session.ask(Request::form(&path, "token", &token)).await?;
        if !tells_active(&own) {
            let status = own.status;
            return Ok(judge(false, false, status));
        }
        let garbage = session
            .ask(Request::form(&path, "token", "garbage-garbage"))
            .await?;
        let verdict = judge(true, tells_active(&garbage), own.status);
        Ok(match (verdict, &access.door) {
            (verdict, Ok(door)) => {
                let shown = (
                    format!("POST {path} with the scanner's token and no credentials"),
                    own.describe(),
                );
                access::with_controls(verdict, door, Some(shown))
            }
            (verdict, Err(_)) => verdict,
        })
    })
}

fn tells_active(answer: &Answer) -> bool {
    let json: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
    answer.status == 200 && json.is_some_and(|json| json["active"] == true)
}

/// Judges whether the scanner's token and a made-up one are reported as active, and the status of
/// the first response.
fn judge(own: bool, garbage: bool, status: u16) -> Verdict {
    match (own, garbage) {
        (true, false) => Verdict::find(
            Severity::Medium,
            Confidence::High,
            Evidence::of(
                "Without credentials, the scanner's token is reported as active and a made-up token is not.",
            ),
        ),
        (true, true) => {
            Verdict::inconclusive("a made-up token is reported as active, like the scanner's token")
        }
        (false, _) if status == 404 || status == 405 => {
            Verdict::not_applicable("no introspection endpoint was found")
        }
        (false, _) => Verdict::pass(format!(
            "Without credentials, the introspection endpoint returns {status}."
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_tells_a_token_from_garbage_is_found() {
        assert!(matches!(judge(true, false, 200), Verdict::Find(_)));
        assert!(matches!(judge(false, false, 401), Verdict::Pass(_)));
        assert!(matches!(
            judge(false, false, 404),
            Verdict::NotApplicable(_)
        ));
        assert!(judge(true, true, 200).is_inconclusive());
    }
}
