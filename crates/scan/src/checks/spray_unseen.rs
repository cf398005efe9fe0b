//! Password spraying goes unnoticed.

use futures_util::future::BoxFuture;

use super::{Check, Standards, limits, recipes};
use crate::{
    Account, Confidence, Evidence, Severity, Verdict,
    learn::Class,
    probe::Stop,
    scan::{Session, Who},
};

pub(super) static CHECK: Check = Check {
    id: "spray-unseen",
    title: "Password spraying goes unnoticed",
    severity: Severity::High,
    what: "Tries one password on up to twelve test accounts, once each, every time from a \
           different IP address. Checks whether anything reacts and whether that password still \
           logs in to the account that it belongs to.",
    why: "Password spraying is how most accounts are compromised: one common guess for each \
          account and each IP address stays below every limit that counts failures of either.",
    sends: "One incorrect password on each of 8 to 12 test accounts (it is the correct one of \
            another test account), and three successful logins as controls.",
    max_requests: 15,
    measures_limits: false,
    side_by_side: false,
    evidence: "Positive control: the sprayed password logs in to its own account before the spray. \
               Finding: no response differed, and it still does so afterwards. Control for a limit \
               that locks out all users: another account logs in with its correct password.",
    false_alarms: "A defence that reacts only after more than twelve accounts, or that monitors \
                   without acting, is treated as none.",
    standards: Standards {
        owasp_api: &["API2:2023", "API6:2023"],
        asvs: &["6.3.5", "16.3.3"],
        cwe: &[307, 778],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4", "10.4.1"],
        soc2: &["CC6.1", "CC6.6", "CC7.2"],
    },
    fix: "Count the distinct accounts on which one password has failed, by a short keyed \
          fingerprint of the password, and reject that password while it is hot. Ban common \
          passwords at registration.",
    recipes: &recipes::LIMITS,
    policy: r#"[policy]
heat = "5 per day""#,
    run,
};

/// Fewer accounts than these decide nothing: sound defences wait for some.
const LEAST: usize = 8;
/// More than these are not sprayed.
const MOST: usize = 12;

/// What a spray met.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    /// Accounts that were tried.
    pub(crate) tried: u32,
    /// The first try, from 1, that was answered otherwise than a wrong password is, and how.
    pub(crate) reaction: Option<(u32, String)>,
    /// Seconds, from Retry-After.
    pub(crate) retry_after: Option<u64>,
    /// Whether the sprayed password logged its own account in before, and after.
    pub(crate) right_before: bool,
    pub(crate) right_after: bool,
    /// Whether another account's right login was refused after it.
    pub(crate) bystander_refused: bool,
    /// Whether each try came from another address.
    pub(crate) several_sources: bool,
}

impl Facts {
    /// How many accounts a password can be tried on, where something stops it.
    pub(crate) fn most(&self) -> Option<u32> {
        match &self.reaction {
            Some((at, _)) => Some(at - 1),
            None => (!self.right_after).then_some(self.tried),
        }
    }
}

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let (mut pool, canary) = (session.pool(), session.canary());
        pool.retain(|account| account.password != canary.password && account.name != canary.name);
        pool.truncate(MOST);
        if pool.len() < LEAST {
            return Ok(Verdict::inconclusive(format!(
                "this check needs {} more test accounts with passwords of their own; provide them with --account or --accounts, or use --register",
                LEAST - pool.len()
            )));
        }
        session.probe.expect_limits(true);
        let facts = measure(session, &pool, &canary).await;
        session.probe.expect_limits(false);
        let facts = facts?;
        let verdict = judge(&facts);
        if !matches!(
            verdict,
            Verdict::Inconclusive(_) | Verdict::NotApplicable(_)
        ) {
            session.spray = Some(facts);
        }
        Ok(verdict)
    })
}

async fn measure(session: &mut Session, pool: &[Account], canary: &Account) -> Result<Facts, Stop> {
    let mut facts = Facts {
        several_sources: session.probe.has_sources(),
        ..Facts::default()
    };
    let source = session.need_source()?;
    facts.right_before = session.right(source, canary).await?.1 == Class::Right;
    let mut usual = None;
    for account in pool.iter().take_while(|_| facts.right_before) {
        let source = session.need_source()?;
        let who = Who::Own(account);
        let (answer, class) = session.wrong(source, who, &canary.password).await?;
        facts.tried += 1;
        let signature = session.learned.signature(&answer);
        // Each account may get a response of its own; the first shows which.
        let odd =
            usual.get_or_insert_with(|| signature.clone()) != &signature && class != Class::Wrong;
        let confirmed = odd && facts.reaction.is_some();
        match odd {
            _ if confirmed => break,
            true => {
                facts.reaction = Some((facts.tried, answer.describe()));
                facts.retry_after = answer.retry_after();
            }
            // One odd answer and then the usual one again is no reaction.
            false => (facts.reaction, facts.retry_after) = (None, None),
        }
    }
    let source = session.need_source()?;
    facts.right_after = session.right(source, canary).await?.1 == Class::Right;
    let (source, own) = (session.need_source()?, session.own());
    facts.bystander_refused = session.right(source, &own).await?.1 != Class::Right;
    Ok(facts)
}

fn judge(facts: &Facts) -> Verdict {
    if !facts.right_before || facts.bystander_refused {
        return Verdict::inconclusive(
            "correct passwords were rejected for another reason; see limit-global",
        );
    }
    let reaction = match &facts.reaction {
        Some((2, _)) if facts.right_after => {
            return Verdict::inconclusive("the response differs from account to account");
        }
        Some((at, how)) if facts.right_after => {
            return Verdict::inconclusive(format!(
                "the response for account {at} was {how}, but the sprayed password still logs in to its own account"
            ));
        }
        Some((at, how)) => Some(format!(
            "the response to the same password on account {at} was {how}"
        )),
        None if !facts.right_after => Some(format!(
            "after {} accounts the password was silently rejected even for its own account",
            facts.tried
        )),
        None => None,
    };
    match reaction {
        Some(reaction) if facts.several_sources => {
            Verdict::pass(format!("The spray was noticed: {reaction}."))
        }
        Some(_) => Verdict::inconclusive(limits::NEEDS_SOURCES),
        None => {
            let from = if facts.several_sources {
                "each from a different IP address"
            } else {
                "from one IP address"
            };
            let evidence = Evidence::of(format!(
                "One password was tried on {} accounts, {from}: nothing reacted, and it still logged in to its own account.",
                facts.tried
            ))
            .exhibit("one password on one account after another", "each got the usual response to an incorrect password")
            .exhibit("the same password on its own account", "logged in");
            Verdict::find(Severity::High, Confidence::High, evidence)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spray_that_nobody_notices_is_found() {
        let unseen = Facts {
            tried: 15,
            right_before: true,
            right_after: true,
            several_sources: true,
            ..Facts::default()
        };
        assert!(matches!(judge(&unseen), Verdict::Find(_)));
        let told = Facts {
            reaction: Some((6, "429".into())),
            right_after: false,
            ..unseen.clone()
        };
        assert!(matches!(judge(&told), Verdict::Pass(_)));
        assert_eq!(told.most(), Some(5));
        let silent = Facts {
            right_after: false,
            ..unseen.clone()
        };
        assert!(matches!(judge(&silent), Verdict::Pass(_)));
        let everybody = Facts {
            bystander_refused: true,
            ..told.clone()
        };
        assert!(judge(&everybody).is_inconclusive());
        let one_address = Facts {
            several_sources: false,
            ..told
        };
        assert!(judge(&one_address).is_inconclusive());
    }
}
