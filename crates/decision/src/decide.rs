//! From an attempt to a decision, and from an outcome back to the counters.

use std::time::Duration;

use crate::{Attempt, Charge, Count, Outcome, Policy, SignalId};

/// What happens to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Verify the password.
    Allow,
    /// Don't.
    Deny {
        /// When it is worth trying again: the oldest failure has left its window then, or the
        /// site-wide surge has begun to pass.
        retry_after: Duration,
    },
}

/// A decision and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What to do.
    pub decision: Decision,
    /// What each counter said, the heaviest first.
    pub reasons: Vec<Reason>,
}

/// What one counter said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reason {
    /// The signal.
    pub signal: SignalId,
    /// What the counter counted.
    pub count: u32,
    /// The limit it was held against.
    pub limit: crate::Limit,
    /// The share of the limit that is used, after site-wide pressure; over 1.0 denies.
    pub weight: f64,
}

/// Which counters an attempt moves before its password is verified.
pub fn plan(attempt: &Attempt, policy: &Policy) -> Vec<Charge> {
    SignalId::ALL
        .into_iter()
        .flat_map(|id| id.signal().charges(attempt, policy))
        .collect()
}

/// Judges an attempt by what the counters of its [`plan`] answered.
pub fn decide(counts: &[Count]) -> Verdict {
    let pressure = Pressure::of(counts);
    let mut reasons: Vec<Reason> = counts.iter().map(|count| pressure.reason(count)).collect();
    reasons.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let waits = counts.iter().filter_map(|count| pressure.wait(count));
    Verdict {
        decision: match waits.max() {
            None => Decision::Allow,
            // A whole second at least: "retry after 0" is an invitation.
            Some(wait) => Decision::Deny {
                retry_after: wait.max(Duration::from_secs(1)),
            },
        },
        reasons,
    }
}

/// What the outcome moves. To be called once for each attempt that was planned and charged, also
/// for a denied one, whose outcome is [`Outcome::Unverified`].
pub fn settle(counts: &[Count], attempt: &Attempt, outcome: Outcome) -> Vec<Charge> {
    let settled = |count: &Count| {
        let movement = signal_of(count).settle(count, attempt, outcome)?;
        Some(Charge {
            movement,
            ..count.charge
        })
    };
    counts.iter().filter_map(settled).collect()
}

fn signal_of(count: &Count) -> &'static dyn crate::signals::Signal {
    count.charge.key.signal.signal()
}

/// How much a surge of failures on the whole site tightens the limits.
struct Pressure {
    /// 1.0 in quiet times, up to 2.0 when the site sees twice the failures that it should.
    factor: f64,
    /// Until the surge begins to pass.
    passes: Duration,
}

impl Pressure {
    fn of(counts: &[Count]) -> Self {
        let tightening = counts.iter().filter(|count| signal_of(count).tightens());
        let heaviest = tightening
            .map(|count| (signal_of(count).weigh(count), count.oldest_leaves))
            .fold((1.0, Duration::ZERO), |a, b| if b.0 > a.0 { b } else { a });
        Self {
            factor: heaviest.0.min(2.0),
            passes: heaviest.1,
        }
    }

    fn reason(&self, count: &Count) -> Reason {
        let signal = signal_of(count);
        let weight = signal.weigh(count);
        // A first attempt is never denied for the pressure alone, however small its limit.
        let first = count.count <= 1 && weight <= 1.0;
        let bends = signal.bends() && !first;
        Reason {
            signal: count.charge.key.signal,
            count: count.count,
            limit: count.charge.limit,
            weight: if bends { weight * self.factor } else { weight },
        }
    }

