//! New files that fail until they are written.

use std::{fs, path::Path};

/// A new check: its file, and what to do next.
pub(crate) fn check(id: &str) -> Result<(), String> {
    let file = named(id, '-')?;
    let path = format!("crates/scan/src/checks/{file}.rs");
    write(&path, &CHECK.replace("{id}", id))?;
    println!(
        "wrote {path}\n\
         next: in crates/scan/src/checks/mod.rs add `mod {file};` and `&{file}::CHECK,` to ALL;\n\
         fill in the words; give the lab a login with this fault; then cargo xtask docs and cargo xtask oracle"
    );
    Ok(())
}

/// A new signal: its file, and what to do next.
pub(crate) fn signal(name: &str) -> Result<(), String> {
    let file = named(name, '_')?;
    let path = format!("crates/decision/src/signals/{file}.rs");
    let camel = camel(&file);
    write(
        &path,
        &SIGNAL.replace("{name}", &file).replace("{Name}", &camel),
    )?;
    println!(
        "wrote {path}\n\
         next: in crates/decision/src/signals/mod.rs add `mod {file};`, the variant {camel} to SignalId and to Ledger\n\
         (ALL, name, kind, signal, limits); in policy.rs the field `{file}` with its default and why; then show with\n\
         doorwarden sim --ablations that it earns its place"
    );
    Ok(())
}

/// The file's name; ids are lowercase words joined by `joint`.
fn named(id: &str, joint: char) -> Result<String, String> {
    let word = |word: &str| {
        !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    if id.split(joint).all(word) {
        Ok(id.replace('-', "_"))
    } else {
        Err(format!("`{id}` is not lowercase words joined by `{joint}`"))
    }
}

fn camel(file: &str) -> String {
    let upper = |word: &str| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    };
    file.split('_').map(upper).collect()
}

fn write(path: &str, text: &str) -> Result<(), String> {
    if Path::new(path).exists() {
        return Err(format!("{path} is there already"));
    }
    fs::write(path, text).map_err(|error| format!("failed to write {path}: {error}"))
}

const CHECK: &str = r##"//! What the finding says, in one line.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
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
    recipes: &recipes::LIMITS,
    policy: "",
    run,
};

/// What was measured; all that `judge` may know.
#[derive(Clone, Debug, Default, PartialEq)]
struct Facts {}

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let _ = session;
        Ok(judge(&Facts::default()))
    })
}

fn judge(_: &Facts) -> Verdict {
    Verdict::inconclusive("this check is not written yet")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_needs_both_controls() {
        assert!(matches!(judge(&Facts::default()), Verdict::Find(_)));
    }
}
"##;

const SIGNAL: &str = r##"//! What it counts, in one line.
//!
//! - **Sees** which attack (with its ATT&CK id).
//! - **Memory** for each key.
//! - **Evaded by** what.
//! - **Hurts** whom, when it is wrong.
//! - **Constants** and their source.

use super::{Ledger, Signal, Weight};
use crate::{Attempt, Case, Charges, Count, Policy};

pub(super) struct {Name};

impl Signal for {Name} {
    fn charges(&self, attempt: &Attempt, policy: &Policy, charges: &mut Charges) {
        if let Some(one) = attempt.counted() {
            Ledger::{Name}.charge(attempt.account.as_u64(), policy, one, charges);
        }
    }

    fn weigh(&self, count: &Count, case: &Case) -> Weight {
        Weight {
            share: f64::from(count.with_own()) / case.limit(count),
            suspicion: 0.0,
        }
    }
}
"##;
