//! What a login limits, measured once and judged by several checks.
//!
//! Three arms, so that no limit masks another: one account from fresh addresses, one account from
//! one address, fresh accounts from one address. After an arm, a right login tells whether what
//! failed is shut, and a bystander (another account, a fresh address) whether everybody is.

use crate::{
    Account,
    answer::Answer,
    learn::Class,
    probe::{Source, Stop},
    scan::{Session, Who},
};

/// Failures that an account arm makes at most: one more than a limiter of ten lets through, and
/// one to confirm.
const ACCOUNT_FAILURES: u32 = 12;

/// Failures of one address over fresh names. An address serves many people, so its limit may be
/// more generous than an account's.
const ADDRESS_FAILURES: u32 = 32;

/// The most requests of all arms and their controls.
pub(crate) const MAX_REQUESTS: u32 = 2 * (ACCOUNT_FAILURES + 2) + ADDRESS_FAILURES + 3;

/// Why a check that asks what a limit is keyed on can't tell.
pub(crate) const NEEDS_SOURCES: &str =
    "what a limit is keyed on can't be told from one address; give more with --source";

/// What one series of failures met.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Arm {
    /// Failures that were tried.
    pub(crate) tried: u32,
    /// The first try, from 1, that was answered otherwise than a wrong password is, and how.
    pub(crate) reaction: Option<(u32, String)>,
    /// Seconds, from Retry-After.
    pub(crate) retry_after: Option<u64>,
    /// Whether a right login still got in after it.
    pub(crate) right_gets_in: bool,
}

impl Arm {
    /// Whether anything stops guessing. A limit may be silent, and a refusal need not be a 429.
    pub(crate) fn limited(&self) -> bool {
        self.reaction.is_some() || !self.right_gets_in
    }

    /// How many guesses get through, if not all.
    pub(crate) fn most(&self) -> Option<u32> {
        match &self.reaction {
            Some((at, _)) => Some(at - 1),
            None => (!self.right_gets_in).then_some(self.tried),
        }
    }

    /// The arm in words.
    pub(crate) fn words(&self) -> String {
        match &self.reaction {
            Some((at, how)) => format!("try {at} was answered {how}"),
            None if self.right_gets_in => {
                format!(
                    "{} wrong passwords changed nothing, and the right one then got in",
                    self.tried
                )
            }
            None => format!(
                "after {} wrong passwords the right one was refused in silence",
                self.tried
            ),
        }
    }
}

/// All arms. `None`: not measured, for want of source addresses or because everybody was refused.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LimitFacts {
    /// One account, each failure from a fresh address.
    pub(crate) account: Option<Arm>,
    /// One account from one address.
    pub(crate) pair: Option<Arm>,
    /// Fresh accounts from one address.
    pub(crate) address: Option<Arm>,
    /// Whether a right login of an account that never failed, from an address that was never
    /// used, was refused while something else was exhausted.
    pub(crate) bystander_refused: bool,
    /// Whether the target could be asked from several addresses.
    pub(crate) several_sources: bool,
    /// A right login that an address-dependent limit refuses, for the checks that try to free it.
    pub(crate) shut: Option<(Account, Source)>,
}

impl LimitFacts {
    /// Whether an account's failures are limited, whatever the key.
    pub(crate) fn limits_one_account(&self) -> Option<bool> {
        let arms = [&self.account, &self.pair];
        let measured: Vec<bool> = arms.into_iter().flatten().map(Arm::limited).collect();
        (!measured.is_empty()).then(|| measured.contains(&true))
    }
}

/// The facts, measured now or before.
pub(crate) async fn facts(session: &mut Session) -> Result<LimitFacts, Stop> {
    if let Some(facts) = &session.limits {
        return Ok(facts.clone());
    }
    let facts = measure(session).await?;
    session.limits = Some(facts.clone());
    Ok(facts)
}

async fn measure(session: &mut Session) -> Result<LimitFacts, Stop> {
    let mut facts = LimitFacts {
        several_sources: session.probe.has_sources(),
        ..LimitFacts::default()
    };
    if !facts.several_sources {
        let victim = session.account(1);
        facts.pair = Some(account_arm(session, &victim, Sources::One(None)).await?);
        return Ok(facts);
    }
    if bystander_refused(session).await? {
        facts.bystander_refused = true;
        return Ok(facts);
    }
    let victim = session.account(1);
    let account = account_arm(session, &victim, Sources::Fresh).await?;
    let account_limited = account.limited();
    facts.account = Some(account);
    if account_limited && bystander_refused(session).await? {
        facts.bystander_refused = true;
        return Ok(facts);
    }
    if !account_limited {
        let source = session.need_source()?;
        let victim = session.account(2);
        let pair = account_arm(session, &victim, Sources::One(source)).await?;
        if pair.limited() && bystander_refused(session).await? {
            facts.bystander_refused = true;
        }
        if pair.limited() && !pair.right_gets_in {
            facts.shut = Some((victim, source));
        }
        facts.pair = Some(pair);
    }
    if !facts.bystander_refused {
        let source = session.need_source()?;
        let address = address_arm(session, source).await?;
        facts.bystander_refused = address.limited() && bystander_refused(session).await?;
        if address.limited() && !address.right_gets_in {
            facts.shut = Some((session.own(), source));
        }
        facts.address = Some(address);
    }
    Ok(facts)
}

