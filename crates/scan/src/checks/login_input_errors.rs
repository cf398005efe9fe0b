//! Malformed input causes a 5xx or exposes internals.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict,
    answer::Answer,
    probe::Stop,
    request::Request,
    scan::{Session, Who},
};

pub(super) static CHECK: Check = Check {
    id: "login-input-errors",
    title: "Malformed input causes a 5xx or exposes internals",
    severity: Severity::Low,
    what: "Sends the login unexpected input: a number and a list as the account name, text that is \
           not valid JSON or not valid UTF-8, and a long password. Checks whether the response is \
           a 5xx or contains a stack trace or a database error.",
    why: "A visible failure reveals how the application is built, and a 5xx often bypasses the \
          code that should have counted the attempt.",
    sends: "Up to five malformed logins for invented account names.",
    max_requests: 5,
    measures_limits: false,
    side_by_side: false,
    evidence: "A 5xx that recurs when the same request is sent again, or text of a stack trace or \
               a database in the response. Well-formed failed logins get a different response \
               (negative control, learned at the start).",
    false_alarms: "A gateway's own 502 or 503 could occur twice by chance; the response is shown.",
    standards: Standards {
        owasp_api: &["API8:2023"],
        asvs: &["16.5.1", "2.2.1"],
        cwe: &[209, 20],
        nist: &["3.1.1.2"],
        pci_dss: &["6.2.4"],
        soc2: &["CC7.1"],
    },
    fix: "Validate types before use and return 400 or 422. FastAPI does with a Pydantic model; \
          Flask: check isinstance(name, str) or use a schema; Express: a schema (zod, ajv). Never \
          run with DEBUG = True where others can reach it.",
    recipes: &recipes::INPUT,
    policy: "",
    run,
};

/// Text that only the internals of an application produce.
const INSIDE: [&str; 14] = [
    "traceback (most recent call last)",
    "werkzeug debugger",
    "django_settings_module",
    "sqlstate",
    "psycopg",
    "sqlalchemy.exc",
    "sqlite3.",
    "mysqlclient",
    "you have an error in your sql syntax",
    "node_modules/",
    "at object.<anonymous>",
    "java.lang.",
    "system.nullreferenceexception",
    "goroutine 1 [",
];

/// What a 5xx shows that came again.
const FAULT: &str = "a 5xx twice";

/// A login that a person could hardly type; most applications cut it off or hash it.
const LONG: usize = 20_000;

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let nobody = session.nobody();
        let name = Who::Nobody(&nobody).name().to_owned();
        let password = session.wrong_password();
        let login = session.learned.login.clone();
        let odd = Request::malformed(&login, &name, password.expose(), LONG);
        let mut shown = Vec::new();
        // The probe ends a scan at faults in a row; here they are what is asked for.
        session.probe.expect_limits(true);
        for (what, request) in odd {
            let answered = session.ask(request.clone()).await;
            let Ok(answer) = answered else {
                session.probe.expect_limits(false);
                return Ok(Verdict::inconclusive(format!(
                    "a login with {what} got no response"
                )));
            };
            let told = tells(&answer);
            if answer.status >= 500 && told.is_none() {
                // Once could be chance.
                let again = session.ask(request).await;
                let again = again.is_ok_and(|again| again.status == answer.status);
                shown.push((what, again.then_some(FAULT), answer.describe()));
            } else {
                shown.push((what, told, answer.describe()));
            }
            if shown.last().is_some_and(|(_, told, _)| told.is_some()) {
                break;
            }
        }
        session.probe.expect_limits(false);
        Ok(judge(&shown))
    })
}

fn tells(answer: &Answer) -> Option<&'static str> {
    let text = answer.text().to_lowercase();
    INSIDE.into_iter().find(|words| text.contains(words))
}

/// Judges what was sent, what its response exposed, and the response.
fn judge(shown: &[(&'static str, Option<&'static str>, String)]) -> Verdict {
    let told = shown
        .iter()
        .find_map(|(what, told, answer)| Some((what, (*told)?, answer)));
    let Some((what, told, answer)) = told else {
        return Verdict::pass(format!(
            "{} malformed logins were rejected cleanly.",
            shown.len()
        ));
    };
    let shown = match told {
        FAULT => FAULT.to_owned(),
        text => format!("{text:?}"),
    };
    let evidence = Evidence::of(format!("A login with {what} returns {shown}."))
        .exhibit(format!("a login with {what}"), answer);
    Verdict::find(Severity::Low, Confidence::High, evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::answer;

    #[test]
    fn the_inside_is_known_by_its_words() {
        assert_eq!(
            tells(&answer(422, &[], r#"{"detail":"must be text"}"#)),
            None
        );
        let django = "<title>TypeError</title> DJANGO_SETTINGS_MODULE";
        assert!(tells(&answer(500, &[], django)).is_some());
        let refused = ("a number for a name", None, "422".to_owned());
        assert!(matches!(
            judge(std::slice::from_ref(&refused)),
            Verdict::Pass(_)
        ));
        let fault = ("a list for a name", Some(FAULT), "500".to_owned());
        assert!(matches!(judge(&[refused, fault]), Verdict::Find(_)));
    }
}
