//! The part of a report that is recorded, and what changed between two. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Display, Formatter, Write},
};

use doorwarden_scan::{Report, Severity, Target, VerdictKind};
use serde::{Deserialize, Serialize};

/// The recorded part of a scan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The score, from 0 to 100; absent if the limits could not be measured.
    pub score: Option<u32>,
    /// The grade, A to F.
    pub grade: Option<char>,
    /// Accounts out of 10,000 that an attacker with 1,000 IP addresses compromises per day.
    pub accounts_per_day: Option<f64>,
    /// The severity of each finding, by check.
    pub findings: BTreeMap<String, Severity>,
    /// Checks that were inconclusive.
    #[serde(default)]
    pub inconclusive: BTreeSet<String>,
    /// Why the scan failed or was aborted.
    pub failure: Option<String>,
}

/// The changes from one scan to the next.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Change {
    /// Checks with a new finding.
    pub new: Vec<String>,
    /// Checks whose finding is more severe than before.
    pub worse: Vec<String>,
    /// Checks whose finding was fixed.
    pub fixed: Vec<String>,
    /// The change of the grade.
    pub grade: Option<GradeChange>,
    /// Why the scan failed, if the previous one did not.
    pub failure: Option<String>,
    /// Whether the scan succeeded after one that failed.
    pub recovered: bool,
}

/// A change of the grade. A grade is absent if the limits could not be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GradeChange {
    /// The grade of the previous scan.
    pub previous: Option<char>,
    /// The grade of the current scan.
    pub current: Option<char>,
}

impl Summary {
    /// Summarizes a report.
    pub fn from_report(report: &Report) -> Self {
        let score = report.score.as_ref();
        let findings = report.findings().into_iter();
        let inconclusive = report.of(VerdictKind::Inconclusive);
        Self {
            score: score.map(|score| score.score),
            grade: score.map(|score| score.grade),
            accounts_per_day: score.map(|score| score.accounts.thousand_addresses),
            findings: findings
                .filter_map(|finding| Some((finding.check.clone(), finding.severity?)))
                .collect(),
            inconclusive: inconclusive.map(|verdict| verdict.check.clone()).collect(),
            failure: report.aborted.clone(),
        }
    }

    /// Summarizes a scan that failed without a report.
    pub fn from_failure(reason: impl ToString) -> Self {
        Self {
            failure: Some(reason.to_string()),
            ..Self::default()
        }
    }

    /// Returns what changed from this scan to the current one, or `None` if nothing did. A finding
    /// is not fixed if its check was inconclusive or the scan failed.
    pub fn diff(&self, current: &Self) -> Option<Change> {
        let mut change = Change::default();
        for (check, severity) in &current.findings {
            match self.findings.get(check) {
                None => change.new.push(check.clone()),
                Some(previous) if severity > previous => change.worse.push(check.clone()),
                Some(_) => {}
            }
        }
        match (&self.failure, &current.failure) {
            (None, Some(reason)) => change.failure = Some(reason.clone()),
            (Some(_), None) => change.recovered = true,
            _ => {}
        }
        if current.failure.is_none() {
            let fixed = self.findings.keys().filter(|check| {
                !current.findings.contains_key(*check) && !current.inconclusive.contains(*check)
            });
            change.fixed = fixed.cloned().collect();
            let differs = self.grade != current.grade && self.failure.is_none();
            change.grade = differs.then_some(GradeChange {
                previous: self.grade,
                current: current.grade,
            });
        }
        (change != Change::default()).then_some(change)
    }

    /// Returns the summary that the next scan is compared with: findings whose checks were
    /// inconclusive stay, and after a scan that failed all of the previous summary does.
    pub fn carry_over(&self, previous: &Self) -> Self {
        if self.failure.is_some() {
            return Self {
                failure: self.failure.clone(),
                ..previous.clone()
            };
        }
        let mut carried = self.clone();
        for (check, severity) in &previous.findings {
            if self.inconclusive.contains(check) {
                carried.findings.insert(check.clone(), *severity);
            }
        }
        carried
    }
}

impl Change {
    /// Returns the changes in one line.
    pub fn headline(&self, target: &Target) -> String {
        let count = |checks: &[String], kind: &str| match checks.len() {
            0 => None,
            n => Some(format!("{n} {kind}")),
        };
        let parts: Vec<String> = [
            self.failure.as_ref().map(|_| "scan failed".to_owned()),
            self.recovered.then(|| "scan succeeded again".to_owned()),
            count(&self.new, "new"),
            count(&self.worse, "worse"),
            count(&self.fixed, "fixed"),
            self.grade.map(|grade| format!("grade {grade}")),
        ]
        .into_iter()
        .flatten()
        .collect();
        format!("{target}: {}", parts.join(", "))
    }

