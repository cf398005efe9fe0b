//! The configured limits and budgets.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{Limit, Limits, SignalId};

/// The lowest configurable heat: a handful of users do enter the same incorrect password by chance.
const LEAST_HEAT: u32 = 5;

/// Marks are made under keys that rotate daily and overlap for a day: a longer window would not
/// hold.
const LONGEST_HEAT: Duration = Duration::from_secs(86_400);

/// The highest configurable heat, far above chance; such a limit detects only the crudest spray.
const MOST_HEAT: u32 = 64;

/// The limits, and the share of legitimate logins that may be delayed or stepped up. Limits count
/// failed logins only: a successful login costs nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Policy {
    /// The preset that supplies the fields left out.
    pub preset: Preset,
    /// Failures of one account on unknown devices, from anywhere.
    pub account: Limits,
    /// Failures on one known device of an account.
    pub device: Limits,
    /// Failures of one client address (IPv6: one /64), on any account.
    pub address: Limits,
    /// Failures of one network (/24; IPv6: /48), on any account.
    pub network: Limits,
    /// Distinct accounts on which one password has failed: a count from 5 to 64 in at most a day.
    pub heat: Limits,
    /// Whether the application asks for a second factor on request. Without one, a step-up becomes
    /// a denial.
    pub second_factor: bool,
    /// The share of successful logins that may be stepped up in quiet times, 0 to 1.
    pub step_ups: f64,
    /// The same while the site is under attack; used only with a second factor.
    pub step_ups_under_attack: f64,
    /// The share of successful logins that may be delayed, 0 to 1.
    pub delays: f64,
    /// The share of attempts from unknown devices that succeed when there is no attack, 0 to 1.
    pub success_rate: f64,
    /// Signals that are disabled, for the simulator's ablations. Not configurable in a file.
    #[serde(skip)]
    pub without: Vec<SignalId>,
}

/// A set of defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// For most sites.
    #[default]
    Standard,
    /// For administrators' logins and others with few users, where a compromised account costs more
    /// than a user who has to wait.
    Strict,
}

impl Policy {
    /// Returns a preset's policy:
    ///
    /// - account: SP 800-63B-4 §3.2.2 allows at most 100 consecutive failures; 10 in 15 minutes
    ///   leaves room for a bad day at the keyboard and makes 100 take hours.
    /// - address: a campus of 1,000 behind one address with 4 % mistypes makes about 40 per day.
    /// - network: five such addresses.
    /// - heat: the lowest that is configurable.
    /// - step-ups, success rate: fitted on simulated traces (docs/scoreboard.md).
    pub fn preset(preset: Preset) -> Self {
        let limits = |words: &str| words.parse().expect("a limit written here");
        let standard = Self {
            preset,
            account: limits("10 per 15 minutes; 50 per day"),
            device: limits("10 per 15 minutes; 50 per day"),
            address: limits("20 per 10 minutes; 300 per day"),
            network: limits("100 per 10 minutes"),
            heat: limits("5 per day"),
            second_factor: false,
            step_ups: 0.001,
            step_ups_under_attack: 0.01,
            delays: 0.01,
            success_rate: 0.7,
            without: Vec::new(),
        };
        match preset {
            Preset::Standard => standard,
            Preset::Strict => Self {
                account: limits("5 per 15 minutes; 20 per day"),
                device: limits("5 per 15 minutes; 20 per day"),
                address: limits("10 per 10 minutes; 50 per day"),
                network: limits("50 per 10 minutes"),
                step_ups: 0.01,
                step_ups_under_attack: 0.03,
                delays: 0.05,
                ..standard
            },
        }
    }

    /// Returns the policy for one of `nodes` that can't reach each other: together they allow no
    /// more than this policy, but at least one failure each.
    pub fn divided(&self, nodes: u32) -> Self {
        let share = |limits: &Limits| {
            limits.map(|limit| Limit {
                count: (limit.count / nodes.max(1)).max(1),
                ..limit
            })
        };
        Self {
            account: share(&self.account),
            device: share(&self.device),
            address: share(&self.address),
            network: share(&self.network),
            // Its floor is what people do by chance, on whatever node.
            heat: self.heat.clone(),
            ..self.clone()
        }
    }