#[derive(Clone, Copy)]
enum Sources {
    One(Source),
    Fresh,
}

async fn account_arm(
    session: &mut Session,
    victim: &Account,
    sources: Sources,
) -> Result<Arm, Stop> {
    let mut arm = Arm::default();
    while arm.tried < ACCOUNT_FAILURES && !arm.confirmed() {
        let source = pick(session, sources)?;
        let password = session.wrong_password();
        let (answer, class) = session.wrong(source, Who::Own(victim), &password).await?;
        arm.note(&answer, class, &victim.name);
    }
    let source = pick(session, sources)?;
    arm.right_gets_in = session.right(source, victim).await?.1 == Class::Right;
    Ok(arm)
}

async fn address_arm(session: &mut Session, source: Source) -> Result<Arm, Stop> {
    let mut arm = Arm::default();
    // Names that don't exist may be answered in words of their own; that is not a limit.
    let mut usual = None;
    while arm.tried < ADDRESS_FAILURES && !arm.confirmed() {
        let nobody = session.nobody();
        let who = Who::Nobody(&nobody);
        let password = session.wrong_password();
        let (answer, class) = session.wrong(source, who, &password).await?;
        let signature = session.learned.signature(&answer, who.name());
        let as_usual = usual.get_or_insert_with(|| signature.clone()) == &signature;
        let class = if as_usual { Class::Wrong } else { class };
        arm.note(&answer, class, who.name());
    }
    let own = session.own();
    arm.right_gets_in = session.right(source, &own).await?.1 == Class::Right;
    Ok(arm)
}

fn pick(session: &mut Session, sources: Sources) -> Result<Source, Stop> {
    match sources {
        Sources::One(source) => Ok(source),
        Sources::Fresh => session.need_source(),
    }
}

/// Whether an account that never fails is refused from an address that was never used.
async fn bystander_refused(session: &mut Session) -> Result<bool, Stop> {
    let source = session.need_source()?;
    let own = session.own();
    Ok(session.right(source, &own).await?.1 != Class::Right)
}

impl Arm {
    fn note(&mut self, answer: &Answer, class: Class, account: &str) {
        self.tried += 1;
        match (&self.reaction, class) {
            (None, Class::Other) => {
                self.reaction = Some((self.tried, answer.describe(account)));
                self.retry_after = answer.retry_after();
            }
            // One odd answer and then the usual one again is no limit.
            (Some(_), Class::Wrong) => (self.reaction, self.retry_after) = (None, None),
            _ => {}
        }
    }

    fn confirmed(&self) -> bool {
        self.reaction
            .as_ref()
            .is_some_and(|(at, _)| self.tried > *at)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::answer::tests::answer;

    /// An arm that met a limit at this try, or none.
    pub(in crate::checks) fn arm(limited_at: Option<u32>) -> Arm {
        Arm {
            tried: 12,
            reaction: limited_at.map(|at| (at, "429".to_owned())),
            retry_after: None,
            right_gets_in: limited_at.is_none(),
        }
    }

    /// Facts of a login that could be asked from several addresses.
    pub(in crate::checks) fn facts(
        account: Option<u32>,
        pair: Option<u32>,
        address: Option<u32>,
    ) -> LimitFacts {
        LimitFacts {
            account: Some(arm(account)),
            pair: account.is_none().then(|| arm(pair)),
            address: Some(arm(address)),
            several_sources: true,
            ..LimitFacts::default()
        }
    }

    #[test]
    fn one_odd_answer_is_no_limit() {
        let (odd, usual) = (answer(500, &[], ""), answer(401, &[], ""));
        let mut arm = Arm::default();
        for (answer, class) in [
            (&usual, Class::Wrong),
            (&odd, Class::Other),
            (&usual, Class::Wrong),
        ] {
            arm.note(answer, class, "a");
            assert!(!arm.confirmed());
        }
        assert_eq!(arm.reaction, None);
        arm.note(&odd, Class::Other, "a");
        arm.note(&odd, Class::Other, "a");
        assert!(arm.confirmed());
        assert_eq!(arm.most(), Some(3));
    }

    #[test]
    fn a_silent_limit_is_a_limit() {
        let silent = Arm {
            tried: 12,
            right_gets_in: false,
            ..Arm::default()
        };
        assert!(silent.limited());
        assert_eq!(silent.most(), Some(12));
        assert!(silent.words().contains("in silence"));
    }
}
