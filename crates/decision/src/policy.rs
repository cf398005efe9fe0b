//! How much is allowed.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{Limit, Limits};

/// Below this many distinct accounts a password mark is never reported: a handful of people do
/// pick the same wrong password by themselves.
const LEAST_HEAT: u32 = 5;

/// Marks are made under keys that rotate daily and overlap for a day: a longer window would not
/// hold.
const LONGEST_HEAT: Duration = Duration::from_secs(86_400);

/// The accounts are remembered one by one, so the limit bounds the memory.
const MOST_HEAT: u32 = 64;

/// The limits of every signal. All count failed attempts only: a right password costs nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Failures of one account, from anywhere.
    pub account: Limits,
    /// Failures of one client address (IPv6: one /64), on any account.
    pub address: Limits,
    /// Distinct accounts on which one password has failed. Its count is from 5 to 64, its window
    /// at most a day.
    #[serde(deserialize_with = "heat")]
    pub heat: Limits,
    /// Failures of the whole site. It refuses nobody by itself: over it, the other limits tighten,
    /// to half at twice the count.
    pub site: Limits,
}

impl Default for Policy {
    /// - account: SP 800-63B-4 §3.2.2 allows at most 100 consecutive failures; 10 in 15 minutes
    ///   leaves room for a bad day at the keyboard and makes 100 take hours.
    /// - address: a campus of 1,000 behind one address with 4 % mistypes makes about 40 a day.
    /// - heat: the least that is ever reported.
    /// - site: five failures a second are a large site's busiest hour, or an attack.
    fn default() -> Self {
        let limits = |words: &str| words.parse().expect("a limit written here");
        Self {
            account: limits("10 per 15 minutes; 50 per day"),
            address: limits("20 per 10 minutes; 300 per day"),
            heat: limits("5 per day"),
            site: limits("300 per minute"),
        }
    }
}

fn heat<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Limits, D::Error> {
    let limits = Limits::deserialize(deserializer)?;
    let sensible = LEAST_HEAT..=MOST_HEAT;
    let holds = |limit: &Limit| sensible.contains(&limit.count) && limit.window <= LONGEST_HEAT;
    let outside = limits.iter().find(|limit| !holds(limit));
    match outside {
        None => Ok(limits),
        Some(limit) => Err(de::Error::custom(format!(
            "heat can't be {limit}; write a count from {LEAST_HEAT} to {MOST_HEAT} in at most a day, such as \"5 per day\""
        ))),
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
    fn what_is_left_out_is_the_default() {
        let read = policy("account", "3 per hour").unwrap();
        assert_eq!(read.account.to_string(), "3 per hour");
        assert_eq!(read.heat, Policy::default().heat);
    }

    #[test]
    fn heat_has_a_floor_and_fields_have_names() {
        let message = policy("heat", "2 per day").unwrap_err().to_string();
        assert!(message.contains("from 5 to 64"), "{message}");
        assert!(policy("heat", "20 per month").is_err());
        let message = policy("adress", "2 per day").unwrap_err().to_string();
        assert!(message.contains("unknown field `adress`"), "{message}");
    }
}