    /// How long a counter that denies does so; `None` where it doesn't.
    fn wait(&self, count: &Count) -> Option<Duration> {
        let signal = signal_of(count);
        if signal.tightens() || self.reason(count).weight <= 1.0 {
            return None;
        }
        let by_itself = signal.weigh(count) > 1.0;
        Some(if by_itself {
            count.oldest_leaves
        } else {
            self.passes
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::{AccountKey, Counter, CounterKey, Mark, Marks, SourceKey, Timestamp};

    /// A store in three lines: the smallest caller that there can be.
    #[derive(Default)]
    struct World {
        counters: HashMap<CounterKey, Counter>,
        policy: Policy,
    }

    impl World {
        fn charge(&mut self, charges: &[Charge], now: u64) -> Vec<Count> {
            let apply = |charge: &Charge| {
                let new = || Counter::new(charge.movement);
                let counter = self.counters.entry(charge.key).or_insert_with(new);
                counter.apply(*charge, Timestamp::from_millis(now * 1000))
            };
            charges.iter().map(apply).collect()
        }

        fn attempt(&mut self, attempt: Attempt, right: bool, now: u64) -> Decision {
            let counts = self.charge(&plan(&attempt, &self.policy), now);
            let decision = decide(&counts).decision;
            let outcome = match (decision, right) {
                (Decision::Deny { .. }, _) => Outcome::Unverified,
                (Decision::Allow, true) => Outcome::Success,
                (Decision::Allow, false) => Outcome::Failure,
            };
            self.charge(&settle(&counts, &attempt, outcome), now);
            decision
        }
    }

    fn attempt(account: u64, source: u8, password: u32) -> Attempt {
        Attempt {
            account: AccountKey::from_u64(account << 32),
            source: SourceKey::new([10, 0, 0, source].into()),
            marks: Marks {
                current: Some(Mark::from_parts(1, password)),
                previous: None,
            },
        }
    }

    fn allowed(decision: Decision) -> bool {
        decision == Decision::Allow
    }

    #[test]
    fn an_account_is_limited_from_anywhere() {
        let mut world = World::default();
        for i in 0..10 {
            assert!(allowed(world.attempt(
                attempt(1, i, u32::from(i)),
                false,
                0
            )));
        }
        assert!(!allowed(world.attempt(attempt(1, 99, 99), true, 1)));
        assert!(allowed(world.attempt(attempt(2, 98, 98), false, 1)));
        assert!(allowed(world.attempt(attempt(1, 99, 99), true, 2_000)));
    }

    #[test]
    fn an_address_is_limited_on_any_account() {
        let mut world = World::default();
        for i in 0..20 {
            assert!(allowed(world.attempt(attempt(i, 1, i as u32), false, 0)));
        }
        assert!(!allowed(world.attempt(attempt(77, 1, 77), true, 0)));
        assert!(allowed(world.attempt(attempt(77, 2, 77), true, 0)));
    }

    #[test]
    fn a_sprayed_password_is_refused_from_the_sixth_account_on() {
        let mut world = World::default();
        for i in 0..5 {
            assert!(allowed(world.attempt(attempt(i, i as u8, 7), false, 0)));
        }
        let refused = world.attempt(attempt(9, 9, 7), true, 0);
        assert!(!allowed(refused), "even where it is right");
        assert!(allowed(world.attempt(attempt(9, 9, 8), true, 0)));
    }

    #[test]
    fn right_passwords_cost_nothing_and_are_not_marked() {
        let mut world = World::default();
        for i in 0..500 {
            assert!(allowed(world.attempt(attempt(i, 1, 7), true, 0)));
            assert!(allowed(world.attempt(attempt(1, 1, 7), true, 0)));
        }
    }

    #[test]
    fn parallel_guesses_cannot_all_read_a_cold_counter() {
        let mut world = World::default();
        let mut verified = 0;
        for i in 0..500 {
            // All are charged and none is settled: the worst interleaving there is.
            let guess = attempt(1, (i % 250) as u8, i);
            let counts = world.charge(&plan(&guess, &world.policy), 0);
            verified += u32::from(allowed(decide(&counts).decision));
        }
        assert_eq!(verified, 10);

        let mut world = World::default();
        let sprayed = (0..500).filter(|i| {
            let guess = attempt(*i, (i % 250) as u8, 7);
            let counts = world.charge(&plan(&guess, &world.policy), 0);
            allowed(decide(&counts).decision)
        });
        assert_eq!(sprayed.count(), 5);
    }

    #[test]
    fn pressure_tightens_and_never_denies_alone() {
        let mut world = World::default();
        for i in 0..700u32 {
            world.attempt(
                attempt(1_000 + u64::from(i), (i % 200) as u8, 1_000 + i),
                false,
                0,
            );
        }
        assert!(allowed(world.attempt(attempt(1, 250, 1), false, 0)));
        let verified = (0..10)
            .filter(|i| allowed(world.attempt(attempt(2, 251 + (*i % 4) as u8, 50 + i), false, 0)));
        assert_eq!(verified.count(), 5);
        // What the pressure alone denies is worth trying again when that passes.
        let Decision::Deny { retry_after } = world.attempt(attempt(2, 255, 99), false, 0) else {
            panic!("allowed");
        };
        assert!(retry_after <= Duration::from_secs(68), "{retry_after:?}");
    }

    #[test]
    fn reasons_name_the_heaviest_first() {
        let mut world = World::default();
        for i in 0..11 {
            world.attempt(attempt(1, i, u32::from(i)), false, 0);
        }
        let counts = world.charge(&plan(&attempt(1, 99, 99), &world.policy), 0);
        let verdict = decide(&counts);
        assert_eq!(verdict.reasons[0].signal, SignalId::Account);
        assert_eq!(verdict.reasons[0].count, 11);
        assert!(verdict.reasons[0].weight > 1.0);
    }

    proptest! {
        /// Never more verified guesses for an account in any window than its limit says, whatever
        /// the order, the sources, the outcomes that come late and the clock that steps back.
        #[test]
        fn an_account_never_exceeds_its_limit(
            steps in prop::collection::vec((0i64..200, 0u8..4, any::<bool>()), 1..120),
        ) {
            let mut world = World::default();
            let mut open: Vec<(Attempt, Vec<Count>)> = Vec::new();
            let mut verified: Vec<i64> = Vec::new();
            let (mut now, mut furthest) = (10_000i64, 0i64);
            for (i, (step, source, settle_one)) in steps.into_iter().enumerate() {
                now += step - 40;
                furthest = furthest.max(now);
                let guess = attempt(1, source, i as u32);
                let counts = world.charge(&plan(&guess, &world.policy), now as u64);
                if allowed(decide(&counts).decision) {
                    verified.push(furthest);
                    open.push((guess, counts));
                } else {
                    let back = settle(&counts, &guess, Outcome::Unverified);
                    world.charge(&back, now as u64);
                }
                if settle_one && !open.is_empty() {
                    let (guess, counts) = open.remove(0);
                    let charges = settle(&counts, &guess, Outcome::Failure);
                    world.charge(&charges, now as u64);
                }
                let recent = verified.iter().filter(|t| **t > furthest - 900).count();
                prop_assert!(recent <= 10, "{recent} in one window");
            }
        }
    }
}
