//! A protected route accepts a missing or invalid token.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict,
    access::{self, Access},
    probe::Stop,
    scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "token-not-checked",
    title: "A protected route accepts a missing or invalid token",
    severity: Severity::High,
    what: "Requests a route that the OpenAPI document declares protected, or that is named with \
           --protected, without a token, with garbage, and with the scanner's token with one \
           character changed. Checks whether any response is the same as with the scanner's token.",
    why: "Anyone who can send requests without a valid token needs no login at all.",
    sends: "The controls that all token checks share: one login, and to at most three routes the \
            scanner's token, none, garbage and the changed one.",
    max_requests: access::MAX_REQUESTS,
    measures_limits: false,
    side_by_side: false,
    evidence: "The positive control of a finding is the response to the scanner's token (requested \
               twice). Without a token: the same status, headers and body on a route that is \
               declared protected. Garbage or a changed token: the same response, on a route that \
               rejects a missing token.",
    false_alarms: "A document that declares protection for a route that is public on purpose is an \
                   error in the document; the finding names the route.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["9.1.1"],
        cwe: &[306, 347],
        nist: &["5.1.2"],
        pci_dss: &["6.2.4", "7.3.1"],
        soc2: &["CC6.1", "CC6.3"],
    },
    fix: "Make every route verify its token, with one dependency or middleware for all: FastAPI \
          Depends on a security scheme; Flask-JWT-Extended @jwt_required(); Django REST \
          DEFAULT_PERMISSION_CLASSES = IsAuthenticated; Express a middleware before the routes.",
    recipes: &recipes::ACCESS,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async { Ok(judge(&*access::access(session).await?)) })
}

fn judge(access: &Access) -> Verdict {
    let find = |evidence| Verdict::find(Severity::High, Confidence::High, evidence);
    if let Some((path, answer)) = &access.open {
        let summary = format!("{path} is declared to require a token but succeeds without one.");
        let evidence = Evidence::of(summary).exhibit(format!("GET {path} without a token"), answer);
        return find(evidence);
    }
    let door = match &access.door {
        Ok(door) => door,
        Err(reason) => return Verdict::not_applicable(reason),
    };
    let with = match (door.takes_garbage(), door.takes_changed()) {
        (true, _) => "garbage instead of a token",
        (false, true) => "a token with one character changed",
        (false, false) => {
            return Verdict::pass(format!(
                "{} rejects a missing token, garbage, and the scanner's token with one character changed.",
                door.path
            ));
        }
    };
    let summary = format!("{} accepts {with} like the scanner's own token.", door.path);
    find(access::shown(Evidence::of(summary), door))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::tests::{access, door};

    #[test]
    fn what_is_answered_like_the_own_token_is_found() {
        let sound = access(Ok(door(401, 401)));
        assert!(matches!(judge(&sound), Verdict::Pass(_)));
        for (garbage, changed) in [(200, 200), (401, 200)] {
            let found = judge(&access(Ok(door(garbage, changed))));
            assert!(matches!(found, Verdict::Find(_)), "{garbage} {changed}");
        }
        let mut open = access(Err("none".into()));
        assert!(matches!(judge(&open), Verdict::NotApplicable(_)));
        open.open = Some(("/me".into(), "200".into()));
        assert!(matches!(judge(&open), Verdict::Find(_)));
    }
}
