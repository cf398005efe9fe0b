//! The report as SARIF 2.1.0, as GitHub's code scanning takes it.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Judgement, Report};
use crate::{
    Confidence, Severity,
    checks::{self, Check},
};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

impl Report {
    /// The document. A finding's place is its route's line in the OpenAPI document; where there is
    /// none, the first line of `configuration`, a path in the repository that is scanned for.
    pub fn sarif(&self, configuration: &str) -> Value {
        let found: Vec<&Judgement> = self.findings().into_iter().chain(self.notes()).collect();
        let results: Vec<Value> = found
            .iter()
            .map(|judgement| result(judgement, configuration))
            .collect();
        json!({
            "$schema": SCHEMA,
            "version": "2.1.0",
            "runs": [{
                "tool": {"driver": {
                    "name": "doorwarden",
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "informationUri": env!("CARGO_PKG_REPOSITORY"),
                    "rules": checks::ALL.iter().map(|check| rule(check)).collect::<Vec<_>>(),
                }},
                "invocations": [{"executionSuccessful": self.aborted.is_none()}],
                "results": results,
            }],
        })
    }
}

fn rule(check: &Check) -> Value {
    let standards = &check.standards;
    let cwe = standards
        .cwe
        .iter()
        .map(|id| format!("external/cwe/cwe-{id}"));
    let tags: Vec<String> = ["security".to_owned()].into_iter().chain(cwe).collect();
    json!({
        "id": check.id,
        "name": check.id,
        "shortDescription": {"text": check.title},
        "fullDescription": {"text": check.what},
        "help": {"text": format!("{}\n\nFix: {}", check.why, check.fix), "markdown": check.page()},
        "defaultConfiguration": {"level": level(check.severity)},
        "properties": {
            "security-severity": security_severity(check.severity),
            "precision": "very-high",
            "tags": tags,
        },
    })
}

fn result(judgement: &Judgement, configuration: &str) -> Value {
    let endpoint = &judgement.endpoint;
    let document = endpoint
        .document
        .as_deref()
        .map(|path| path.trim_start_matches('/'));
    let (uri, line) = match (document, endpoint.line) {
        (Some(document), Some(line)) => (document, line),
        _ => (configuration, 1),
    };
    let severity = judgement.severity.unwrap_or(Severity::Info);
    json!({
        "ruleId": judgement.check,
        "ruleIndex": checks::ALL.iter().position(|check| check.id == judgement.check),
        "level": level(severity),
        "message": {"text": format!("{} {}: {}", endpoint.method, endpoint.path, judgement.reason)},
        "locations": [{"physicalLocation": {
            "artifactLocation": {"uri": uri},
            "region": {"startLine": line},
        }}],
        "partialFingerprints": {"doorwarden/v1": fingerprint(judgement)},
        "properties": {
            "security-severity": security_severity(severity),
            "precision": precision(judgement.confidence),
        },
    })
}

/// The same for the same finding, wherever and whenever the target runs.
fn fingerprint(judgement: &Judgement) -> String {
    let endpoint = &judgement.endpoint;
    let what = format!(
        "{}\n{}\n{}",
        judgement.check, endpoint.method, endpoint.path
    );
    let hash = Sha256::digest(what);
    hash.iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "note",
        Severity::Low | Severity::Medium => "warning",
        Severity::High => "error",
    }
}

/// On CVSS's scale, as GitHub reads it: over 7.0 is high, over 4.0 medium, over 0.0 low.
fn security_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "0.0",
        Severity::Low => "3.0",
        Severity::Medium => "5.5",
        Severity::High => "8.0",
    }
}

fn precision(confidence: Option<Confidence>) -> &'static str {
    match confidence {
        Some(Confidence::High) => "very-high",
        Some(Confidence::Medium) => "high",
        Some(Confidence::Low) | None => "medium",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn it_is_of_the_standards_types_and_nothing_else() {
        let found = [
            ("login-unlimited", Severity::High),
            ("jwt-symmetric", Severity::Info),
        ];
        let document = report(&found).sarif("doorwarden.toml");
        // Types made from the standard's own schema: what they don't know would be lost.
        let read: serde_sarif::sarif::Sarif = serde_json::from_value(document.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), document);
        let results = document["runs"][0]["results"].as_array().unwrap();
        assert_eq!(results.len(), 2);
        assert_eq!(results[0]["level"], "error");
        assert_eq!(
            results[0]["locations"][0]["physicalLocation"]["region"]["startLine"],
            7
        );
        let rule = results[0]["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(
            document["runs"][0]["tool"]["driver"]["rules"][rule]["id"],
            "login-unlimited"
        );
    }

    #[test]
    fn a_fingerprint_does_not_change_with_the_port_or_the_words() {
        let one = report(&[("cookie-flags", Severity::Low)]);
        let mut two = one.clone();
        two.target = "http://127.0.0.1:9".into();
        two.verdicts[0].reason = "in other words".into();
        let print = |report: &Report| {
            report.sarif("x")["runs"][0]["results"][0]["partialFingerprints"].clone()
        };
        assert_eq!(print(&one), print(&two));
    }
}
