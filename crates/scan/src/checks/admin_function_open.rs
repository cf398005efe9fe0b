//! An ordinary token opens what is an administrator's.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access, answer::Answer, probe::Stop, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "admin-function-open",
    title: "An ordinary token opens what is an administrator's",
    severity: Severity::High,
    what: "GET routes whose path says admin, of the OpenAPI document: does the token \
           of an ordinary test account open one?",
    why: "Who has any account is an administrator then (OWASP API5).",
    sends: "Up to three such routes, each without a token and with the scanner's own. \
            Nothing is changed: only GET is sent.",
    max_requests: 6,
    measures_limits: false,
    side_by_side: true,
    evidence: "Without a token the route refuses (negative control); with that of an \
               ordinary account it answers 2xx.",
    false_alarms: "A test account that is an administrator makes everything look \
                   open; give an ordinary one.",
    standards: Standards {
        owasp_api: &["API5:2023"],
        asvs: &["8.2.1"],
        cwe: &[285, 862],
        nist: &["5.1"],
        pci_dss: &["6.2.4", "7.3.1"],
        soc2: &["CC6.1", "CC6.3"],
    },
    fix: "Ask for the role on the server, on each such route or on all of their \
             prefix; a menu that hides them is no check.",
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

/// Each route, and its answers to no token and to an ordinary one.
fn judge(answers: &[(String, Answer, Answer)]) -> Verdict {
    let opens = |answer: &Answer| (200..300).contains(&answer.status);
    // What needs no token is another matter, and may be a page that asks for a login.
    let guarded: Vec<_> = answers.iter().filter(|(_, none, _)| !opens(none)).collect();
    if guarded.is_empty() {
        return Verdict::not_applicable(
            "the document names no route of administrators that asks for a token",
        );
    }
    let Some((path, none, own)) = guarded.iter().find(|(_, _, own)| opens(own)) else {
        let refused: Vec<&str> = guarded.iter().map(|(path, ..)| path.as_str()).collect();
        return Verdict::pass(format!(
            "Refused to an ordinary token: {}.",
            refused.join(", ")
        ));
    };
    let evidence = Evidence::of(format!("{path} opens to the token of an ordinary account."))
        .exhibit(format!("GET {path} without a token"), none.describe())
        .exhibit("the same with an ordinary token", own.describe());
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
        assert!(matches!(
            judged(200, 200),
            Verdict::Skip {
                inconclusive: false,
                ..
            }
        ));
    }
}
