//! Login responses that reveal which accounts exist.

use std::collections::BTreeSet;

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict,
    answer::{Answer, Signature},
    learn::Class,
    probe::Stop,
    scan::{Session, Who},
};

pub(super) static CHECK: Check = Check {
    id: "enumeration-by-answer",
    title: "Login responses reveal which accounts exist",
    severity: Severity::Medium,
    what: "Sends incorrect passwords for test accounts and for invented account names. Checks \
           whether the responses differ in status, headers, cookies, redirects or body.",
    why: "A list of existing accounts is the first half of every guess, and it multiplies what a \
           spray gains per request.",
    sends: "Three rounds, each with one test account and two invented names of the same form, in \
           random order, with the same incorrect password.",
    max_requests: 9,
    measures_limits: false,
    side_by_side: false,
    evidence: "All existing accounts get the same response, all nonexistent names get the same \
           response (the absent-absent control), and the two differ. Names, numbers and long \
           random words in responses are masked first.",
    false_alarms: "If responses vary on their own, the check is inconclusive. If you supplied the \
           test accounts and their names look unlike the invented ones, a rule on the form of \
           names could cause a different response; registered accounts avoid that.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.3.8"],
        cwe: &[204, 203],
        nist: &["3.2.2"],
        pci_dss: &["6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Return exactly the same response for an unknown name as for an incorrect password: one \
           code path, one status, one body.",
    recipes: &recipes::UNIFORM,
    policy: r#"[guard.failure]
status = 401
body = '{"detail":"Incorrect username or password"}'"#,
    run,
};

const ROUNDS: usize = 3;

/// The responses to existing and to nonexistent names.
#[derive(Clone, Debug, Default, PartialEq)]
struct Facts {
    existing: BTreeSet<Signature>,
    absent: BTreeSet<Signature>,
    /// A description of one response of each kind.
    shown: [String; 2],
    /// Whether a limit was reached, or an account got a response other than the failures learned
    /// for it.
    refused: bool,
    /// Whether responses vary so much on their own that only their status was compared.
    coarse: bool,
}

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let pool = session.pool();
        let mut facts = Facts {
            coarse: session.learned.is_coarse(),
            ..Facts::default()
        };
        for round in 0..ROUNDS {
            let account = &pool[round % pool.len()];
            let source = session.need_source()?;
            let password = session.wrong_password();
            let nobodies = [session.nobody(), session.nobody()];
            let mut order = vec![Who::Nobody(&nobodies[0]), Who::Nobody(&nobodies[1])];
            let place = if session.coin() {
                0
            } else {
                1 + usize::from(session.coin())
            };
            order.insert(place, Who::Own(account));
            for who in order {
                let (answer, class) = session.wrong(source, who, &password).await?;
                facts.note(who, &answer, class, session.learned.signature(&answer));
            }
        }
        Ok(judge(&facts))
    })
}

impl Facts {
    fn note(&mut self, who: Who<'_>, answer: &Answer, class: Class, signature: Signature) {
        let other = matches!(who, Who::Own(_)) && class != Class::Wrong;
        self.refused |= other || answer.status == 429 || answer.retry_after().is_some();
        let (set, shown) = match who {
            Who::Own(_) => (&mut self.existing, &mut self.shown[0]),
            Who::Nobody(_) => (&mut self.absent, &mut self.shown[1]),
        };
        set.insert(signature);
        *shown = answer.describe();
    }
}

fn judge(facts: &Facts) -> Verdict {
    if facts.refused {
        return Verdict::inconclusive("a limit was reached, so responses cannot be compared");
    }
    if facts.existing == facts.absent && facts.coarse {
        return Verdict::inconclusive(
            "response bodies vary on their own, so only statuses could be compared",
        );
    }
    if facts.existing == facts.absent {
        return Verdict::pass("Existing and nonexistent accounts get the same response.");
    }
    let mut sides = (facts.existing.iter(), facts.absent.iter());
    match (
        sides.0.next(),
        sides.1.next(),
        sides.0.next().or(sides.1.next()),
    ) {
        (Some(existing), Some(absent), None) => {
            let evidence = Evidence::of(format!(
                "An existing account gets a different response from a nonexistent name: {}.",
                existing.difference(absent)
            ))
            .exhibit(
                "an incorrect password for an existing account",
                &facts.shown[0],
            )
            .exhibit("the same for a nonexistent name", &facts.shown[1]);
            Verdict::find(Severity::Medium, Confidence::High, evidence)
        }
        _ => Verdict::inconclusive("responses to failed logins vary on their own"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::tests::answer;

    fn facts(existing: &[&str], absent: &[&str]) -> Facts {
        let set = |bodies: &[&str]| {
            bodies
                .iter()
                .map(|body| answer(401, &[], body).signature())
                .collect()
        };
        Facts {
            existing: set(existing),
            absent: set(absent),
            ..Facts::default()
        }
    }

    #[test]
    fn a_finding_is_a_difference_between_constant_sides() {
        assert!(matches!(judge(&facts(&["no"], &["no"])), Verdict::Pass(_)));
        assert!(matches!(judge(&facts(&["no"], &["who"])), Verdict::Find(_)));
        assert!(judge(&facts(&["no"], &["who", "no"])).is_inconclusive());
        assert!(matches!(
            judge(&facts(&["a", "b"], &["a", "b"])),
            Verdict::Pass(_)
        ));
        let coarse = Facts {
            coarse: true,
            ..facts(&["no"], &["no"])
        };
        assert!(judge(&coarse).is_inconclusive());
        let refused = Facts {
            refused: true,
            ..facts(&["no"], &["who"])
        };
        assert!(judge(&refused).is_inconclusive());
    }
}
