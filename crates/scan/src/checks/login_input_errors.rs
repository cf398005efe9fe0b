//! Input of the wrong kind ends in a fault.

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
    title: "Input of the wrong kind ends in a 5xx or shows the inside",
    severity: Severity::Low,
    what: "The login is sent what it does not expect: a number and a list for a name, \
           text that is no JSON or no UTF-8, and a long password. Does it answer 5xx, \
           or with a stack trace or a database's words?",
    why: "What fails in the open tells how the application is built, and a 5xx is \
          often a way around what should have counted the attempt.",
    sends: "Up to five malformed logins of invented names.",
    max_requests: 5,
    measures_limits: false,
    side_by_side: false,
    evidence: "A 5xx that comes again when the same is sent once more, or words of a \
               stack trace or a database in the answer. Well-formed wrong logins \
               answered otherwise (negative control, learned at the start).",
    false_alarms: "A gateway's own 502 or 503 could come twice by chance; the answer \
                   is shown.",
    standards: Standards {
        owasp_api: &["API8:2023"],
        asvs: &["16.5.1", "2.2.1"],
        cwe: &[209, 20],
        nist: &["3.1.1.2"],
        pci_dss: &["6.2.4"],
        soc2: &["CC7.1"],
    },
    fix: "Validate types before use and answer 400 or 422. FastAPI does with a \
             Pydantic model; Flask: check isinstance(name, str) or use a schema; \
             Express: a schema (zod, ajv). Never run with DEBUG = True where others \
             can reach it.",
    recipes: &recipes::INPUT,
    policy: "",
    run,
};

/// Words that only the inside of an application says.
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
                return Ok(Verdict::inconclusive(format!("{what} was not answered")));
            };
            let told = tells(&answer);
            if answer.status >= 500 && told.is_none() {
                // Once could be chance.
                let again = session.ask(request).await;
                let again = again.is_ok_and(|again| again.status == answer.status);
                shown.push((what, again.then_some("a 5xx, twice"), answer.describe()));
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

/// What was sent, what its answer told, and the answer.
fn judge(shown: &[(&'static str, Option<&'static str>, String)]) -> Verdict {
    let told = shown
        .iter()
        .find_map(|(what, told, answer)| Some((what, (*told)?, answer)));
    let Some((what, told, answer)) = told else {
        return Verdict::pass(format!(
            "{} malformed logins were refused in order.",
            shown.len()
        ));
    };
    let evidence = Evidence::of(format!("A login with {what} is answered with {told:?}."))
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
        let fault = ("a list for a name", Some("a 5xx, twice"), "500".to_owned());
        assert!(matches!(judge(&[refused, fault]), Verdict::Find(_)));
    }
}
