//! Suspicion thresholds, from a budget of legitimate logins that may be delayed or stepped up.

use crate::{Policy, Steps};

/// The suspicion from which attempts are delayed or stepped up, in quiet times and under attack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    quiet: Steps,
    attack: Steps,
}

impl Default for Thresholds {
    /// Returns thresholds that are never reached, for a site that knows too few of its users: in its
    /// first days no device or network is known, and every user would look like a stranger. Limits
    /// apply from the first attempt on.
    fn default() -> Self {
        Self::always(Steps {
            delay: f64::INFINITY,
            step_up: f64::INFINITY,
        })
    }
}

impl Thresholds {
    /// Returns thresholds that do not depend on the odds of an attack.
    pub const fn always(steps: Steps) -> Self {
        Self {
            quiet: steps,
            attack: steps,
        }
    }

    /// The steps at the given odds that an attempt is an attacker's: from quiet at 0 to attack at
    /// 1 and more.
    pub(crate) fn at(&self, odds: f64) -> Steps {
        let between = |quiet: f64, attack: f64| {
            let attacked = odds.clamp(0.0, 1.0);
            // Two infinities have nothing between them.
            if quiet == attack {
                quiet
            } else {
                quiet * (1.0 - attacked) + attack * attacked
            }
        };
        Steps {
            delay: between(self.quiet.delay, self.attack.delay),
            step_up: between(self.quiet.step_up, self.attack.step_up),
        }
    }
}

/// Suspicion is noted in steps of a quarter of a nat, from −16 to 16.
const BINS: usize = 128;
const PER_NAT: f64 = 4.0;
const LEAST: f64 = -16.0;

/// Fewer successful logins than this are too few to estimate one in a thousand.
const ENOUGH: u32 = 1_000;

/// More than this are halved, so that a site's habits of last year count for less.
const MOST: u32 = 100_000;

/// The recent logins over which the share without a device is taken: in a site's first days it is
/// nearly all of them.
const RECENT: u32 = 4_096;

/// From these odds on, successful logins without a device may be hostile and are not counted.
const UNDER_ATTACK: f64 = 0.5;

/// A streaming quantile of how suspicious a site's legitimate users look.
///
/// It records successful logins with a device token, weighed as if they had none, and for each
/// account only as many per day as it has credit for: an attacker holds no tokens of other accounts,
/// and its own accounts contribute little. The share of successful logins without a token is counted
/// separately; a budget of one login in a thousand is spent on those alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    bins: [u32; BINS],
    noted: u32,
    with_device: u32,
    without_device: u32,
}

impl Default for Calibration {
    fn default() -> Self {
        Self {
            bins: [0; BINS],
            noted: 0,
            with_device: 0,
            without_device: 0,
        }
    }
}

impl Calibration {
    /// One in this many successful logins with a device is recorded.
    pub const SAMPLE: u32 = 4;

    /// Records a successful login: whether it had a device token, how suspicious it would have been
    /// without one (in nats, if it was sampled), and the odds at the time that an attempt without a
    /// token is hostile.
    pub fn note(&mut self, with_device: bool, suspicion: Option<f64>, odds: f64) {
        // A device's odds are asked where it was drawn, so those stand for the others too.
        match (with_device, suspicion) {
            (true, Some(_)) if odds < UNDER_ATTACK => self.count(Self::SAMPLE, 0),
            (false, _) if odds < UNDER_ATTACK => self.count(0, 1),
            _ => {}
        }
        if let Some(suspicion) = suspicion {
            let bin = ((suspicion - LEAST) * PER_NAT).clamp(0.0, (BINS - 1) as f64);
            self.bins[bin as usize] += 1;
            self.noted += 1;
        }
        if self.noted > MOST {
            self.fade();
        }
    }

    fn count(&mut self, with_device: u32, without_device: u32) {
        self.with_device += with_device;
        self.without_device += without_device;
        if self.with_device + self.without_device > RECENT {
            self.with_device /= 2;
            self.without_device /= 2;
        }
    }

