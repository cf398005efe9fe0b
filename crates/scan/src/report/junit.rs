//! The report as JUnit XML, with one test case per check.

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::{Judgement, Report, VerdictKind};
use crate::Severity;

impl Report {
    /// Returns the document. A finding fails its test case; an inconclusive or not applicable
    /// check, and an accepted finding, is skipped; a scan that ended early is an error of its own.
    pub fn junit(&self) -> Result<String, quick_junit::SerializeError> {
        let mut suite = TestSuite::new(format!("doorwarden scan of {}", self.target));
        for judgement in &self.verdicts {
            suite.add_test_case(self.case(judgement));
        }
        if let Some(reason) = &self.aborted {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(format!("the scan ended early: {reason}"));
            suite.add_test_case(TestCase::new("scan", status));
        }
        let mut junit = quick_junit::Report::new("doorwarden");
        junit.add_test_suite(suite);
        junit.to_string()
    }

    fn case(&self, judgement: &Judgement) -> TestCase {
        let accepted = self
            .baseline
            .as_ref()
            .is_some_and(|baseline| baseline.accepts(&judgement.check));
        let is_finding =
            judgement.verdict == VerdictKind::Finding && judgement.severity > Some(Severity::Info);
        let mut status = match judgement.verdict {
            VerdictKind::Inconclusive | VerdictKind::NotApplicable => TestCaseStatus::skipped(),
            _ if is_finding && accepted => TestCaseStatus::skipped(),
            _ if is_finding => TestCaseStatus::non_success(NonSuccessKind::Failure),
            _ => TestCaseStatus::success(),
        };
        match judgement.verdict {
            VerdictKind::Inconclusive => {
                status.set_message(format!("Inconclusive: {}", judgement.reason));
            }
            VerdictKind::NotApplicable => {
                status.set_message(format!("Not applicable: {}", judgement.reason));
            }
            _ if is_finding => {
                status.set_message(judgement.reason.clone());
            }
            _ => {}
        }
        if is_finding {
            status.set_description(format!("{}\n\nFix: {}", judgement.title, judgement.fix));
        }
        let mut case = TestCase::new(judgement.check.clone(), status);
        case.set_classname(format!(
            "{} {}",
            judgement.endpoint.method, judgement.endpoint.path
        ));
        case
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn a_finding_fails_a_skip_is_skipped_and_an_end_is_an_error() {
        let mut report = report(&[
            ("login-unlimited", Severity::High),
            ("jwt-symmetric", Severity::Info),
        ]);
        report.aborted = Some("it was <interrupted>".into());
        let text = report.junit().unwrap();
        for part in [
            r#"failures="1""#,
            r#"errors="1""#,
            r#"<testcase name="login-unlimited" classname="POST /login">"#,
            "it was &lt;interrupted&gt;",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let skipped = text.matches("<skipped").count();
        let undecided = [VerdictKind::Inconclusive, VerdictKind::NotApplicable];
        let undecided: usize = undecided.map(|kind| report.of(kind).count()).iter().sum();
        assert_eq!(skipped, undecided, "{text}");
        assert!(text.contains(r#"message="Inconclusive: "#), "{text}");
        assert!(skipped > 0);
    }
}
