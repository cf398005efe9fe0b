//! The limits of a login, measured once and judged by several checks.
//!
//! Three arms, so that no limit masks another: one account from new addresses, one account from one
//! address, new account names from one address. After an arm, a login with the correct password
//! shows whether what failed is blocked, and a bystander (another account, a new address) whether
//! everything is.

use std::time::Duration;

use crate::{
    Account, Confidence, Evidence, Severity, Verdict,
    answer::Signature,
    learn::Class,
    probe::{Source, Stop},
    request::Request,
    scan::{Session, Who},
};

/// Maximum number of failures of an account arm: one more than a limiter of ten lets through, and
/// one to confirm.
const ACCOUNT_FAILURES: u32 = 12;

/// Maximum number of failures of one address over new names. An address serves many users, so its
/// limit may be more generous than an account's.
const ADDRESS_FAILURES: u32 = 26;

/// Maximum number of requests of all arms and their controls.
pub(crate) const MAX_REQUESTS: u32 = 2 * (ACCOUNT_FAILURES + 4) + (ADDRESS_FAILURES + 3) + 6;

/// A limit may slow responses down instead of rejecting: by this factor compared with the first
/// response, and by at least this much.
const SLOWER: u32 = 5;
const SLOWER_BY: Duration = Duration::from_secs(1);

/// Why a check of a limit's key is inconclusive with one source address.
pub(crate) const NEEDS_SOURCES: &str = "the key of a limit cannot be determined from one source address; give 64 or more with --source";

/// Why a check of a limit's key is inconclusive with too few accounts.
const NEEDS_ACCOUNTS: &str = "determining the key of a limit needs three test accounts; give more with --account, or use --register";

/// The outcome of one series of failures.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Arm {
    /// Number of failures sent.
    pub(crate) tried: u32,
    /// The first attempt, from 1, whose response differs from those before it, and a description.
    pub(crate) reaction: Option<(u32, String)>,
    /// The rejection that followed, without what varies on its own.
    pub(crate) refusal: Option<Signature>,
    /// Seconds, from Retry-After.
    pub(crate) retry_after: Option<u64>,
    /// Whether the correct password still logged in afterwards.
    pub(crate) right_gets_in: bool,
    /// Whether incorrect passwords were still rejected after the correct one had logged in.
    pub(crate) only_wrong_ones: bool,
}

/// The effect of a limit on an arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Guessing is stopped. A limit may be silent, and a rejection need not be a 429.
    Shut,
    /// Guessing continues: nothing reacts, or only to incorrect passwords.
    Open,
    /// Something reacted, but the correct password still logged in: a short window, a delay, a
    /// message.
    Unclear,
}

impl Arm {
    pub(crate) fn hold(&self) -> Hold {
        match (&self.reaction, self.right_gets_in) {
            (_, false) => Hold::Shut,
            (Some(_), true) if !self.only_wrong_ones => Hold::Unclear,
            _ => Hold::Open,
        }
    }

    /// Discards a reaction that was not confirmed.
    fn calm(&mut self) {
        (self.reaction, self.retry_after, self.refusal) = (None, None, None);
    }

    pub(crate) fn limited(&self) -> bool {
        self.hold() == Hold::Shut
    }

    /// Returns how many guesses get through, if not all.
    pub(crate) fn most(&self) -> Option<u32> {
        let first = self.reaction.as_ref().map_or(self.tried, |(at, _)| at - 1);
        (self.hold() != Hold::Open).then_some(first)
    }

    /// Describes the arm.
    pub(crate) fn words(&self) -> String {
        match (&self.reaction, self.hold()) {
            (Some((at, how)), Hold::Shut) => format!("attempt {at} received {how}"),
            (Some((at, how)), Hold::Open) => format!(
                "attempt {at} received {how}, but the correct password logged in, and only incorrect ones were still rejected"
            ),
            (Some((at, how)), Hold::Unclear) => {
                format!("attempt {at} received {how}, but the correct password then logged in")
            }
            (None, Hold::Shut) => {
                format!(
                    "after {} incorrect passwords the correct one was rejected silently",
                    self.tried
                )
            }
            (None, _) => {
                format!(
                    "{} incorrect passwords changed nothing, and the correct one then logged in",
                    self.tried
                )
            }
        }
    }
}

