//! The exit status that a report calls for.

use super::{Report, VerdictKind};
use crate::Severity;

/// What a report comes to, as an exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// No findings that count, and every check decided.
    Clean,
    /// A finding that counts, or a score below the minimum.
    Findings,
    /// The scan ended early, without a finding that counts.
    Aborted,
    /// No findings, but at least one check was inconclusive.
    Inconclusive,
}

impl ExitStatus {
    /// Returns the exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Findings => 1,
            Self::Aborted => 3,
            Self::Inconclusive => 4,
        }
    }
}

impl Report {
    /// Returns the exit status for findings of `fail_on` or higher (`None`: findings never fail)
    /// and a score of at least `min_score`. A missing score counts as 0; findings that the baseline
    /// accepts do not count.
    pub fn exit_status(&self, fail_on: Option<Severity>, min_score: Option<u32>) -> ExitStatus {
        let is_accepted = |check: &str| {
            let baseline = self.baseline.as_ref();
            baseline.is_some_and(|baseline| baseline.accepts(check))
        };
        let counted = self.of(VerdictKind::Finding);
        let counted = counted.filter(|finding| !is_accepted(&finding.check));
        let worst = counted.filter_map(|finding| finding.severity).max();
        let fails = fail_on.is_some_and(|least| worst.is_some_and(|worst| worst >= least));
        let score = self.score.as_ref().map_or(0, |score| score.score);
        if fails || min_score.is_some_and(|least| score < least) {
            ExitStatus::Findings
        } else if self.aborted.is_some() {
            ExitStatus::Aborted
        } else if worst.is_none_or(|worst| worst == Severity::Info)
            && self.of(VerdictKind::Inconclusive).next().is_some()
        {
            ExitStatus::Inconclusive
        } else {
            ExitStatus::Clean
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Difference, Score, Yield,
        report::tests::{decided, report},
    };

    fn scored(mut report: Report, score: u32) -> Report {
        report.score = Some(Score {
            score,
            grade: 'C',
            accounts: Yield {
                one_address: 0.0,
                thousand_addresses: 0.0,
                calculation: Vec::new(),
            },
            cap: None,
        });
        report
    }

    #[test]
    fn each_outcome_has_its_status() {
        use ExitStatus::{Aborted, Clean, Findings, Inconclusive};
        let low = [("jwt-no-id", Severity::Low)];
        let info = [("jwt-symmetric", Severity::Info)];
        let aborted = |mut report: Report| {
            report.aborted = Some("interrupted".into());
            report
        };
        let accepted = |mut report: Report| {
            report.baseline = Some(Difference {
                accepted: vec!["jwt-no-id".into()],
                ..Difference::default()
            });
            report
        };
        let fail_on = Some(Severity::Low);
        let never = None;
        for (what, report, fail_on, min_score, expected) in [
            ("clean", decided(&[]), fail_on, None, Clean),
            ("a finding", decided(&low), fail_on, None, Findings),
            ("inconclusive", report(&[]), fail_on, None, Inconclusive),
            (
                "inconclusive and a finding",
                report(&low),
                never,
                None,
                Clean,
            ),
            (
                "inconclusive and a note",
                report(&info),
                never,
                None,
                Inconclusive,
            ),
            ("informational", decided(&info), fail_on, None, Clean),
            (
                "informational counts",
                decided(&info),
                Some(Severity::Info),
                None,
                Findings,
            ),
            (
                "below --fail-on",
                decided(&low),
                Some(Severity::High),
                None,
                Clean,
            ),
            ("never", decided(&low), never, None, Clean),
            (
                "low score",
                scored(decided(&[]), 49),
                fail_on,
                Some(50),
                Findings,
            ),
            ("enough", scored(decided(&[]), 50), fail_on, Some(50), Clean),
            ("no score", decided(&[]), fail_on, Some(1), Findings),
            ("aborted", aborted(decided(&[])), fail_on, None, Aborted),
            (
                "aborted, inconclusive",
                aborted(report(&[])),
                fail_on,
                None,
                Aborted,
            ),
            (
                "aborted with a finding",
                aborted(decided(&low)),
                fail_on,
                None,
                Findings,
            ),
            ("accepted", accepted(decided(&low)), fail_on, None, Clean),
            (
                "accepted, inconclusive",
                accepted(report(&low)),
                fail_on,
                None,
                Inconclusive,
            ),
        ] {
            assert_eq!(report.exit_status(fail_on, min_score), expected, "{what}");
        }
        let codes = [Clean, Findings, Aborted, Inconclusive].map(ExitStatus::code);
        assert_eq!(codes, [0, 1, 3, 4]);
    }
}
