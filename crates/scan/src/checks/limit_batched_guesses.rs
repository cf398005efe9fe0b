//! One request brings several passwords, which count as one.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access::Issued, answer::Answer, learn::Class,
    probe::Stop, request::Request, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "limit-batched-guesses",
    title: "One request brings several passwords",
    severity: Severity::High,
    what: "A test account is logged in with a list of four passwords of which the \
           last is right: as a list in the place of the password, as a list of \
           logins, and for GraphQL as aliases in one query. Does it get in?",
    why: "A limit counts requests or attempts. If one of them brings a hundred \
          passwords, the limit is a hundred times what it says.",
    sends: "A right login, up to three requests with four passwords each, three of them random; \
            where one gets in, the same again with four random ones.",
    max_requests: 5,
    measures_limits: false,
    side_by_side: false,
    evidence: "Alone, the right password logs in; the list with it gets in or hands out a token \
               (positive); the same list without it does not (negative control).",
    false_alarms: "Applications that look at the first or the last of a list only are \
                   found too where the right one is there; the list was taken, which \
                   is wrong enough.",
    standards: Standards {
        owasp_api: &["API4:2023"],
        asvs: &["2.4.1"],
        cwe: &[770, 307],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Take exactly one password, as text: say so in the schema (pydantic: \
             password: str; serializers.CharField; a JSON schema). For GraphQL refuse \
             aliases and batches of the login, or count each of them.",
    recipes: &recipes::LIMITS,
    policy: "",
    run,
};

/// Passwords in a batch; few, since each wrong one may count as a failure.
const BATCH: usize = 4;

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let Some(account) = session.pool().pop() else {
            return Ok(Verdict::inconclusive("it needs a test account"));
        };
        let source = session.need_source()?;
        if session.right(source, &account).await?.1 != Class::Right {
            let reason = "the right login of a test account is refused, so nothing can get in";
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
            [] => Verdict::not_applicable("the login takes no JSON, so no lists"),
            refused => Verdict::pass(format!("Refused: {}.", refused.join(", "))),
        })
    })
}

/// A right login's answer, or one that holds a token anywhere.
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
        return Verdict::inconclusive(format!("{how} got in without the right one as well"));
    }
    let evidence = Evidence::of(format!(
        "The login takes {how}, and one of {BATCH} was right."
    ))
    .exhibit(format!("{how} with the right one"), answers[0].describe())
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
        assert!(matches!(
            judge("a list", false, [&token, &none]),
            Verdict::Skip { .. }
        ));
    }
}
