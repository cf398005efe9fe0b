//! The project's chores: `cargo xtask COMMAND`.

mod bench;
mod scaffold;
mod steps;
mod venv;

use std::{env, process::ExitCode};

const HELP: &str = "\
cargo xtask test              set up what the tests need, then run all of them
cargo xtask setup             set up what the tests need, and nothing else
cargo xtask oracle [RUNS] [--load] [--write]
                              every check against every login of the lab; to docs/oracle.md
cargo xtask oracle --timing [RUNS] [--write]
                              how often the check of times is wrong; to docs/timing.md
cargo xtask bench             a decision, a proxied request and logins beside their rivals
cargo xtask docs              write the generated pages and schemas anew
cargo xtask new-check ID      a new check's file
cargo xtask new-signal NAME   a new signal's file";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["test"] => steps::test(),
        ["setup"] => venv::make(),
        ["oracle", arguments @ ..] if arguments.len() <= 3 => steps::oracle(arguments),
        ["bench"] => bench::run(),
        ["docs"] => steps::docs(),
        ["new-check", id] => scaffold::check(id),
        ["new-signal", name] => scaffold::signal(name),
        _ => Err(HELP.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
