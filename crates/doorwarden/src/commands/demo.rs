//! `doorwarden demo`: the whole loop on loopback, with accounts that it makes up itself.

use std::{fs, path::PathBuf, time::Instant};

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use doorwarden_decision::{Login, Policy};
use doorwarden_guard::{Config, Guard, ProtectedLogin};
use doorwarden_lab::{SprayResult, SprayTarget};
use doorwarden_scan::{Judgement, Options, Registration, Report, Severity, VerdictKind};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{Failure, interrupt, logging::Output, out, progress, trail::AuditTrail};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The directory for the reports and the guard's audit events
    #[arg(long, default_value = "doorwarden-report")]
    output: PathBuf,
}

/// The number of accounts, and which share of them chose the most common password.
const ACCOUNTS: usize = 200;
const WEAK_EVERY: usize = 10;

/// The passwords that the spray tries; the weak accounts have the first.
const SPRAYED: [&str; 3] = ["Winter2026!", "Password1!", "Welcome2026!"];

const LOGIN: &str = "POST /login json:/username json:/password";

pub(crate) async fn demo(args: Args, output: &Output) -> Result<u8, Failure> {
    tokio::select! {
        done = play(&args, output) => done,
        () = interrupt::interrupted() => {
            eprintln!("interrupted; all servers of the demo have ended");
            Ok(interrupt::INTERRUPTED)
        }
    }
}

async fn play(args: &Args, output: &Output) -> Result<u8, Failure> {
    let started = Instant::now();
    let failed =
        |error: std::io::Error| Failure::aborted(format!("failed to run the demo: {error}"));
    out::prepare_directory(&args.output)?;
    let (names, accounts) = invent_accounts();

    say!("A login that was written without abuse in mind, with {ACCOUNTS} invented accounts.");
    let login = doorwarden_lab::start(doorwarden_lab::naive(), accounts.clone())
        .await
        .map_err(failed)?;
    let before = scan(&login.url(), "scan before", output).await?;
    // A new instance: the scan has registered accounts of its own.
    let login = doorwarden_lab::start(doorwarden_lab::naive(), accounts)
        .await
        .map_err(failed)?;
    let taken_before = spray(login.address(), &names, "spray before", output)
        .await
        .map_err(failed)?;

    say!("The same login behind doorwarden guard.");
    let audit = args.output.join("audit.jsonl");
    let guarded = Guarded::start(&login.url(), &audit).await?;
    let after = scan(&guarded.url, "scan after", output).await?;
    guarded.stop().await;
    let guarded = Guarded::start(&login.url(), &audit).await?;
    let taken_after = spray(guarded.address, &names, "spray after", output)
        .await
        .map_err(failed)?;
    guarded.stop().await;

    say!("{}", table(&before, &after, &taken_before, &taken_after));
    for (name, report) in [("before", &before), ("after", &after)] {
        let path = args.output.join(format!("{name}.html"));
        let html = report.html().map_err(Failure::aborted)?;
        fs::write(&path, html).map_err(failed)?;
        say!("report {name}: {}", path.display());
    }
    say!("audit events of the guard: {}", audit.display());
    say!("took {:.0} s", started.elapsed().as_secs_f64());
    Ok(0)
}

/// Invents names, and names with passwords; every tenth has the most common password.
fn invent_accounts() -> (Vec<String>, Vec<(String, String)>) {
    let name = |i: usize| format!("demo-{i:03}");
    let password = |i: usize| match i % WEAK_EVERY {
        9 => SPRAYED[0].to_owned(),
        _ => format!("a password of my own {i}"),
    };
    let names: Vec<String> = (0..ACCOUNTS).map(name).collect();
    let accounts = names
        .iter()
        .cloned()
        .enumerate()
        .map(|(i, name)| (name, password(i)));
    (names.clone(), accounts.collect())
}

