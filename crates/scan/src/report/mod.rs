//! The report of a scan, for people and for programs.

use std::{fmt, time::Duration};

use doorwarden_decision::Login;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    Confidence, Difference, Evidence, Options, Ownership, Score, Severity, Verdict,
    checks::{Check, Recipes, Standards},
    discover::Discovered,
    scan::Session,
    score,
};

mod endpoints;
mod exit_status;
mod html;
mod junit;
mod markdown;
mod sarif;
mod text;

pub use exit_status::ExitStatus;

/// The name and version of the format.
const SCHEMA: &str = "doorwarden.report/1";

/// The result of a scan. Serialises to the published JSON format; see [`Report::json_schema`].
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Report {
    /// `doorwarden.report/1`.
    pub schema: String,
    /// The URL that was scanned.
    pub target: String,
    /// How ownership of the target was established.
    pub ownership: Ownership,
    /// Score, grade and accounts per day; absent if the limits could not be measured.
    #[serde(flatten)]
    pub score: Option<Score>,
    /// The number of requests sent.
    pub requests: u32,
    /// The duration of the scan in milliseconds.
    pub duration_ms: u64,
    /// The login that was scanned, in the syntax of `--login`.
    pub login: String,
    /// Other logins of the target, which were not scanned, in the syntax of `--login`.
    pub other_logins: Vec<String>,
    /// The routes that were tested.
    pub endpoints: Vec<Endpoint>,
    /// The verdict of each check.
    pub verdicts: Vec<Judgement>,
    /// Side effects on the target.
    pub side_effects: Vec<String>,
    /// The differences from a baseline, if one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Difference>,
    /// Why the scan ended early, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aborted: Option<String>,
}

/// A route of the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Endpoint {
    /// The HTTP method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The route's purpose: `login`, `registration`, `protected`, `logout`, `refresh`, `reset`,
    /// `password_change`, `introspection`, `revocation` or `signed`.
    pub kind: String,
    /// The path of the target's OpenAPI document, if it has one that describes the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// The line of the document that describes the route, counted from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// A shell command that sends the request again, with placeholders in capitals for secrets.
    pub curl: String,
}

/// The verdict of a check.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Judgement {
    /// The check's id.
    pub check: String,
    /// The check's title: its finding in a few words.
    pub title: String,
    /// The kind of verdict.
    pub verdict: VerdictKind,
    /// The route that the check is about.
    pub endpoint: Endpoint,
    /// The severity of a finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The confidence in a finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// One sentence: the summary of the evidence, or why the check is inconclusive or not
    /// applicable.
    pub reason: String,
    /// Whether the check is inconclusive because the request budget was used up.
    pub budget_exhausted: bool,
    /// The evidence for a finding or a pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// The requirements of standards that the verdict is evidence for.
    pub standards: Standards,
    /// How to fix the application.
    pub fix: String,
    /// How to do that in common frameworks.
    pub recipes: Recipes,
    /// The guard policy that protects against it; empty if only the application can.
    pub policy: String,
    /// The number of requests that the check sent.
    pub requests: u32,
}

/// The kind of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// The weakness exists; informational if the severity is `info`.
    Finding,
    /// The weakness does not exist, by the evidence.
    Passed,
    /// The check applies but could not decide; another run might.
    Inconclusive,
    /// The check has nothing to decide here.
    NotApplicable,
}

impl fmt::Display for VerdictKind {
    /// Writes the name that the JSON report uses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Finding => "finding",
            Self::Passed => "passed",
            Self::Inconclusive => "inconclusive",
            Self::NotApplicable => "not_applicable",
        })
    }
}

/// A check's verdict and its cost.
pub(crate) struct Judged {
    pub(crate) check: &'static Check,
    pub(crate) verdict: Verdict,
    pub(crate) requests: u32,
    /// Whether the budget was used up before it could decide.
    pub(crate) budget_exhausted: bool,
}

