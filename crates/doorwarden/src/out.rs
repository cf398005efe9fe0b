//! The standard output. Whoever reads it may go away (`doorwarden explain | head`): that ends nothing.

use std::{
    fmt,
    io::{self, ErrorKind, Write},
};

/// Prints a line.
macro_rules! say {
    ($($text:tt)*) => { $crate::out::line(format_args!($($text)*)) };
}

pub(crate) fn line(text: fmt::Arguments<'_>) {
    if let Err(error) = writeln!(io::stdout(), "{text}")
        && error.kind() != ErrorKind::BrokenPipe
    {
        eprintln!("doorwarden: failed to write to the standard output: {error}");
        std::process::exit(3);
    }
}
