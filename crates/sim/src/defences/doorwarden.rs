//! D12: Doorwarden, by the code that ships: plan, charge, decide, settle on tables in memory, with
//! its calibration and its retroaction. Only keys and hashes are left out: names and passwords are
//! numbers here.

use doorwarden_decision::{
    AccountKey, Attempt, Calibration, Charge, Counts, Decision, DeviceId, Familiarity, Ledger,
    Marks, Outcome, Policy, Retroaction, SignalId, SourceKey, Table, Thresholds, Timestamp,
    Verdict, Window, decide, plan, settle,
};
use rand::{RngExt, SeedableRng};

use super::{Action, Answer, Defence, Doubtful, Try};
use crate::{DAY, HOUR, Rng, passwords::mix};

/// Bytes of one ledger's table: a guard's 64 MiB, in proportion to the accounts.
const TABLE: usize = 1 << 18;

/// How long the store is unavailable, and the number of nodes.
const AWAY: u64 = 6 * HOUR;
const NODES: usize = 4;

/// The number of successful logins after which the thresholds are recomputed.
const RECALIBRATE: u32 = 64;

/// What applies while the store is unavailable.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Away {
    Local,
    Open,
    Closed,
}

pub(super) struct Doorwarden {
    policy: Policy,
    divided: Policy,
    shared: Counters,
    own: Vec<Counters>,
    away: Option<(u64, Away)>,
    calibration: Calibration,
    thresholds: Thresholds,
    since: u32,
    retroaction: Option<Retroaction>,
    /// It has a list with half of the leaked pairs.
    leaks: bool,
    rng: Rng,
    pending: Vec<Option<Box<Pending>>>,
    free: Vec<usize>,
}

struct Pending {
    attempt: Attempt,
    counts: Counts,
    verdict: Verdict,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Shared,
    Own(usize),
    Nowhere,
}

/// A table for each ledger and limit.
struct Counters {
    tables: Vec<Table>,
    first: [usize; Ledger::ALL.len()],
}

impl Counters {
    fn new(policy: &Policy) -> Self {
        let mut first = [0; Ledger::ALL.len()];
        let mut tables = Vec::new();
        for ledger in Ledger::ALL {
            first[ledger as usize] = tables.len();
            let bytes = if ledger.is_sitewide() { 0 } else { TABLE };
            let table = |limit| Table::new(ledger.kind(), Window::of(limit), bytes, 7);
            tables.extend(ledger.limits(policy).iter().map(table));
        }
        Self { tables, first }
    }

    fn charge(&mut self, charges: &[Charge], now: Timestamp) -> Counts {
        let apply = |charge: &Charge| {
            let key = charge.key;
            let table = self.first[key.ledger as usize] + usize::from(key.limit);
            self.tables[table].apply(*charge, now)
        };
        charges.iter().map(apply).collect()
    }
}

