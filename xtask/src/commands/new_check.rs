//! Adds a check to the scanner: its file, which fails until it is written, and its lines in the list.

use std::path::Path;

use super::Command;
use crate::{
    Error,
    insert::{Source, file_name, write},
    process::cargo,
};

pub(crate) const COMMAND: Command = Command {
    name: "new-check",
    arguments: "ID",
    about: "Add a check to the scanner",
    run: |args| match args {
        [id] => Ok(add(id)?),
        _ => Err(Error::Usage("new-check needs the id of the check".into())),
    },
};

const LIST: &str = "crates/scan/src/checks/mod.rs";

/// Adds the check of this id.
pub(crate) fn add(id: &str) -> Result<(), String> {
    let file = file_name(id, '-')?;
    let path = format!("crates/scan/src/checks/{file}.rs");
    if Path::new(&path).exists() {
        return Err(format!("{path} already exists"));
    }
    let mut list = Source::read(LIST)?;
    list.declare(&file)?;
    let line = format!("    &{file}::CHECK,\n");
    list.insert(&["\npub static ALL: "], "\n];", &line)?;
    write(
        &path,
        &include_str!("../../templates/check.rs").replace("{id}", id),
    )?;
    list.write()?;
    cargo("fmt --package doorwarden-scan")?;
    println!("Created {path} and added it at the end of ALL in {LIST}.\n\n{NEXT}");
    Ok(())
}

const NEXT: &str = "\
Next:
 1. Fill in the text of CHECK, with the recipes of its subject, and write run, judge and the test of judge.
 2. Move its line in ALL to where it runs: checks that use the first token come before those that log in
    again, and checks that compare responses and times before those that exhaust limits.
 3. Where they apply: WITHOUT_ACCOUNT in checks/mod.rs (it needs no account), kind_of in
    report/endpoints.rs (its finding is not about the login), Bypasses::of in score.rs (it bypasses a limit).
 4. Give the lab a login with exactly this fault, and sound ones that could mislead the check:
    crates/lab/src/specimens.rs.
 5. Add it to the expected findings of the real applications that have the fault:
    crates/doorwarden/tests/it/real_apps.rs and frameworks.rs.
 6. cargo xtask docs         writes its page in docs/checks
    cargo xtask oracle       must show it firing on its own fault only
 7. Add a line to CHANGELOG.md.";
