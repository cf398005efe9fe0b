//! D11: StopGuessing (Herley, Schechter and Tian, EuroS&P 2019), as in the code of its server, and with
//! the faults of that code fixed.
//!
//! A score for each address, halved in 12 h: an incorrect password costs 1, five times as much when it
//! is frequently guessed (44 of 48 rungs of a binomial ladder), twice for a nonexistent name;
//! the same incorrect password again costs nothing; a typo is refunded to nine tenths when the right
//! one comes; a success gives 30 of credit. Only correct passwords are refused, silently: above 50
//! where the account's own password is frequent, above 5,000 where it is not, and never with a
//! cookie of the account.
//!
//! Source: microsoft/StopGuessing `LoginAttemptController.cs`, `BlockingAlgorithmOptions.cs`,
//! `BinomialLadderFilter.cs`. Fixed: consumed credit is added, not subtracted, so that its cap
//! binds; a score does not fall below zero; a refund is only for the same account's failures, and
//! only where the login is admitted. The ladder has 2²¹ bits instead of 2²⁹: a hundred for each guess,
//! as there. Typos are what a person's typing gives: no edit distances here.

use std::collections::{HashMap, VecDeque};

use rand::{RngExt, SeedableRng};

use super::{Action, Answer, Defence, Doubtful, Try};
use crate::{
    HOUR, Rng,
    passwords::{Password, mix},
};

const HALF_LIFE: f64 = 12.0 * HOUR as f64;
const UNKNOWN: f64 = 2.0;
const WRONG: f64 = 1.0;
const FREQUENT: f64 = 5.0;
const RUNGS: usize = 48;
const FREQUENT_HEIGHT: usize = 44;
const THRESHOLD: f64 = 50.0;
const THRESHOLD_UNCOMMON: f64 = 100.0;
const CREDIT: f64 = 30.0;
const MOST_CREDIT: f64 = 50.0;
const REFUND: f64 = 0.9;
const TYPOS: usize = 8;
const WRONG_REMEMBERED: usize = 8;
const BITS: usize = 1 << 21;

pub(super) struct StopGuessing {
    mended: bool,
    addresses: HashMap<u128, Address>,
    accounts: HashMap<u64, Account>,
    ladder: Ladder,
}

#[derive(Default)]
struct Address {
    score: Decaying,
    typos: VecDeque<(u64, Decaying)>,
}

#[derive(Default)]
struct Account {
    wrong: VecDeque<Password>,
    consumed: Decaying,
}

/// A number that is halved in 12 hours.
#[derive(Clone, Copy, Default)]
struct Decaying {
    value: f64,
    at: u64,
}

impl Decaying {
    fn read(self, now: u64) -> f64 {
        self.value / 2f64.powf((now - self.at) as f64 / HALF_LIFE)
    }

    fn add(&mut self, value: f64, now: u64) {
        *self = Self {
            value: self.read(now) + value,
            at: now,
        };
    }
}

/// Estimates how often a password is guessed, by 48 bits of a field in which half are set.
struct Ladder {
    bits: Vec<bool>,
    rng: Rng,
}

impl Ladder {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::seed_from_u64(seed);
        Self {
            bits: (0..BITS).map(|_| rng.random()).collect(),
            rng,
        }
    }

    fn rungs(password: Password) -> impl Iterator<Item = usize> {
        (0..RUNGS as u64).map(move |rung| mix(password.0 ^ rung << 52) as usize % BITS)
    }

    fn height(&self, password: Password) -> usize {
        Self::rungs(password)
            .filter(|rung| self.bits[*rung])
            .count()
    }

    fn step(&mut self, password: Password) {
        let clear: Vec<usize> = Self::rungs(password)
            .filter(|rung| !self.bits[*rung])
            .collect();
        let set = match clear.len() {
            0 => self.random(false),
            n => clear[self.rng.random_range(0..n)],
        };
        self.bits[set] = true;
        let cleared = self.random(true);
        self.bits[cleared] = false;
    }

    /// A random bit with this value.
    fn random(&mut self, value: bool) -> usize {
        loop {
            let bit = self.rng.random_range(0..BITS);
            if self.bits[bit] == value {
                return bit;
            }
        }
    }
}

