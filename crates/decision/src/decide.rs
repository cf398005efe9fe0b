//! From an attempt to a decision, and from an outcome back to the counters.

use std::time::Duration;

use crate::{
    AccountKey, Attempt, Charges, Count, Familiarity, Ledger, Movement, Outcome, Policy, SignalId,
    Thresholds, charge::Match, signals,
};

/// What to do with an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Verify the password.
    Allow,
    /// Verify it after a wait.
    Delay {
        /// The length of the wait.
        wait: Duration,
    },
    /// Verify it, and ask for a second factor even if it is correct.
    StepUp,
    /// Do not verify it.
    Deny {
        /// The time until a retry may succeed.
        retry_after: Duration,
    },
}

impl Decision {
    /// Returns whether the password may be verified.
    pub fn verifies(self) -> bool {
        !matches!(self, Self::Deny { .. })
    }

    /// Returns its name in audit events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Delay { .. } => "delay",
            Self::StepUp => "step_up",
            Self::Deny { .. } => "deny",
        }
    }
}

/// A decision and its basis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// What to do.
    pub decision: Decision,
    /// The suspicion of the attempt in nats: the sum over its [`reasons`]. It does not affect
    /// attempts with a device token.
    pub suspicion: f64,
    /// The thresholds that it was compared with.
    pub steps: Steps,
    /// How well the account knows the client.
    pub familiarity: Familiarity,
    /// The odds that an attempt from an unknown device is hostile; 0 if not computed.
    pub odds: f64,
    /// Whether the account has credit left, so that it may affect how others are judged.
    pub credited: bool,
    /// Whether the password is hot, beyond chance.
    pub hot: bool,
}

/// The suspicion, in nats, from which an attempt is delayed or stepped up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Steps {
    /// Delayed.
    pub delay: f64,
    /// Stepped up, or denied if there is no second factor.
    pub step_up: f64,
}

/// What one counter, or the attempt itself, contributes to a verdict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reason {
    /// The signal.
    pub signal: SignalId,
    /// The counter's ledger; `None` for evidence from the attempt itself.
    pub ledger: Option<Ledger>,
    /// The count.
    pub count: u32,
    /// The limit that it was compared with.
    pub limit: Option<crate::Limit>,
    /// The used share of the limit, after site-wide pressure; above 1.0 denies.
    pub share: f64,
    /// Its contribution to the suspicion, in nats.
    pub suspicion: f64,
}

/// The length of a delay.
const DELAY: Duration = Duration::from_secs(2);

/// The time to wait after a denial for suspicion: the length of the short window of pressure.
const SUSPICION_PASSES: Duration = Duration::from_secs(600);

/// The time to wait after being shed because of load.
const LOAD_PASSES: Duration = Duration::from_secs(5);

/// The [`Attempt::load`] from which strangers are shed.
pub const SHED_STRANGERS: f32 = 0.75;

/// The load from which attempts are shed whose account knows the network.
const SHED_NEIGHBOURS: f32 = 0.95;

/// The successful logins that make a network known to the site: more than one account can contribute
/// in three days.
const SITE_KNOWS: u32 = 10;

/// The most by which pressure divides the limits of strangers per address and network, from odds of
/// one half on.
const MOST_TIGHTENING: f64 = 2.0;

/// The combined state of the counters: what each signal may know about the others.
#[derive(Debug)]
pub struct Case<'a> {
    /// The attempt.
    pub attempt: &'a Attempt,
    /// The policy.
    pub policy: &'a Policy,
    /// How well the account knows the client.
    pub familiarity: Familiarity,
    /// Whether the account has failed with this password before.
    pub repeat: bool,
    /// The odds that an attempt from an unknown device is hostile.
    pub odds: f64,
    /// Successful logins that vouch for the network.
    pub standing: u32,
    /// Whether this account may vouch once more.
    pub credited: bool,
    /// Failures of this account at this address within minutes.
    pub typos: u16,
    /// Failures of the address, in the window in which there are most.
    pub at_address: u32,
    /// Incorrect passwords in a day on devices that are not known, as far as legitimate users make them.
    pub failures_a_day: f64,
}

