//! What an operator has accepted for now, with a reason and an end, and what a scan says against it.
//!
//! ```toml
//! [[accepted]]
//! check = "jwt-no-id"
//! severity = "low"            # a graver finding of the same check is worse, and counts
//! reason = "tokens live for ten minutes"
//! until = "2027-01-31"        # from the next day on it counts again
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Report, Severity, checks};

/// A baseline file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// What is accepted, one finding each.
    #[serde(default)]
    pub accepted: Vec<Accepted>,
}

/// One accepted finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// The check's id.
    pub check: String,
    /// How bad it may be.
    pub severity: Severity,
    /// Why it is accepted.
    pub reason: String,
    /// The last day on which it is, as YYYY-MM-DD.
    pub until: String,
}

/// What changed against a baseline; ids of checks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Difference {
    /// Found, and not accepted.
    pub new: Vec<String>,
    /// Found graver than it was accepted.
    pub worse: Vec<String>,
    /// Found, and accepted until a day that is over.
    pub expired: Vec<String>,
    /// Found, and accepted.
    pub accepted: Vec<String>,
    /// Accepted, and not found any more: its entry can go.
    pub fixed: Vec<String>,
}

/// Why a text is no baseline.
#[derive(Debug, thiserror::Error)]
pub enum InvalidBaseline {
    /// Not TOML, or not of these fields.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// A check that does not exist.
    #[error("there is no check `{0}`; `doorwarden explain` lists them")]
    Check(String),
    /// No day.
    #[error("`{until}` of {check} is not a day; write YYYY-MM-DD")]
    Until {
        /// The check's id.
        check: String,
        /// What is written.
        until: String,
    },
    /// No reason.
    #[error("{0} is accepted without a reason; write one, for whoever reads it next")]
    Reason(String),
}

impl Baseline {
    /// Reads a baseline file.
    pub fn parse(text: &str) -> Result<Self, InvalidBaseline> {
        let baseline: Self = toml::from_str(text)?;
        for entry in &baseline.accepted {
            let check = || entry.check.escape_debug().to_string();
            if checks::find(&entry.check).is_none() {
                return Err(InvalidBaseline::Check(check()));
            }
            if !is_day(&entry.until) {
                let until = entry.until.escape_debug().to_string();
                let check = check();
                return Err(InvalidBaseline::Until { check, until });
            }
            if entry.reason.trim().is_empty() {
                return Err(InvalidBaseline::Reason(check()));
            }
        }
        Ok(baseline)
    }

    /// A baseline that accepts what a report found, for its reasons to be written in.
    pub fn of(report: &Report, until: &str) -> Self {
        let accept = |finding: &&crate::Judgement| {
            Some(Accepted {
                check: finding.check.clone(),
                severity: finding.severity?,
                reason: String::new(),
                until: until.to_owned(),
            })
        };
        Self {
            accepted: report.findings().iter().filter_map(accept).collect(),
        }
    }

    /// Holds a report against it on a day, YYYY-MM-DD.
    pub fn compare(&self, report: &Report, today: &str) -> Difference {
        let mut difference = Difference::default();
        for finding in report.findings() {
            let entry = self
                .accepted
                .iter()
                .find(|entry| entry.check == finding.check);
            let list = match entry {
                None => &mut difference.new,
                Some(entry) if finding.severity > Some(entry.severity) => &mut difference.worse,
                // Days that are written so sort as they follow each other.
                Some(entry) if entry.until.as_str() < today => &mut difference.expired,
                Some(_) => &mut difference.accepted,
            };
            list.push(finding.check.clone());
        }
        let passed = |entry: &&Accepted| {
            let passed = report.of(crate::VerdictKind::Passed);
            passed
                .into_iter()
                .any(|judgement| judgement.check == entry.check)
        };
        let fixed = self.accepted.iter().filter(passed);
        difference.fixed = fixed.map(|entry| entry.check.clone()).collect();
        difference
    }
}

impl Difference {
    /// Whether a finding does not count, since it is accepted.
    pub fn accepts(&self, check: &str) -> bool {
        self.accepted.iter().any(|accepted| accepted == check)
    }

    /// The difference in lines.
    pub fn lines(&self) -> Vec<String> {
        let lists = [
            ("new", &self.new),
            ("worse than accepted", &self.worse),
            ("accepted until a day that is over", &self.expired),
            ("accepted", &self.accepted),
            ("fixed, so its entry can go", &self.fixed),
        ];
        let told = lists.into_iter().filter(|(_, checks)| !checks.is_empty());
        told.map(|(what, checks)| format!("{what}: {}", checks.join(", ")))
            .collect()
    }
}

/// YYYY-MM-DD, roughly: what sorts.
fn is_day(text: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = text.split('-').collect();
    let within = |text: &str, most: u8| (1..=most).contains(&text.parse().unwrap_or(0));
    matches!(parts[..], [year, month, day]
        if (year.len(), month.len(), day.len()) == (4, 2, 2)
            && digits(year) && digits(month) && digits(day)
            && within(month, 12) && within(day, 31))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    const TEXT: &str = r#"
[[accepted]]
check = "jwt-no-id"
severity = "low"
reason = "they live for ten minutes"
until = "2027-01-31"
"#;

    #[test]
    fn what_is_accepted_counts_again_when_its_time_is_over_or_it_is_worse() {
        let baseline = Baseline::parse(TEXT).unwrap();
        let compared = |found: &[(&str, Severity)], today| baseline.compare(&report(found), today);
        let low = [("jwt-no-id", Severity::Low)];
        assert!(compared(&low, "2027-01-31").accepts("jwt-no-id"));
        assert_eq!(compared(&low, "2027-02-01").expired, ["jwt-no-id"]);
        let worse = [
            ("jwt-no-id", Severity::High),
            ("cookie-flags", Severity::Low),
        ];
        let difference = compared(&worse, "2026-12-01");
        assert_eq!(difference.worse, ["jwt-no-id"]);
        assert_eq!(difference.new, ["cookie-flags"]);
        let mut none = report(&[]);
        for judgement in &mut none.verdicts {
            judgement.verdict = crate::VerdictKind::Passed;
        }
        assert_eq!(baseline.compare(&none, "2026-12-01").fixed, ["jwt-no-id"]);
    }

    #[test]
    fn mistakes_are_told() {
        for (from, to, told) in [
            ("jwt-no-id", "jwt-nonsense", "no check `jwt-nonsense`"),
            ("2027-01-31", "soon", "YYYY-MM-DD"),
            ("2027-01-31", "2027-13-01", "YYYY-MM-DD"),
            ("they live for ten minutes", " ", "without a reason"),
            ("reason", "because", "unknown field"),
        ] {
            let error = Baseline::parse(&TEXT.replace(from, to))
                .unwrap_err()
                .to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_new_one_waits_for_its_reasons() {
        let report = report(&[("cookie-flags", Severity::Medium)]);
        let written = toml::to_string(&Baseline::of(&report, "2027-01-31")).unwrap();
        let error = Baseline::parse(&written).unwrap_err();
        assert!(matches!(error, InvalidBaseline::Reason(check) if check == "cookie-flags"));
    }
}