impl Report {
    pub(crate) fn new(
        options: &Options,
        ownership: Ownership,
        found: &Discovered,
        session: &Session,
        judged: Vec<Judged>,
        aborted: Option<String>,
        took: Duration,
    ) -> Self {
        let login = &session.learned.login;
        let endpoints = endpoints::all(options, found, session);
        let of_kind = |kind: &str| endpoints.iter().find(|endpoint| endpoint.kind == kind);
        let verdicts: Vec<Judgement> = judged
            .into_iter()
            .filter_map(|judged| {
                let about = of_kind(endpoints::kind_of(judged.check.id));
                let endpoint = about.or(endpoints.first())?;
                Some(Judgement::new(judged, endpoint))
            })
            .collect();
        let worst = verdicts.iter().filter_map(|v| v.severity).max();
        let found_by = |check: &str| {
            let mut found = verdicts
                .iter()
                .filter(|v| v.verdict == VerdictKind::Finding);
            found.any(|verdict| verdict.check == check)
        };
        let bypasses = score::Bypasses::of(found_by);
        let limits = session
            .limits
            .as_ref()
            .and_then(|limits| limits.as_ref().ok());
        let score = score::score(limits, session.spray.as_ref(), bypasses, worst);
        Self {
            schema: SCHEMA.into(),
            target: options.target.to_string(),
            ownership,
            score,
            requests: session.probe.sent(),
            duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            side_effects: side_effects(session),
            login: login.to_string(),
            other_logins: found.logins.iter().skip(1).map(Login::to_string).collect(),
            endpoints,
            verdicts,
            baseline: None,
            aborted,
        }
    }

    /// Returns the findings, most severe first, without the informational ones.
    pub fn findings(&self) -> Vec<&Judgement> {
        let is_weakness = |judgement: &&Judgement| judgement.severity > Some(Severity::Info);
        let mut findings: Vec<_> = self.of(VerdictKind::Finding).filter(is_weakness).collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        findings
    }

    /// Returns the informational findings.
    pub fn notes(&self) -> Vec<&Judgement> {
        let is_note = |judgement: &&Judgement| judgement.severity == Some(Severity::Info);
        self.of(VerdictKind::Finding).filter(is_note).collect()
    }

    /// Returns the verdicts of one kind.
    pub fn of(&self, kind: VerdictKind) -> impl Iterator<Item = &Judgement> {
        self.verdicts
            .iter()
            .filter(move |judgement| judgement.verdict == kind)
    }

    /// Returns the result in one sentence.
    pub fn headline(&self) -> String {
        let inconclusive = self.of(VerdictKind::Inconclusive).count();
        let found = match self.findings().len() {
            0 if inconclusive > 0 => format!(
                "No findings, but {inconclusive} of {} checks were inconclusive",
                self.verdicts.len()
            ),
            0 => "No findings".into(),
            1 => "1 finding".into(),
            n => format!("{n} findings"),
        };
        match &self.score {
            Some(score) => format!(
                "{found}: an attacker with 1,000 IP addresses takes about {:.0} of 10,000 accounts per day through this login.",
                score.accounts.thousand_addresses
            ),
            None => format!("{found}; the limits could not be measured, so there is no score."),
        }
    }

    /// Returns the verdicts that are not findings, with the title of their section.
    fn sections(&self) -> [(&'static str, Vec<&Judgement>); 4] {
        [
            ("Informational", self.notes()),
            ("Passed", self.of(VerdictKind::Passed).collect()),
            ("Inconclusive", self.of(VerdictKind::Inconclusive).collect()),
            (
                "Not applicable",
                self.of(VerdictKind::NotApplicable).collect(),
            ),
        ]
    }

    /// Returns the JSON document, indented.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// Returns the schema of [`Report::json`] (JSON Schema, draft 2020-12).
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Report).to_value()
    }
}

