//! What a scan says, for people and for machines.

use std::time::Duration;

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
mod html;
mod junit;
mod markdown;
mod sarif;
mod text;

/// The name and version of the format.
const SCHEMA: &str = "doorwarden.report/1";

/// A scan's result. Serialises to the published JSON format; see [`Report::json_schema`].
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Report {
    /// `doorwarden.report/1`.
    pub schema: String,
    /// What was scanned.
    pub target: String,
    /// Why it may be.
    pub ownership: Ownership,
    /// Score, grade and yield; absent when the limits could not be measured.
    #[serde(flatten)]
    pub score: Option<Score>,
    /// Requests sent.
    pub requests: u32,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The login, in the grammar of `--login`.
    pub login: String,
    /// What was tested.
    pub endpoints: Vec<Endpoint>,
    /// What each check says.
    pub verdicts: Vec<Judgement>,
    /// What is left on the target.
    pub side_effects: Vec<String>,
    /// What was not tested, and why.
    pub not_tested: Vec<String>,
    /// What changed against a baseline, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Difference>,
    /// Why the scan ended early, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aborted: Option<String>,
}

/// A route of the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Endpoint {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// What it is: `login`, `registration`, `protected`, `logout`, `refresh`, `reset`,
    /// `password-change`, `introspection`, `revocation` or `signed`.
    pub kind: String,
    /// The target's OpenAPI document, where it has one that describes the route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// The line of the document on which the route stands, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// A line for a shell that asks it again, with words in capitals for what is secret.
    pub curl: String,
}

/// What a check says.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Judgement {
    /// The check's id.
    pub check: String,
    /// Its finding in a few words.
    pub title: String,
    /// Find, pass or skip.
    pub verdict: VerdictKind,
    /// Where.
    pub endpoint: Endpoint,
    /// How bad; of a finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// How sure; of a finding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// In a sentence: the evidence's summary, or why it was skipped.
    pub reason: String,
    /// Whether another run could decide what this one skipped.
    pub inconclusive: bool,
    /// By what; of a finding or a pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// What it is evidence for.
    pub standards: Standards,
    /// How to fix the application.
    pub fix: String,
    /// How the usual frameworks do that.
    pub recipes: Recipes,
    /// The guard policy that closes it; empty where only the application can.
    pub policy: String,
    /// Requests that it sent.
    pub requests: u32,
}

/// A verdict's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VerdictKind {
    /// The fault is there.
    Find,
    /// It is not, by the evidence.
    Pass,
    /// It was not decided.
    Skip,
}

/// A check's verdict and what it cost.
pub(crate) struct Judged {
    pub(crate) check: &'static Check,
    pub(crate) verdict: Verdict,
    pub(crate) requests: u32,
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
            let mut found = verdicts.iter().filter(|v| v.verdict == VerdictKind::Find);
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
            not_tested: not_tested(&verdicts, found),
            side_effects: side_effects(session),
            login: login.to_string(),
            endpoints,
            verdicts,
            baseline: None,
            aborted,
        }
    }

    /// The faults, the worst first.
    pub fn findings(&self) -> Vec<&Judgement> {
        let fault = |judgement: &&Judgement| judgement.severity > Some(Severity::Info);
        let mut findings: Vec<_> = self.of(VerdictKind::Find).filter(fault).collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        findings
    }

    /// What was found and is no fault.
    pub fn notes(&self) -> Vec<&Judgement> {
        let note = |judgement: &&Judgement| judgement.severity == Some(Severity::Info);
        self.of(VerdictKind::Find).filter(note).collect()
    }

    /// The judgements of one kind.
    pub fn of(&self, kind: VerdictKind) -> impl Iterator<Item = &Judgement> {
        self.verdicts
            .iter()
            .filter(move |judgement| judgement.verdict == kind)
    }

    /// What the report says, in a sentence.
    pub fn headline(&self) -> String {
        let findings = self.findings().len();
        let inconclusive = self.verdicts.iter().filter(|v| v.inconclusive).count();
        let found = match findings {
            0 if inconclusive > 0 => format!(
                "Nothing was found, but {inconclusive} of {} checks could not decide",
                self.verdicts.len()
            ),
            0 => "Nothing was found".into(),
            1 => "1 fault was found".into(),
            n => format!("{n} faults were found"),
        };
        match &self.score {
            Some(score) => format!(
                "{found}: an attacker with 1,000 addresses takes about {:.0} of 10,000 accounts a day through this login.",
                score.accounts.thousand_addresses
            ),
            None => format!("{found}; the limits could not be measured, so there is no score."),
        }
    }

    /// The JSON document, indented.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// The schema of [`Report::json`] (JSON Schema, draft 2020-12).
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Report).to_value()
    }
}

impl Judgement {
    fn new(judged: Judged, endpoint: &Endpoint) -> Self {
        let check = judged.check;
        let (verdict, reason, finding, evidence, inconclusive) = match judged.verdict {
            Verdict::Find(f) => {
                let rank = (f.severity, f.confidence);
                (
                    VerdictKind::Find,
                    f.evidence.summary.clone(),
                    Some(rank),
                    Some(f.evidence),
                    false,
                )
            }
            Verdict::Pass(e) => (VerdictKind::Pass, e.summary.clone(), None, Some(e), false),
            Verdict::Skip {
                reason,
                inconclusive,
            } => (VerdictKind::Skip, reason, None, None, inconclusive),
        };
        Self {
            check: check.id.into(),
            title: check.title.into(),
            verdict,
            endpoint: endpoint.clone(),
            severity: finding.map(|(severity, _)| severity),
            confidence: finding.map(|(_, confidence)| confidence),
            reason,
            inconclusive,
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
        .map(|(what, n)| format!("{n} {what}"));
    let failing = session
        .left_failing()
        .map(|(name, n)| format!("{n} failures in a row left on test account {name}"));
    counted.chain(failing).collect()
}

fn not_tested(verdicts: &[Judgement], found: &Discovered) -> Vec<String> {
    let skipped = verdicts
        .iter()
        .filter(|judgement| judgement.verdict == VerdictKind::Skip)
        .map(|judgement| format!("{}: {}", judgement.check, judgement.reason));
    let others = found
        .logins
        .iter()
        .skip(1)
        .map(|login| format!("another login, {login}: scan it with --login '{login}'"));
    skipped.chain(others).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::checks;

    /// A report in which these checks found something, half of the others passed and the other
    /// half were skipped.
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
            let verdict = match severity {
                Some((_, severity)) => {
                    let evidence = Evidence::of("found here");
                    Verdict::find(*severity, Confidence::High, evidence)
                }
                None if place % 2 == 0 => Verdict::pass("all is well"),
                None => Verdict::not_applicable("nothing to decide"),
            };
            Judged {
                check,
                verdict,
                requests: 1,
            }
        };
        // Those that were found first, so that tests know their place.
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
            endpoints: vec![endpoint.clone()],
            verdicts: verdicts
                .map(|judged| Judgement::new(judged, &endpoint))
                .collect(),
            side_effects: Vec::new(),
            not_tested: Vec::new(),
            baseline: None,
            aborted: None,
        }
    }
}