/// All arms. `None`: not measured, for lack of addresses or accounts, or because all logins were
/// rejected.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LimitFacts {
    /// One account, each failure from a new address.
    pub(crate) account: Option<Arm>,
    /// One account from one address.
    pub(crate) pair: Option<Arm>,
    /// New account names from one address.
    pub(crate) address: Option<Arm>,
    /// Whether the correct password of an account that never failed, from an unused address, was
    /// rejected while something else was exhausted.
    pub(crate) bystander_refused: bool,
    /// Why the keys were not distinguished.
    pub(crate) blind: Option<&'static str>,
    /// A login with the correct password that a limit on the address rejects, for the checks that
    /// try to bypass it.
    pub(crate) shut: Option<(Account, Source)>,
    /// An account whose correct password is rejected, and from which address; `None`: from all.
    pub(crate) locked: Option<(Account, Option<Source>)>,
}

impl LimitFacts {
    /// Returns why a check of the limit's key cannot decide, if it cannot.
    pub(crate) fn untold(&self) -> Option<Verdict> {
        if self.bystander_refused {
            return Some(Verdict::inconclusive(
                "all logins were rejected; see limit-global",
            ));
        }
        if let Some(reason) = self.blind {
            return Some(Verdict::inconclusive(reason));
        }
        let arms = [&self.account, &self.pair, &self.address];
        let unclear = arms
            .into_iter()
            .flatten()
            .find(|arm| arm.hold() == Hold::Unclear);
        unclear.map(|arm| {
            Verdict::inconclusive(format!(
                "it is unclear whether a limit holds: {}",
                arm.words()
            ))
        })
    }
}

/// Returns the facts, measured now or before.
pub(crate) async fn facts(session: &mut Session) -> Result<LimitFacts, Stop> {
    if let Some(facts) = &session.limits {
        return facts.clone();
    }
    // A limit may respond with 503, slowly or not at all: elsewhere, signs of a target in trouble.
    session.probe.expect_limits(true);
    let facts = measure(session).await;
    session.probe.expect_limits(false);
    session.limits = Some(facts.clone());
    facts
}