impl<'a> Case<'a> {
    fn hear(attempt: &'a Attempt, policy: &'a Policy, counts: &[Count]) -> Self {
        let mut case = Self {
            attempt,
            policy,
            familiarity: Familiarity::None,
            repeat: false,
            odds: 0.0,
            standing: 0,
            credited: false,
            typos: 0,
            at_address: 0,
            failures_a_day: 0.0,
        };
        let mut failures = [0; 2];
        for count in counts {
            let limit = usize::from(count.charge.key.limit).min(1);
            match count.charge.key.ledger {
                Ledger::Tried => case.repeat = Match::of(count.count) == Match::Same,
                Ledger::Standing => case.standing = count.count,
                Ledger::Address => case.at_address = case.at_address.max(count.count),
                Ledger::Credit => case.credited = f64::from(count.count) <= case.limit(count),
                Ledger::Typos => case.typos = count.count.saturating_sub(1).min(99) as u16,
                // Successes are asked after failures, window by window.
                Ledger::Failures => failures[limit] = count.count.saturating_sub(1),
                Ledger::Successes => case.press(failures[limit], count),
                Ledger::Networks | Ledger::Asns => {
                    case.familiarity = case.familiarity.max(Familiarity::told(count));
                }
                _ => {}
            }
        }
        case
    }

    fn press(&mut self, failures: u32, successes: &Count) {
        if !self.policy.uses(SignalId::Pressure) {
            return;
        }
        let odds = signals::odds(failures, successes.count, self.policy.success_rate);
        self.odds = self.odds.max(odds);
        let limits = successes.charge.key.ledger.limits(self.policy);
        let days = limits.get(successes.charge.key.limit);
        let days = days.map_or(1.0, |limit| limit.window.as_secs_f64() / 86_400.0);
        // By the successful logins, which an attacker can't have: were it by the failures, an attack
        // would raise what is expected and hide in it. The longest window comes last and is the
        // steadiest.
        let benign = (1.0 - self.policy.success_rate) / self.policy.success_rate.max(0.01);
        self.failures_a_day = f64::from(successes.count) * benign / days;
    }

    /// The count that a counter is held against.
    pub(crate) fn limit(&self, count: &Count) -> f64 {
        let key = count.charge.key;
        let limit = key.ledger.limits(self.policy).get(key.limit);
        limit.map_or(f64::INFINITY, |limit| f64::from(limit.count))
    }

    /// Whether a counter's window is longer than that in which typos are forgiven.
    pub(crate) fn outlasts_typos(&self, count: &Count) -> bool {
        let typos = Ledger::Typos.limits(self.policy).get(0);
        let typos = typos.map(|limit| crate::Window::of(limit).lifetime().as_millis());
        let slot = u128::from(count.charge.window.slot_millis());
        typos.is_some_and(|typos| typos <= slot * 8)
    }

    /// How much the pressure tightens what strangers may do.
    fn tightening(&self, count: &Count) -> f64 {
        let strangers = matches!(count.charge.key.ledger, Ledger::Address | Ledger::Network);
        // A first attempt is never denied for the pressure alone, however small its limit.
        if !strangers || self.familiarity >= Familiarity::Network || count.with_own() <= 1 {
            return 1.0;
        }
        (0.5 + self.odds).clamp(1.0, MOST_TIGHTENING)
    }

    /// Returns whether a full counter asks for a second factor instead of denying: on a network that the
    /// site knows, a hot password is as likely used by its owner as by an attacker.
    fn is_soft(&self, count: &Count) -> bool {
        count.charge.key.ledger == Ledger::Heat && self.standing >= SITE_KNOWS
    }

