//! Where results go: standard output, whose reader may go away (`doorwarden explain | head`), and directories.

use std::{
    fmt, fs,
    io::{self, ErrorKind, Write},
    path::Path,
};

use crate::Failure;

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

/// Creates a directory for results and tries to write to it: before the work whose results would be lost.
pub(crate) fn prepare_directory(path: &Path) -> Result<(), Failure> {
    let probe = path.join(format!(".doorwarden-{}", std::process::id()));
    let prepare = || {
        fs::create_dir_all(path)?;
        fs::write(&probe, "")?;
        fs::remove_file(&probe)
    };
    prepare().map_err(|error: io::Error| {
        Failure::usage(format!(
            "failed to write to {}: {error}; choose another directory with --output",
            path.display()
        ))
    })
}

/// Checks that a new file can be written: before the work whose result would be lost.
#[cfg(feature = "scan")]
pub(crate) fn check_new_file(path: &Path) -> Result<(), Failure> {
    let created = fs::File::create_new(path).and_then(|_| fs::remove_file(path));
    created.map_err(|error| {
        let path = path.display();
        Failure::usage(match error.kind() {
            ErrorKind::AlreadyExists => format!("{path} already exists and is not overwritten"),
            _ => format!("failed to write to {path}: {error}; choose another file"),
        })
    })
}