impl Judgement {
    fn new(judged: Judged, endpoint: &Endpoint) -> Self {
        let check = judged.check;
        let (verdict, reason, rank, evidence) = match judged.verdict {
            Verdict::Find(finding) => (
                VerdictKind::Finding,
                finding.evidence.summary.clone(),
                Some((finding.severity, finding.confidence)),
                Some(finding.evidence),
            ),
            Verdict::Pass(evidence) => (
                VerdictKind::Passed,
                evidence.summary.clone(),
                None,
                Some(evidence),
            ),
            Verdict::Inconclusive(reason) => (VerdictKind::Inconclusive, reason, None, None),
            Verdict::NotApplicable(reason) => (VerdictKind::NotApplicable, reason, None, None),
        };
        Self {
            check: check.id.into(),
            title: check.title.into(),
            verdict,
            endpoint: endpoint.clone(),
            severity: rank.map(|(severity, _)| severity),
            confidence: rank.map(|(_, confidence)| confidence),
            reason,
            budget_exhausted: judged.budget_exhausted,
            evidence,
            standards: check.standards,
            fix: check.fix.into(),
            recipes: *check.recipes,
            policy: check.policy.into(),
            requests: judged.requests,
        }
    }
}

fn side_effects(session: &Session) -> Vec<String> {
    let counted = session
        .probe
        .side_effects()
        .into_iter()
        .map(|(what, n)| format!("{what}: {n}"));
    let failing = session
        .left_failing()
        .map(|(name, n)| format!("consecutive failures left on test account {name}: {n}"));
    counted.chain(failing).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::checks;

    /// Returns a report with these findings; of the other checks half passed, and the other half
    /// were inconclusive or not applicable in turn.
    pub(crate) fn report(found: &[(&str, Severity)]) -> Report {
        let endpoint = Endpoint {
            method: "POST".into(),
            path: "/login".into(),
            kind: "login".into(),
            document: Some("/openapi.json".into()),
            line: Some(7),
            curl: "curl -i 'http://127.0.0.1:8000/login'".into(),
        };
        let judged = |(place, check): (usize, &&'static Check)| {
            let severity = found.iter().find(|(id, _)| *id == check.id);
            let verdict = match (severity, place % 4) {
                (Some((_, severity)), _) => {
                    let evidence = Evidence::of("found here");
                    Verdict::find(*severity, Confidence::High, evidence)
                }
                (None, 0 | 2) => Verdict::pass("passed here"),
                (None, 1) => Verdict::not_applicable("nothing to decide"),
                (None, _) => Verdict::inconclusive("could not decide"),
            };
            Judged {
                check,
                verdict,
                requests: 1,
                budget_exhausted: false,
            }
        };
        // Findings first, so that tests know their position.
        let mut checks = checks::ALL.to_vec();
        checks.sort_by_key(|check| !found.iter().any(|(id, _)| *id == check.id));
        let verdicts = checks.iter().enumerate().map(judged);
        Report {
            schema: SCHEMA.into(),
            target: "http://127.0.0.1:8000".into(),
            ownership: Ownership::Loopback,
            score: None,
            requests: 10,
            duration_ms: 1_000,
            login: "POST /login json:/username json:/password".into(),
            other_logins: Vec::new(),
            endpoints: vec![endpoint.clone()],
            verdicts: verdicts
                .map(|judged| Judgement::new(judged, &endpoint))
                .collect(),
            side_effects: Vec::new(),
            baseline: None,
            aborted: None,
        }
    }

    /// Returns the same report without inconclusive verdicts.
    pub(crate) fn decided(found: &[(&str, Severity)]) -> Report {
        let mut report = report(found);
        for judgement in &mut report.verdicts {
            if judgement.verdict == VerdictKind::Inconclusive {
                judgement.verdict = VerdictKind::Passed;
            }
        }
        report
    }

    #[test]
    fn json_uses_the_published_names() {
        let report = report(&[("login-unlimited", Severity::High)]);
        let json: serde_json::Value = serde_json::from_str(&report.json().unwrap()).unwrap();
        let kinds: Vec<&str> = (0..4)
            .map(|place| json["verdicts"][place]["verdict"].as_str().unwrap())
            .collect();
        assert_eq!(
            kinds,
            ["finding", "not_applicable", "passed", "inconclusive"]
        );
    }
}
