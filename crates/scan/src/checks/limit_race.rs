//! Concurrent guesses exceed the limit.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    locks::{self, Locks},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "limit-race",
    title: "Concurrent guesses exceed the limit",
    severity: Severity::High,
    what: "Sends three more guesses than the limit allows, concurrently and for one account name. \
           Checks whether more of them get through than in sequence.",
    why: "A limit that is read before the password is verified and updated afterwards lets through \
          whatever arrives in between: a hundred guesses against a limit of ten.",
    sends: "Up to 15 concurrent failed logins for one invented account name, one before and one \
            after; if only existing accounts are limited, again with a test account. Only for \
            limits of 12 or less.",
    max_requests: locks::MAX_REQUESTS,
    measures_limits: true,
    side_by_side: false,
    evidence: "In sequence, as many guesses get through as the limit allows (positive control, \
               from the limit measurement); concurrently, at least two more.",
    false_alarms: "One extra guess may be the window of a limit that counts loosely; that passes.",
    standards: Standards {
        owasp_api: &["API4:2023"],
        asvs: &["15.4.2"],
        cwe: &[362, 367],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Charge the attempt first, in one atomic step (Redis INCR, UPDATE … RETURNING, a lock), \
          then verify, and refund it if the password was correct.",
    recipes: &recipes::LIMITS,
    policy: "",
    run,
};

/// Guesses beyond the limit that are not an accident.
const TOO_MANY: u32 = 2;

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        Ok(match locks::facts(session).await? {
            Ok(locks) => judge(&locks),
            Err(reason) => Verdict::not_applicable(reason),
        })
    })
}

fn judge(locks: &Locks) -> Verdict {
    let Some((sent, answered)) = locks.race else {
        return Verdict::inconclusive(
            "no test account has enough failures left for a concurrent burst",
        );
    };
    let limit = locks.limit;
    if answered < limit + TOO_MANY {
        return Verdict::pass(format!(
            "Of {sent} concurrent guesses, {answered} got through; the limit allows {limit}."
        ));
    }
    let evidence = Evidence::of(format!(
        "Of {sent} concurrent guesses, {answered} got through; the limit allows {limit}."
    ))
    .exhibit(
        format!("{} guesses in sequence", limit + 1),
        "the last was rejected",
    )
    .exhibit(
        format!("{sent} concurrent guesses"),
        format!("{answered} got the usual response"),
    );
    Verdict::find(Severity::High, Confidence::High, evidence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_too_many_are_found() {
        let locks = |race| Locks {
            limit: 10,
            stranger: None,
            account: None,
            race,
        };
        assert!(matches!(judge(&locks(Some((13, 13)))), Verdict::Find(_)));
        assert!(matches!(judge(&locks(Some((13, 11)))), Verdict::Pass(_)));
        assert!(judge(&locks(None)).is_inconclusive());
    }
}
