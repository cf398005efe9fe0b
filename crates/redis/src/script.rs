//! The function, and the script for servers that have none.

use doorwarden_decision::{Charge, Movement};
use redis::{Cmd, cmd};

/// The library's first line names it for FUNCTION LOAD; scripts may not have it.
const LIBRARY: &str = include_str!("counters.lua");

/// The function's name.
const FUNCTION: &str = "doorwarden_charge";

/// How a server is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// FCALL, from Redis 7 on.
    Function,
    /// EVALSHA.
    Script,
}

/// The library as FUNCTION LOAD takes it.
pub(crate) fn library() -> String {
    format!("{LIBRARY}\nredis.register_function('{FUNCTION}', charge)\n")
}

/// The same as a script, which SCRIPT LOAD takes.
pub(crate) fn script() -> String {
    let (_, body) = LIBRARY.split_once('\n').unwrap_or(("", LIBRARY));
    format!("{body}\nreturn charge(KEYS, ARGV)\n")
}

/// The command for charges, each on the key beside it.
pub(crate) fn command(dialect: Dialect, hash: &str, charges: &[(String, &Charge)]) -> Cmd {
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