async fn measure(session: &mut Session) -> Result<LimitFacts, Stop> {
    let mut facts = LimitFacts::default();
    let several = session.probe.has_sources();
    if !several || session.accounts_known() < 3 {
        facts.blind = Some(if several {
            NEEDS_ACCOUNTS
        } else {
            NEEDS_SOURCES
        });
        let source = session.need_source()?;
        let victim = session.account(1);
        facts.pair = Some(account_arm(session, &victim, Sources::One(source)).await?);
        return Ok(facts);
    }
    facts.bystander_refused = bystander_refused(session).await?;
    if facts.bystander_refused {
        return Ok(facts);
    }
    let victim = session.account(1);
    let account = account_arm(session, &victim, Sources::Fresh).await?;
    let account_limited = account.limited();
    facts.account = Some(account);
    facts.locked = account_limited.then_some((victim, None));
    if account_limited {
        facts.bystander_refused = bystander_refused(session).await?;
    } else {
        let source = session.need_source()?;
        let victim = session.account(2);
        let pair = account_arm(session, &victim, Sources::One(source)).await?;
        if pair.limited() {
            facts.bystander_refused = bystander_refused(session).await?;
            facts.locked = Some((victim.clone(), Some(source)));
            facts.shut = Some((victim, source));
        }
        facts.pair = Some(pair);
    }
    if !facts.bystander_refused {
        let source = session.need_source()?;
        let address = address_arm(session, source).await?;
        if address.limited() {
            facts.bystander_refused = bystander_refused(session).await?;
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

impl Sources {
    fn pick(self, session: &mut Session) -> Result<Source, Stop> {
        match self {
            Self::One(source) => Ok(source),
            Self::Fresh => session.need_source(),
        }
    }
}

async fn account_arm(
    session: &mut Session,
    victim: &Account,
    sources: Sources,
) -> Result<Arm, Stop> {
    let source = sources.pick(session)?;
    if !gets_in(session, source, victim).await? {
        let reason = "the correct password of a test account is rejected, or gets a different response from the first account's";
        return Err(Stop::Check(reason.into()));
    }
    let mut series = Series::default();
    while series.arm.tried < ACCOUNT_FAILURES && !series.confirmed {
        let source = sources.pick(session)?;
        series.fail(session, source, Who::Own(victim)).await?;
    }
    let mut arm = series.ended();
    let source = sources.pick(session)?;
    arm.right_gets_in = gets_in(session, source, victim).await?;
    if arm.reaction.is_some() && arm.right_gets_in {
        let source = sources.pick(session)?;
        // And the correct one again: a bucket that lets one through now and then is a limit.
        arm.only_wrong_ones = series
            .still_reacts(session, source, Who::Own(victim))
            .await?
            && gets_in(session, source, victim).await?;
    }
    Ok(arm)
}

async fn address_arm(session: &mut Session, source: Source) -> Result<Arm, Stop> {
    let own = session.own();
    let mut series = Series::default();
    while series.arm.tried < ADDRESS_FAILURES && !series.confirmed {
        let nobody = session.nobody();
        series.fail(session, source, Who::Nobody(&nobody)).await?;
    }
    let mut arm = series.ended();
    arm.right_gets_in = gets_in(session, source, &own).await?;
    if arm.reaction.is_some() && arm.right_gets_in {
        let nobody = session.nobody();
        arm.only_wrong_ones = series
            .still_reacts(session, source, Who::Nobody(&nobody))
            .await?
            && gets_in(session, source, &own).await?;
    }
    Ok(arm)
}

/// The outcome of trying to bypass a rejection, with what `judge` needs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Detours {
    /// Whether the login was rejected before.
    pub(crate) shut_before: bool,
    /// The variant that logged in, and whether the login was then rejected without it, succeeded
    /// with it and was rejected once more.
    pub(crate) freed_by: Option<(String, bool)>,
    /// Number of variants tried.
    pub(crate) tried: usize,
}

/// Tries variants of a rejected login with the correct password, until one logs in.
pub(crate) async fn detours(
    session: &mut Session,
    account: &Account,
    source: Option<Source>,
    logins: Vec<(String, Request)>,
) -> Result<Detours, Stop> {
    session.probe.expect_limits(true);
    let tried = try_detours(session, account, source, logins).await;
    session.probe.expect_limits(false);
    tried
}

async fn try_detours(
    session: &mut Session,
    account: &Account,
    source: Option<Source>,
    logins: Vec<(String, Request)>,
) -> Result<Detours, Stop> {
    let sources = source.map_or(Sources::Fresh, Sources::One);
    let from = sources.pick(session)?;
    let mut detours = Detours {
        shut_before: !gets_in(session, from, account).await?,
        ..Detours::default()
    };
    for (how, request) in logins {
        if !detours.shut_before || detours.freed_by.is_some() {
            break;
        }
        detours.tried += 1;
        let from = sources.pick(session)?;
        if gets_in_as(session, from, account, request.clone()).await? {
            // Twice, with a rejection after each: a bucket lets one through now and then.
            let mut pattern = Vec::new();
            for way in [None, Some(request), None] {
                let from = sources.pick(session)?;
                pattern.push(match way {
                    Some(request) => gets_in_as(session, from, account, request).await?,
                    None => gets_in(session, from, account).await?,
                });
            }
            detours.freed_by = Some((how, pattern == [false, true, false]));
        }
    }
    Ok(detours)
}

impl Detours {
    /// Judges the variants of `what`.
    pub(crate) fn judge(&self, what: &str) -> Verdict {
        match &self.freed_by {
            _ if !self.shut_before => {
                Verdict::inconclusive("the rejection ended before a variant could be tried")
            }
            Some((how, true)) => {
                let evidence = Evidence::of(format!("The rejected login succeeds with {how}."))
                    .exhibit("a login with the correct password", "rejected")
                    .exhibit(format!("the same with {how}"), "logged in")
                    .exhibit("both once more", "rejected, logged in, and rejected again");
                Verdict::find(Severity::High, Confidence::High, evidence)
            }
            Some((how, false)) => Verdict::inconclusive(format!(
                "the rejection ended while {how} was being tried, with or without it"
            )),
            None => Verdict::pass(format!(
                "The login stayed rejected with {} variants of {what}.",
                self.tried
            )),
        }
    }
}

/// Returns the verdict of a check of bypasses that has nothing to bypass.
pub(crate) fn nothing_locked(facts: &LimitFacts) -> Verdict {
    facts
        .untold()
        .unwrap_or_else(|| Verdict::not_applicable("no limit was found that could be bypassed"))
}

/// Logs in with a request of another form; no response counts as a rejection here.
async fn gets_in_as(
    session: &mut Session,
    source: Source,
    account: &Account,
    request: Request,
) -> Result<bool, Stop> {
    match session.right_as(source, account, request).await {
        Ok((_, class)) => Ok(class == Class::Right),
        Err(Stop::Unreachable(_)) => Ok(false),
        Err(stop) => Err(stop),
    }
}

/// Logs in with the correct password; no response counts as a rejection here.
async fn gets_in(session: &mut Session, source: Source, account: &Account) -> Result<bool, Stop> {
    match session.right(source, account).await {
        Ok((_, class)) => Ok(class == Class::Right),
        Err(Stop::Unreachable(_)) => Ok(false),
        Err(stop) => Err(stop),
    }
}

/// Returns true if an account that never failed is rejected from two unused addresses.
async fn bystander_refused(session: &mut Session) -> Result<bool, Stop> {
    let own = session.own();
    for _ in 0..2 {
        let source = session.need_source()?;
        if session.right(source, &own).await?.1 == Class::Right {
            return Ok(false);
        }
    }
    Ok(true)
}

/// An arm in progress. Its own first response is the usual one: each account may get a response of
/// its own, and nonexistent names another; that is not a limit.
#[derive(Default)]
struct Series {
    arm: Arm,
    usual: Option<(Signature, Duration)>,
    /// Whether a second odd response followed the first: one alone is not a limit.
    confirmed: bool,
}

/// A response that is not the usual one.
struct Odd {
    how: String,
    retry_after: Option<u64>,
    refusal: Option<Signature>,
}

impl Series {
    async fn fail(
        &mut self,
        session: &mut Session,
        source: Source,
        who: Who<'_>,
    ) -> Result<(), Stop> {
        let odd = self.try_wrong(session, source, who).await?;
        self.note(odd);
        Ok(())
    }

    async fn still_reacts(
        &self,
        session: &mut Session,
        source: Source,
        who: Who<'_>,
    ) -> Result<bool, Stop> {
        let mut again = Self {
            usual: self.usual.clone(),
            ..Self::default()
        };
        Ok(again.try_wrong(session, source, who).await?.is_some())
    }

    /// Sends one incorrect password; returns what was odd about the response, if anything.
    async fn try_wrong(
        &mut self,
        session: &mut Session,
        source: Source,
        who: Who<'_>,
    ) -> Result<Option<Odd>, Stop> {
        let password = session.wrong_password();
        let (answer, class) = match session.wrong(source, who, &password).await {
            Ok(answered) => answered,
            Err(Stop::Unreachable(words)) if self.usual.is_some() => {
                let how = format!("no response ({words})");
                return Ok(Some(Odd {
                    how,
                    retry_after: None,
                    refusal: None,
                }));
            }
            Err(stop) => return Err(stop),
        };
        let signature = session.learned.signature(&answer);
        let (usual, first) = self
            .usual
            .get_or_insert((signature.clone(), answer.elapsed));
        if signature != *usual && class != Class::Wrong {
            return Ok(Some(Odd {
                how: answer.describe(),
                retry_after: answer.retry_after(),
                refusal: Some(signature),
            }));
        }
        let slow = answer.elapsed > *first * SLOWER + SLOWER_BY;
        Ok(slow.then(|| Odd {
            how: format!("a response after {:.1} s", answer.elapsed.as_secs_f64()),
            retry_after: None,
            refusal: None,
        }))
    }

    fn note(&mut self, odd: Option<Odd>) {
        self.arm.tried += 1;
        self.confirmed = odd.is_some() && self.arm.reaction.is_some();
        match odd {
            None => self.arm.calm(),
            // The first rejection may describe what the attempt caused, the next the state.
            Some(odd) if self.confirmed => self.arm.refusal = odd.refusal,
            Some(odd) => {
                self.arm.reaction = Some((self.arm.tried, odd.how));
                self.arm.retry_after = odd.retry_after;
                self.arm.refusal = odd.refusal;
            }
        }
    }

    /// Returns the arm without an unconfirmed odd response at its very end.
    fn ended(&self) -> Arm {
        let mut arm = self.arm.clone();
        if !self.confirmed {
            arm.calm();
        }
        arm
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::checks::tests::numbers;

    /// An arm that met a limit at this attempt, or none.
    pub(in crate::checks) fn arm(limited_at: Option<u32>) -> Arm {
        Arm {
            tried: 12,
            reaction: limited_at.map(|at| (at, "429".to_owned())),
            right_gets_in: limited_at.is_none(),
            ..Arm::default()
        }
    }

    /// Facts of a login measured from several addresses.
    pub(in crate::checks) fn facts(
        account: Option<u32>,
        pair: Option<u32>,
        address: Option<u32>,
    ) -> LimitFacts {
        LimitFacts {
            account: Some(arm(account)),
            pair: account.is_none().then(|| arm(pair)),
            address: Some(arm(address)),
            ..LimitFacts::default()
        }
    }

    /// The truth table: the kinds of login for which a judge reports a finding. It must not decide what
    /// was not measured.
    pub(in crate::checks) fn found_by(judge: fn(&LimitFacts) -> Verdict) -> Vec<&'static str> {
        let everybody = LimitFacts {
            bystander_refused: true,
            ..facts(Some(5), None, None)
        };
        let blind = LimitFacts {
            blind: Some("one address"),
            ..facts(Some(5), None, Some(21))
        };
        for untold in [everybody, blind] {
            assert!(judge(&untold).is_inconclusive());
        }
        [
            ("no limit", facts(None, None, None)),
            ("address only", facts(None, Some(11), Some(11))),
            ("account only", facts(Some(11), None, None)),
            ("pair only", facts(None, Some(11), None)),
            ("both", facts(Some(11), None, Some(21))),
        ]
        .into_iter()
        .filter(|(_, measured)| matches!(judge(measured), Verdict::Find(_)))
        .map(|(kind, _)| kind)
        .collect()
    }

    #[test]
    fn the_checks_name_the_sizes_of_the_arms() {
        for (id, expected) in [
            ("login-unlimited", vec![ACCOUNT_FAILURES]),
            ("limit-ignores-account", vec![ACCOUNT_FAILURES]),
            ("limit-ignores-address", vec![ADDRESS_FAILURES]),
            ("limit-per-pair", vec![ACCOUNT_FAILURES, ADDRESS_FAILURES]),
        ] {
            let check = crate::checks::find(id).unwrap();
            // What a standard allows is another number.
            let limits = check.false_alarms.split("SP 800-63B").next().unwrap();
            let texts = [check.title, check.what, check.sends, check.evidence, limits];
            let named: Vec<u32> = numbers(&texts).into_iter().collect();
            assert_eq!(named, expected, "{id}");
        }
    }

    fn series(answers: &[bool]) -> Series {
        let mut series = Series::default();
        for odd in answers {
            series.note(odd.then(|| Odd {
                how: "429".to_owned(),
                retry_after: Some(60),
                refusal: None,
            }));
        }
        series
    }

    #[test]
    fn a_way_is_open_only_between_refusals() {
        let judged = |shut_before, freed: Option<bool>| {
            let detours = Detours {
                shut_before,
                freed_by: freed.map(|again| ("the route /login/".into(), again)),
                tried: 4,
            };
            detours.judge("the route")
        };
        assert!(matches!(judged(true, Some(true)), Verdict::Find(_)));
        assert!(matches!(judged(true, None), Verdict::Pass(_)));
        assert!(judged(false, None).is_inconclusive());
        assert!(judged(true, Some(false)).is_inconclusive());
    }

    #[test]
    fn one_odd_answer_is_no_limit() {
        assert_eq!(series(&[false, true, false]).ended().reaction, None);
        assert_eq!(series(&[false, false, true]).ended().reaction, None);
        let confirmed = series(&[false, true, false, true, true]);
        assert!(confirmed.confirmed);
        let arm = confirmed.ended();
        assert_eq!((arm.most(), arm.retry_after), (Some(3), Some(60)));
    }

    #[test]
    fn what_holds_is_what_keeps_the_right_password_out() {
        let held = |reaction: bool, right_gets_in, only_wrong_ones| {
            let arm = Arm {
                tried: 12,
                reaction: reaction.then(|| (11, "429".to_owned())),
                right_gets_in,
                only_wrong_ones,
                ..Arm::default()
            };
            (arm.hold(), arm.most())
        };
        assert_eq!(held(true, false, false), (Hold::Shut, Some(10)));
        assert_eq!(held(false, false, false), (Hold::Shut, Some(12)));
        assert_eq!(held(false, true, false), (Hold::Open, None));
        assert_eq!(held(true, true, true), (Hold::Open, None));
        assert_eq!(held(true, true, false), (Hold::Unclear, Some(10)));
    }
}
