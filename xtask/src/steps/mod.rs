//! The steps of `cargo xtask test`, and the order they run in.

mod features;
mod guarantees;
mod postgres;
mod scaffolds;

use std::{fs, path::PathBuf};

use crate::{
    commands::{oracle, setup},
    process::{cargo, run, target},
    tools::cargo_tool,
};

/// One step.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) part_of: PartOf,
    /// Minutes after which it has failed.
    pub(crate) minutes: u64,
    pub(crate) run: fn() -> Result<(), String>,
}

/// Which runs a step belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartOf {
    /// `cargo xtask test`.
    Full,
    /// `cargo xtask test --quick`.
    Quick,
    Both,
}

/// The phases, which run one after another; the lanes of a phase, which run side by side; the steps of a
/// lane. The tests have a phase of their own, since some of them compare times. The oracle shares one with
/// compilation: docs/oracle.md shows that it holds under load.
pub(crate) static PHASES: &[&[&[Step]]] = &[
    &[&[SETUP], &[FORMAT, CLIPPY, BUILD]],
    &[&[QUICK_TESTS, TESTS, POSTGRES]],
    &[
        &[ORACLE],
        &[
            INTERLEAVINGS,
            DOCTESTS,
            FEATURES,
            DEPENDENCIES,
            SCAFFOLDS,
            DENY,
            GUARANTEES,
        ],
    ],
];

/// Returns the step of this name.
pub(crate) fn find(name: &str) -> Result<&'static Step, String> {
    let mut steps = PHASES.iter().copied().flatten().copied().flatten();
    steps
        .find(|step| step.name == name)
        .ok_or_else(|| format!("unknown step `{name}`; `cargo xtask test --list` lists them"))
}

/// All packages with the tests that need what `setup` installs, and what benches need. Every step
/// that compiles the workspace selects this: with another selection cargo would pick other features of the
/// dependencies, and compile them again.
pub(crate) const WORKSPACE: &str = "--workspace --features \
    doorwarden/real-apps,doorwarden/real-postgres,doorwarden-redis/real-redis,doorwarden-serve/measured";

const SETUP: Step = Step {
    name: "setup",
    about: "Install what the tests need",
    part_of: PartOf::Full,
    minutes: 20,
    run: setup::install,
};

const FORMAT: Step = Step {
    name: "format",
    about: "Check the formatting",
    part_of: PartOf::Both,
    minutes: 2,
    run: || cargo("fmt --all --check"),
};

const CLIPPY: Step = Step {
    name: "clippy",
    about: "Lint everything",
    part_of: PartOf::Both,
    minutes: 15,
    run: || {
        cargo(&format!(
            "clippy {WORKSPACE} --all-targets -- --deny warnings"
        ))
    },
};

const BUILD: Step = Step {
    name: "build",
    about: "Compile the tests and examples",
    part_of: PartOf::Full,
    minutes: 20,
    run: || cargo(&format!("test --no-run {WORKSPACE}")),
};

const TESTS: Step = Step {
    name: "tests",
    about: "Run the tests, with real applications, stores and browsers",
    part_of: PartOf::Full,
    minutes: 20,
    run: || nextest("default", WORKSPACE),
};

const POSTGRES: Step = Step {
    name: "postgres",
    about: "Run the tests of the service on PostgreSQL",
    part_of: PartOf::Full,
    minutes: 10,
    run: postgres::run,
};

const INTERLEAVINGS: Step = Step {
    name: "interleavings",
    about: "Interleave parallel attempts at the gate",
    part_of: PartOf::Full,
    minutes: 10,
    run: || {
        nextest(
            "interleavings",
            "--package doorwarden-gate --features shuttle --test interleavings",
        )
    },
};

const DOCTESTS: Step = Step {
    name: "doctests",
    about: "Run the examples in the documentation of the code",
    part_of: PartOf::Full,
    minutes: 10,
    run: || cargo(&format!("test --doc --quiet {WORKSPACE}")),
};

const ORACLE: Step = Step {
    name: "oracle",
    about: "Scan every login of the lab with every check",
    part_of: PartOf::Full,
    minutes: 20,
    run: oracle::once,
};

const FEATURES: Step = Step {
    name: "features",
    about: "Lint the binary with each of its features alone",
    part_of: PartOf::Full,
    minutes: 15,
    run: features::compile,
};

const DEPENDENCIES: Step = Step {
    name: "dependencies",
    about: "Count the packages that each feature of the binary needs",
    part_of: PartOf::Full,
    minutes: 2,
    run: features::count,
};

const SCAFFOLDS: Step = Step {
    name: "scaffolds",
    about: "Add a check and a signal to a copy of the repository and compile it",
    part_of: PartOf::Full,
    minutes: 10,
    run: scaffolds::run,
};

const DENY: Step = Step {
    name: "deny",
    about: "Check licenses, banned packages and sources",
    part_of: PartOf::Full,
    minutes: 10,
    // Without the advisories, which need more than the registry.
    run: || run(cargo_tool("deny")?.args(["check", "bans", "licenses", "sources"])),
};

const GUARANTEES: Step = Step {
    name: "guarantees",
    about: "Check that the tests that SECURITY.md names have passed",
    part_of: PartOf::Full,
    minutes: 1,
    run: guarantees::run,
};

const QUICK_TESTS: Step = Step {
    name: "quick-tests",
    about: "Run the tests that need no servers, applications or browsers",
    part_of: PartOf::Quick,
    minutes: 10,
    // Without the features of the tests that need what `setup` installs; no dependency changes by that.
    run: || {
        nextest(
            "quick",
            "--workspace --features doorwarden/demo,doorwarden-serve/measured",
        )
    },
};

/// Profiles of nextest whose results count as this run's.
const PROFILES: [&str; 3] = ["default", "postgres", "interleavings"];

/// Runs tests by a profile of .config/nextest.toml.
fn nextest(profile: &str, selection: &str) -> Result<(), String> {
    run(nextest_command(profile)?.args(selection.split_whitespace()))
}

/// Returns nextest's command for a profile, whose last results it removes.
fn nextest_command(profile: &str) -> Result<std::process::Command, String> {
    let _ = fs::remove_file(results(profile)?);
    let mut command = cargo_tool("nextest")?;
    command.args(["run", "--profile", profile]);
    Ok(command)
}

/// Returns where nextest writes a profile's results.
fn results(profile: &str) -> Result<PathBuf, String> {
    Ok(target()?.join("nextest").join(profile).join("junit.xml"))
}
