//! The results of one run, and the summary of many runs.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use crate::{
    DAY, HOUR, MINUTE,
    defences::{Action, Answer, Try},
};

/// Users are divided into tenths by how often they log in.
pub const DECILES: usize = 10;

/// The cost of a step-up and of a delay for a user, where a denial costs 1. A step-up is a code from a
/// phone, a delay is two seconds.
pub const COST_OF_STEP_UP: f64 = 0.1;
pub const COST_OF_DELAY: f64 = 0.01;

/// When compromised accounts are counted, since the start of the attack: 1 h, 1 d, 7 d, 30 d.
pub const MOMENTS: [u64; 4] = [HOUR, DAY, 7 * DAY, 30 * DAY];

/// The window in which guesses on one account are counted: that of the standard policy.
const WINDOW: u64 = 15 * MINUTE;

/// The results of one run.
#[derive(Clone, Debug)]
pub struct Measured {
    people: u32,
    length: u64,
    decile: Vec<u8>,
    hurt: Vec<bool>,
    seen: Vec<bool>,
    harm: [Harm; DECILES],
    campus: Harm,
    /// Owners on a known device who were refused.
    refused_on_device: u32,
    taken: Vec<u64>,
    recovered: HashSet<u64>,
    guessed: HashSet<u64>,
    /// Correct guesses that were stepped up: the attacker knows the password now.
    confirmed: u32,
    honest_scores: Vec<f64>,
    hostile_scores: Vec<f64>,
    guesses: u64,
    verified: u64,
    caught_after: Option<(u64, u64)>,
    addresses: u64,
    verified_on: HashMap<u64, Vec<u64>>,
    most_in_window: u32,
}

/// What successful legitimate logins met.
#[derive(Clone, Copy, Debug, Default)]
struct Harm {
    right: u64,
    denied: u64,
    stepped_up: u64,
    delayed: u64,
}

impl Harm {
    fn note(&mut self, action: Action) {
        self.right += 1;
        match action {
            Action::Allow => {}
            Action::Delay { .. } => self.delayed += 1,
            Action::StepUp => self.stepped_up += 1,
            Action::Deny { .. } | Action::Silent => self.denied += 1,
        }
    }

    fn add(&mut self, other: &Self) {
        self.right += other.right;
        self.denied += other.denied;
        self.stepped_up += other.stepped_up;
        self.delayed += other.delayed;
    }

    fn share(self, of: u64) -> f64 {
        if self.right == 0 {
            0.0
        } else {
            of as f64 / self.right as f64
        }
    }

    fn cost(self) -> f64 {
        self.share(self.denied)
            + COST_OF_STEP_UP * self.share(self.stepped_up)
            + COST_OF_DELAY * self.share(self.delayed)
    }
}

impl Measured {
    pub(crate) fn new(rates: &[f64], length: u64) -> Self {
        let mut order: Vec<usize> = (0..rates.len()).collect();
        order.sort_by(|a, b| rates[*a].total_cmp(&rates[*b]));
        let mut decile = vec![0; rates.len()];
        for (place, person) in order.into_iter().enumerate() {
            decile[person] = (place * DECILES / rates.len()) as u8;
        }
        Self {
            people: rates.len() as u32,
            length,
            decile,
            hurt: vec![false; rates.len()],
            seen: vec![false; rates.len()],
            harm: Default::default(),
            campus: Harm::default(),
            refused_on_device: 0,
            taken: Vec::new(),
            recovered: HashSet::new(),
            guessed: HashSet::new(),
            confirmed: 0,
            honest_scores: Vec::new(),
            hostile_scores: Vec::new(),
            guesses: 0,
            verified: 0,
            caught_after: None,
            addresses: 0,
            verified_on: HashMap::new(),
            most_in_window: 0,
        }
    }

    pub(crate) fn honest(&mut self, person: u32, device: bool, campus: bool, answer: &Answer) {
        let person = person as usize;
        self.harm[usize::from(self.decile[person])].note(answer.action);
        if campus {
            self.campus.note(answer.action);
        }
        let refused = answer.action.refuses();
        self.refused_on_device += u32::from(refused && device);
        self.seen[person] = true;
        self.hurt[person] |= refused || answer.action == Action::StepUp;
        self.honest_scores.push(answer.score);
    }

