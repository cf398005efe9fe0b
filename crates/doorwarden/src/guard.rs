//! `doorwarden guard`.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use doorwarden_decision::{Login, Policy};
use doorwarden_gate::{Gate, Parts, Secret};
use doorwarden_guard::{Event, EventSink, Guard, ProtectedLogin, Scope, Upstream};

use crate::{
    Failure, config,
    interrupt::interrupted,
    state::{self, Counting},
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The configuration file [default: doorwarden.toml, where it exists and --upstream is not given]
    #[arg(long)]
    config: Option<PathBuf>,
    /// Where to listen
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// The application: http://HOST:PORT or https://HOST
    #[arg(long)]
    upstream: Option<Upstream>,
    /// A login to protect, such as 'POST /token form:username form:password' (repeatable)
    #[arg(long)]
    login: Vec<Login>,
    /// Forward the logins only; answer 404 to everything else
    #[arg(long)]
    only_logins: bool,
    /// A network of proxies whose X-Forwarded-For is believed (repeatable)
    #[arg(long)]
    trusted_proxy: Vec<ipnet::IpNet>,
    /// Compute and log everything, refuse nothing; only the device's cookie is set
    #[arg(long)]
    shadow: bool,
    /// Append audit events to this file instead of the standard output
    #[arg(long)]
    audit: Option<PathBuf>,
    /// Count in Redis or Valkey, shared with other guards: redis://HOST:PORT, or a cluster's nodes joined by commas
    #[arg(long)]
    store: Option<String>,
    /// The secret that guards with one store share: a file of 64 hexadecimal digits
    #[arg(long)]
    secret_file: Option<PathBuf>,
    /// Keep secret, counters and calibration in this directory over a restart
    #[arg(long)]
    state: Option<PathBuf>,
    /// Serve metrics and retroacted logins on this loopback address
    #[arg(long)]
    admin: Option<SocketAddr>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Say in words what the policy does and how it prevents malicious lockout
    ExplainPolicy {
        /// The configuration file [default: doorwarden.toml, where it exists]
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

pub(crate) fn guard(args: Args) -> Result<u8, Failure> {
    match args.command {
        Some(Command::ExplainPolicy { config }) => explain_policy(config),
        None => crate::run(serve(args)),
    }
}

fn explain_policy(config: Option<PathBuf>) -> Result<u8, Failure> {
    let policy = match config {
        Some(path) => config::read(&path)?.policy,
        None if Path::new(config::FILE).exists() => config::read(Path::new(config::FILE))?.policy,
        None => None,
    }
    .unwrap_or_default();
    say!("{}", policy.explain().trim_end());
    Ok(0)
}

async fn serve(args: Args) -> Result<u8, Failure> {
    let audit = args.audit.clone();
    let (config, policy) = configure(args)?;
    let routes: Vec<String> = config
        .login
        .iter()
        .map(|login| login.route.to_string())
        .collect();
    let (upstream, shadow) = (config.upstream.to_string(), config.shadow);
    let trail = AuditTrail::open(audit.as_deref())?;
    let state = config.state.clone();
    let counting = Counting {
        store: config.store.as_ref(),
        nodes: config.nodes,
        outage: config.outage,
        memory_mib: config.memory_mib,
        state: config.state.as_deref(),
    };
    let gate = Gate::new(Parts {
        counters: counting.begin(&policy, &secret(&config)?)?,
        policy,
        capacity: config.verifying.get(),
        shadow: config.shadow,
        sink: trail.sink(),
    });
    let kept = Arc::clone(&gate);
    let guard = Guard::with_gate(config, gate)
        .await
        .map_err(Failure::usage)?;
    let mode = if shadow {
        " (shadow: nothing is refused)"
    } else {
        ""
    };
    eprintln!(
        "doorwarden guard on http://{} for {upstream}{mode}",
        guard.address()
    );
    for route in routes {
        eprintln!("  protects {route}");
    }
    match guard.admin_address() {
        Some(admin) => eprintln!("  metrics on http://{admin}/metrics"),
        None if state.is_none() => {
            eprintln!("  a restart forgets everything; --state DIR keeps it")
        }
        None => {}
    }
    let keeping = state
        .clone()
        .map(|folder| tokio::spawn(state::keep(folder, Arc::clone(&kept))));
    guard.run(interrupted()).await;
    if let Some(keeping) = keeping {
        keeping.abort();
    }
    if let Some(folder) = state {
        state::save(&folder, &kept)?;
    }
    trail.close();
    Ok(0)
}

/// The secret of `secret_file`, that of the state's folder, or one that dies with the process.
fn secret(config: &doorwarden_guard::Config) -> Result<Secret, Failure> {
    if let Some(path) = &config.secret_file {
        return state::read_secret(path);
    }
    if config.store.is_some() {
        return Err(Failure::usage(
            "guards that share a store need one secret: `secret_file = \"FILE\"` with 64 hexadecimal digits, \
             such as `openssl rand -hex 32` prints",
        ));
    }
    let Some(folder) = &config.state else {
        return Secret::generate().map_err(Failure::aborted);
    };
    state::secret_in(folder)
}

fn configure(args: Args) -> Result<(doorwarden_guard::Config, Policy), Failure> {
    let logins = args.login.into_iter().map(ProtectedLogin::new);
    let logins: Vec<_> = logins.collect::<Result<_, _>>().map_err(Failure::usage)?;
    let (mut config, policy) = match (args.config, args.upstream) {
        (None, Some(upstream)) => (
            doorwarden_guard::Config::new(upstream, logins),
            Policy::default(),
        ),
        (path, upstream) => {
            let path = path.unwrap_or_else(|| config::FILE.into());
            let read = config::read(&path)?;
            let missing = || {
                Failure::usage(format!(
                    "{} has no section [guard]; `doorwarden init --output -` prints one",
                    path.display()
                ))
            };
            let mut guard = read.guard.ok_or_else(missing)?;
            if let Some(upstream) = upstream {
                guard.upstream = upstream;
            }
            if !logins.is_empty() {
                guard.login = logins;
            }
            (guard, read.policy.unwrap_or_default())
        }
    };
    if config.login.is_empty() {
        return Err(Failure::usage(
            "there is no login to protect; name one: --login 'POST /token form:username form:password'",
        ));
    }
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    if args.only_logins {
        config.scope = Scope::Logins;
    }
    config.trusted_proxies.extend(args.trusted_proxy);
    config.store = args.store.map(Into::into).or(config.store);
    config.secret_file = args.secret_file.or(config.secret_file);
    config.state = args.state.or(config.state);
    config.admin = match args.admin {
        Some(admin) if !admin.ip().is_loopback() => {
            return Err(Failure::usage(format!(
                "--admin {admin} is not on loopback; who may ask is not checked there"
            )));
        }
        admin => admin.or(config.admin),
    };
    config.shadow |= args.shadow;
    Ok((config, policy))
}

/// Events that wait to be written; when so many do, attempts wait too: none is lost.
const WAITING: usize = 65_536;

/// Writes one JSON object a line, on a thread of its own.
pub(crate) struct AuditTrail {
    lines: SyncSender<Option<String>>,
    writer: JoinHandle<()>,
}

impl AuditTrail {
    /// To a file, or to the standard output.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let mut out: Box<dyn Write + Send> = match path {
            None => Box::new(io::stdout()),
            Some(path) => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                let failed =
                    |error| Failure::usage(format!("failed to write {}: {error}", path.display()));
                Box::new(file.map_err(failed)?)
            }
        };
        let (lines, waiting) = sync_channel::<Option<String>>(WAITING);
        let writer = std::thread::spawn(move || {
            let mut complained = false;
            while let Ok(Some(line)) = waiting.recv() {
                let written = writeln!(out, "{line}").and_then(|()| out.flush());
                if let (Err(error), false) = (written, complained) {
                    complained = true;
                    eprintln!("doorwarden: failed to write audit events: {error}");
                }
            }
        });
        Ok(Self { lines, writer })
    }

    pub(crate) fn sink(&self) -> EventSink {
        let lines = self.lines.clone();
        Box::new(move |event: &Event| {
            if let Ok(line) = serde_json::to_string(event) {
                // An error is the writer's end, which comes after the last attempt's.
                let _ = lines.send(Some(line));
            }
        })
    }

    /// Writes what waits.
    pub(crate) fn close(self) {
        let _ = self.lines.send(None);
        let _ = self.writer.join();
    }
}
