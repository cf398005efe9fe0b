//! `doorwarden watch`.

use std::{
    fs,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use doorwarden_scan::Target;
use doorwarden_watch::{Change, History, Summary, Webhook, render_page};
use time::{
    OffsetDateTime,
    format_description::well_known::{Rfc2822, Rfc3339},
};
use url::Url;

use super::scan;
use crate::{Failure, interrupt, logging::Output};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    request: scan::ScanArgs,
    /// The interval between the starts of two scans: 30m, 6h, 1d
    #[arg(long, default_value = "1d", value_parser = every)]
    every: Duration,
    /// Scan once and exit, for use with a scheduler; exits with 1 on a change
    #[arg(long)]
    once: bool,
    /// The file that keeps the history (SQLite)
    #[arg(
        long,
        value_name = "FILE",
        default_value = "doorwarden-history.sqlite3"
    )]
    history: PathBuf,
    /// Write the history as a page after each scan
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// Send a signed message (Standard Webhooks) on a change; the secret is read from
    /// DOORWARDEN_WEBHOOK_SECRET
    #[arg(long, value_name = "URL")]
    webhook: Option<Url>,
    /// Write an email without addresses on a change, for a program that sends it
    #[arg(long, value_name = "FILE")]
    email: Option<PathBuf>,
}

/// `whsec_…`, as the specification writes it.
const SECRET_VARIABLE: &str = "DOORWARDEN_WEBHOOK_SECRET";

/// A scan takes up to a minute, and the windows of limits up to a quarter of an hour.
const SHORTEST: Duration = Duration::from_secs(15 * 60);
const LONGEST: Duration = Duration::from_secs(90 * 86_400);

/// The maximum number of scans on the page.
const MAX_SHOWN: u32 = 400;

fn every(words: &str) -> Result<Duration, String> {
    let wrong = || format!("invalid interval `{words}`; write 30m, 6h or 1d");
    let unit = words.chars().last().ok_or_else(wrong)?;
    let number: u64 = words[..words.len() - unit.len_utf8()]
        .parse()
        .map_err(|_| wrong())?;
    let seconds = match unit {
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let every = Duration::from_secs(number.saturating_mul(seconds));
    if (SHORTEST..=LONGEST).contains(&every) {
        Ok(every)
    } else {
        Err("the interval must be between 15m and 90d: shorter ones would meet the limits of the scan before".into())
    }
}

pub(crate) async fn watch(args: Args, output: &Output) -> Result<u8, Failure> {
    let webhook = webhook(&args)?;
    let mut history = History::open(&args.history).map_err(Failure::usage)?;
    let interrupted = interrupt::flag();
    loop {
        let next = tokio::time::Instant::now() + args.every;
        let changed = scan_once(&args, output, &interrupted, &mut history).await?;
        if let Some(webhook) = &webhook {
            let delivered = history.deliver_queued(webhook).await;
            delivered.map_err(Failure::aborted)?;
        }
        if args.once {
            return Ok(u8::from(changed));
        }
        while tokio::time::Instant::now() < next {
            if interrupted.load(Ordering::Relaxed) {
                return Ok(0);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Scans once and records the result; returns whether something changed.
async fn scan_once(
    args: &Args,
    output: &Output,
    interrupted: &Arc<AtomicBool>,
    history: &mut History,
) -> Result<bool, Failure> {
    let target = &args.request.url;
    let options = scan::options(&args.request)?;
    let is_first = history
        .last_scan(target)
        .map_err(Failure::aborted)?
        .is_none();
    let summary =
        match scan::with_progress(options, Arc::clone(interrupted), output.has_progress()).await {
            Ok(report) => Summary::from_report(&report),
            // A usage error shows at the first scan. If a later one fails, the target has changed: its
            // login moved, or an account is locked.
            Err(error) if error.is_usage() && is_first => return Err(Failure::usage(error)),
            Err(error) => Summary::from_failure(error),
        };
    if interrupted.load(Ordering::Relaxed) {
        return Ok(false);
    }
    let now = OffsetDateTime::now_utc();
    let change = history
        .record_scan(target, now, &summary, args.webhook.is_some())
        .map_err(Failure::aborted)?;
    report_change(args, history, target, now, change.as_ref())?;
    Ok(change.is_some())
}

/// Reports on the terminal, as an email and on the page.
fn report_change(
    args: &Args,
    history: &History,
    target: &Target,
    at: OffsetDateTime,
    change: Option<&Change>,
) -> Result<(), Failure> {
    let write = |path: &PathBuf, text: String| {
        fs::write(path, text).map_err(|error| {
            Failure::aborted(format!("failed to write {}: {error}", path.display()))
        })
    };
    let when = at.format(&Rfc3339).unwrap_or_default();
    match change {
        Some(change) => say!("{when} {}", change.headline(target)),
        None => say!("{when} {target}: no changes"),
    }
    if let (Some(path), Some(change)) = (&args.email, change) {
        let date = at.format(&Rfc2822).unwrap_or_default();
        write(path, change.render_email(target, &date))?;
    }
    if let Some(path) = &args.page {
        let scans = history
            .list_scans(target, MAX_SHOWN)
            .map_err(Failure::aborted)?;
        let page = render_page(target, &scans).map_err(Failure::aborted)?;
        write(path, page)?;
    }
    Ok(())
}

fn webhook(args: &Args) -> Result<Option<Webhook>, Failure> {
    let Some(url) = &args.webhook else {
        return Ok(None);
    };
    let secret = std::env::var(SECRET_VARIABLE)
        .map_err(|_| Failure::usage(format!("--webhook needs a secret in {SECRET_VARIABLE}")))?;
    Webhook::new(url.clone(), &secret)
        .map(Some)
        .map_err(Failure::usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_or_told() {
        assert_eq!(every("6h"), Ok(Duration::from_secs(21_600)));
        for wrong in ["", "6", "h", "-1d", "1m", "1000d", "6€"] {
            assert!(every(wrong).is_err(), "{wrong}");
        }
    }
}
