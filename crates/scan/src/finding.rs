//! The verdict of a check, and the evidence for it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::VerdictKind;

/// A check's verdict. A check that could not decide is [`Verdict::Inconclusive`], never a pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The weakness exists.
    Find(Finding),
    /// The weakness does not exist, by this evidence.
    Pass(Evidence),
    /// The check applies but could not decide, for this reason; another run might.
    Inconclusive(String),
    /// The check has nothing to decide here, for this reason.
    NotApplicable(String),
}

/// A weakness that a check found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// How severe it is.
    pub severity: Severity,
    /// How certain it is.
    pub confidence: Confidence,
    /// What it rests on.
    pub evidence: Evidence,
}

/// How severe a finding is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Informational: not a weakness.
    Info,
    /// Helps an attacker slightly.
    Low,
    /// Makes an attack cheaper.
    Medium,
    /// Makes an attack succeed.
    High,
}

/// How certain a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// One observation.
    Low,
    /// Several observations, with one control.
    Medium,
    /// With a positive and a negative control in the same run.
    High,
}

/// What was observed, in a form that a reader can verify. Contains no passwords and no tokens.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Evidence {
    /// The observation in one sentence.
    pub summary: String,
    /// Requests and their responses.
    pub exhibits: Vec<Exhibit>,
    /// Response times, if the evidence is timing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<Times>,
}

/// A request and its response, with secrets masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Exhibit {
    /// A description of the request.
    pub request: String,
    /// The status and the beginning of the body, without tokens.
    pub response: String,
}

/// Paired response times in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Times {
    /// Response times for accounts that exist.
    pub existing_ms: Vec<f64>,
    /// Response times for accounts that do not exist.
    pub absent_ms: Vec<f64>,
    /// The Hodges–Lehmann estimate of the difference, existing minus absent.
    pub difference_ms: f64,
    /// The same estimate between absent accounts: what the measurement shows where there is no
    /// difference.
    pub control_ms: f64,
    /// The e-value against the hypothesis that existence makes no difference.
    pub e_value: f64,
}

impl Evidence {
    /// Returns evidence that consists of one sentence.
    pub(crate) fn of(summary: impl Into<String>) -> Self {
        Self {
            summary: summary.into(),
            ..Self::default()
        }
    }

    pub(crate) fn exhibit(
        mut self,
        request: impl Into<String>,
        response: impl Into<String>,
    ) -> Self {
        self.exhibits.push(Exhibit {
            request: request.into(),
            response: response.into(),
        });
        self
    }
}

impl Verdict {
    pub(crate) fn find(severity: Severity, confidence: Confidence, evidence: Evidence) -> Self {
        Self::Find(Finding {
            severity,
            confidence,
            evidence,
        })
    }

    pub(crate) fn pass(summary: impl Into<String>) -> Self {
        Self::Pass(Evidence::of(summary))
    }

    /// Returns the verdict of a check that has nothing to decide here.
    pub(crate) fn not_applicable(reason: impl Into<String>) -> Self {
        Self::NotApplicable(reason.into())
    }

    /// Returns the verdict of a check that applies but could not decide.
    pub(crate) fn inconclusive(reason: impl Into<String>) -> Self {
        Self::Inconclusive(reason.into())
    }

    pub(crate) fn kind(&self) -> VerdictKind {
        match self {
            Self::Find(_) => VerdictKind::Finding,
            Self::Pass(_) => VerdictKind::Passed,
            Self::Inconclusive(_) => VerdictKind::Inconclusive,
            Self::NotApplicable(_) => VerdictKind::NotApplicable,
        }
    }

    /// Returns true if the check applies but could not decide.
    pub fn is_inconclusive(&self) -> bool {
        matches!(self, Self::Inconclusive(_))
    }
}
