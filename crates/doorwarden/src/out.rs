//! Standard output. A reader that goes away (`doorwarden explain | head`) is not an error.

use std::{
    fmt,
    io::{self, ErrorKind, Write},
};

/// Prints a line to standard output.
macro_rules! say {
    ($($text:tt)*) => { $crate::out::print_line(format_args!($($text)*)) };
}

/// Prints a line to standard output; ends the process if it can't be written.
pub(crate) fn print_line(text: fmt::Arguments<'_>) {
    if let Err(error) = writeln!(io::stdout(), "{text}")
        && error.kind() != ErrorKind::BrokenPipe
    {
        eprintln!("doorwarden: failed to write to standard output: {error}");
        std::process::exit(3);
    }
}
