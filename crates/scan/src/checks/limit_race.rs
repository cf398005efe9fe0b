//! Guesses that are released together outrun the limit.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    locks::{self, Locks},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "limit-race",
    title: "Guesses released together outrun the limit",
    severity: Severity::High,
    what: "Three guesses more than the limit allows are released together on one \
           name: are more of them answered than one after the other would be?",
    why: "A limit that is read before the password is verified and moved after it \
          lets through whatever arrives in between: a hundred guesses for a limit of \
          ten.",
    sends: "At most 15 wrong logins of one invented name at once, one before and one \
            after; where only accounts that exist are limited, again with a test \
            account. Only for limits of 12 or less.",
    max_requests: locks::MAX_REQUESTS,
    measures_limits: true,
    side_by_side: false,
    evidence: "One after the other, as many are answered as the limit allows \
               (positive control, from the measurement of the limits); together, at \
               least two more.",
    false_alarms: "One guess too many may be the window of a limit that counts \
                   loosely; it passes.",
    standards: Standards {
        owasp_api: &["API4:2023"],
        asvs: &["15.4.2"],
        cwe: &[362, 367],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Charge first, in one atomic step (Redis INCR, UPDATE … RETURNING, a \
             lock), then verify, and take the charge back when the password was \
             right.",
    recipes: &recipes::LIMITS,
    policy: "",
    run,
};

/// So many more than the limit are no accident.
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
        return Verdict::inconclusive("no test account has enough failures left to be raced");
    };
    let limit = locks.limit;
    if answered < limit + TOO_MANY {
        return Verdict::pass(format!(
            "Of {sent} guesses released together {answered} were answered, where {limit} are allowed."
        ));
    }
    let evidence = Evidence::of(format!(
        "Of {sent} guesses released together {answered} were answered, where {limit} are allowed."
    ))
    .exhibit(
        format!("{} guesses one after the other", limit + 1),
        "the last was refused",
    )
    .exhibit(
        format!("{sent} guesses together"),
        format!("{answered} were answered as usual"),
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
        assert!(matches!(
            judge(&locks(None)),
            Verdict::Skip {
                inconclusive: true,
                ..
            }
        ));
    }
}