impl Doorwarden {
    pub(super) fn new(seed: u64) -> Self {
        let policy = Policy {
            second_factor: true,
            ..Policy::default()
        };
        Self {
            shared: Counters::new(&policy),
            divided: policy.divided(NODES as u32),
            policy,
            own: Vec::new(),
            away: None,
            calibration: Calibration::default(),
            thresholds: Thresholds::default(),
            since: 0,
            retroaction: Some(Retroaction::new(1 << 16)),
            leaks: false,
            rng: Rng::seed_from_u64(seed),
            pending: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(super) fn no_second_factor(mut self) -> Self {
        self.policy.second_factor = false;
        self
    }

    pub(super) fn with_leaks(mut self) -> Self {
        self.leaks = true;
        self
    }

    pub(super) fn without(mut self, signal: SignalId) -> Self {
        self.policy.without = vec![signal];
        self
    }

    pub(super) fn without_retroaction(mut self) -> Self {
        self.retroaction = None;
        self
    }

    pub(super) fn away(mut self, from: u64, mode: Away) -> Self {
        self.away = Some((from, mode));
        self.own = (0..NODES).map(|_| Counters::new(&self.policy)).collect();
        self
    }

    fn place(&mut self, now: u64) -> (Place, Option<Away>) {
        match self.away {
            Some((from, Away::Local)) if (from..from + AWAY).contains(&now) => (
                Place::Own(self.rng.random_range(0..NODES)),
                Some(Away::Local),
            ),
            Some((from, mode)) if (from..from + AWAY).contains(&now) => {
                (Place::Nowhere, Some(mode))
            }
            _ => (Place::Shared, None),
        }
    }

    fn charge(&mut self, charges: &[Charge], place: Place, now: u64) -> Counts {
        let now = Timestamp::from_millis(now);
        match place {
            Place::Shared => self.shared.charge(charges, now),
            Place::Own(node) => self.own[node].charge(charges, now),
            Place::Nowhere => Counts::new(),
        }
    }

    fn policy(&self, place: Place) -> &Policy {
        match place {
            Place::Own(_) => &self.divided,
            _ => &self.policy,
        }
    }

    fn keep(&mut self, pending: Pending) -> usize {
        let pending = Some(Box::new(pending));
        match self.free.pop() {
            Some(place) => {
                self.pending[place] = pending;
                place
            }
            None => {
                self.pending.push(pending);
                self.pending.len() - 1
            }
        }
    }

    fn learn(&mut self, pending: &Pending, now: Timestamp) {
        if pending.place != Place::Shared || !pending.verdict.credited {
            return;
        }
        let attempt = &pending.attempt;
        let device = attempt.device.is_some();
        let drawn = (device && attempt.sampled).then_some(pending.verdict.suspicion);
        self.calibration.note(device, drawn, pending.verdict.odds);
        self.since += 1;
        if self.since >= RECALIBRATE {
            self.since = 0;
            self.thresholds = self.calibration.thresholds(&self.policy);
        }
        if pending.verdict.familiarity < Familiarity::Network
            && let Some(retroaction) = &mut self.retroaction
        {
            retroaction.note(attempt.account, attempt.source, attempt.marks, now);
        }
    }

    fn turned_hot(&mut self, pending: &Pending, now: Timestamp) -> Vec<Doubtful> {
        let hot = pending.verdict.hot;
        let retroaction = self.retroaction.as_mut().filter(|_| hot);
        let caught =
            retroaction.map(|retroaction| retroaction.turned_hot(pending.attempt.marks, now));
        let accounts = caught.into_iter().flatten();
        accounts
            .map(|login| (unkey(login.account), login.source.as_u64()))
            .collect()
    }
}

/// Names are numbers, spread over 64 bits as a keyed hash would.
fn key(name: u64) -> AccountKey {
    AccountKey::from_u64(name.wrapping_mul(SPREAD))
}

fn unkey(account: AccountKey) -> u64 {
    account.as_u64().wrapping_mul(UNSPREAD)
}

/// An odd number and its inverse modulo 2⁶⁴.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
const UNSPREAD: u64 = 0xf1de_83e1_9937_733d;

impl Defence for Doorwarden {
    fn begin(&mut self, attempt: &Try, now: u64) -> Answer {
        let day = (now / DAY) as u32;
        let marks = Marks {
            current: Some(attempt.password.mark(day)),
            previous: Some(attempt.password.mark(day - 1)),
            exact: Some(mix(attempt.password.0) as u32),
        };
        // Without the signal a token is worth nothing.
        let device = attempt
            .device
            .filter(|_| self.policy.uses(SignalId::Device));
        let attempt = Attempt {
            device: device.map(|device| DeviceId::from_u64(mix(device))),
            breached: self.leaks
                && attempt.leaked
                && mix(attempt.name ^ attempt.password.0).is_multiple_of(2),
            rank: attempt.password.listed(),
            load: attempt.load,
            sampled: self.rng.random_ratio(1, Calibration::SAMPLE),
            ..Attempt::new(key(attempt.name), SourceKey::new(attempt.address), marks)
        };
        let (place, mode) = self.place(now);
        let charges = plan(&attempt, &self.policy);
        let counts = self.charge(&charges, place, now);
        // As in the gate: in an outage nobody is known.
        let thresholds = match place {
            Place::Shared => self.thresholds,
            Place::Own(_) | Place::Nowhere => Thresholds::default(),
        };
        let mut verdict = decide(&attempt, self.policy(place), &thresholds, &counts);
        if mode == Some(Away::Closed) {
            verdict.decision = Decision::Deny {
                retry_after: std::time::Duration::from_secs(30),
            };
        }
        let action = match verdict.decision {
            Decision::Allow => Action::Allow,
            Decision::Delay { wait } => Action::Delay {
                wait: wait.as_millis() as u64,
            },
            Decision::StepUp => Action::StepUp,
            Decision::Deny { retry_after } => Action::Deny {
                retry: retry_after.as_millis() as u64,
            },
        };
        // A device's login is beyond every suspicion.
        let score = if verdict.familiarity == Familiarity::Device {
            -100.0
        } else {
            verdict.suspicion
        };
        let handle = self.keep(Pending {
            attempt,
            counts,
            verdict,
            place,
        });
        Answer {
            action,
            score,
            handle,
        }
    }

    fn end(&mut self, _: &Try, answer: &Answer, verified: Option<bool>, now: u64) -> Vec<Doubtful> {
        let Some(pending) = self.pending[answer.handle].take() else {
            return Vec::new();
        };
        self.free.push(answer.handle);
        let outcome = match verified {
            Some(true) => Outcome::Success,
            Some(false) => Outcome::Failure,
            None => Outcome::Unverified,
        };
        let decision = pending.verdict.decision;
        let policy = self.policy(pending.place);
        let charges = settle(&pending.attempt, policy, &pending.counts, decision, outcome);
        self.charge(&charges, pending.place, now);
        let at = Timestamp::from_millis(now);
        if outcome == Outcome::Success && decision != Decision::StepUp {
            self.learn(&pending, at);
        }
        self.turned_hot(&pending, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        assert_eq!(SPREAD.wrapping_mul(UNSPREAD), 1);
        assert_eq!(unkey(key(12_345)), 12_345);
    }
}