    fn reason(&self, count: &Count) -> Reason {
        let key = count.charge.key;
        let weight = key.ledger.signal().signal().weigh(count, self);
        Reason {
            signal: key.ledger.signal(),
            ledger: Some(key.ledger),
            count: count.count,
            limit: key.ledger.limits(self.policy).get(key.limit),
            share: weight.share * self.tightening(count),
            suspicion: weight.suspicion,
        }
    }

    fn testimony(&self) -> impl Iterator<Item = Reason> + '_ {
        let used = SignalId::ALL.into_iter().filter(|id| self.policy.uses(*id));
        let said = used.map(|signal| Reason {
            signal,
            ledger: None,
            count: 0,
            limit: None,
            share: 0.0,
            suspicion: signal.signal().testify(self),
        });
        said.filter(|reason| reason.suspicion != 0.0)
    }
}

/// Returns the charges that unlock an account: its failures are forgiven. For operators; the counters of
/// addresses and passwords are unchanged.
pub fn unlock(account: AccountKey, policy: &Policy) -> Charges {
    let mut charges = Charges::new();
    let all = Movement::Forgive { most: u16::MAX };
    Ledger::Strikes.charge(account.as_u64(), policy, all, &mut charges);
    charges
}

/// Returns the charges of an attempt before its password is verified.
pub fn plan(attempt: &Attempt, policy: &Policy) -> Charges {
    let mut charges = Charges::new();
    for id in SignalId::ALL {
        if policy.uses(id) {
            id.signal().charges(attempt, policy, &mut charges);
        }
    }
    charges
}

/// Decides on an attempt, from the counts that its [`plan`] returned.
pub fn decide(
    attempt: &Attempt,
    policy: &Policy,
    thresholds: &Thresholds,
    counts: &[Count],
) -> Verdict {
    let mut case = Case::hear(attempt, policy, counts);
    let mut suspicion: f64 = case.testimony().map(|reason| reason.suspicion).sum();
    let mut full: Option<Duration> = None;
    let (mut doubtful, mut hot) = (false, false);
    for count in counts {
        let reason = case.reason(count);
        suspicion += reason.suspicion;
        hot |= reason.share > 1.0 && count.charge.key.ledger == Ledger::Heat;
        let own = count.charge.key.ledger == Ledger::Device;
        if reason.share > 1.0 && own == attempt.device.is_some() {
            if case.is_soft(count) {
                doubtful = true;
            } else {
                full = full.max(Some(count.leaves()));
            }
        }
    }
    let steps = thresholds.at(case.odds);
    if attempt.device.is_some() {
        case.familiarity = Familiarity::Device;
    }
    Verdict {
        decision: case.decide(suspicion, doubtful, steps, full),
        suspicion,
        steps,
        familiarity: case.familiarity,
        odds: case.odds,
        credited: case.credited,
        hot,
    }
}

impl Case<'_> {
    fn decide(
        &self,
        suspicion: f64,
        doubtful: bool,
        steps: Steps,
        full: Option<Duration>,
    ) -> Decision {
        let doubtful = doubtful || suspicion >= steps.step_up;
        let deny = |wait: Duration| Decision::Deny {
            // A whole second at least: "retry after 0" is an invitation.
            retry_after: wait.max(Duration::from_secs(1)),
        };
        let shed = match self.familiarity {
            Familiarity::Device => f32::INFINITY,
            Familiarity::Network | Familiarity::Address => SHED_NEIGHBOURS,
            Familiarity::Asn | Familiarity::None => SHED_STRANGERS,
        };
        match full {
            Some(wait) => deny(wait),
            None if self.attempt.load >= shed => deny(LOAD_PASSES),
            None if self.familiarity == Familiarity::Device => Decision::Allow,
            None if doubtful && self.policy.second_factor => Decision::StepUp,
            None if doubtful => deny(SUSPICION_PASSES),
            None if suspicion >= steps.delay => Decision::Delay { wait: DELAY },
            None => Decision::Allow,
        }
    }
}