    pub(crate) fn hostile(&mut self, attempt: &Try, answer: &Answer, fresh: bool, since: u64) {
        self.guesses += 1;
        self.addresses += u64::from(fresh);
        let refused = answer.action.refuses();
        if !matches!(answer.action, Action::Deny { .. }) {
            self.verified += 1;
            let times = self.verified_on.entry(attempt.name).or_default();
            times.retain(|time| time + WINDOW > since);
            times.push(since);
            self.most_in_window = self.most_in_window.max(times.len() as u32);
        }
        if (refused || answer.action == Action::StepUp) && self.caught_after.is_none() {
            self.caught_after = Some((self.guesses, since));
        }
        // Only the first correct guess at an account: one that was caught can be made again.
        if attempt.right && self.guessed.insert(attempt.name) {
            self.hostile_scores.push(answer.score);
            self.confirmed += u32::from(answer.action == Action::StepUp);
        }
    }

    pub(crate) fn taken(&mut self, since: u64) {
        self.taken.push(since);
    }

    pub(crate) fn recovered(&mut self, account: u64) {
        self.recovered.insert(account);
    }

    /// A person's own login was come back to.
    pub(crate) fn doubted(&mut self, account: u64) {
        if let Some(decile) = self.decile.get(account as usize) {
            self.harm[usize::from(*decile)].stepped_up += 1;
            self.hurt[account as usize] = true;
        }
    }

    pub(crate) fn end(&mut self) {
        self.verified_on.clear();
        self.honest_scores.sort_by(f64::total_cmp);
        self.hostile_scores.sort_by(f64::total_cmp);
    }

    fn total(&self) -> Harm {
        let mut total = Harm::default();
        for decile in &self.harm {
            total.add(decile);
        }
        total
    }

    /// The share of correct hostile passwords that a threshold catches which refuses at most `share`
    /// of right honest ones; `None` without a right hostile one.
    fn tpr(&self, share: f64) -> Option<f64> {
        let (honest, hostile) = (&self.honest_scores, &self.hostile_scores);
        if honest.is_empty() || hostile.is_empty() {
            return None;
        }
        let allowed = (honest.len() as f64 * share).floor() as usize;
        // Whoever scores more than the first that must pass is refused.
        let threshold = honest[honest.len() - 1 - allowed.min(honest.len() - 1)];
        let passed = hostile.partition_point(|score| *score <= threshold);
        Some(1.0 - passed as f64 / hostile.len() as f64)
    }

    /// The odds that a successful hostile login scores higher than a right honest one, ties by half.
    fn auc(&self) -> Option<f64> {
        let (honest, hostile) = (&self.honest_scores, &self.hostile_scores);
        if honest.is_empty() || hostile.is_empty() {
            return None;
        }
        let beaten: f64 = hostile
            .iter()
            .map(|score| {
                let below = honest.partition_point(|other| other < score);
                let up_to = honest.partition_point(|other| other <= score);
                f64::midpoint(below as f64, up_to as f64)
            })
            .sum();
        Some(beaten / (honest.len() * hostile.len()) as f64)
    }

    fn per_10_000(&self, count: f64) -> f64 {
        count * 10_000.0 / f64::from(self.people.max(1))
    }

    /// Returns how many of 10,000 accounts were compromised in the first `length` milliseconds of attack.
    pub(crate) fn taken_in(&self, length: u64) -> f64 {
        self.taken_until(length)
    }

    fn taken_until(&self, moment: u64) -> f64 {
        let taken = self.taken.iter().filter(|time| **time <= moment).count();
        self.per_10_000(taken as f64)
    }
}

/// A mean and its 95 % interval, by Student's t over the seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// The mean.
    pub mean: f64,
    /// Half of the interval's width; 0 for a single run.
    pub half: f64,
}

impl Interval {
    /// Computes the interval of values; `None` without any.
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let values: Vec<f64> = values.collect();
        let n = values.len() as f64;
        if values.is_empty() {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let half = if values.len() < 2 {
            0.0
        } else {
            student(values.len() - 1) * (squares / (n - 1.0) / n).sqrt()
        };
        Some(Self { mean, half })
    }
}

/// The 97.5 % quantile of Student's t.
fn student(freedom: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
        2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
        2.052, 2.048, 2.045, 2.042,
    ];
    TABLE
        .get(freedom.saturating_sub(1))
        .copied()
        .unwrap_or(1.96)
}