    /// Returns the thresholds that spend a policy's budgets; the defaults until enough is recorded.
    pub fn thresholds(&self, policy: &Policy) -> Thresholds {
        if self.noted < ENOUGH {
            return Thresholds::default();
        }
        let step_up = self.quantile(policy.step_ups);
        // Where a step-up is a denial, the attack budget would deny legitimate users by the dozen.
        let attack = match policy.second_factor {
            true => self.quantile(policy.step_ups_under_attack).min(step_up),
            false => step_up,
        };
        let delay = self.quantile(policy.delays);
        Thresholds {
            quiet: Steps {
                delay: delay.min(step_up),
                step_up,
            },
            attack: Steps {
                delay: delay.min(attack),
                step_up: attack,
            },
        }
    }

    /// The suspicion that at most this share of successful logins reaches.
    fn quantile(&self, share: f64) -> f64 {
        let logins = f64::from(self.with_device) + f64::from(self.without_device);
        // Attackers' successes are among those without; a third is more than any site has.
        let without = (f64::from(self.without_device) / logins.max(1.0)).clamp(0.01, 0.33);
        let mut left = share / without * f64::from(self.noted);
        let mut edge = BINS;
        while edge > 0 && f64::from(self.bins[edge - 1]) <= left {
            edge -= 1;
            left -= f64::from(self.bins[edge]);
        }
        LEAST + edge as f64 / PER_NAT
    }

    fn fade(&mut self) {
        for bin in &mut self.bins {
            *bin /= 2;
        }
        self.noted = self.bins.iter().sum();
    }

    /// Returns its state, to keep it over a restart.
    pub fn to_words(&self) -> Vec<u32> {
        let mut words = vec![self.with_device, self.without_device];
        words.extend(self.bins);
        words
    }

    /// Restores a saved state; `None` if it is not of this version.
    pub fn from_words(words: &[u32]) -> Option<Self> {
        let (counts, bins) = words.split_at_checked(2)?;
        let bins: [u32; BINS] = bins.try_into().ok()?;
        let noted = bins
            .iter()
            .try_fold(0u32, |sum, bin| sum.checked_add(*bin))?;
        let logins = counts[0].checked_add(counts[1])?;
        if noted > MOST + 1 || logins > RECENT + Self::SAMPLE {
            return None;
        }
        Some(Self {
            bins,
            noted,
            with_device: counts[0],
            without_device: counts[1],
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn calibrated(scores: impl Iterator<Item = f64>) -> Calibration {
        let mut calibration = Calibration::default();
        for (i, score) in scores.enumerate() {
            calibration.note(true, Some(score), 0.0);
            if i % 10 == 0 {
                calibration.note(false, None, 0.0);
            }
        }
        calibration
    }

    #[test]
    fn too_few_logins_leave_the_defaults() {
        let few = calibrated((0..900).map(|_| 15.0));
        assert_eq!(few.thresholds(&Policy::default()), Thresholds::default());
    }

    #[test]
    fn an_attack_lowers_the_threshold_and_never_raises_it() {
        let calibration = calibrated((0..20_000).map(|i| f64::from(i % 1_000) / 100.0));
        let policy = Policy {
            second_factor: true,
            ..Policy::default()
        };
        let thresholds = calibration.thresholds(&policy);
        let steps: Vec<f64> = [0.0, 0.2, 1.0, 9.0]
            .map(|odds| thresholds.at(odds).step_up)
            .into();
        assert!(steps.is_sorted_by(|a, b| a >= b), "{steps:?}");
    }

    #[test]
    fn it_survives_a_restart() {
        let calibration = calibrated((0..5_000).map(|i| f64::from(i % 97) / 10.0));
        let kept = Calibration::from_words(&calibration.to_words());
        assert_eq!(kept, Some(calibration));
        assert_eq!(Calibration::from_words(&[1, 2, 3]), None);
    }

    proptest! {
        /// No more of the noted logins reach the step-up than the budget says.
        #[test]
        fn the_budget_holds(scores in prop::collection::vec(-10.0f64..10.0, 1_000..3_000), share in 0.0f64..0.05) {
            let calibration = calibrated(scores.iter().copied());
            let threshold = calibration.quantile(share);
            let over = scores.iter().filter(|score| **score >= threshold).count() as f64;
            let without = f64::from(calibration.without_device)
                / f64::from(calibration.with_device + calibration.without_device);
            let stepped_up = over / scores.len() as f64 * without;
            prop_assert!(stepped_up <= share + 1e-9, "{stepped_up} > {share}");
        }
    }
}
