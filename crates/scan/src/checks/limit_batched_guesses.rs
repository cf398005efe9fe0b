//! One request can test several passwords.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access::Issued, answer::Answer, learn::Class,
    probe::Stop, request::Request, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "limit-batched-guesses",
    title: "One request can test several passwords",
    severity: Severity::High,
    what: "Sends a login for a test account with four passwords, the last of which is correct: as \
           a list in place of the password, as a list of logins and, for GraphQL, as aliases in \
           one query. Checks whether any of them logs in.",
    why: "A limit counts requests or attempts. If one request can carry a hundred passwords, the \
          effective limit is a hundred times the configured one.",
    sends: "One successful login and up to three requests with four passwords each, three of them \
            random; if one logs in, the same request again with four random passwords.",
    max_requests: 5,
    measures_limits: false,
    side_by_side: false,
    evidence: "Positive controls: the correct password alone logs in, and the list that contains \
               it logs in or returns a token. Negative control: the same list without it does \
               neither.",
    false_alarms: "Applications that look only at the first or the last entry of a list are \
                   reported too if the correct password is there; they accepted a list, which is \
                   already a flaw.",
    standards: Standards {
        owasp_api: &["API4:2023"],
        asvs: &["2.4.1"],
        cwe: &[770, 307],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Accept exactly one password, as a string, and enforce that in the schema (pydantic: \
          password: str; serializers.CharField; a JSON schema). For GraphQL, reject aliases and \
          batches of the login, or count each of them.",
    recipes: &recipes::LIMITS,
    policy: "",
    run,
};

/// Passwords in a batch; few, since each incorrect one may count as a failure.
const BATCH: usize = 4;

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let Some(account) = session.pool().pop() else {
            return Ok(Verdict::inconclusive("this check needs a test account"));
        };
        let source = session.need_source()?;
        if session.right(source, &account).await?.1 != Class::Right {
            let reason = "a test account could not log in with its correct password, so no batch could succeed";
            return Ok(Verdict::inconclusive(reason));
        }
        let login = session.learned.login.clone();
        let mut wrong: Vec<_> = (0..BATCH).map(|_| session.wrong_password()).collect();
        let batches = |passwords: &[crate::Secret]| {
            let passwords: Vec<&str> = passwords.iter().map(crate::Secret::expose).collect();
            Request::batched(&login, &account.name, &passwords)
        };
        let controls = batches(&wrong);
        wrong[BATCH - 1] = account.password.clone();
        let mut refused = Vec::new();
        for ((how, request), (_, control)) in batches(&wrong).into_iter().zip(controls) {
            let (answer, class) = session
                .wrong_as(&account, BATCH as u32 - 1, request)
                .await?;
            if !gets_in(&answer, class) {
                refused.push(how);
                continue;
            }
            let (other, class) = session.wrong_as(&account, BATCH as u32, control).await?;
            return Ok(judge(how, !gets_in(&other, class), [&answer, &other]));
        }
        Ok(match &refused[..] {
            [] => Verdict::not_applicable("the login does not accept JSON, so it accepts no lists"),
            refused => Verdict::pass(format!("Rejected: {}.", refused.join(", "))),
        })
    })
}

/// Returns true for the response to a successful login, or one that contains a token anywhere.
fn gets_in(answer: &Answer, class: Class) -> bool {
    let handed_out = || {
        let json: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
        let mut elements = json
            .as_ref()
            .and_then(|json| json.as_array())
            .into_iter()
            .flatten();
        let whole = Issued::of(answer, &[]).is_some_and(|issued| issued.is_in_body());
        whole || elements.any(Issued::is_in)
    };
    class == Class::Right || (class == Class::Other && answer.status < 300 && handed_out())
}

fn judge(how: &str, control_refused: bool, answers: [&Answer; 2]) -> Verdict {
    if !control_refused {
        return Verdict::inconclusive(format!("{how} logged in even without the correct password"));
    }
    let evidence = Evidence::of(format!(
        "The login accepts {how}; one of the {BATCH} passwords was correct."
    ))
    .exhibit(
        format!("{how} with the correct password"),
        answers[0].describe(),
    )
    .exhibit(format!("{how} without it"), answers[1].describe());
    Verdict::find(Severity::High, Confidence::High, evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::answer;

    #[test]
    fn a_list_that_holds_a_token_got_in() {
        let token = answer(200, &[], r#"[{"error":"no"},{"access_token":"abcdefgh1"}]"#);
        let none = answer(200, &[], r#"[{"error":"no"},{"error":"no"}]"#);
        assert!(gets_in(&token, Class::Other) && !gets_in(&none, Class::Other));
        assert!(!gets_in(&answer(422, &[], "no"), Class::Other));
        assert!(gets_in(&none, Class::Right) && !gets_in(&token, Class::Wrong));
        assert!(matches!(
            judge("a list", true, [&token, &none]),
            Verdict::Find(_)
        ));
        assert!(judge("a list", false, [&token, &none]).is_inconclusive());
    }
}