    /// Returns whether a signal is enabled.
    pub fn uses(&self, signal: SignalId) -> bool {
        !self.without.contains(&signal)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::preset(Preset::Standard)
    }
}

/// A policy as written; the preset supplies what is left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Written {
    preset: Preset,
    #[serde(deserialize_with = "some")]
    account: Option<Limits>,
    #[serde(deserialize_with = "some")]
    device: Option<Limits>,
    #[serde(deserialize_with = "some")]
    address: Option<Limits>,
    #[serde(deserialize_with = "some")]
    network: Option<Limits>,
    #[serde(deserialize_with = "heat")]
    heat: Option<Limits>,
    #[serde(deserialize_with = "some")]
    second_factor: Option<bool>,
    #[serde(deserialize_with = "share")]
    step_ups: Option<f64>,
    #[serde(deserialize_with = "share")]
    step_ups_under_attack: Option<f64>,
    #[serde(deserialize_with = "share")]
    delays: Option<f64>,
    #[serde(deserialize_with = "share")]
    success_rate: Option<f64>,
}

impl From<Written> for Policy {
    fn from(written: Written) -> Self {
        let preset = Self::preset(written.preset);
        Self {
            preset: written.preset,
            account: written.account.unwrap_or(preset.account),
            device: written.device.unwrap_or(preset.device),
            address: written.address.unwrap_or(preset.address),
            network: written.network.unwrap_or(preset.network),
            heat: written.heat.unwrap_or(preset.heat),
            second_factor: written.second_factor.unwrap_or(preset.second_factor),
            step_ups: written.step_ups.unwrap_or(preset.step_ups),
            step_ups_under_attack: written
                .step_ups_under_attack
                .unwrap_or(preset.step_ups_under_attack),
            delays: written.delays.unwrap_or(preset.delays),
            success_rate: written.success_rate.unwrap_or(preset.success_rate),
            without: Vec::new(),
        }
    }
}

fn some<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

fn heat<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Limits>, D::Error> {
    let limits = Limits::deserialize(deserializer)?;
    let sensible = LEAST_HEAT..=MOST_HEAT;
    let holds = |limit: &Limit| sensible.contains(&limit.count) && limit.window <= LONGEST_HEAT;
    let outside = limits.iter().find(|limit| !holds(limit));
    match outside {
        None => Ok(Some(limits)),
        Some(limit) => Err(de::Error::custom(format!(
            "heat limit `{limit}` is out of range; write a count from {LEAST_HEAT} to {MOST_HEAT} in at most a day, such as \"5 per day\""
        ))),
    }
}

fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let share = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&share) {
        Ok(Some(share))
    } else {
        Err(de::Error::custom(format!(
            "invalid share {share}; write a number from 0 to 1, such as 0.001 for one in a thousand"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use serde::de::value::{Error, MapDeserializer};

    fn policy(field: &str, words: &str) -> Result<Policy, Error> {
        Policy::deserialize(MapDeserializer::new([(field, words)].into_iter()))
    }

    #[test]
    fn what_is_left_out_is_the_presets() {
        let read = policy("account", "3 per hour").unwrap();
        assert_eq!(read.account.to_string(), "3 per hour");
        assert_eq!(read.heat, Policy::default().heat);
        let strict = policy("preset", "strict").unwrap();
        assert_eq!(strict, Policy::preset(Preset::Strict));
        assert_ne!(strict.account, read.account);
    }

    #[test]
    fn heat_has_a_floor_and_fields_have_names() {
        let message = policy("heat", "2 per day").unwrap_err().to_string();
        assert!(message.contains("from 5 to 64"), "{message}");
        assert!(policy("heat", "20 per month").is_err());
        let message = policy("adress", "2 per day").unwrap_err().to_string();
        assert!(message.contains("unknown field `adress`"), "{message}");
    }

    #[test]
    fn a_share_is_between_nothing_and_all() {
        let read = |share: f64| {
            let fields = [("step_ups", share)].into_iter();
            Policy::deserialize(MapDeserializer::<_, Error>::new(fields))
        };
        assert_eq!(read(0.01).unwrap().step_ups, 0.01);
        let message = read(1.5).unwrap_err().to_string();
        assert!(message.contains("from 0 to 1"), "{message}");
    }
}
