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

/// The command for one charge.
pub(crate) fn command(dialect: Dialect, hash: &str, key: &str, charge: &Charge) -> Cmd {
    let mut command = match dialect {
        Dialect::Function => cmd("FCALL"),
        Dialect::Script => cmd("EVALSHA"),
    };
    command.arg(match dialect {
        Dialect::Function => FUNCTION,
        Dialect::Script => hash,
    });
    let (name, a, b) = match charge.movement {
        Movement::Add { n } => ("add", u32::from(n), 0),
        Movement::TakeBack { slot, n } => ("take_back", slot, u32::from(n)),
        Movement::Forgive { most } => ("forgive", u32::from(most), 0),
        Movement::Peek => ("peek", 0, 0),
        Movement::Recall { member } => ("recall", member, 0),
        Movement::Remember { member } => ("remember", member, 0),
    };
    command
        .arg(1)
        .arg(key)
        .arg(name)
        .arg(charge.window.slot_millis())
        .arg(a)
        .arg(b);
    command
}
