//! How much is allowed.

use serde::{Deserialize, Serialize};

use crate::Limits;

/// Below this many distinct accounts a password mark is never reported: a handful of people do
/// pick the same wrong password by themselves.
const LEAST_HEAT: u32 = 5;

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
    /// Distinct accounts on which one password has failed. Its count is from 5 to 64.
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

/// Why a policy can't work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPolicy {
    /// Heat outside its range.
    #[error(
        "heat counts {0} accounts; write a count from {LEAST_HEAT} to {MOST_HEAT}, such as \"5 per day\""
    )]
    Heat(u32),
}

impl Policy {
    /// Whether each limit is one that its signal can hold.
    pub fn validate(&self) -> Result<(), InvalidPolicy> {
        let sensible = LEAST_HEAT..=MOST_HEAT;
        match self
            .heat
            .iter()
            .find(|limit| !sensible.contains(&limit.count))
        {
            Some(limit) => Err(InvalidPolicy::Heat(limit.count)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid_and_heat_has_a_floor() {
        let mut policy = Policy::default();
        assert_eq!(policy.validate(), Ok(()));
        policy.heat = "2 per day".parse().unwrap();
        assert_eq!(policy.validate(), Err(InvalidPolicy::Heat(2)));
    }
}