/// Returns the reasons of a verdict for the audit trail, the most significant first.
pub fn reasons(attempt: &Attempt, policy: &Policy, counts: &[Count]) -> Vec<Reason> {
    let case = Case::hear(attempt, policy, counts);
    let said = counts.iter().map(|count| case.reason(count));
    let mut reasons: Vec<Reason> = said.chain(case.testimony()).collect();
    reasons.sort_by(|a, b| {
        let weight =
            |reason: &Reason| reason.share.max(1.0) * reason.suspicion.abs() + reason.share;
        weight(b).total_cmp(&weight(a))
    });
    reasons
}

/// How an attempt ended, as seen by its signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The password was correct, and no second factor was requested.
    Right,
    /// The password was correct; whether the second factor was passed is not known here.
    SteppedUp,
    /// An incorrect password that is new for the account.
    Wrong,
    /// The same incorrect password again.
    Repeated,
    /// The password was never compared.
    Unverified,
}

/// Returns the charges of an outcome. Call it once for each attempt that was charged, including a
/// denied one, whose outcome is [`Outcome::Unverified`]. An attempt that is never settled stays
/// charged as a failure.
pub fn settle(
    attempt: &Attempt,
    policy: &Policy,
    counts: &[Count],
    decision: Decision,
    outcome: Outcome,
) -> Charges {
    let case = Case::hear(attempt, policy, counts);
    let ended = match (outcome, decision) {
        (Outcome::Success, Decision::StepUp) => Ended::SteppedUp,
        (Outcome::Success, _) => Ended::Right,
        (Outcome::Failure, _) if case.repeat => Ended::Repeated,
        (Outcome::Failure, _) => Ended::Wrong,
        (Outcome::Unverified, _) => Ended::Unverified,
    };
    let mut charges = Charges::new();
    for count in counts {
        let signal = count.charge.key.ledger.signal().signal();
        signal.settle(count, &case, ended, &mut charges);
    }
    charges
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        AccountKey, Charge, Counter, CounterKey, DeviceId, Limit, Mark, Marks, SourceKey, Timestamp,
    };

    /// A store in three lines: the smallest caller that there can be.
    #[derive(Default)]
    struct World {
        counters: HashMap<CounterKey, Counter>,
        policy: Policy,
    }

    impl World {
        fn charge(&mut self, charges: &[Charge], now: u64) -> Vec<Count> {
            let apply = |charge: &Charge| {
                let counter = self.counters.entry(charge.key).or_default();
                counter.apply(
                    *charge,
                    Timestamp::from_millis(1_700_000_000_000 + now * 1000),
                )
            };
            charges.iter().map(apply).collect()
        }

        fn begin(&mut self, attempt: &Attempt, now: u64) -> (Decision, Vec<Count>) {
            let counts = self.charge(&plan(attempt, &self.policy), now);
            let verdict = decide(attempt, &self.policy, &Thresholds::default(), &counts);
            (verdict.decision, counts)
        }

        fn end(
            &mut self,
            attempt: &Attempt,
            counts: &[Count],
            decision: Decision,
            outcome: Outcome,
            now: u64,
        ) {
            let charges = settle(attempt, &self.policy, counts, decision, outcome);
            self.charge(&charges, now);
        }

        fn attempt(&mut self, attempt: Attempt, right: bool, now: u64) -> Decision {
            let (decision, counts) = self.begin(&attempt, now);
            let outcome = match (decision.verifies(), right) {
                (false, _) => Outcome::Unverified,
                (true, true) => Outcome::Success,
                (true, false) => Outcome::Failure,
            };
            self.end(&attempt, &counts, decision, outcome, now);
            decision
        }

        /// Every counter as it would be read.
        fn read(&mut self, charges: &[Charge], now: u64) -> Vec<u32> {
            let peek = |charge: &Charge| match charge.movement {
                Movement::Recall { .. } | Movement::Remember { .. } => *charge,
                _ => Charge {
                    movement: Movement::Peek,
                    ..*charge
                },
            };
            let peeks: Vec<Charge> = charges.iter().map(peek).collect();
            self.charge(&peeks, now)
                .iter()
                .map(|count| count.count)
                .collect()
        }
    }

    use crate::Movement;

    /// An attempt from a network of its own: sources of one decade share a /24.
    fn attempt(account: u64, source: u32, password: u32) -> Attempt {
        let source = (10 << 24) | (source << 8) | 1;
        let marks = Marks {
            current: Some(Mark::from_parts(1, password)),
            previous: None,
            exact: Some(password),
        };
        let account = AccountKey::from_u64(crate::table::mix(account + 1));
        Attempt::new(account, SourceKey::new(source.to_be_bytes().into()), marks)
    }

    fn on(device: u64, attempt: Attempt) -> Attempt {
        Attempt {
            device: Some(DeviceId::from_u64(device)),
            ..attempt
        }
    }

    #[test]
    fn an_account_is_limited_from_anywhere() {
        let mut world = World::default();
        for i in 0..10 {
            assert!(world.attempt(attempt(1, i, i), false, 0).verifies());
        }
        assert!(!world.attempt(attempt(1, 99, 99), true, 1).verifies());
        assert!(world.attempt(attempt(2, 98, 98), false, 1).verifies());
        assert!(world.attempt(attempt(1, 99, 99), true, 2_000).verifies());
    }

    #[test]
    fn an_address_is_limited_on_any_account() {
        let mut world = World::default();
        let verified = (0..30).filter(|i| {
            world
                .attempt(attempt(*i, 1, *i as u32), false, 0)
                .verifies()
        });
        assert!(verified.count() <= 20);
        assert!(!world.attempt(attempt(77, 1, 77), true, 0).verifies());
        assert!(world.attempt(attempt(77, 2, 77), true, 0).verifies());
    }

    #[test]
    fn a_host_that_rotates_through_its_48_is_one_network() {
        let mut world = World::default();
        let from = |i: u16| {
            let address = std::net::Ipv6Addr::from([0x2001, 0xdb8, 7, i, 0, 0, 0, 1]);
            Attempt {
                source: SourceKey::new(address.into()),
                ..attempt(u64::from(i), 0, u32::from(i))
            }
        };
        let verified = (0..1_000).filter(|i| world.attempt(from(*i), false, 0).verifies());
        assert!(verified.count() <= 100);
    }

    #[test]
    fn a_sprayed_password_is_refused_from_the_sixth_account_on() {
        let mut world = World::default();
        for i in 0..5 {
            assert!(world.attempt(attempt(i, i as u32, 7), false, 0).verifies());
        }
        let refused = world.attempt(attempt(9, 9, 7), true, 0);
        assert!(!refused.verifies(), "even where it is right");
        assert!(world.attempt(attempt(9, 9, 8), true, 0).verifies());
    }

    #[test]
    fn a_hot_password_lets_its_owner_in_at_home_and_on_a_known_device() {
        let mut world = World::default();
        world.attempt(attempt(9, 9, 7), true, 0);
        for i in 0..50 {
            world.attempt(attempt(100 + i, 100 + i as u32, 7), false, 10);
        }
        assert!(!world.attempt(attempt(9, 77, 7), true, 20).verifies());
        assert_eq!(world.attempt(attempt(9, 9, 7), true, 20), Decision::Allow);
        assert_eq!(
            world.attempt(on(3, attempt(9, 77, 7)), true, 20),
            Decision::Allow
        );
    }

    #[test]
    fn nobody_can_lock_a_device_out() {
        let mut world = World::default();
        for i in 0..200 {
            world.attempt(attempt(1, i, i), false, 0);
        }
        assert_eq!(
            world.attempt(on(5, attempt(1, 999, 1)), true, 1),
            Decision::Allow
        );
        // Its own budget it can use up, and then it waits for itself only.
        let tried = (0..30).filter(|i| {
            world
                .attempt(on(5, attempt(1, 999, 500 + i)), false, 2)
                .verifies()
        });
        assert_eq!(tried.count(), 10);
        assert_eq!(
            world.attempt(on(6, attempt(1, 999, 1)), true, 3),
            Decision::Allow
        );
    }

    #[test]
    fn a_known_network_has_room_that_strangers_cannot_use_up() {
        let mut world = World::default();
        world.attempt(attempt(1, 50, 1), true, 0);
        for i in 0..200 {
            world.attempt(attempt(1, 100 + i, 100 + i), false, 10);
        }
        assert!(!world.attempt(attempt(1, 51, 1), true, 20).verifies());
        assert_eq!(world.attempt(attempt(1, 50, 1), true, 20), Decision::Allow);
        let tried =
            (0..50).filter(|i| world.attempt(attempt(1, 50, 900 + i), false, 20).verifies());
        assert!((5..=10).contains(&tried.count()));
    }

    #[test]
    fn right_passwords_cost_nothing_and_are_not_marked() {
        let mut world = World::default();
        for i in 0..500 {
            assert!(world.attempt(attempt(i, 1, 7), true, 0).verifies());
            assert!(world.attempt(attempt(1, 1, 7), true, 0).verifies());
        }
    }

    #[test]
    fn the_same_wrong_password_again_costs_nothing() {
        let mut world = World::default();
        for now in 0..500 {
            assert!(world.attempt(attempt(1, 1, 7), false, now * 10).verifies());
        }
        let charges = plan(&attempt(1, 1, 7), &world.policy);
        let strikes = charges
            .iter()
            .position(|c| c.key.ledger == Ledger::Strikes)
            .unwrap();
        assert!(world.read(&charges, 4_990)[strikes] <= 1);
    }

    #[test]
    fn a_typo_is_forgiven_and_nobody_elses_failure() {
        let mut world = World::default();
        for i in 0..4 {
            world.attempt(attempt(1, 200 + i, 300 + i), false, 0);
        }
        world.attempt(attempt(1, 5, 1), false, 1);
        world.attempt(attempt(1, 5, 2), false, 2);
        assert!(world.attempt(attempt(1, 5, 3), true, 3).verifies());
        let charges = plan(&attempt(1, 5, 4), &world.policy);
        let counts = world.read(&charges, 4);
        let said = |ledger| {
            let place = charges
                .iter()
                .position(|charge| charge.key.ledger == ledger);
            counts[place.unwrap()]
        };
        assert_eq!(said(Ledger::Strikes), 4, "the stranger's stay");
        assert_eq!(said(Ledger::Address), 0);
    }

    /// An attacker's own successful logins, with attempts of its own under way, free an address's
    /// counter of three failures each, and only three of them per day do.
    #[test]
    fn one_name_washes_an_address_three_times_a_day() {
        let mut world = World::default();
        let mut verified = 0;
        for round in 0..60u32 {
            let own = |password| attempt(1, 1, password);
            let under_way = [1, 2, 3].map(|i| {
                let attempt = own(round * 10 + i);
                let (decision, counts) = world.begin(&attempt, 0);
                (attempt, decision, counts)
            });
            let guess = attempt(u64::from(100 + round), 1, 5_000 + round);
            verified += u32::from(world.attempt(guess, false, 0).verifies());
            for (attempt, decision, counts) in under_way {
                let outcome = match decision.verifies() {
                    true => Outcome::Success,
                    false => Outcome::Unverified,
                };
                world.end(&attempt, &counts, decision, outcome, 0);
            }
        }
        let limit = world.policy.address.get(0).unwrap().count;
        assert!(verified <= limit + 3 * 3, "{verified}");
    }

    #[test]
    fn parallel_guesses_cannot_all_read_a_cold_counter() {
        let mut world = World::default();
        // All are charged and none is settled: the worst interleaving there is.
        let verified = (0..500).filter(|i| world.begin(&attempt(1, *i, *i), 0).0.verifies());
        assert!(verified.count() <= 10);

        let mut world = World::default();
        let sprayed =
            (0..500).filter(|i| world.begin(&attempt(u64::from(*i), *i, 7), 0).0.verifies());
        assert_eq!(sprayed.count(), 5);
    }

    #[test]
    fn pressure_tightens_addresses_and_never_denies_a_first_attempt() {
        let mut world = World::default();
        for i in 0..900u32 {
            world.attempt(attempt(1_000 + u64::from(i), i, 1_000 + i), false, 0);
        }
        assert!(world.attempt(attempt(1, 5_250, 1), false, 0).verifies());
        let verified = (0..30).filter(|i| {
            let guess = attempt(2_000 + u64::from(*i), 6_000, 5_000 + i);
            world.attempt(guess, false, 0).verifies()
        });
        assert_eq!(verified.count(), 10);
        // An account's limit is what its owner was told.
        let verified = (0..30).filter(|i| {
            world
                .attempt(attempt(2, 7_000 + i, 50 + i), false, 0)
                .verifies()
        });
        assert_eq!(verified.count(), 10);
    }

    #[test]
    fn strangers_are_shed_before_neighbours_and_devices_never() {
        let mut world = World::default();
        world.attempt(attempt(1, 1, 1), true, 0);
        let busy = |load, attempt: Attempt| Attempt { load, ..attempt };
        assert!(
            !world
                .attempt(busy(0.8, attempt(1, 2, 1)), true, 1)
                .verifies()
        );
        assert!(
            world
                .attempt(busy(0.8, attempt(1, 1, 1)), true, 1)
                .verifies()
        );
        assert!(
            !world
                .attempt(busy(1.0, attempt(1, 1, 1)), true, 1)
                .verifies()
        );
        assert!(
            world
                .attempt(busy(1.0, on(1, attempt(1, 2, 1))), true, 1)
                .verifies()
        );
    }

    #[test]
    fn suspicion_steps_up_or_denies_where_there_is_no_second_factor() {
        let mut world = World::default();
        let suspicious = Attempt {
            breached: true,
            rank: Some(1),
            ..attempt(1, 1, 1)
        };
        let strict = Thresholds::always(Steps {
            delay: 2.0,
            step_up: 3.0,
        });
        let counts = world.charge(&plan(&suspicious, &world.policy), 0);
        let verdict = decide(&suspicious, &world.policy, &strict, &counts);
        assert!(!verdict.decision.verifies());
        assert!(verdict.suspicion > 3.0);
        world.policy.second_factor = true;
        let verdict = decide(&suspicious, &world.policy, &strict, &counts);
        assert_eq!(verdict.decision, Decision::StepUp);
        let lax = Thresholds::always(Steps {
            delay: 2.0,
            step_up: 50.0,
        });
        let verdict = decide(&suspicious, &world.policy, &lax, &counts);
        assert!(matches!(verdict.decision, Decision::Delay { .. }));
        let said: f64 = reasons(&suspicious, &world.policy, &counts)
            .iter()
            .map(|r| r.suspicion)
            .sum();
        assert!((said - verdict.suspicion).abs() < 1e-9);
    }

    #[test]
    fn a_stepped_up_success_makes_nothing_familiar() {
        let mut world = World::default();
        let first = attempt(1, 1, 1);
        let (_, counts) = world.begin(&first, 0);
        world.end(&first, &counts, Decision::StepUp, Outcome::Success, 0);
        let counts = world.begin(&first, 1).1;
        assert_eq!(
            Case::hear(&first, &world.policy, &counts).familiarity,
            Familiarity::None
        );
    }

    fn verified_within(
        world: &mut World,
        steps: Vec<(i64, u8, bool)>,
        limit: Limit,
    ) -> Option<usize> {
        let mut open: Vec<(Attempt, Vec<Count>, Decision)> = Vec::new();
        let mut verified: Vec<i64> = Vec::new();
        let (mut now, mut furthest) = (10_000i64, 0i64);
        for (i, (step, source, settle_one)) in steps.into_iter().enumerate() {
            now = (now + step - 40).max(0);
            furthest = furthest.max(now);
            let guess = attempt(1, source.into(), i as u32);
            let (decision, counts) = world.begin(&guess, now as u64);
            if decision.verifies() {
                verified.push(furthest);
                open.push((guess, counts, decision));
            } else {
                world.end(&guess, &counts, decision, Outcome::Unverified, now as u64);
            }
            if settle_one && !open.is_empty() {
                let (guess, counts, decision) = open.remove(0);
                world.end(&guess, &counts, decision, Outcome::Failure, now as u64);
            }
            let window = limit.window.as_secs() as i64;
            let recent = verified.iter().filter(|t| **t > furthest - window).count();
            if recent > limit.count as usize {
                return Some(recent);
            }
        }
        None
    }

    proptest! {
        /// Never more verified guesses for an account in any window than its limit says, whatever
        /// the order, the sources, the outcomes that come late and the clock that steps back.
        #[test]
        fn an_account_never_exceeds_its_limit(
            steps in prop::collection::vec((0i64..200, 0u8..4, any::<bool>()), 1..120),
        ) {
            let mut world = World::default();
            let limit = world.policy.account.get(0).unwrap();
            prop_assert_eq!(verified_within(&mut world, steps, limit), None);
        }

        /// An attempt that is taken back leaves every counter as it was.
        #[test]
        fn what_was_never_compared_leaves_nothing(
            before in prop::collection::vec((0u64..4, 0u32..4, 0u32..6, any::<bool>()), 0..40),
            device in any::<bool>(),
        ) {
            let mut world = World::default();
            for (account, source, password, right) in before {
                world.attempt(attempt(account, source, password), right, 0);
            }
            let mut last = attempt(1, 1, 1);
            if device {
                last = on(1, last);
            }
            let charges = plan(&last, &world.policy);
            let was = world.read(&charges, 1);
            let (decision, counts) = world.begin(&last, 1);
            world.end(&last, &counts, decision, Outcome::Unverified, 1);
            prop_assert_eq!(world.read(&charges, 1), was);
        }

        /// A successful login takes nothing off another account's, address's or device's counters.
        #[test]
        fn a_success_frees_no_other_key(
            before in prop::collection::vec((0u64..4, 0u32..4, 0u32..50), 0..40),
        ) {
            let mut world = World::default();
            for (account, source, password) in before {
                world.attempt(attempt(account, source, password), false, 0);
            }
            let other = attempt(3, 3, 99);
            let charges: Vec<Charge> = plan(&other, &world.policy)
                .into_iter()
                .filter(|charge| !charge.key.ledger.is_sitewide())
                .collect();
            let was = world.read(&charges, 1);
            world.attempt(attempt(1, 1, 98), true, 1);
            prop_assert_eq!(world.read(&charges, 1), was);
        }

        /// The same inputs, the same verdict: bit for bit.
        #[test]
        fn deciding_is_a_function(account in 0u64..4, source in 0u32..4, rank in prop::option::of(1u32..20_000)) {
            let mut world = World::default();
            let attempt = Attempt { rank, ..attempt(account, source, 1) };
            let counts = world.charge(&plan(&attempt, &world.policy), 0);
            let once = decide(&attempt, &world.policy, &Thresholds::default(), &counts);
            let twice = decide(&attempt, &world.policy, &Thresholds::default(), &counts);
            prop_assert_eq!(once.suspicion.to_bits(), twice.suspicion.to_bits());
            prop_assert_eq!(once, twice);
        }
    }
}
