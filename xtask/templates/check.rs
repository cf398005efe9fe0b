//! What the finding says, in one line.

use futures_util::future::BoxFuture;

use super::{Check, Recipes, Standards};
use crate::{Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "{id}",
    title: "",
    severity: Severity::Medium,
    what: "",
    why: "",
    sends: "",
    max_requests: 0,
    measures_limits: false,
    side_by_side: false,
    evidence: "",
    false_alarms: "",
    standards: Standards {
        owasp_api: &[],
        asvs: &[],
        cwe: &[],
        nist: &[],
        pci_dss: &[],
        soc2: &[],
    },
    fix: "",
    recipes: &Recipes::NONE,
    policy: "",
    run,
};

/// The measurement: all that `judge` knows.
#[derive(Clone, Debug, Default, PartialEq)]
struct Facts {}

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let _ = session;
        Ok(judge(&Facts::default()))
    })
}

fn judge(_: &Facts) -> Verdict {
    Verdict::inconclusive("the check is not written yet")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_needs_both_controls() {
        assert!(matches!(judge(&Facts::default()), Verdict::Find(_)));
    }
}
