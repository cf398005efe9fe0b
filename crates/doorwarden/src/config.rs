//! doorwarden.toml: composed of what each room configures.

use std::{fs, io, path::Path, path::PathBuf};

use doorwarden_decision::Policy;
use serde::Deserialize;

use crate::Failure;

/// The file's name where none is given.
pub(crate) const FILE: &str = "doorwarden.toml";

/// What `doorwarden init` writes.
const COMMENTED: &str = include_str!("doorwarden.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) guard: Option<doorwarden_guard::Config>,
    #[serde(default)]
    pub(crate) serve: Option<doorwarden_serve::Config>,
    #[serde(default)]
    pub(crate) policy: Option<Policy>,
}

/// Reads a configuration; a mistake is told with its line and column.
pub(crate) fn read(path: &Path) -> Result<Config, Failure> {
    let shown = path.display();
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!(
            "failed to read {shown}: {error}; `doorwarden init` writes one"
        ))
    })?;
    toml::from_str(&text).map_err(|error| {
        Failure::usage(format!(
            "failed to read {shown}: {}\n`doorwarden init --output -` prints a commented example of every field.",
            error.to_string().trim_end()
        ))
    })
}

#[derive(clap::Args)]
pub(crate) struct InitArgs {
    /// Where to write it; `-` is the standard output
    #[arg(long, default_value = FILE)]
    output: PathBuf,
}

pub(crate) fn init(args: &InitArgs) -> Result<u8, Failure> {
    if args.output.as_os_str() == "-" {
        say!("{}", COMMENTED.trim_end());
        return Ok(0);
    }
    let shown = args.output.display();
    let write = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&args.output)?;
        io::Write::write_all(&mut file, COMMENTED.as_bytes())
    };
    write().map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::usage(format!(
            "{shown} is there already; choose another with --output"
        )),
        _ => Failure::usage(format!("failed to write {shown}: {error}")),
    })?;
    eprintln!("Wrote {shown}. Set `upstream` and `route`, then: doorwarden guard --config {shown}");
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commented_file_is_valid_and_says_the_defaults() {
        let config: Config = toml::from_str(COMMENTED).unwrap();
        assert_eq!(config.policy, Some(Policy::default()));
        // With its comments taken away too: each commented field is a real one.
        let uncommented = |line: &str| line.strip_prefix("#: ").unwrap_or(line).to_owned();
        let all: Vec<String> = COMMENTED.lines().map(uncommented).collect();
        let config: Config = toml::from_str(&all.join("\n")).unwrap();
        assert_eq!(config.policy, Some(Policy::default()));
    }
}
