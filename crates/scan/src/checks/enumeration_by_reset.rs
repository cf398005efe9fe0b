//! The password reset tells which accounts exist.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, answer::Answer, probe::Stop, request::Request,
    scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "enumeration-by-reset",
    title: "The password reset tells which accounts exist",
    severity: Severity::Medium,
    what: "A new password is asked for, twice for test accounts and twice for names \
           that nobody has: are the answers different?",
    why: "A list of names is asked of the reset as well as of the login; it is seldom \
          limited.",
    sends: "Four requests to the reset that the OpenAPI document names or --reset \
            says. The test accounts may get a mail each.",
    max_requests: 4,
    measures_limits: false,
    side_by_side: false,
    evidence: "Accounts that exist are answered alike, absent ones too (controls), \
               and the two differ. Times are not compared: a mail that is sent within \
               the request shows there, and is left to a reader.",
    false_alarms: "None is known: answers are compared without names, numbers and \
                   tokens.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.3.8"],
        cwe: &[204],
        nist: &["3.2.2"],
        pci_dss: &["6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Answer at once and always the same, and send the mail from a queue. \
             Django: PasswordResetView does. Flask-Security: \
             SECURITY_RETURN_GENERIC_RESPONSES.",
    recipes: &recipes::UNIFORM,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let Some(reset) = session.found.reset.clone() else {
            let reason = "no password reset was found; name it: --reset 'POST /forgot json:/email'";
            return Ok(Verdict::not_applicable(reason));
        };
        let pool = session.pool();
        let existing = pool
            .iter()
            .chain(&pool)
            .take(2)
            .map(|account| account.name.clone());
        let mut names: Vec<String> = existing.collect();
        names.extend([session.new_name(), session.new_name()]);
        let mut answers = Vec::new();
        for name in &names {
            let request = Request::filled(&reset, &[name]);
            answers.push(session.ask_about(name, request).await?);
        }
        session
            .probe
            .note_side_effect("password resets asked for (test accounts may get a mail)");
        Ok(judge(&answers))
    })
}

/// The answers to two accounts that exist and two names that don't.
fn judge(answers: &[Answer]) -> Verdict {
    let [one, two, three, four] = answers else {
        return Verdict::inconclusive("it needs a test account");
    };
    let statuses = [one, two, three, four].map(|answer| answer.status);
    if statuses
        .iter()
        .any(|status| matches!(status, 405 | 429 | 500..))
    {
        return Verdict::inconclusive(format!(
            "the reset answered {statuses:?}; name it with --reset"
        ));
    }
    let (existing, absent) = (one.signature(), three.signature());
    if existing != two.signature() || absent != four.signature() {
        return Verdict::inconclusive("its answers vary by themselves");
    }
    if existing == absent {
        return match statuses[0] {
            404 => Verdict::not_applicable("the reset that was named is not there (404)"),
            200..400 => Verdict::pass("Names that exist and names that don't are answered alike."),
            status => Verdict::inconclusive(format!(
                "the reset refuses all alike ({status}); name it and its field with --reset"
            )),
        };
    }
    let evidence = Evidence::of(format!(
        "A reset for an account that exists is answered otherwise than for a name that doesn't: {}.",
        existing.difference(&absent)
    ))
    .exhibit("a reset for an account that exists", one.describe())
    .exhibit("the same for a name that doesn't", three.describe());
    Verdict::find(Severity::Medium, Confidence::High, evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::answer;

    #[test]
    fn a_difference_between_constant_sides_is_found() {
        let judged = |statuses: [u16; 4]| judge(&statuses.map(|status| answer(status, &[], "")));
        assert!(matches!(judged([202, 202, 404, 404]), Verdict::Find(_)));
        assert!(matches!(judged([202; 4]), Verdict::Pass(_)));
        for odd in [
            [403; 4],
            [202, 404, 404, 404],
            [202, 202, 429, 429],
            [404; 4],
            [202, 202, 404, 202],
        ] {
            assert!(matches!(judged(odd), Verdict::Skip { .. }), "{odd:?}");
        }
    }
}
