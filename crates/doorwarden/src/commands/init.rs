//! `doorwarden init`: writes a commented doorwarden.toml.

use std::{fs, io, path::PathBuf};

use crate::{Failure, config, logging::Output};

/// The commented configuration.
const COMMENTED: &str = include_str!("../doorwarden.toml");

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The file to write; `-` for standard output
    #[arg(long, default_value = config::FILE)]
    output: PathBuf,
}

pub(crate) fn init(args: &Args, output: &Output) -> Result<u8, Failure> {
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
            "{shown} already exists; choose another file with --output"
        )),
        _ => Failure::usage(format!("failed to write {shown}: {error}")),
    })?;
    if !output.quiet {
        eprintln!(
            "Wrote {shown}. Set `upstream` and `route`, then run: doorwarden guard --config {shown}"
        );
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use doorwarden_decision::Policy;

    use super::*;
    use crate::config::Config;

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