/// The summary of the runs of one defence in one scenario. Shares are from 0 to 1, accounts are of 10,000.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Accounts compromised after 1 h, 1 d, 7 d and 30 d of attack; the last value of a shorter attack is
    /// repeated.
    #[serde(rename = "compromised")]
    pub taken: [Interval; 4],
    /// Accounts compromised in the end, without those that retroaction reported.
    #[serde(rename = "after_retroaction")]
    pub kept: Interval,
    /// Accounts whose password an attacker learned from being asked for a second factor.
    #[serde(rename = "passwords_learned")]
    pub confirmed: Interval,
    /// Verified guesses per compromised account; absent if none was compromised.
    pub guesses_per_account: Option<Interval>,
    /// The share of successful legitimate logins that were denied.
    pub denied: Interval,
    /// The share that were stepped up.
    pub stepped_up: Interval,
    /// The share that were delayed.
    pub delayed: Interval,
    /// The three together, where a step-up counts a tenth of a denial and a delay a hundredth.
    #[serde(rename = "affected")]
    pub harm: Interval,
    /// The share of users with a login who were ever denied or stepped up.
    #[serde(rename = "users_affected")]
    pub ever_hurt: Interval,
    /// The same by activity decile, the least active first.
    #[serde(rename = "users_affected_by_decile")]
    pub ever_hurt_by_decile: [f64; DECILES],
    /// `harm` among the users of the campus address.
    #[serde(rename = "campus_affected")]
    pub campus_harm: Interval,
    /// Successful logins on a known device that were denied, in all runs.
    #[serde(rename = "denied_on_device")]
    pub refused_on_device: u64,
    /// The share of correct hostile passwords of all runs caught at 0.01, 0.1, 0.5 and 1 % of correct
    /// legitimate ones.
    pub tpr: Option<[Interval; 4]>,
    /// The area under the ROC curve.
    pub auc: Option<Interval>,
    /// Attempts until the first hostile one was denied or stepped up; absent if none was.
    #[serde(rename = "detected_after_attempts")]
    pub caught_after_attempts: Option<Interval>,
    /// The hours until then.
    #[serde(rename = "detected_after_hours")]
    pub caught_after_hours: Option<Interval>,
    /// Addresses that the attacker used, per 10,000 accounts.
    pub addresses: Interval,
    /// The share of the attacker's attempts that cost no password hash.
    pub hashes_saved: Interval,
    /// The most verified guesses on one account in 15 minutes, in any run.
    pub most_in_window: u32,
    /// Points of the ROC curve: legitimate share, hostile share.
    pub roc: Vec<[f64; 2]>,
    /// Points of compromised accounts over time: hours, accounts.
    pub over_time: Vec<[f64; 2]>,
}

/// At which shares of legitimate logins the curve is drawn.
const ROC_AT: [f64; 13] = [
    0.0, 0.0001, 0.0003, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0,
];

/// The shares that the board names.
const TPR_AT: [f64; 4] = [0.0001, 0.001, 0.005, 0.01];

impl Summary {
    /// Summarises runs that differ only in their seed; `None` without any.
    pub fn of(runs: &[Measured]) -> Option<Self> {
        let every = |of: &dyn Fn(&Measured) -> f64| Interval::of(runs.iter().map(of));
        let some = |of: &dyn Fn(&Measured) -> Option<f64>| Interval::of(runs.iter().filter_map(of));
        let zero = Interval {
            mean: 0.0,
            half: 0.0,
        };
        let mut by_decile = [0.0; DECILES];
        for (decile, share) in by_decile.iter_mut().enumerate() {
            *share = every(&|run| run.hurt_in(Some(decile as u8)))?.mean;
        }
        let tpr = TPR_AT.map(|share| pooled(runs, share));
        let tpr: Option<Vec<Interval>> = tpr.into_iter().collect();
        let length = runs.first()?.length;
        Some(Self {
            taken: MOMENTS.map(|moment| every(&|run| run.taken_until(moment)).unwrap_or(zero)),
            kept: every(&|run| {
                run.per_10_000(run.taken.len() as f64 - run.recovered.len() as f64)
            })?,
            confirmed: every(&|run| run.per_10_000(run.confirmed.into()))?,
            guesses_per_account: some(&|run| {
                (!run.taken.is_empty()).then(|| run.verified as f64 / run.taken.len() as f64)
            }),
            denied: every(&|run| run.total().share(run.total().denied))?,
            stepped_up: every(&|run| run.total().share(run.total().stepped_up))?,
            delayed: every(&|run| run.total().share(run.total().delayed))?,
            harm: every(&|run| run.total().cost())?,
            ever_hurt: every(&|run| run.hurt_in(None))?,
            ever_hurt_by_decile: by_decile,
            campus_harm: every(&|run| run.campus.cost())?,
            refused_on_device: runs
                .iter()
                .map(|run| u64::from(run.refused_on_device))
                .sum(),
            tpr: tpr.and_then(|tpr| tpr.try_into().ok()),
            auc: some(&Measured::auc),
            caught_after_attempts: some(&|run| run.caught_after.map(|(guesses, _)| guesses as f64)),
            caught_after_hours: some(&|run| {
                run.caught_after
                    .map(|(_, since)| since as f64 / HOUR as f64)
            }),
            addresses: every(&|run| run.per_10_000(run.addresses as f64))?,
            hashes_saved: every(&|run| match run.guesses {
                0 => 0.0,
                guesses => 1.0 - run.verified as f64 / guesses as f64,
            })?,
            most_in_window: runs.iter().map(|run| run.most_in_window).max()?,
            roc: ROC_AT
                .iter()
                .filter_map(|share| Some([*share, pooled(runs, *share)?.mean]))
                .collect(),
            over_time: (0..=40u64)
                .filter_map(|step| {
                    let moment = length * step / 40;
                    let taken = every(&|run| run.taken_until(moment))?.mean;
                    Some([moment as f64 / HOUR as f64, taken])
                })
                .collect(),
        })
    }
}

