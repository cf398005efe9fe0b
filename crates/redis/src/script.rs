//! The code as a function, and as a script for servers without functions.

use doorwarden_decision::Movement;
use redis::{Cmd, cmd};

use crate::connection::KeyedCharge;

/// The source. Its first line names the library for FUNCTION LOAD and must not be in a script.
const LIBRARY: &str = include_str!("counters.lua");

/// The name of the function.
const FUNCTION: &str = "doorwarden_charge";

/// How the code is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// FCALL, from Redis 7 on.
    Function,
    /// EVALSHA.
    Script,
}

/// Returns the library for FUNCTION LOAD.
pub(crate) fn library_source() -> String {
    format!("{LIBRARY}\nredis.register_function('{FUNCTION}', charge)\n")
}

/// Returns the same code as a script for SCRIPT LOAD.
pub(crate) fn script_source() -> String {
    let (_, body) = LIBRARY.split_once('\n').unwrap_or(("", LIBRARY));
    format!("{body}\nreturn charge(KEYS, ARGV)\n")
}

/// Returns the command that applies charges, each to the key beside it.
pub(crate) fn charge_command(dialect: Dialect, hash: &str, charges: &[KeyedCharge<'_>]) -> Cmd {
    let mut command = match dialect {
        Dialect::Function => cmd("FCALL"),
        Dialect::Script => cmd("EVALSHA"),
    };
    command.arg(match dialect {
        Dialect::Function => FUNCTION,
        Dialect::Script => hash,
    });
    command.arg(charges.len());
    for (key, _) in charges {
        command.arg(key);
    }
    for (_, charge) in charges {
        let (name, number) = match charge.movement {
            Movement::Add => ("add", 0),
            Movement::TakeBack { slot } => ("take_back", slot),
            Movement::Forgive { most } => ("forgive", u32::from(most)),
            Movement::Peek => ("peek", 0),
            Movement::Recall { member } => ("recall", member),
            Movement::Remember { member } => ("remember", member),
        };
        command
            .arg(name)
            .arg(charge.window.slot_millis())
            .arg(number);
    }
    command
}
