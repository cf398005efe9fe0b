//! Adds a signal to the decision: its file, its counters and its limits.

use std::path::Path;

use super::Command;
use crate::{
    Error,
    insert::{Source, file_name, type_name, write},
    process::cargo,
};

pub(crate) const COMMAND: Command = Command {
    name: "new-signal",
    arguments: "NAME",
    about: "Add a signal to the decision",
    run: |args| match args {
        [name] => Ok(add(name)?),
        _ => Err(Error::Usage(
            "new-signal needs the name of the signal".into(),
        )),
    },
};

const SIGNALS: &str = "crates/decision/src/signals/mod.rs";
const POLICY: &str = "crates/decision/src/policy.rs";
const DEFENCES: &str = "crates/sim/src/defences/mod.rs";

/// Adds the signal of this name.
pub(crate) fn add(name: &str) -> Result<(), String> {
    let file = file_name(name, '_')?;
    let path = format!("crates/decision/src/signals/{file}.rs");
    if Path::new(&path).exists() {
        return Err(format!("{path} already exists"));
    }
    let named = type_name(&file);
    let changed = [signals(&file, &named)?, policy(&file)?, ablations(&named)?];
    let template = include_str!("../../templates/signal.rs");
    write(
        &path,
        &template.replace("{file}", &file).replace("{Name}", &named),
    )?;
    for source in changed {
        source.write()?;
    }
    cargo("fmt --package doorwarden-decision")?;
    println!("Created {path} and added it to {SIGNALS}, {POLICY} and {DEFENCES}.\n");
    println!(
        "{}",
        NEXT.replace("{file}", &file).replace("{Name}", &named)
    );
    Ok(())
}

/// Adds the signal, and a kind of counters of the same name.
fn signals(file: &str, name: &str) -> Result<Source, String> {
    const MATCH: &str = "\n        }";
    let mut source = Source::read(SIGNALS)?;
    source.declare(file)?;
    for of in ["SignalId", "Ledger"] {
        let (listed, block) = (format!("pub enum {of} {{"), format!("impl {of} {{"));
        source.insert(
            &[&listed],
            "\n}",
            &format!("    /// What it counts.\n    {name},\n"),
        )?;
        let list = [block.as_str(), "pub const ALL: [Self; "];
        source.raise(&list, 1)?;
        source.insert(&list, "];", &format!("        Self::{name},\n"))?;
        let arm = format!("            Self::{name} => \"{file}\",\n");
        source.insert(&[&block, "fn name("], MATCH, &arm)?;
    }
    for (of, function, is) in [
        ("SignalId", "fn signal(", format!("&{file}::{name}")),
        ("Ledger", "fn signal(", format!("SignalId::{name}")),
        ("Ledger", "fn limits(", format!("&policy.{file}")),
    ] {
        let arm = format!("            Self::{name} => {is},\n");
        source.insert(&[&format!("impl {of} {{"), function], MATCH, &arm)?;
    }
    Ok(source)
}

/// Adds its limits after those of heat, with a default.
fn policy(file: &str) -> Result<Source, String> {
    let mut source = Source::read(POLICY)?;
    for (after, lines) in [
        (
            ["pub struct Policy {", "pub heat: Limits,"],
            format!("    /// What it limits.\n    pub {file}: Limits,\n"),
        ),
        (
            ["let standard = Self {", "heat: limits("],
            format!("            {file}: limits(\"100 per day\"),\n"),
        ),
        (
            ["pub fn divided(", "network: share("],
            format!("            {file}: share(&self.{file}),\n"),
        ),
        (
            ["struct Written {", "heat: Option<Limits>,"],
            format!("    #[serde(deserialize_with = \"some\")]\n    {file}: Option<Limits>,\n"),
        ),
        (
            ["fn from(written: Written)", "heat: written."],
            format!("            {file}: written.{file}.unwrap_or(preset.{file}),\n"),
        ),
    ] {
        source.insert(&after, "\n", &lines)?;
    }
    Ok(source)
}

/// Lets the simulator play without it.
fn ablations(name: &str) -> Result<Source, String> {
    let mut source = Source::read(DEFENCES)?;
    let list = ["pub const ABLATIONS: [Self; "];
    source.raise(&list, 1)?;
    let line = format!("        Self::Without(SignalId::{name}),\n");
    source.insert(&list, "Self::WithoutRetroaction", &line)?;
    Ok(source)
}

const NEXT: &str = "\
Next:
 1. Fill in the text of its file, and write charges, weigh and, where a successful login must not count,
    settle. Ledger::kind says whether its counters hold events or members.
 2. policy.rs: what `{file}` limits, its default in both presets, and the reason for it in the
    documentation of Policy::preset; then its row in explain.rs and its line in
    crates/doorwarden/src/doorwarden.toml.
 3. If it informs other signals: Case in decide.rs. If it has several limits: MOST_CHARGES in charge.rs.
 4. Test it in the World of decide.rs, with the worst interleaving.
 5. doorwarden sim --ablations must show that it improves the result.";
