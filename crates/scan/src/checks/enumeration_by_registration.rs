//! A registration that reveals which accounts exist.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{Confidence, Evidence, Severity, Verdict, answer::Answer, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "enumeration-by-registration",
    title: "Registration reveals which accounts exist",
    severity: Severity::Low,
    what: "Registers the names of two test accounts again, and one new name. Checks whether the \
           existing names get a different response.",
    why: "An attacker can test a list of names against the registration as well as against the \
           login.",
    sends: "Two registrations of existing names, with random passwords, and one of a new name; \
           only with --register.",
    max_requests: 3,
    measures_limits: false,
    side_by_side: false,
    evidence: "New names get the same response (control: the registration of the test accounts, \
           and one more); the existing ones do not.",
    false_alarms: "Where users choose a name that others see, the application has to say that a \
           name is in use; the severity is therefore low.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.3.8"],
        cwe: &[204],
        nist: &["3.2.2"],
        pci_dss: &["6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Ask for an email address, return the same response for each, and put the outcome in the \
           email: a link to continue, or a note that an account already exists. Where users \
           choose names, ask for the name after the email address is verified.",
    recipes: &recipes::UNIFORM,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let mut pool = session.pool();
        let taken = [pool.pop(), pool.pop()];
        let mut answers = Vec::new();
        let new = session.new_name();
        let names = taken.into_iter().flatten().map(|account| account.name);
        for name in names.chain([new]) {
            let password = session.wrong_password();
            match session.register(&name, &password).await? {
                Some(answer) => answers.push(answer),
                None => return Ok(Verdict::not_applicable(super::NEEDS_REGISTRATION)),
            }
        }
        Ok(judge(&answers))
    })
}

/// Judges the responses to two existing names and, last, to a new one.
fn judge(answers: &[Answer]) -> Verdict {
    let [one, other, new] = answers else {
        return Verdict::inconclusive("this check needs two test accounts");
    };
    let (taken, control) = (one.signature(), new.signature());
    if !(200..400).contains(&new.status) {
        let status = new.status;
        return Verdict::inconclusive(format!("new names can no longer be registered ({status})"));
    }
    if taken == control {
        return Verdict::pass("Existing and new names get the same response.");
    }
    if taken != other.signature() {
        return Verdict::inconclusive("responses to registrations vary on their own");
    }
    let evidence = Evidence::of(format!(
        "Registering an existing name gets a different response from a new one: {}.",
        taken.difference(&control)
    ))
    .exhibit("registering an existing name", one.describe())
    .exhibit("the same with a new name", new.describe());
    Verdict::find(Severity::Low, Confidence::High, evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::answer;

    #[test]
    fn taken_names_that_answer_otherwise_are_found() {
        let judged = |statuses: [u16; 3]| judge(&statuses.map(|status| answer(status, &[], "")));
        assert!(matches!(judged([409, 409, 201]), Verdict::Find(_)));
        assert!(matches!(judged([201, 201, 201]), Verdict::Pass(_)));
        assert!(judged([409, 429, 201]).is_inconclusive());
        assert!(judged([409, 409, 429]).is_inconclusive());
        assert!(judged([429, 429, 429]).is_inconclusive());
    }
}
