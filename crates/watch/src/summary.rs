//! What of a report is remembered, and what changed between two. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use doorwarden_scan::{Report, Severity};
use serde::{Deserialize, Serialize};

/// What is remembered of a scan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The score, from 0 to 100; absent where the limits could not be measured.
    pub score: Option<u32>,
    /// A to F.
    pub grade: Option<char>,
    /// Accounts of 10,000 that 1,000 addresses take in a day.
    pub accounts_a_day: Option<f64>,
    /// The faults, by check.
    pub findings: BTreeMap<String, Severity>,
    /// Checks that could not decide.
    #[serde(default)]
    pub undecided: BTreeSet<String>,
    /// Why there was no scan, or none to its end.
    pub broken_off: Option<String>,
}

/// What changed from one scan to the next.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Change {
    /// Found now, and not before.
    pub new: Vec<String>,
    /// Found graver than before.
    pub worse: Vec<String>,
    /// Found before, and not now.
    pub fixed: Vec<String>,
    /// The grade before and now, where they differ.
    pub grade: Option<[Option<char>; 2]>,
    /// Why it can't be scanned to its end any more.
    pub broken_off: Option<String>,
    /// Whether it can be scanned again.
    pub back: bool,
}

impl Summary {
    /// Of a report.
    pub fn of(report: &Report) -> Self {
        let score = report.score.as_ref();
        let findings = report.findings().into_iter();
        let undecided = report
            .verdicts
            .iter()
            .filter(|verdict| verdict.inconclusive);
        Self {
            score: score.map(|score| score.score),
            grade: score.map(|score| score.grade),
            accounts_a_day: score.map(|score| score.accounts.thousand_addresses),
            findings: findings
                .filter_map(|finding| Some((finding.check.clone(), finding.severity?)))
                .collect(),
            undecided: undecided.map(|verdict| verdict.check.clone()).collect(),
            broken_off: report.aborted.clone(),
        }
    }

    /// Of a scan that gave no report.
    pub fn failed(reason: impl ToString) -> Self {
        Self {
            broken_off: Some(reason.to_string()),
            ..Self::default()
        }
    }

    /// What is different now; `None` where nothing is. What was not decided, or not found by a scan
    /// that was broken off, is not taken for mended.
    pub fn change_to(&self, now: &Self) -> Option<Change> {
        let mut change = Change::default();
        for (check, severity) in &now.findings {
            match self.findings.get(check) {
                None => change.new.push(check.clone()),
                Some(before) if severity > before => change.worse.push(check.clone()),
                Some(_) => {}
            }
        }
        match (&self.broken_off, &now.broken_off) {
            (None, Some(reason)) => change.broken_off = Some(reason.clone()),
            (Some(_), None) => change.back = true,
            _ => {}
        }
        if now.broken_off.is_none() {
            let gone = self.findings.keys().filter(|check| {
                !now.findings.contains_key(*check) && !now.undecided.contains(*check)
            });
            change.fixed = gone.cloned().collect();
            let differs = self.grade != now.grade && self.broken_off.is_none();
            change.grade = differs.then_some([self.grade, now.grade]);
        }
        (change != Change::default()).then_some(change)
    }

    /// What the next scan is held against: after one that was broken off, what was known before it.
    pub fn carried_over(&self, before: &Self) -> Self {
        match self.broken_off {
            None => {
                let known = before.findings.iter();
                let open = known.filter(|(check, _)| self.undecided.contains(*check));
                let mut carried = self.clone();
                let open = open.map(|(check, severity)| (check.clone(), *severity));
                carried.findings.extend(open);
                carried
            }
            Some(_) => Self {
                broken_off: self.broken_off.clone(),
                ..before.clone()
            },
        }
    }
}

