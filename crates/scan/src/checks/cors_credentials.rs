//! CORS that lets any origin read responses with the user's credentials.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access, probe::Stop, request::Request, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "cors-credentials",
    title: "Any origin can read responses with the user's credentials",
    severity: Severity::Medium,
    what: "Requests the protected route with an invented Origin. Checks whether that origin is \
           allowed with credentials.",
    why: "Any page that a logged-in user opens could then read that user's data from the \
           application.",
    sends: "One request with the scanner's token and an invented Origin.",
    max_requests: 1,
    measures_limits: false,
    side_by_side: true,
    evidence: "The response repeats the invented origin in Access-Control-Allow-Origin and sets \
           Access-Control-Allow-Credentials: true. Browsers reject `*` with credentials, so that \
           is not counted.",
    false_alarms: "None known: the origin is random and cannot be on an allowlist.",
    standards: Standards {
        owasp_api: &["API8:2023"],
        asvs: &["3.4.2"],
        cwe: &[942],
        nist: &["5.1.1"],
        pci_dss: &["4.2.1", "6.2.4"],
        soc2: &["CC6.7"],
    },
    fix: "List the allowed origins. FastAPI: CORSMiddleware(allow_origins=[...], \
           allow_credentials=True) without \"*\" and without a regular expression that matches \
           every origin. Flask-CORS: origins=[...]. Express cors: origin: [...].",
    recipes: &recipes::TRANSPORT,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let access = access::access(session).await?;
        let path = match &access.door {
            Ok(door) => door.path.clone(),
            Err(_) => session.learned.login.path.clone(),
        };
        let origin = format!("https://{}.invalid", session.random_word());
        let credential = access.issued.as_ref().map(|issued| &issued.credential);
        let request = Request::get(&path).with_header("origin", origin.clone());
        let answer = session.ask(access::with(request, credential)).await?;
        Ok(judge(
            &origin,
            answer.header("access-control-allow-origin"),
            answer.header("access-control-allow-credentials"),
        ))
    })
}

fn judge(origin: &str, allowed: Option<&str>, credentials: Option<&str>) -> Verdict {
    let with_credentials =
        credentials.is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
    if allowed == Some(origin) && with_credentials {
        let evidence = Evidence::of("An invented origin may read responses with credentials.").exhibit(
            format!("Origin: {origin}"),
            "Access-Control-Allow-Origin repeats it, with Access-Control-Allow-Credentials: true",
        );
        return Verdict::find(Severity::Medium, Confidence::High, evidence);
    }
    Verdict::pass("An invented origin is not allowed with credentials.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_repeated_origin_with_credentials_is_found() {
        let origin = "https://x.invalid";
        assert!(matches!(
            judge(origin, Some(origin), Some("true")),
            Verdict::Find(_)
        ));
        for (allowed, credentials) in [
            (None, Some("true")),
            (Some("*"), Some("true")),
            (Some(origin), None),
            (Some("https://own.example"), Some("true")),
        ] {
            assert!(matches!(
                judge(origin, allowed, credentials),
                Verdict::Pass(_)
            ));
        }
    }
}
