//! The outcome of a burst: as many guesses as the limit allows and three more, sent concurrently,
//! for a nonexistent account name. Measured once; it shows whether concurrent guesses exceed the
//! limit, and whether nonexistent names are limited like existing accounts.

use super::limits::{self, LimitFacts};
use crate::{
    answer::Signature,
    learn::Class,
    probe::{Source, Stop},
    scan::{Session, Who},
};

/// Guesses in a burst beyond those that are allowed in sequence.
const BEYOND: u32 = 3;

/// The largest limit that is raced: a burst must stay small.
const LARGEST: u32 = 12;

/// Maximum number of requests of both bursts, each with one before and one after it.
pub(crate) const MAX_REQUESTS: u32 = LARGEST + BEYOND + 2 + LARGEST;

/// The outcome of the bursts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Locks {
    /// Guesses that get through in sequence.
    pub(crate) limit: u32,
    /// How the nonexistent name is rejected, if it is.
    pub(crate) stranger: Option<Signature>,
    /// How an existing account is rejected.
    pub(crate) account: Option<Signature>,
    /// The number of concurrent guesses sent, and of those answered as if nothing limited them;
    /// `None` if no limited name could be raced.
    pub(crate) race: Option<(u32, u32)>,
}

/// Returns the facts, measured now or before. `Err`: why they cannot be measured.
pub(crate) async fn facts(session: &mut Session) -> Result<Result<Locks, &'static str>, Stop> {
    let limits = limits::facts(session).await?;
    let (limit, source) = match raced(&limits) {
        Ok(raced) => raced,
        Err(reason) => return Ok(Err(reason)),
    };
    if let Some(known) = &session.locks {
        return known.clone().map(Ok);
    }
    session.probe.expect_limits(true);
    let measured = measure(session, &limits, limit, source).await;
    session.probe.expect_limits(false);
    session.locks = Some(measured.clone());
    measured.map(Ok)
}

/// Returns the limit that the burst is for, and whether it has to come from one address.
fn raced(limits: &LimitFacts) -> Result<(u32, bool), &'static str> {
    if limits.bystander_refused {
        return Err("all logins were rejected; see limit-global");
    }
    if limits.blind.is_some() {
        return Err(
            "this check needs three test accounts and many source addresses; see limit-ignores-account",
        );
    }
    let arms = [(&limits.account, false), (&limits.pair, true)];
    let mut shut = arms.into_iter().filter_map(|(arm, from_one)| {
        let arm = arm.as_ref().filter(|arm| arm.limited())?;
        Some((arm, from_one))
    });
    let (arm, from_one) = shut.next().ok_or("no account was limited")?;
    if arm.refusal.is_none() {
        return Err("the limit rejects silently or by slowing down, so guesses cannot be counted");
    }
    let limit = arm.most().unwrap_or(0);
    if limit > LARGEST {
        return Err("the limit is too large for a burst");
    }
    let by_address = limits.address.as_ref().and_then(|arm| arm.most());
    if from_one && by_address.is_some_and(|most| most <= limit + BEYOND + 2) {
        return Err(
            "the per-IP limit is reached before a burst would show the limit of the account",
        );
    }
    Ok((limit, from_one))
}

async fn measure(
    session: &mut Session,
    limits: &LimitFacts,
    limit: u32,
    from_one: bool,
) -> Result<Locks, Stop> {
    let arm = if from_one {
        &limits.pair
    } else {
        &limits.account
    };
    let nobody = session.nobody();
    let who = Who::Nobody(&nobody);
    let source = session.need_source()?;
    let home = from_one.then_some(source);
    // Nonexistent names may get a response of their own; the first request shows which.
    let first = try_one(session, who, Some(source)).await?;
    let (sent, answered) = burst(session, who, &first, limit + BEYOND - 1, home).await?;
    let last = try_one(session, who, home).await?;
    let mut locks = Locks {
        limit,
        stranger: (last != first).then_some(last),
        account: arm.as_ref().and_then(|arm| arm.refusal.clone()),
        race: Some((sent + 1, answered + 1)),
    };
    if locks.stranger.is_none() && answered == sent {
        locks.race = race_an_account(session, limit, home).await?;
    }
    Ok(locks)
}

/// Races a test account, if only existing accounts are limited: with as many guesses as it may fail.
async fn race_an_account(
    session: &mut Session,
    limit: u32,
    home: Option<Source>,
) -> Result<Option<(u32, u32)>, Stop> {
    // The account that the limit measurement did not use.
    let account = session.account(if home.is_some() { 1 } else { 2 });
    let left = session.failures_left(&account.name);
    if left < limit + 2 {
        return Ok(None);
    }
    let who = Who::Own(&account);
    let first = try_one(session, who, home).await?;
    let count = (limit + BEYOND).min(left) - 1;
    let (sent, answered) = burst(session, who, &first, count, home).await?;
    Ok(Some((sent + 1, answered + 1)))
}

async fn try_one(
    session: &mut Session,
    who: Who<'_>,
    source: Option<Source>,
) -> Result<Signature, Stop> {
    let source = match source {
        Some(source) => source,
        None => session.need_source()?,
    };
    let password = session.wrong_password();
    let (answer, _) = session.wrong(source, who, &password).await?;
    Ok(session.learned.signature(&answer))
}

/// Sends guesses concurrently; returns how many were sent, and how many were answered like the
/// first.
async fn burst(
    session: &mut Session,
    who: Who<'_>,
    first: &Signature,
    count: u32,
    home: Option<Source>,
) -> Result<(u32, u32), Stop> {
    let mut sources = Vec::new();
    for _ in 0..count {
        sources.push(match home {
            Some(source) => source,
            None => session.need_source()?,
        });
    }
    let answers = session.wrong_together(sources, who).await?;
    let as_usual = answers.into_iter().flatten().filter(|(answer, class)| {
        *class == Class::Wrong || session.learned.signature(answer) == *first
    });
    Ok((count, as_usual.count() as u32))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::checks::{
        limits::tests::{arm, facts},
        tests::numbers,
    };

    #[test]
    fn the_check_names_the_sizes_of_the_burst() {
        let check = crate::checks::find("limit-race").unwrap();
        assert_eq!(numbers(&[check.sends]), [LARGEST, LARGEST + BEYOND].into());
    }

    #[test]
    fn only_what_says_that_it_refuses_is_raced() {
        let spoken = |most| limits::Arm {
            refusal: Some(crate::answer::tests::answer(429, &[], "no").signature()),
            ..arm(most)
        };
        let with = |account, pair, address| LimitFacts {
            account: Some(account),
            pair,
            ..facts(None, None, address)
        };
        assert_eq!(raced(&with(spoken(Some(11)), None, None)), Ok((10, false)));
        assert!(raced(&with(arm(Some(11)), None, None)).is_err());
        assert!(raced(&with(spoken(Some(20)), None, None)).is_err());
        assert!(raced(&facts(None, None, None)).is_err());
        let pair = || Some(spoken(Some(6)));
        assert_eq!(raced(&with(arm(None), pair(), None)), Ok((5, true)));
        assert!(raced(&with(arm(None), pair(), Some(9))).is_err());
    }
}
