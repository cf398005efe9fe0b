//! Registration tells which accounts exist.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{Confidence, Evidence, Severity, Verdict, answer::Answer, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "enumeration-by-registration",
    title: "Registration tells which accounts exist",
    severity: Severity::Low,
    what: "Names of two test accounts are registered again, and one that nobody has: \
           are the taken ones answered otherwise?",
    why: "A list of names is asked of the registration as well as of the login.",
    sends: "Two registrations of names that are taken, with random passwords, and one \
            of a new name; only with --register.",
    max_requests: 3,
    measures_limits: false,
    side_by_side: false,
    evidence: "New names are answered alike (control, from registering the test \
               accounts and once more); the taken ones are not.",
    false_alarms: "Where people choose a name that others see, it has to be told that \
                   one is taken; the finding is low for that.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.3.8"],
        cwe: &[204],
        nist: &["3.2.2"],
        pci_dss: &["6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Ask for a mail address, answer the same for each, and say what is so in \
             the mail: a link to go on, or that there is an account already. Where \
             names are chosen, ask for the name after the mail was proven.",
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

/// The answers to taken names and, at last, to a new one.
fn judge(answers: &[Answer]) -> Verdict {
    let [one, other, new] = answers else {
        return Verdict::inconclusive("it needs two test accounts");
    };
    let (taken, control) = (one.signature(), new.signature());
    if !(200..400).contains(&new.status) {
        let status = new.status;
        return Verdict::inconclusive(format!(
            "a new name can't be registered any more ({status})"
        ));
    }
    if taken == control {
        return Verdict::pass("Names that are taken and new ones are answered alike.");
    }
    if taken != other.signature() {
        return Verdict::inconclusive("registrations are answered otherwise by themselves");
    }
    let evidence = Evidence::of(format!(
        "Registering a name that is taken is answered otherwise than a new one: {}.",
        taken.difference(&control)
    ))
    .exhibit("registering a name that is taken", one.describe())
    .exhibit("the same with a new one", new.describe());
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
        assert!(matches!(judged([409, 429, 201]), Verdict::Skip { .. }));
        assert!(matches!(judged([409, 409, 429]), Verdict::Skip { .. }));
        assert!(matches!(judged([429, 429, 429]), Verdict::Skip { .. }));
    }
}
