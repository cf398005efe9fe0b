//! What a check says.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A check's verdict. Inconclusive is a [`Verdict::Skip`], never a pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The fault is there.
    Find(Finding),
    /// It is not, by this evidence.
    Pass(Evidence),
    /// It was not decided.
    Skip {
        /// Why.
        reason: String,
        /// Whether the check would apply here: something that another run could decide.
        inconclusive: bool,
    },
}

/// A fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// By what.
    pub evidence: Evidence,
}

/// How bad a fault is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is wrong; something to know.
    Info,
    /// Helps an attacker a little.
    Low,
    /// Makes an attack cheaper.
    Medium,
    /// Lets an attack through.
    High,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// One observation.
    Low,
    /// Several, with one control.
    Medium,
    /// With a positive and a negative control in the same run.
    High,
}

/// What was observed, in words that a reader can check. Holds no password and no token.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Evidence {
    /// One sentence.
    pub summary: String,
    /// Requests and answers.
    pub exhibits: Vec<Exhibit>,
    /// Times, where time is the evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<Times>,
}

/// A request and its answer, masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Exhibit {
    /// What was sent, in words.
    pub request: String,
    /// Status and the beginning of the body, without tokens.
    pub answer: String,
}

/// Milliseconds of paired answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
pub struct Times {
    /// Of accounts that exist.
    pub existing_ms: Vec<f64>,
    /// Of names that don't.
    pub absent_ms: Vec<f64>,
    /// The Hodges–Lehmann estimate of the difference, existing less absent.
    pub difference_ms: f64,
    /// The same between absent names: what the measurement shows where nothing is.
    pub control_ms: f64,
    /// The e-value against "existence does not matter".
    pub e_value: f64,
}

impl Evidence {
    /// Evidence that is one sentence.
    pub(crate) fn of(summary: impl Into<String>) -> Self {
        Self {
            summary: summary.into(),
            ..Self::default()
        }
    }

    pub(crate) fn exhibit(mut self, request: impl Into<String>, answer: impl Into<String>) -> Self {
        self.exhibits.push(Exhibit {
            request: request.into(),
            answer: answer.into(),
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

    /// The check has nothing to decide here.
    pub(crate) fn not_applicable(reason: impl Into<String>) -> Self {
        Self::Skip {
            reason: reason.into(),
            inconclusive: false,
        }
    }

    /// The check would apply, and could not decide.
    pub(crate) fn inconclusive(reason: impl Into<String>) -> Self {
        Self::Skip {
            reason: reason.into(),
            inconclusive: true,
        }
    }
}
