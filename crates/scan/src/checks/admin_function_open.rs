//! Administrator routes that accept an ordinary user's token.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access, answer::Answer, probe::Stop, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "admin-function-open",
    title: "Administrator routes accept an ordinary user's token",
    severity: Severity::High,
    what: "Checks whether the token of an ordinary test account opens a GET route of the OpenAPI \
           document whose path contains `admin`.",
    why: "Any account then has administrator rights (OWASP API5).",
    sends: "Up to three such routes, each once without a token and once with the scanner's token. \
           Only GET requests are sent, so nothing is changed.",
    max_requests: 6,
    measures_limits: false,
    side_by_side: true,
    evidence: "The route rejects a request without a token (negative control) and returns 2xx for \
           the token of an ordinary account.",
    false_alarms: "If the test account is an administrator, every route looks open; use an \
           ordinary account.",
    standards: Standards {
        owasp_api: &["API5:2023"],
        asvs: &["8.2.1"],
        cwe: &[285, 862],
        nist: &["5.1"],
        pci_dss: &["6.2.4", "7.3.1"],
        soc2: &["CC6.1", "CC6.3"],
    },
    fix: "Check the role on the server, on each such route or on their common prefix. Hiding the \
           menu entry is not access control.",
    recipes: &recipes::ACCESS,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let access = access::access(session).await?;
        let (_, issued) = match access.at_door() {
            Ok(found) => found,
            Err(reason) => return Ok(Verdict::not_applicable(reason)),
        };
        let mut answers = Vec::new();
        for path in session.found.admin.clone() {
            let none = access::ask(session, &path, None).await?;
            let own = access::ask(session, &path, Some(&issued.credential)).await?;
            answers.push((path, none, own));
        }
        Ok(judge(&answers))
    })
}

/// Judges each route by its responses to no token and to an ordinary one.
fn judge(answers: &[(String, Answer, Answer)]) -> Verdict {
    let opens = |answer: &Answer| (200..300).contains(&answer.status);
    // A route that needs no token is another matter, and may be a page that asks for a login.
    let guarded: Vec<_> = answers.iter().filter(|(_, none, _)| !opens(none)).collect();
    if guarded.is_empty() {
        return Verdict::not_applicable(
            "the OpenAPI document lists no administrator route that requires a token",
        );
    }
    let Some((path, none, own)) = guarded.iter().find(|(_, _, own)| opens(own)) else {
        let refused: Vec<&str> = guarded.iter().map(|(path, ..)| path.as_str()).collect();
        return Verdict::pass(format!(
            "An ordinary token is rejected by {}.",
            refused.join(", ")
        ));
    };
    let evidence = Evidence::of(format!("{path} accepts the token of an ordinary account."))
        .exhibit(format!("GET {path} without a token"), none.describe())
        .exhibit("the same with an ordinary account's token", own.describe());
    Verdict::find(Severity::High, Confidence::High, evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::answer;

    #[test]
    fn what_refuses_nobody_but_opens_to_anybody_is_found() {
        let judged = |none, own| {
            let [none, own] = [none, own].map(|status| answer(status, &[], ""));
            judge(&[("/admin".into(), none, own)])
        };
        assert!(matches!(judged(401, 200), Verdict::Find(_)));
        assert!(matches!(judged(401, 403), Verdict::Pass(_)));
        assert!(matches!(judged(200, 200), Verdict::NotApplicable(_)));
    }
}
