//! A password reset that reveals which accounts exist.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, answer::Answer, probe::Stop, request::Request,
    scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "enumeration-by-reset",
    title: "The password reset reveals which accounts exist",
    severity: Severity::Medium,
    what: "Requests a password reset for two test accounts and for two invented names. Checks \
           whether the responses differ.",
    why: "An attacker can test a list of names against the password reset as well as against the \
           login, and the reset is seldom limited.",
    sends: "Four requests to the password-reset endpoint that the OpenAPI document lists or \
           --reset names. The test accounts may each receive an email.",
    max_requests: 4,
    measures_limits: false,
    side_by_side: false,
    evidence: "Existing accounts get the same response, nonexistent names too (controls), and the \
           two differ. Response times are not compared: an email sent within the request shows \
           there, and that is left to manual review.",
    false_alarms: "None known: responses are compared without names, numbers and tokens.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.3.8"],
        cwe: &[204],
        nist: &["3.2.2"],
        pci_dss: &["6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Respond immediately and always in the same way, and send the email from a queue. \
           Django: PasswordResetView gives the same response. Flask-Security: \
           SECURITY_RETURN_GENERIC_RESPONSES.",
    recipes: &recipes::UNIFORM,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let Some(reset) = session.found.reset.clone() else {
            let reason =
                "no password-reset endpoint was found; name it: --reset 'POST /forgot json:/email'";
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
            .note_side_effect("password resets requested (test accounts may receive an email)");
        Ok(judge(&answers))
    })
}

/// Judges the responses to two existing accounts and two nonexistent names.
fn judge(answers: &[Answer]) -> Verdict {
    let [one, two, three, four] = answers else {
        return Verdict::inconclusive("this check needs a test account");
    };
    let statuses = [one, two, three, four].map(|answer| answer.status);
    if statuses
        .iter()
        .any(|status| matches!(status, 405 | 429 | 500..))
    {
        return Verdict::inconclusive(format!(
            "the password reset returned {statuses:?}; name its endpoint with --reset"
        ));
    }
    let (existing, absent) = (one.signature(), three.signature());
    if existing != two.signature() || absent != four.signature() {
        return Verdict::inconclusive("its responses vary on their own");
    }
    if existing == absent {
        return match statuses[0] {
            404 => Verdict::not_applicable("the password-reset endpoint does not exist (404)"),
            200..400 => Verdict::pass("Existing and nonexistent accounts get the same response."),
            status => Verdict::inconclusive(format!(
                "the password reset rejects every request ({status}); name its endpoint and field with --reset"
            )),
        };
    }
    let evidence = Evidence::of(format!(
        "A password reset for an existing account gets a different response from one for a nonexistent name: {}.",
        existing.difference(&absent)
    ))
    .exhibit("a password reset for an existing account", one.describe())
    .exhibit("the same for a nonexistent name", three.describe());
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
            [202, 202, 404, 202],
        ] {
            assert!(judged(odd).is_inconclusive(), "{odd:?}");
        }
        assert!(matches!(judged([404; 4]), Verdict::NotApplicable(_)));
    }
}
