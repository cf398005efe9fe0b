//! SECURITY.md names the tests that prove its guarantees; each must exist, run and pass.

use std::fs;

use super::{PROFILES, results};
use crate::junit::{self, Ran};

const PAGE: &str = "SECURITY.md";

/// Compares the tests that the page names with the results of this run.
pub(super) fn run() -> Result<(), String> {
    let page = read(PAGE)?;
    let named = named(&page);
    if named.is_empty() {
        return Err(format!("{PAGE} names no tests: has its format changed?"));
    }
    let mut ran = Vec::new();
    for profile in PROFILES {
        let path = results(profile)?;
        match fs::read_to_string(&path) {
            Ok(xml) => ran.extend(junit::read(&xml)),
            Err(error) => eprintln!("no results of nextest's profile {profile}: {error}"),
        }
    }
    let missing: Vec<String> = named
        .iter()
        .filter_map(|test| test.problem(&ran).map(|why| format!("{}: {why}", test.0)))
        .collect();
    if missing.is_empty() {
        println!("{} tests named by {PAGE} have passed", named.len());
        Ok(())
    } else {
        Err(format!(
            "{} of {} tests named by {PAGE} have not passed:\n  {}",
            missing.len(),
            named.len(),
            missing.join("\n  ")
        ))
    }
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("failed to read {path}: {error}"))
}

/// A test as the page names it: `path/to/file.rs::test_name`.
#[derive(Debug, PartialEq)]
struct Named<'a>(&'a str);

/// Returns the tests in the last column of the page's tables.
fn named(page: &str) -> Vec<Named<'_>> {
    let rows = page.lines().map(str::trim).filter(|l| l.starts_with('|'));
    let cells = rows.filter_map(|row| row.trim_end_matches('|').rsplit('|').next());
    // Every other part is between backquotes.
    let quoted = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    quoted.filter(|t| t.contains(".rs::")).map(Named).collect()
}

impl Named<'_> {
    /// Returns why it does not count as passed.
    fn problem(&self, ran: &[Ran]) -> Option<String> {
        let (path, test) = self.0.split_once("::")?;
        let source = match read(path) {
            Ok(source) => source,
            Err(error) => return Some(error),
        };
        if !source.contains(&format!("fn {test}(")) {
            return Some("there is no such test in the file".into());
        }
        let binary = match binary(path) {
            Ok(binary) => binary,
            Err(error) => return Some(error),
        };
        let module = path.rsplit('/').next()?.trim_end_matches(".rs");
        // A file directly in tests is a binary of its own, and no module of it.
        let is_root = path.ends_with(&format!("/tests/{module}.rs"));
        let module = Some(module).filter(|name| !is_root && !["lib", "main", "mod"].contains(name));
        let is_it = |ran: &&Ran| {
            let (modules, name) = ran.name.rsplit_once("::").unwrap_or(("", &ran.name));
            let mut modules = modules.split("::");
            ran.binary == binary
                && name == test
                && module.is_none_or(|module| modules.any(|name| name == module))
        };
        let mut runs = ran.iter().filter(is_it).peekable();
        if runs.peek().is_none() {
            return Some("it did not run".into());
        }
        (!runs.all(|ran| ran.passed)).then(|| "it failed".into())
    }
}

/// Returns nextest's name of the binary that a file's tests are in.
fn binary(path: &str) -> Result<String, String> {
    let (folder, target) = match (path.split_once("/src/"), path.split_once("/tests/")) {
        (Some((folder, _)), _) => (folder, None),
        (_, Some((folder, rest))) => (folder, rest.split(['/', '.']).next()),
        _ => return Err("the file is neither in src nor in tests".into()),
    };
    let manifest = read(&format!("{folder}/Cargo.toml"))?;
    let package = manifest
        .lines()
        .find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .ok_or_else(|| format!("{folder}/Cargo.toml has no name"))?;
    Ok(match target {
        Some(target) => format!("{package}::{target}"),
        None if fs::exists(format!("{folder}/src/lib.rs")).unwrap_or(false) => package.to_owned(),
        None => format!("{package}::bin/{package}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
Text that names `src/lib.rs::nothing`.

| guarantee | tests |
|---|---|
| one `x` | `xtask/src/junit.rs::passed_and_failed_tests_are_told_apart` |
| two | `xtask/src/junit.rs::nothing`, `xtask/src/nothing.rs::x` |
";

    #[test]
    fn tests_are_named_in_the_last_column() {
        let named: Vec<_> = named(PAGE).iter().map(|test| test.0).collect();
        assert_eq!(
            named,
            [
                "xtask/src/junit.rs::passed_and_failed_tests_are_told_apart",
                "xtask/src/junit.rs::nothing",
                "xtask/src/nothing.rs::x"
            ]
        );
    }

    #[test]
    fn a_named_test_must_exist_run_and_pass() {
        // Paths are relative to the root.
        std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).expect("the root");
        let named = named(PAGE);
        let ran = |name: &str, passed| Ran {
            binary: "xtask::bin/xtask".into(),
            name: name.into(),
            passed,
        };
        let full = "junit::tests::passed_and_failed_tests_are_told_apart";
        let problem = |ran: &[Ran]| named[0].problem(ran);
        assert_eq!(problem(&[ran(full, true)]), None);
        assert_eq!(problem(&[]).as_deref(), Some("it did not run"));
        let twice = [ran(full, true), ran(full, false)];
        assert_eq!(problem(&twice).as_deref(), Some("it failed"));
        let elsewhere = full.replace("junit", "other");
        assert_eq!(
            problem(&[ran(&elsewhere, true)]).as_deref(),
            Some("it did not run")
        );
        let root = Named("crates/gate/tests/interleavings.rs::no_order_lets_a_spray_past_its_heat");
        let ran = Ran {
            binary: "doorwarden-gate::interleavings".into(),
            name: "no_order_lets_a_spray_past_its_heat".into(),
            passed: true,
        };
        assert_eq!(root.problem(&[ran]), None);
        assert!(named[1..].iter().all(|test| test.problem(&[]).is_some()));
    }
}
