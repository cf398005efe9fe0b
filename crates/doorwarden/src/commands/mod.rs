//! The commands, one file each.

#[cfg(feature = "serve")]
mod administer;
#[cfg(feature = "serve")]
mod audit;
#[cfg(feature = "serve")]
mod breach;
#[cfg(feature = "serve")]
mod clients;
mod completions;
#[cfg(feature = "demo")]
mod demo;
#[cfg(feature = "scan")]
mod explain;
#[cfg(feature = "guard")]
mod guard;
#[cfg(any(feature = "guard", feature = "serve"))]
mod init;
#[cfg(feature = "serve")]
mod keys;
mod man;
#[cfg(feature = "scan")]
mod scan;
#[cfg(feature = "scan")]
mod schema;
#[cfg(feature = "serve")]
mod serve;
#[cfg(feature = "serve")]
mod sessions;
#[cfg(feature = "sim")]
mod sim;
#[cfg(feature = "serve")]
mod token;
#[cfg(feature = "serve")]
mod users;
#[cfg(feature = "watch")]
mod watch;

use clap::{Parser, Subcommand};

use crate::{Failure, logging::Output};

/// Keeps attackers from guessing their way into logins, and proves it
#[derive(Parser)]
#[command(name = "doorwarden", version, about, long_about = None, after_help = AFTER_HELP,
          arg_required_else_help = true, subcommand_required = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  doorwarden scan http://127.0.0.1:8000 --register --write-policy guard.toml
  doorwarden guard --config guard.toml
  doorwarden serve

Exit codes: 0 no findings; 1 a finding at or above --fail-on, or a score below --min-score;
2 usage or configuration error, or ownership of the target could not be verified;
3 the target could not be reached, or the scan ended early; 4 no findings, but some checks
were inconclusive.";

#[derive(Subcommand)]
enum Command {
    /// Scan a faulty login on loopback, protect it with the guard, and scan it again
    #[cfg(feature = "demo")]
    Demo(demo::Args),
    /// Test a login you own and estimate how many accounts an attacker could take per day
    #[cfg(feature = "scan")]
    Scan(Box<scan::Args>),
    /// Scan on a schedule and report changes
    #[cfg(feature = "watch")]
    Watch(Box<watch::Args>),
    /// Run a reverse proxy that protects an application's logins
    #[cfg(feature = "guard")]
    Guard(Box<guard::Args>),
    /// Run a login and token service, for applications that have none
    #[cfg(feature = "serve")]
    Serve(serve::Args),
    /// Manage the accounts of `doorwarden serve`
    #[cfg(feature = "serve")]
    Users(users::Args),
    /// List or end the sessions of an account of `doorwarden serve`
    #[cfg(feature = "serve")]
    Sessions(sessions::Args),
    /// Manage the OAuth clients of `doorwarden serve`
    #[cfg(feature = "serve")]
    Clients(clients::Args),
    /// List the audit events of `doorwarden serve`: logins, credentials, administration
    #[cfg(feature = "serve")]
    Audit(audit::Args),
    /// Manage the signing keys of `doorwarden serve`
    #[cfg(feature = "serve")]
    Keys(keys::Args),
    /// Build the filter of leaked passwords that `doorwarden serve` rejects
    #[cfg(feature = "serve")]
    Breach(breach::Args),
    /// Verify tokens of any issuer
    #[cfg(feature = "serve")]
    Token(token::Args),
    /// Simulate attackers, users and rival defences against the code that ships
    #[cfg(feature = "sim")]
    Sim(sim::Args),
    /// Write a commented doorwarden.toml
    #[cfg(any(feature = "guard", feature = "serve"))]
    Init(init::Args),
    /// Explain a check, or list all checks
    #[cfg(feature = "scan")]
    Explain(explain::Args),
    /// Print the JSON schema of a format
    #[cfg(feature = "scan")]
    Schema(schema::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Write man pages
    #[command(hide = true)]
    Man(man::Args),
}

/// Runs the command and returns its exit code.
pub(crate) fn run(cli: Cli) -> Result<u8, Failure> {
    let output = &cli.output;
    match cli.command {
        #[cfg(feature = "demo")]
        Command::Demo(args) => block_on(demo::demo(args, output)),
        #[cfg(feature = "scan")]
        Command::Scan(args) => block_on(scan::scan(*args, output)),
        #[cfg(feature = "watch")]
        Command::Watch(args) => block_on(watch::watch(*args, output)),
        #[cfg(feature = "guard")]
        Command::Guard(args) => guard::guard(*args, output),
        #[cfg(feature = "serve")]
        Command::Serve(args) => block_on(serve::serve(args, output)),
        #[cfg(feature = "serve")]
        Command::Users(args) => block_on(users::users(args)),
        #[cfg(feature = "serve")]
        Command::Sessions(args) => block_on(sessions::sessions(args)),
        #[cfg(feature = "serve")]
        Command::Clients(args) => block_on(clients::clients(args)),
        #[cfg(feature = "serve")]
        Command::Audit(args) => block_on(audit::audit(args)),
        #[cfg(feature = "serve")]
        Command::Keys(args) => block_on(keys::keys(args)),
        #[cfg(feature = "serve")]
        Command::Breach(args) => breach::breach(args),
        #[cfg(feature = "serve")]
        Command::Token(args) => token::token(args),
        #[cfg(feature = "sim")]
        Command::Sim(args) => sim::sim(args, output),
        #[cfg(any(feature = "guard", feature = "serve"))]
        Command::Init(args) => init::init(&args, output),
        #[cfg(feature = "scan")]
        Command::Explain(args) => explain::explain(&args),
        #[cfg(feature = "scan")]
        Command::Schema(args) => schema::schema(&args),
        Command::Completions(args) => completions::completions(&args),
        Command::Man(args) => man::man(&args),
    }
}

/// The commands of each feature, for the error of a build that lacks them.
const FEATURES: &[(&str, &[&str])] = &[
    ("demo", &["demo"]),
    ("scan", &["scan", "explain", "schema"]),
    ("watch", &["watch"]),
    ("guard", &["guard", "init"]),
    (
        "serve",
        &[
            "serve", "users", "sessions", "clients", "audit", "keys", "breach", "token",
        ],
    ),
    ("sim", &["sim"]),
];

/// Returns the feature that contains a command.
pub(crate) fn feature_of(command: &str) -> Option<&'static str> {
    let has = |(_, commands): &&(&str, &[&str])| commands.contains(&command);
    FEATURES.iter().find(has).map(|(feature, _)| *feature)
}

#[cfg(any(feature = "scan", feature = "guard", feature = "serve"))]
fn block_on(command: impl Future<Output = Result<u8, Failure>>) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::aborted(format!("failed to start: {error}")))?;
    runtime.block_on(command)
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn a_missing_command_names_its_feature() {
        assert_eq!(feature_of("users"), Some("serve"));
        assert_eq!(feature_of("scna"), None);
    }

    #[test]
    fn every_command_belongs_to_a_feature_of_the_manifest() {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let manifest = std::fs::read_to_string(manifest).unwrap();
        for (feature, _) in FEATURES {
            assert!(manifest.contains(&format!("\n{feature} = [")), "{feature}");
        }
        let listed = FEATURES.iter().flat_map(|(_, commands)| *commands);
        let listed: BTreeSet<&str> = listed.copied().collect();
        let cli = Cli::command();
        let built = cli.get_subcommands().map(clap::Command::get_name);
        for command in built.filter(|name| !["completions", "man"].contains(name)) {
            assert!(listed.contains(command), "{command}");
        }
        Cli::command().debug_assert();
    }
}