impl Measured {
    fn hurt_in(&self, decile: Option<u8>) -> f64 {
        let of = |person: &usize| decile.is_none_or(|decile| self.decile[*person] == decile);
        let seen = (0..self.seen.len())
            .filter(|person| self.seen[*person])
            .filter(of);
        let (mut people, mut hurt) = (0u32, 0u32);
        for person in seen {
            people += 1;
            hurt += u32::from(self.hurt[person]);
        }
        if people == 0 {
            0.0
        } else {
            f64::from(hurt) / f64::from(people)
        }
    }
}

/// The share caught of all correct hostile passwords of all runs, by each run's own threshold; half
/// the interval is that of the runs' shares.
fn pooled(runs: &[Measured], share: f64) -> Option<Interval> {
    let of = |run: &Measured| Some((run.tpr(share)?, run.hostile_scores.len() as f64));
    let shares: Vec<(f64, f64)> = runs.iter().filter_map(of).collect();
    let right: f64 = shares.iter().map(|(_, right)| right).sum();
    let caught: f64 = shares.iter().map(|(tpr, right)| tpr * right).sum();
    let spread = Interval::of(shares.iter().map(|(tpr, _)| *tpr))?;
    Some(Interval {
        mean: caught / right,
        ..spread
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(honest: &[f64], hostile: &[f64]) -> Measured {
        let mut run = Measured::new(&[1.0; 20], DAY);
        run.honest_scores = honest.to_vec();
        run.hostile_scores = hostile.to_vec();
        run.end();
        run
    }

    #[test]
    fn a_curve_by_hand() {
        let run = run(&[0.0, 0.0, 1.0, 2.0], &[0.0, 2.0, 3.0, 3.0]);
        assert_eq!(run.tpr(0.0), Some(0.5));
        assert_eq!(run.tpr(0.25), Some(0.75));
        assert_eq!(
            run.tpr(1.0),
            Some(0.75),
            "at the lowest score nobody is told apart"
        );
        // 0 ties with two of four; 2 beats three and ties with one; 3 beats all.
        assert_eq!(run.auc(), Some((1.0 + 3.5 + 4.0 + 4.0) / 16.0));
    }

    #[test]
    fn an_interval_by_hand() {
        let interval = Interval::of([1.0, 2.0, 3.0].into_iter()).unwrap();
        assert_eq!(interval.mean, 2.0);
        assert!((interval.half - 4.303 / 3f64.sqrt()).abs() < 1e-9);
        assert_eq!(Interval::of([].into_iter()), None);
    }

    #[test]
    fn harm_weighs_a_step_up_as_a_tenth() {
        let mut harm = Harm::default();
        for action in [
            Action::Allow,
            Action::StepUp,
            Action::Deny { retry: 1 },
            Action::Allow,
        ] {
            harm.note(action);
        }
        assert!((harm.cost() - 0.275).abs() < 1e-9);
    }
}
