//! Each feature of the binary, alone.

use std::{collections::BTreeSet, process::Command};

use crate::process::{cargo, output};

/// The features, and how many packages each needs on Linux, its own and the binary's included.
const FEATURES: [(&str, usize); 6] = [
    ("scan", 203),
    ("watch", 210),
    ("guard", 181),
    ("serve", 271),
    ("sim", 86),
    ("demo", 250),
];

/// Lints the binary with each feature.
pub(super) fn compile() -> Result<(), String> {
    let lint = |(feature, _)| {
        println!("feature {feature}");
        cargo(&format!(
            "clippy --package doorwarden --no-default-features --features {feature} -- --deny warnings"
        ))
    };
    let failed: Vec<String> = FEATURES
        .into_iter()
        .filter_map(|feature| lint(feature).err())
        .collect();
    match failed.is_empty() {
        true => Ok(()),
        false => Err(failed.join("\n  ")),
    }
}

/// Compares the number of packages with what is stated.
pub(super) fn count() -> Result<(), String> {
    let mut changed = Vec::new();
    for (feature, stated) in FEATURES {
        let found = packages(feature)?.len();
        println!("{feature:<8} {found:>4} packages");
        if found != stated {
            changed.push(format!("{feature} needs {found}, stated are {stated}"));
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{}; find out why, or change FEATURES in xtask/src/steps/features.rs",
        changed.join("; ")
    ))
}

fn packages(feature: &str) -> Result<BTreeSet<String>, String> {
    let args = format!(
        "tree --package doorwarden --no-default-features --features {feature} --edges normal --prefix none \
         --format {{p}} --target x86_64-unknown-linux-gnu"
    );
    let tree = output(Command::new(env!("CARGO")).args(args.split_whitespace()))?;
    // One that is listed again is marked with (*).
    let name = |line: &str| line.trim_end_matches(" (*)").to_owned();
    Ok(tree.lines().map(name).collect())
}