async fn scan(url: &str, title: &'static str, output: &Output) -> Result<Report, Failure> {
    let mut options = Options::new(url.parse().map_err(Failure::aborted)?);
    options.registration = Registration::Discover;
    // The target is the demo's own, so it may be scanned fast.
    options.pace = 200.0;
    let bar = progress::bar(title, u64::from(options.budget), output.has_progress());
    let told = bar.clone();
    let on_progress = move |now: doorwarden_scan::Progress| {
        told.set_position(u64::from(now.requests));
        told.set_message(now.doing);
    };
    let scanned = doorwarden_scan::scan(options, Default::default(), Box::new(on_progress)).await;
    bar.finish_and_clear();
    let report = scanned.map_err(Failure::aborted)?;
    say!("  {title}: {}", report.headline());
    Ok(report)
}

async fn spray(
    address: std::net::SocketAddr,
    names: &[String],
    title: &'static str,
    output: &Output,
) -> std::io::Result<SprayResult> {
    let sprayed = SprayTarget {
        address,
        path: "/login",
        content_type: "application/json",
        body: |name, password| {
            serde_json::json!({"username": name, "password": password}).to_string()
        },
    };
    let bar = progress::bar(
        title,
        (names.len() * SPRAYED.len()) as u64,
        output.has_progress(),
    );
    let taken = sprayed.spray(names, &SPRAYED, || bar.inc(1)).await?;
    bar.finish_and_clear();
    say!(
        "  {title}: {} attempts, each from another IP address, compromised {} accounts",
        taken.attempts,
        taken.compromised.len()
    );
    Ok(taken)
}

/// A guard that runs in this process.
struct Guarded {
    url: String,
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    trail: AuditTrail,
}

impl Guarded {
    async fn start(upstream: &str, audit: &std::path::Path) -> Result<Self, Failure> {
        let login: Login = LOGIN.parse().map_err(Failure::aborted)?;
        let login = ProtectedLogin::new(login).map_err(Failure::aborted)?;
        let upstream = upstream.parse().map_err(Failure::aborted)?;
        let mut config = Config::new(upstream, vec![login]);
        config.listen = ([127, 0, 0, 1], 0).into();
        let trail = AuditTrail::open(Some(audit))?;
        let guard = Guard::bind(config, Policy::default(), trail.sink())
            .await
            .map_err(Failure::aborted)?;
        let address = guard.address();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(guard.run(async {
            let _ = stopped.await;
        }));
        Ok(Self {
            url: format!("http://{address}"),
            address,
            stop,
            task,
            trail,
        })
    }

    async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
        self.trail.close();
    }
}

fn table(before: &Report, after: &Report, taken: &SprayResult, taken_after: &SprayResult) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(["", "before", "after"]);
    let pairs = before.verdicts.iter().zip(&after.verdicts);
    let is_finding = |judgement: &Judgement| judgement.severity > Some(Severity::Info);
    let (same, other): (Vec<_>, Vec<_>) =
        pairs.partition(|(one, two)| word(one) == word(two) && !is_finding(one));
    for (one, two) in other {
        table.add_row([one.check.as_str(), word(one), word(two)]);
    }
    let others = format!("{} other checks", same.len());
    table.add_row([others.as_str(), "no findings", "no findings"]);
    let of = |report: &Report, value: fn(&doorwarden_scan::Score) -> String| {
        report
            .score
            .as_ref()
            .map_or_else(|| "not measured".into(), value)
    };
    let mut row = |name: &str, value: fn(&doorwarden_scan::Score) -> String| {
        table.add_row([name.to_owned(), of(before, value), of(after, value)]);
    };
    row("score of 100", |score| score.score.to_string());
    row("grade", |score| score.grade.to_string());
    row("accounts per day, of 10,000", |score| {
        format!("{:.0}", score.accounts.thousand_addresses)
    });
    let spray = |taken: &SprayResult| format!("{} of {ACCOUNTS}", taken.compromised.len());
    table.add_row([
        "compromised by the spray".to_owned(),
        spray(taken),
        spray(taken_after),
    ]);
    table
}

fn word(judgement: &Judgement) -> &'static str {
    match judgement.verdict {
        VerdictKind::Finding if judgement.severity == Some(Severity::Info) => "informational",
        VerdictKind::Finding => "FINDING",
        VerdictKind::Passed => "passed",
        VerdictKind::Inconclusive => "inconclusive",
        VerdictKind::NotApplicable => "not applicable",
    }
}
