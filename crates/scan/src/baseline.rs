//! Findings that the operator accepts for now, each with a reason and an end date, and the
//! comparison of a report with them.
//!
//! ```toml
//! [[accepted]]
//! check = "jwt-no-id"
//! severity = "low"            # a more severe finding of the same check is not accepted
//! reason = "tokens live for ten minutes"
//! until = "2027-01-31"        # the last day on which it is accepted
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Report, Severity, checks};

/// A baseline file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// The accepted findings.
    #[serde(default)]
    pub accepted: Vec<Accepted>,
}

/// One accepted finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// The check's id.
    pub check: String,
    /// The highest severity that is accepted.
    pub severity: Severity,
    /// Why it is accepted.
    pub reason: String,
    /// The last day on which it is accepted, as YYYY-MM-DD.
    pub until: String,
}

/// The differences from a baseline, as ids of checks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Difference {
    /// Findings that are not in the baseline.
    pub new: Vec<String>,
    /// Findings more severe than the baseline accepts.
    pub worse: Vec<String>,
    /// Findings whose entry in the baseline has expired.
    pub expired: Vec<String>,
    /// Findings that the baseline accepts.
    pub accepted: Vec<String>,
    /// Checks in the baseline that passed: their entries can be removed.
    pub fixed: Vec<String>,
}

/// An error in a baseline file.
#[derive(Debug, thiserror::Error)]
pub enum InvalidBaseline {
    /// Not TOML, or with unknown or missing fields.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// A check that does not exist.
    #[error("unknown check `{0}`; `doorwarden explain` lists the checks")]
    Check(String),
    /// An invalid date.
    #[error("invalid date `{until}` for {check}; write YYYY-MM-DD")]
    Until {
        /// The check's id.
        check: String,
        /// The value in the file.
        until: String,
    },
    /// A missing reason.
    #[error("{0} is accepted without a reason; fill in `reason`")]
    Reason(String),
}

impl Baseline {
    /// Parses a baseline file.
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

    /// Returns a baseline that accepts the findings of a report, with empty reasons to fill in.
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

    /// Compares a report with the baseline, on a day given as YYYY-MM-DD.
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
                // Dates in this format sort chronologically.
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
    /// Returns true if the finding of a check is accepted.
    pub fn accepts(&self, check: &str) -> bool {
        self.accepted.iter().any(|accepted| accepted == check)
    }

    /// Returns the differences as lines of text.
    pub fn lines(&self) -> Vec<String> {
        let lists = [
            ("new", &self.new),
            ("worse than accepted", &self.worse),
            ("acceptance expired", &self.expired),
            ("accepted", &self.accepted),
            ("fixed, so the entry can be removed", &self.fixed),
        ];
        let told = lists.into_iter().filter(|(_, checks)| !checks.is_empty());
        told.map(|(what, checks)| format!("{what}: {}", checks.join(", ")))
            .collect()
    }
}

/// Returns true for YYYY-MM-DD, roughly: enough to sort by.
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
            ("jwt-no-id", "jwt-nonsense", "unknown check `jwt-nonsense`"),
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