impl Change {
    /// In a line.
    pub fn headline(&self, target: &str) -> String {
        let count = |what: &[String], word: &str| match what.len() {
            0 => None,
            n => Some(format!("{n} {word}")),
        };
        let grade = self.grade.map(|[before, now]| {
            let letter = |grade: Option<char>| grade.map_or("none".to_owned(), String::from);
            format!("grade {} instead of {}", letter(now), letter(before))
        });
        let parts: Vec<String> = [
            self.broken_off
                .as_ref()
                .map(|_| "can't be scanned".to_owned()),
            self.back.then(|| "can be scanned again".to_owned()),
            count(&self.new, "new"),
            count(&self.worse, "worse"),
            count(&self.fixed, "fixed"),
            grade,
        ]
        .into_iter()
        .flatten()
        .collect();
        format!("{target}: {}", parts.join(", "))
    }

    /// A mail (RFC 5322) without addresses, to be handed to whatever sends mail.
    pub fn mail(&self, target: &str, date: &str) -> String {
        let mut text = format!(
            "Subject: Doorwarden: {}\nDate: {date}\nMIME-Version: 1.0\n\
             Content-Type: text/plain; charset=utf-8\nAuto-Submitted: auto-generated\n\n\
             The login at {target} is not as it was.\n",
            self.headline(target).replace(|c: char| c.is_control(), " ")
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
        if let Some(reason) = &self.broken_off {
            let _ = write!(text, "\nThe scan did not end: {}\n", reason.escape_debug());
        }
        text.push_str("\n`doorwarden explain CHECK` says what each means and how to mend it.\n");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(grade: char, findings: &[(&str, Severity)]) -> Summary {
        let findings = findings.iter();
        Summary {
            score: Some(50),
            grade: Some(grade),
            accounts_a_day: Some(1.0),
            findings: findings
                .map(|(check, severity)| ((*check).into(), *severity))
                .collect(),
            ..Summary::default()
        }
    }

    #[test]
    fn what_is_new_worse_and_fixed_is_told() {
        let before = summary(
            'C',
            &[
                ("cookie-flags", Severity::Low),
                ("jwt-no-id", Severity::Low),
            ],
        );
        let now = summary(
            'D',
            &[
                ("cookie-flags", Severity::Medium),
                ("spray-unseen", Severity::High),
            ],
        );
        let change = before.change_to(&now).unwrap();
        assert_eq!(change.new, ["spray-unseen"]);
        assert_eq!(
            (change.worse.as_slice(), change.fixed.as_slice()),
            (
                &["cookie-flags".to_owned()][..],
                &["jwt-no-id".to_owned()][..]
            )
        );
        assert_eq!(
            change.headline("http://a"),
            "http://a: 1 new, 1 worse, 1 fixed, grade D instead of C"
        );
        let mail = change.mail("http://a", "Sun, 22 Nov 2026 08:00:00 +0000");
        assert!(
            mail.starts_with("Subject: Doorwarden: http://a: 1 new"),
            "{mail}"
        );
        assert!(
            mail.contains("\n\nThe login at") && mail.contains("  spray-unseen: "),
            "{mail}"
        );
        assert_eq!(now.change_to(&now), None);
    }

    #[test]
    fn what_could_not_be_decided_is_not_fixed() {
        let before = summary('C', &[("cookie-flags", Severity::Low)]);
        let mut now = summary('C', &[]);
        now.undecided.insert("cookie-flags".into());
        assert_eq!(before.change_to(&now), None);
        let carried = now.carried_over(&before);
        assert_eq!(carried.change_to(&before), None);
    }

    #[test]
    fn a_scan_that_was_broken_off_mends_nothing() {
        let before = summary('C', &[("cookie-flags", Severity::Low)]);
        let away = Summary::failed("no answer");
        let change = before.change_to(&away).unwrap();
        assert_eq!(
            (change.fixed.len(), change.broken_off.as_deref()),
            (0, Some("no answer"))
        );
        let carried = away.carried_over(&before);
        assert_eq!(carried.change_to(&away.carried_over(&carried)), None);
        let back = carried.change_to(&before).unwrap();
        assert!(back.back && back.new.is_empty() && back.fixed.is_empty());
    }
}
