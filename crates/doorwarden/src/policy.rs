//! From a scan's findings to a guard configuration that fixes them.

use doorwarden_scan::{Report, Target};
use toml::{Table, Value};

/// Writes the configuration of a guard in front of the target, with the policy for each finding that a
/// guard can fix. `doorwarden guard --config` accepts it unchanged.
pub(crate) fn guard_for(report: &Report, target: &Target) -> Result<String, toml::ser::Error> {
    let findings = report.findings();
    let mut text = String::from("# Written by `doorwarden scan --write-policy`. It fixes:\n");
    let mut table = Table::new();
    let mut open = Vec::new();
    for finding in findings {
        if finding.policy.is_empty() {
            open.push(finding.check.as_str());
            continue;
        }
        text.push_str(&format!("#   {}: {}\n", finding.check, finding.title));
        // A test parses the policy of every check.
        merge(&mut table, finding.policy.parse().unwrap_or_default());
    }
    if !open.is_empty() {
        text.push_str(&format!(
            "# Only the application can fix: {}\n",
            open.join(", ")
        ));
    }
    let guard = table.entry("guard").or_insert_with(|| Table::new().into());
    if let Value::Table(guard) = guard {
        guard.insert("listen".into(), "127.0.0.1:8080".into());
        guard.insert("upstream".into(), target.to_string().into());
        let route = |login: &String| {
            Value::from(Table::from_iter([(
                "route".to_owned(),
                Value::from(login.as_str()),
            )]))
        };
        guard.insert("login".into(), Value::Array(vec![route(&report.login)]));
    }
    Ok(text + "\n" + &toml::to_string(&table)?)
}

/// Adds one table to another. Checks that set the same field set it to the same value, so either may stay.
fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(into)), Value::Table(from)) => merge(into, from),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

#[cfg(all(test, feature = "guard"))]
mod tests {
    use doorwarden_scan::checks;

    use super::*;

    #[test]
    fn every_checks_policy_is_one_that_the_guard_reads() {
        for check in checks::ALL {
            let mut table: Table = check.policy.parse().unwrap();
            let policy = table
                .remove("policy")
                .unwrap_or_else(|| Table::new().into());
            let read: Result<doorwarden_decision::Policy, _> = policy.try_into();
            assert!(read.is_ok(), "{}: {read:?}", check.id);
            let Some(Value::Table(mut guard)) = table.remove("guard") else {
                continue;
            };
            guard.insert("upstream".into(), "http://127.0.0.1:8000".into());
            let login = Table::from_iter([(
                "route".to_owned(),
                Value::from("POST /login json:/u json:/p"),
            )]);
            guard.insert("login".into(), Value::Array(vec![login.into()]));
            let read: Result<doorwarden_guard::Config, _> = Value::from(guard).try_into();
            assert!(read.is_ok(), "{}: {:?}", check.id, read.err());
        }
    }
}
