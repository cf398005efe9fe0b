//! Keeps attackers from guessing their way into logins, and proves it.
#![expect(clippy::print_stderr, reason = "a command line speaks")]

#[macro_use]
mod out;

mod config;
mod demo;
mod explain;
mod guard;
mod interrupt;
mod operator;
mod policy;
mod progress;
mod scan;
mod serve;
mod sim;
mod state;
mod token;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(version, about, long_about = None, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 clean; 1 a finding at or over --fail-on, or a score under --min-score;
2 a mistake in the call or the configuration, or a target that is not yours;
3 a target that can't be reached, or a scan that was broken off; 4 nothing found,
but some check could not decide.";

#[derive(Subcommand)]
enum Command {
    /// Show the whole loop on loopback: scan a faulty login, guard it, scan again
    Demo(demo::Args),
    /// Find out what a login that you own costs in accounts a day
    Scan(Box<scan::Args>),
    /// Scan on a schedule, and say when something changed
    Watch(Box<watch::Args>),
    /// Stand in front of an application and close its logins
    Guard(guard::Args),
    /// Serve logins and tokens, for applications that have none of their own
    Serve(serve::Args),
    /// The accounts of `doorwarden serve`
    Users(serve::UsersArgs),
    /// The sessions of its accounts
    Sessions(serve::SessionsArgs),
    /// The clients of its endpoints under /oauth
    Clients(serve::ClientsArgs),
    /// What happened there: logins, changes of credentials, what administrators did
    Audit(serve::AuditArgs),
    /// The keys that sign its tokens
    Keys(serve::KeysArgs),
    /// Leaked passwords that it refuses
    Breach(serve::BreachArgs),
    /// Look at tokens, of whatever issuer
    Token(token::Args),
    /// Play attackers, people and rival defences against the code that ships
    Sim(sim::Args),
    /// Write a commented doorwarden.toml
    Init(config::InitArgs),
    /// Explain a check, or list them
    Explain(explain::Args),
    /// Print the JSON schema of a format
    Schema(explain::SchemaArgs),
}

/// What went wrong, for the person who called, and the exit code that says so.
struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// A mistake in the call or the configuration.
    fn usage(message: impl ToString) -> Self {
        Self {
            code: 2,
            message: message.to_string(),
        }
    }

    /// Something that the call can't help.
    fn aborted(message: impl ToString) -> Self {
        Self {
            code: 3,
            message: message.to_string(),
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        Command::Demo(args) => run(demo::demo(args)),
        Command::Scan(args) => run(scan::scan(*args)),
        Command::Watch(args) => run(watch::watch(*args)),
        Command::Guard(args) => guard::guard(args),
        Command::Serve(args) => run(serve::serve(args)),
        Command::Users(args) => run(serve::users(args)),
        Command::Sessions(args) => run(serve::sessions(args)),
        Command::Clients(args) => run(serve::clients(args)),
        Command::Audit(args) => run(serve::audit(args)),
        Command::Keys(args) => run(serve::keys(args)),
        Command::Breach(args) => serve::breach(args),
        Command::Token(args) => token::token(args),
        Command::Sim(args) => sim::sim(args),
        Command::Init(args) => config::init(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Schema(args) => explain::schema(&args),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            eprintln!("doorwarden: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

fn run(face: impl Future<Output = Result<u8, Failure>>) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::aborted(format!("failed to start: {error}")))?;
    runtime.block_on(face)
}
