//! A token reads another user's object.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Account, Confidence, Evidence, Severity, Verdict,
    access::{self, Credential},
    answer::Answer,
    probe::Stop,
    scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "other-users-object",
    title: "A token reads another user's object",
    severity: Severity::High,
    what: "On a route that the OpenAPI document defines for each user, such as /users/{username}, \
           checks whether the scanner's token reads an object of another test account.",
    why: "It is the most common flaw of APIs (OWASP API1), and no limit on logins helps: one \
          account of their own is all that an attacker needs.",
    sends: "The scanner's own object; a login to the other test account and (if the route takes an \
            id) a request for each account's id; the other account's object with its own token, \
            with the scanner's, and without one.",
    max_requests: 7,
    measures_limits: false,
    side_by_side: true,
    evidence: "Each account's token reads that account's object (positive controls), a request \
               without a token does not (negative control), and the scanner's token gets the same \
               response as the other account's token, with the other account's name in it.",
    false_alarms: "A profile that all members may see is reported too; the route should then \
                   return less, or the finding be accepted with a baseline.",
    standards: Standards {
        owasp_api: &["API1:2023"],
        asvs: &["8.2.2"],
        cwe: &[639, 863],
        nist: &["5.1"],
        pci_dss: &["6.2.4", "7.3.1"],
        soc2: &["CC6.1", "CC6.3"],
    },
    fix: "Look the object up by its owner: WHERE id = ? AND owner = ?, or compare the owner before \
          responding, with 404 for another user's object.",
    recipes: &recipes::ACCESS,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let access = access::access(session).await?;
        let (door, issued) = match access.at_door() {
            Ok(found) => found,
            Err(reason) => return Ok(Verdict::not_applicable(reason)),
        };
        let Some(object) = session.found.object.clone() else {
            let reason = "the OpenAPI document has no per-user route such as /users/{username}";
            return Ok(Verdict::not_applicable(reason));
        };
        let (own, other) = (session.own(), session.account(3));
        if own.name == other.name {
            return Ok(Verdict::not_applicable(
                "this check needs two test accounts",
            ));
        }
        let Some(theirs) = access::log_in_as(session, &other).await? else {
            return Ok(Verdict::inconclusive("a new login returned no token"));
        };
        let mut paths = Vec::new();
        for (account, credential) in [(&own, &issued.credential), (&other, &theirs.credential)] {
            let who = match object.by_name {
                true => Some(account.name.clone()),
                false => id(session, &door.path, credential).await?,
            };
            let Some(who) = who else {
                let reason = format!("{} returns no id that the route would accept", door.path);
                return Ok(Verdict::not_applicable(reason));
            };
            paths.push(object.path(&who));
        }
        let asked = [
            (&paths[0], Some(&issued.credential)),
            (&paths[1], Some(&theirs.credential)),
            (&paths[1], None),
            (&paths[1], Some(&issued.credential)),
        ];
        let mut answers = Vec::new();
        for (path, credential) in asked {
            answers.push(access::ask(session, path, credential).await?);
        }
        Ok(judge(&answers, &other))
    })
}

/// Returns the id that a route reports to a token's owner.
async fn id(
    session: &mut Session,
    path: &str,
    credential: &Credential,
) -> Result<Option<String>, Stop> {
    let answer = access::ask(session, path, Some(credential)).await?;
    let json: Option<serde_json::Value> = serde_json::from_slice(&answer.body).ok();
    let json = json.unwrap_or_default();
    let named = ["id", "user_id", "userId", "uuid", "pk", "sub"].map(|name| &json[name]);
    let id = named.into_iter().find_map(|value| match value {
        serde_json::Value::Number(number) => Some(number.to_string()),
        serde_json::Value::String(text) => Some(text.clone()),
        _ => None,
    });
    Ok(id)
}

/// Judges the responses for the scanner's object, and for the other account's with its own token,
/// with none, and with the scanner's.
fn judge(answers: &[Answer], other: &Account) -> Verdict {
    let [own, theirs, none, crossed] = answers else {
        return Verdict::inconclusive("not all requests were answered");
    };
    let opens = |answer: &Answer| (200..300).contains(&answer.status);
    if !opens(own) || !opens(theirs) {
        return Verdict::not_applicable("accounts can't read their own objects there");
    }
    if opens(none) {
        return Verdict::not_applicable("the route is public: it requires no token");
    }
    if !opens(crossed) {
        let status = crossed.status;
        return Verdict::pass(format!(
            "A request for another account's object returns {status}."
        ));
    }
    let same = crossed.signature() == theirs.signature();
    if !same || !crossed.text().contains(&other.name) {
        return Verdict::inconclusive(
            "the request succeeds, but the response differs from the one that the other account gets",
        );
    }
    let evidence = Evidence::of("The scanner's token reads another account's object.")
        .exhibit(
            "the other account's object with its own token",
            theirs.describe(),
        )
        .exhibit("the same with the scanner's token", crossed.describe())
        .exhibit("the same without a token", none.describe());
    Verdict::find(Severity::High, Confidence::High, evidence)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::answer;

    #[test]
    fn the_others_own_answer_is_found() {
        let other = Account::parse("bob:x").unwrap();
        let judged = |crossed: (u16, &str), none: u16| {
            let answers = [(200, "alice"), (200, "bob: street"), (none, "no"), crossed];
            judge(
                &answers.map(|(status, body)| answer(status, &[], body)),
                &other,
            )
        };
        assert!(matches!(
            judged((200, "bob: street"), 401),
            Verdict::Find(_)
        ));
        assert!(matches!(judged((404, "no"), 401), Verdict::Pass(_)));
        assert!(judged((200, "bob"), 401).is_inconclusive());
        assert!(matches!(
            judged((200, "bob: street"), 200),
            Verdict::NotApplicable(_)
        ));
    }
}
