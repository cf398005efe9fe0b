//! Logging: to standard error, for people or as JSON. Options of every command.

use std::{ffi::OsString, io};

use clap::ValueEnum;
use tracing_subscriber::{
    Layer as _,
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt as _,
    util::SubscriberInitExt as _,
};

/// The crates whose events are logged.
const OWN: [&str; 7] = [
    "doorwarden",
    "doorwarden_scan",
    "doorwarden_watch",
    "doorwarden_gate",
    "doorwarden_guard",
    "doorwarden_serve",
    "doorwarden_redis",
];

/// How much is printed besides the results.
#[derive(clap::Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Output {
    /// Log more to standard error: -v for info, -vv for debug, -vvv for trace
    #[arg(long, short, global = true, action = clap::ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,
    /// Print results and errors only: no progress, no hints, no warnings
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// The format of the log
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "human",
        value_name = "FORMAT"
    )]
    log_format: LogFormat,
    /// Whether to colour help, errors and the log; NO_COLOR is respected
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        value_name = "WHEN"
    )]
    color: clap::ColorChoice,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Human,
    Json,
}

impl Output {
    /// Installs the log.
    pub(crate) fn install(&self) {
        let level = match (self.quiet, self.verbose) {
            (true, _) => LevelFilter::ERROR,
            (false, 0) => LevelFilter::WARN,
            (false, 1) => LevelFilter::INFO,
            (false, 2) => LevelFilter::DEBUG,
            (false, _) => LevelFilter::TRACE,
        };
        // Only this project's own crates: at `trace` an HTTP library logs headers and bodies.
        let own = Targets::new().with_targets(OWN.map(|target| (target, level)));
        let lines = fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(self.is_coloured());
        let lines = match self.log_format {
            LogFormat::Human => lines.boxed(),
            LogFormat::Json => lines.json().boxed(),
        };
        tracing_subscriber::registry()
            .with(lines.with_filter(own))
            .init();
    }

    fn is_coloured(&self) -> bool {
        use std::io::IsTerminal;
        match self.color {
            clap::ColorChoice::Always => true,
            clap::ColorChoice::Never => false,
            // https://no-color.org: set and not empty.
            clap::ColorChoice::Auto => {
                let is_refused =
                    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                !is_refused && io::stderr().is_terminal()
            }
        }
    }

    /// Whether hints for people, such as where a server listens, are printed.
    #[cfg(any(feature = "guard", feature = "serve"))]
    pub(crate) fn has_hints(&self) -> bool {
        !self.quiet && matches!(self.log_format, LogFormat::Human)
    }

    /// Whether progress bars are drawn: they and a verbose log would overwrite each other.
    #[cfg(any(feature = "scan", feature = "sim"))]
    pub(crate) fn has_progress(&self) -> bool {
        !self.quiet && self.verbose == 0
    }
}

/// Returns the colour choice before arguments are parsed, for clap's own help and errors.
pub(crate) fn early_color() -> clap::ColorChoice {
    // Arguments that are not UTF-8 are clap's to judge.
    let args: Vec<OsString> = std::env::args_os().collect();
    let text = |place: usize| args.get(place).and_then(|arg| arg.to_str());
    let given = (1..args.len()).find_map(|place| match text(place)? {
        "--color" => text(place + 1),
        other => other.strip_prefix("--color="),
    });
    match given {
        Some("always") => clap::ColorChoice::Always,
        Some("never") => clap::ColorChoice::Never,
        _ => clap::ColorChoice::Auto,
    }
}