    /// Renders an email (RFC 5322) without sender and recipients, for a program that sends it.
    /// `date` is in the form of RFC 2822.
    pub fn render_email(&self, target: &Target, date: &str) -> String {
        // Header fields are ASCII.
        let subject = self.headline(target).replace(" → ", " to ");
        let mut text = format!(
            "Subject: Doorwarden: {subject}\nDate: {date}\nMIME-Version: 1.0\n\
             Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\
             Auto-Submitted: auto-generated\n\nThe login at {target} has changed.\n"
        );
        let lists = [
            ("New", &self.new),
            ("Worse", &self.worse),
            ("Fixed", &self.fixed),
        ];
        for (title, checks) in lists.into_iter().filter(|(_, checks)| !checks.is_empty()) {
            let _ = write!(text, "\n{title}:\n");
            for check in checks {
                let title = doorwarden_scan::checks::find(check).map_or("", |check| check.title);
                let _ = writeln!(text, "  {check}: {title}");
            }
        }
        if let Some(grade) = self.grade {
            let _ = write!(text, "\nGrade: {grade}\n");
        }
        if let Some(reason) = &self.failure {
            let _ = write!(text, "\nThe scan failed: {}\n", reason.escape_debug());
        }
        text.push_str(
            "\n`doorwarden explain CHECK` describes a check and how to fix its finding.\n",
        );
        text
    }
}

impl Display for GradeChange {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let letter = |grade: Option<char>| grade.map_or("none".to_owned(), String::from);
        write!(f, "{} → {}", letter(self.previous), letter(self.current))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        "http://a".parse().unwrap()
    }

    fn summary(grade: char, findings: &[(&str, Severity)]) -> Summary {
        let findings = findings.iter();
        Summary {
            score: Some(50),
            grade: Some(grade),
            accounts_per_day: Some(1.0),
            findings: findings
                .map(|(check, severity)| ((*check).into(), *severity))
                .collect(),
            ..Summary::default()
        }
    }

    fn three_changes() -> (Summary, Summary) {
        let previous = [
            ("cookie-flags", Severity::Low),
            ("jwt-no-id", Severity::Low),
        ];
        let current = [
            ("cookie-flags", Severity::Medium),
            ("spray-unseen", Severity::High),
        ];
        (summary('C', &previous), summary('D', &current))
    }

    #[test]
    fn new_worse_and_fixed_findings_are_changes() {
        let (previous, current) = three_changes();
        let change = previous.diff(&current).unwrap();
        assert_eq!(change.new, ["spray-unseen"]);
        assert_eq!(change.worse, ["cookie-flags"]);
        assert_eq!(change.fixed, ["jwt-no-id"]);
        assert_eq!(
            change.headline(&target()),
            "http://a: 1 new, 1 worse, 1 fixed, grade C → D"
        );
        assert_eq!(current.diff(&current), None);
    }

    #[test]
    fn an_email_lists_the_changes() {
        let (previous, current) = three_changes();
        let change = previous.diff(&current).unwrap();
        let email = change.render_email(&target(), "Sun, 22 Nov 2026 08:00:00 +0000");
        let (headers, body) = email.split_once("\n\n").unwrap();
        assert!(headers.is_ascii(), "{headers}");
        assert!(
            headers.starts_with(
                "Subject: Doorwarden: http://a: 1 new, 1 worse, 1 fixed, grade C to D\n"
            ),
            "{headers}"
        );
        assert!(
            body.starts_with("The login at http://a has changed.\n"),
            "{body}"
        );
        for line in ["  spray-unseen: ", "Fixed:\n  jwt-no-id: ", "Grade: C → D"] {
            assert!(body.contains(line), "{line} in {body}");
        }
    }

    #[test]
    fn an_inconclusive_check_is_not_fixed() {
        let previous = summary('C', &[("cookie-flags", Severity::Low)]);
        let mut current = summary('C', &[]);
        current.inconclusive.insert("cookie-flags".into());
        assert_eq!(previous.diff(&current), None);
        let carried = current.carry_over(&previous);
        assert_eq!(carried.diff(&previous), None);
    }

    #[test]
    fn a_failed_scan_fixes_nothing() {
        let previous = summary('C', &[("cookie-flags", Severity::Low)]);
        let failed = Summary::from_failure("no response");
        let change = previous.diff(&failed).unwrap();
        assert_eq!(change.failure.as_deref(), Some("no response"));
        assert!(change.fixed.is_empty());
        assert_eq!(change.headline(&target()), "http://a: scan failed");
        let carried = failed.carry_over(&previous);
        assert_eq!(carried.diff(&failed.carry_over(&carried)), None);
        let recovery = carried.diff(&previous).unwrap();
        assert!(recovery.new.is_empty() && recovery.fixed.is_empty());
        assert_eq!(
            recovery.headline(&target()),
            "http://a: scan succeeded again"
        );
    }

    #[test]
    fn the_fields_of_the_webhook_payload_are_stable() {
        let (previous, current) = three_changes();
        let change = serde_json::to_value(previous.diff(&current)).unwrap();
        let expected = serde_json::json!({
            "new": ["spray-unseen"],
            "worse": ["cookie-flags"],
            "fixed": ["jwt-no-id"],
            "grade": {"previous": "C", "current": "D"},
            "failure": null,
            "recovered": false,
        });
        assert_eq!(change, expected);
        let summary = serde_json::to_value(current).unwrap();
        let expected = serde_json::json!({
            "score": 50,
            "grade": "D",
            "accounts_per_day": 1.0,
            "findings": {"cookie-flags": "medium", "spray-unseen": "high"},
            "inconclusive": [],
            "failure": null,
        });
        assert_eq!(summary, expected);
    }
}