impl StopGuessing {
    pub(super) fn as_coded(seed: u64) -> Self {
        Self {
            mended: false,
            addresses: HashMap::new(),
            accounts: HashMap::new(),
            ladder: Ladder::new(seed),
        }
    }

    pub(super) fn mended(seed: u64) -> Self {
        Self {
            mended: true,
            ..Self::as_coded(seed)
        }
    }

    fn threshold(&self, password: Password) -> f64 {
        if self.ladder.height(password) >= FREQUENT_HEIGHT {
            THRESHOLD
        } else {
            THRESHOLD * THRESHOLD_UNCOMMON
        }
    }

    fn refund(&mut self, attempt: &Try, now: u64) {
        let mended = self.mended;
        let address = self.addresses.entry(attempt.address_key()).or_default();
        let own = |typo: &(u64, Decaying)| typo.0 == attempt.name;
        let refund: f64 = address
            .typos
            .iter()
            .filter(|t| own(t))
            .map(|t| t.1.read(now) * REFUND)
            .sum();
        // As coded, every entry goes, whoever's it was.
        address.typos.retain(|typo| mended && !own(typo));
        address.take(refund, mended, now);
    }

    fn credit(&mut self, attempt: &Try, now: u64) {
        let address = self.addresses.entry(attempt.address_key()).or_default();
        if address.score.read(now) <= 0.0 {
            return;
        }
        let account = self.accounts.entry(attempt.name).or_default();
        let left = (MOST_CREDIT - account.consumed.read(now)).max(0.0);
        let given = left.min(CREDIT);
        account
            .consumed
            .add(if self.mended { given } else { -given }, now);
        address.take(given, self.mended, now);
    }

    fn charge(&mut self, attempt: &Try, now: u64) {
        let account = self.accounts.entry(attempt.name).or_default();
        if account.wrong.contains(&attempt.password) {
            return;
        }
        account.wrong.push_back(attempt.password);
        if account.wrong.len() > WRONG_REMEMBERED {
            account.wrong.pop_front();
        }
        let frequent = self.ladder.height(attempt.password) >= FREQUENT_HEIGHT;
        let base = if attempt.exists { WRONG } else { UNKNOWN };
        let cost = base * if frequent { FREQUENT } else { 1.0 };
        let address = self.addresses.entry(attempt.address_key()).or_default();
        address.score.add(cost, now);
        if attempt.exists {
            address.typos.push_back((
                attempt.name,
                Decaying {
                    value: cost,
                    at: now,
                },
            ));
            if address.typos.len() > TYPOS {
                address.typos.pop_front();
            }
        }
        self.ladder.step(attempt.password);
    }
}

impl Address {
    fn take(&mut self, value: f64, floor: bool, now: u64) {
        self.score.add(-value, now);
        if floor {
            self.score.value = self.score.value.max(0.0);
        }
    }
}

impl Defence for StopGuessing {
    /// Verifies every password and denies correct ones silently.
    fn begin(&mut self, attempt: &Try, now: u64) -> Answer {
        if attempt.right && !self.mended {
            self.refund(attempt, now);
        }
        let threshold = self.threshold(attempt.password);
        let address = self.addresses.entry(attempt.address_key()).or_default();
        let known = attempt.device.is_some();
        let score = if known { 0.0 } else { address.score.read(now) };
        // Only correct passwords are denied, and without a time to retry.
        let refused = attempt.right && score > threshold;
        let action = if refused {
            Action::Silent
        } else {
            Action::Allow
        };
        Answer::new(action, score / threshold)
    }

    fn end(
        &mut self,
        attempt: &Try,
        _: &Answer,
        verified: Option<bool>,
        now: u64,
    ) -> Vec<Doubtful> {
        match verified {
            Some(true) => {
                if self.mended {
                    self.refund(attempt, now);
                }
                self.credit(attempt, now);
            }
            Some(false) => self.charge(attempt, now),
            None => {}
        }
        Vec::new()
    }
}
