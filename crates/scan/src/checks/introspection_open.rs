//! Anybody may ask whose a token is.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access, answer::Answer, probe::Stop, request::Request,
    scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "introspection-open",
    title: "Anybody may ask whose a token is",
    severity: Severity::Medium,
    what: "The own token is sent to the introspection (RFC 7662) without any \
           credentials: is it told active, and garbage not?",
    why: "Who finds a token learns whose it is and how long it is good for, and who \
          guesses at tokens is told when one is right, past the limits of the login.",
    sends: "The own token to the introspection that the OpenAPI document names, else \
            to /introspect; and garbage, where that was told active.",
    max_requests: 2,
    measures_limits: false,
    side_by_side: true,
    evidence: "The own token is told active (positive control) and garbage is not \
               (negative control), both without credentials. RFC 7662 section 2.1 \
               requires authorization.",
    false_alarms: "An introspection that only the own network reaches is found when \
                   the scan comes from there.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["10.4.10"],
        cwe: &[306, 200],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "8.2.8"],
        soc2: &["CC6.1"],
    },
    fix: "Ask the caller for client credentials or a token of its own before the \
             token is looked at, and limit what one caller may ask.",
    recipes: &recipes::TOKENS,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let access = access::access(session).await?;
        let Some(issued) = &access.issued else {
            return Ok(Verdict::not_applicable("the login hands out no token"));
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
                    format!("POST {path} with the own token and no credentials"),
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

/// Whether the own token and garbage are told active, and the status of the first answer.
fn judge(own: bool, garbage: bool, status: u16) -> Verdict {
    match (own, garbage) {
        (true, false) => Verdict::find(
            Severity::Medium,
            Confidence::High,
            Evidence::of(
                "Without any credentials the own token is told active, and garbage is not.",
            ),
        ),
        (true, true) => Verdict::inconclusive("garbage is told active like the own token"),
        (false, _) if status == 404 || status == 405 => {
            Verdict::not_applicable("no introspection was found")
        }
        (false, _) => Verdict::pass(format!(
            "Without credentials the introspection answers {status}."
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
            Verdict::Skip {
                inconclusive: false,
                ..
            }
        ));
        assert!(matches!(
            judge(true, true, 200),
            Verdict::Skip {
                inconclusive: true,
                ..
            }
        ));
    }
}
