//! The grammar of limits: `"5 per minute"`, `"5/minute;100/day"`.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize, de};

/// At most `count` in any `window`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// The count; at least 1.
    pub count: u32,
    /// The length of the window: whole seconds, at most 366 days.
    pub window: Duration,
}

/// One to three limits that apply together. The grammar is that of the `limits` package, which
/// Flask-Limiter and slowapi use: `COUNT per|/ [N] UNIT`, joined by `;`, `,` or `|`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The first again where there are fewer.
    limits: [Limit; MAX_LIMITS],
    count: u8,
}

/// Why a limit could not be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLimit {
    /// It does not match the grammar.
    #[error(
        "invalid limit `{0}`; write \"5 per minute\", \"10 per 15 minutes\" or \"5/minute;100/day\", at most \
         {MAX_LIMITS} of them"
    )]
    Grammar(String),
    /// The count or the window is out of range.
    #[error(
        "limit `{0}` is out of range; use a count from 1 to {MAX_COUNT} and a window of at most 366 days"
    )]
    Range(String),
}

/// A slot of a counter has 16 bits; this leaves room to see by how much a limit is exceeded.
const MAX_COUNT: u32 = 50_000;
const MAX_WINDOW: Duration = Duration::from_secs(366 * 86_400);

/// The most limits for one key; each costs a counter.
const MAX_LIMITS: usize = 3;

impl Limits {
    /// One limit that is written in the code.
    pub(crate) const fn fixed(count: u32, seconds: u64) -> Self {
        let window = Duration::from_secs(seconds);
        Self {
            limits: [Limit { count, window }; MAX_LIMITS],
            count: 1,
        }
    }

    /// And one more.
    pub(crate) const fn and(mut self, count: u32, seconds: u64) -> Self {
        let window = Duration::from_secs(seconds);
        self.limits[self.count as usize] = Limit { count, window };
        self.count += 1;
        self
    }

    /// Applies a function to each limit.
    pub fn map(&self, change: impl Fn(Limit) -> Limit) -> Self {
        Self {
            limits: self.limits.map(change),
            count: self.count,
        }
    }

    /// Returns the number of limits, from 1 to 3.
    #[allow(clippy::len_without_is_empty, reason = "there is always one")]
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Returns the limit at a position.
    pub fn get(&self, position: u8) -> Option<Limit> {
        self.as_slice().get(usize::from(position)).copied()
    }

    /// Returns the limits in the order they were written.
    pub fn iter(&self) -> impl Iterator<Item = Limit> + '_ {
        self.as_slice().iter().copied()
    }

    fn as_slice(&self) -> &[Limit] {
        &self.limits[..self.len()]
    }
}

impl FromStr for Limits {
    type Err = InvalidLimit;

    fn from_str(words: &str) -> Result<Self, InvalidLimit> {
        let limits = words
            .split([';', ',', '|'])
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::parse)
            .collect::<Result<Vec<Limit>, _>>()?;
        let Some(first) = limits.first().filter(|_| limits.len() <= MAX_LIMITS) else {
            return Err(InvalidLimit::Grammar(words.to_owned()));
        };
        let mut padded = [*first; MAX_LIMITS];
        padded[..limits.len()].copy_from_slice(&limits);
        Ok(Self {
            limits: padded,
            count: limits.len() as u8,
        })
    }
}

impl FromStr for Limit {
    type Err = InvalidLimit;

    fn from_str(words: &str) -> Result<Self, InvalidLimit> {
        let grammar = || InvalidLimit::Grammar(words.to_owned());
        let range = || InvalidLimit::Range(words.to_owned());
        let lower = words.trim().to_lowercase();
        let (count, rest) = lower
            .split_once('/')
            .or_else(|| lower.split_once(" per "))
            .ok_or_else(grammar)?;
        let count: u32 = number(count.trim())
            .ok_or_else(grammar)?
            .map_err(|()| range())?;
        let rest = rest.trim();
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (multiple, unit) = rest.split_at(digits);
        let multiple = match multiple {
            "" => 1,
            digits => number(digits).ok_or_else(grammar)?.map_err(|()| range())?,
        };
        let window = seconds_of(unit.trim())
            .ok_or_else(grammar)?
            .checked_mul(u64::from(multiple))
            .map(Duration::from_secs)
            .ok_or_else(range)?;
        if count == 0 || count > MAX_COUNT || window.is_zero() || window > MAX_WINDOW {
            return Err(range());
        }
        Ok(Self { count, window })
    }
}

/// `None` when it isn't digits, `Some(Err)` when they don't fit.
fn number(digits: &str) -> Option<Result<u32, ()>> {
    let all_digits = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    all_digits.then(|| digits.parse().map_err(|_| ()))
}

const UNITS: [(&str, u64); 6] = [
    ("year", 365 * 86_400),
    ("month", 30 * 86_400),
    ("day", 86_400),
    ("hour", 3_600),
    ("minute", 60),
    ("second", 1),
];

fn seconds_of(unit: &str) -> Option<u64> {
    let singular = unit.strip_suffix('s').unwrap_or(unit);
    UNITS
        .iter()
        .find(|(name, _)| *name == singular)
        .map(|(_, seconds)| *seconds)
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.window.as_secs();
        let (name, unit) = UNITS
            .into_iter()
            .find(|(_, unit)| seconds.is_multiple_of(*unit))
            .unwrap_or(("second", 1));
        match seconds / unit {
            1 => write!(f, "{} per {name}", self.count),
            n => write!(f, "{} per {n} {name}s", self.count),
        }
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, limit) in self.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{limit}")?;
        }
        Ok(())
    }
}

impl Serialize for Limits {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Limits {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = String::deserialize(deserializer)?;
        words.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(words: &str) -> (u32, u64) {
        let limit: Limit = words.parse().unwrap();
        (limit.count, limit.window.as_secs())
    }

    #[test]
    fn words_that_people_write() {
        assert_eq!(one("5 per minute"), (5, 60));
        assert_eq!(one("5/minute"), (5, 60));
        assert_eq!(one("10 per 15 minutes"), (10, 900));
        assert_eq!(one("10/15 Minutes"), (10, 900));
        assert_eq!(one("1 per 1 month"), (1, 2_592_000));
        let both: Limits = "5/minute;100/day".parse().unwrap();
        assert_eq!(both.to_string(), "5 per minute; 100 per day");
        assert_eq!(both.to_string().parse::<Limits>().unwrap(), both);
    }

    #[test]
    fn words_that_are_no_limit() {
        for words in [
            "",
            ";",
            "five per minute",
            "5",
            "5 per",
            "5 per fortnight",
            "5//minute",
            "-1/day",
        ] {
            assert!(
                matches!(words.parse::<Limits>(), Err(InvalidLimit::Grammar(_))),
                "{words}"
            );
        }
        for words in ["0/minute", "5/0 minutes", "99999999999/day", "1/99 years"] {
            assert!(
                matches!(words.parse::<Limits>(), Err(InvalidLimit::Range(_))),
                "{words}"
            );
        }
    }
}
