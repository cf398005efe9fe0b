//! The commands, one file each.

mod bench;
mod docs;
mod man;
pub(crate) mod new_check;
pub(crate) mod new_signal;
pub(crate) mod oracle;
pub(crate) mod setup;
mod test;

use crate::Error;

/// A command of `cargo xtask`.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) arguments: &'static str,
    /// One line of help.
    pub(crate) about: &'static str,
    pub(crate) run: fn(&[&str]) -> Result<(), Error>,
}

/// Every command, in the order of the help.
pub(crate) const COMMANDS: &[Command] = &[
    test::COMMAND,
    setup::COMMAND,
    oracle::COMMAND,
    bench::COMMAND,
    docs::COMMAND,
    man::COMMAND,
    new_check::COMMAND,
    new_signal::COMMAND,
];

/// Rejects arguments of a command that takes none.
fn no_arguments(args: &[&str]) -> Result<(), Error> {
    match args.first() {
        None => Ok(()),
        Some(argument) => Err(Error::Usage(format!("unexpected argument `{argument}`"))),
    }
}
