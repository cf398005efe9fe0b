//! Logging: to standard error, for people or as JSON. Options of every command.

use std::io;

use clap::ValueEnum;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

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
    /// Installs the log. `DOORWARDEN_LOG` takes directives such as `doorwarden_guard=debug`.
    pub(crate) fn install(&self) {
        let level = match (self.quiet, self.verbose) {
            (true, _) => LevelFilter::ERROR,
            (false, 0) => LevelFilter::WARN,
            (false, 1) => LevelFilter::INFO,
            (false, 2) => LevelFilter::DEBUG,
            (false, _) => LevelFilter::TRACE,
        };
        // Only this project's own crates: at `trace` an HTTP library logs headers and bodies.
        let own = [
            "doorwarden",
            "doorwarden_scan",
            "doorwarden_watch",
            "doorwarden_gate",
            "doorwarden_guard",
            "doorwarden_serve",
            "doorwarden_redis",
        ];
        let directives = own.map(|name| format!("{name}={level}")).join(",");
        let filter = match std::env::var("DOORWARDEN_LOG") {
            Ok(directives) if !directives.is_empty() => EnvFilter::new(directives),
            _ => EnvFilter::new(directives),
        };
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(io::stderr)
            .with_ansi(self.is_coloured());
        let installed = match self.log_format {
            LogFormat::Human => builder.try_init(),
            LogFormat::Json => builder.json().try_init(),
        };
        // A second subscriber can be installed by tests only.
        let _ = installed;
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

    /// Whether progress bars are drawn: they and a verbose log would overwrite each other.
    #[cfg(any(feature = "scan", feature = "sim"))]
    pub(crate) fn has_progress(&self) -> bool {
        !self.quiet && self.verbose == 0
    }
}

/// Returns the colour choice before arguments are parsed, for clap's own help and errors.
pub(crate) fn early_color() -> clap::ColorChoice {
    let args: Vec<String> = std::env::args().collect();
    let given = args
        .iter()
        .enumerate()
        .find_map(|(place, arg)| match arg.as_str() {
            "--color" => args.get(place + 1).cloned(),
            other => other.strip_prefix("--color=").map(str::to_owned),
        });
    match given.as_deref() {
        Some("always") => clap::ColorChoice::Always,
        Some("never") => clap::ColorChoice::Never,
        _ => clap::ColorChoice::Auto,
    }
}
