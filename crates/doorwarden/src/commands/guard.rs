//! `doorwarden guard`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use doorwarden_decision::{Login, Policy};
use doorwarden_gate::{Gate, Parts, Secret};
use doorwarden_guard::{Guard, ProtectedLogin, Scope, Upstream};

use crate::{
    Failure, config,
    counting::{self, Counting},
    interrupt::interrupted,
    logging::Output,
    secret,
    trail::AuditTrail,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The configuration file [default: doorwarden.toml, unless --upstream is given]
    #[arg(long)]
    config: Option<PathBuf>,
    /// The address to listen on [default: 127.0.0.1:8080]
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// The application: http://HOST:PORT or https://HOST
    #[arg(long)]
    upstream: Option<Upstream>,
    /// A login to protect, such as 'POST /token form:username form:password' (repeatable)
    #[arg(long)]
    login: Vec<Login>,
    /// Forward the protected logins only; respond to everything else with 404
    #[arg(long)]
    only_logins: bool,
    /// A network of proxies whose X-Forwarded-For header is trusted (repeatable)
    #[arg(long)]
    trusted_proxy: Vec<ipnet::IpNet>,
    /// Decide and log, but refuse no login; the device cookie is still set
    #[arg(long)]
    shadow: bool,
    /// Append audit events to this file instead of standard output
    #[arg(long)]
    audit: Option<PathBuf>,
    /// Share counters with other guards in Redis or Valkey: redis://HOST:PORT, or a cluster's nodes, separated by commas
    #[arg(long)]
    store: Option<String>,
    /// The secret that guards with one store share: a file with 64 hexadecimal digits
    #[arg(long)]
    secret_file: Option<PathBuf>,
    /// Keep the secret, counters and calibration in this directory across restarts
    #[arg(long)]
    state: Option<PathBuf>,
    /// Serve metrics, and logins whose password was sprayed afterwards, on this loopback address
    #[arg(long)]
    admin: Option<SocketAddr>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Explain what the policy does and how it prevents malicious lockout
    ExplainPolicy {
        /// The configuration file [default: doorwarden.toml, if it exists]
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

pub(crate) fn guard(args: Args, output: &Output) -> Result<u8, Failure> {
    match args.command {
        Some(Command::ExplainPolicy { config }) => explain_policy(config),
        None => super::block_on(serve(args, output)),
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

async fn serve(args: Args, output: &Output) -> Result<u8, Failure> {
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
        counters: counting.open(&policy, &find_secret(&config)?)?,
        policy,
        capacity: config.verifying.get(),
        shadow: config.shadow,
        sink: trail.sink(),
    });
    let guard = Guard::with_gate(config, Arc::clone(&gate))
        .await
        .map_err(Failure::usage)?;
    let interrupted = interrupted();
    if output.has_hints() {
        let mode = if shadow {
            " (shadow mode: no login is refused)"
        } else {
            ""
        };
        eprintln!(
            "doorwarden guard listens on http://{} for {upstream}{mode}",
            guard.address()
        );
        for route in routes {
            eprintln!("  protects {route}");
        }
        match guard.admin_address() {
            Some(admin) => eprintln!("  metrics on http://{admin}/metrics"),
            None if state.is_none() => {
                eprintln!("  counters are lost at a restart; --state DIR keeps them")
            }
            None => {}
        }
    }
    counting::run(guard.run(interrupted), gate, state, trail).await
}

/// Finds the secret. Guards that share a store must share it too. Without a store the environment is not
/// read: there it may hold the secret of a `serve` on the same machine.
fn find_secret(config: &doorwarden_guard::Config) -> Result<Secret, Failure> {
    if let Some(path) = &config.secret_file {
        return secret::from_file(path);
    }
    if config.store.is_some() {
        let missing = || {
            Failure::usage(
                "guards that share a store need the same secret: `secret_file = \"FILE\"` or DOORWARDEN_SECRET \
                 with 64 hexadecimal digits, such as the output of `openssl rand -hex 32`",
            )
        };
        return secret::from_environment()?.ok_or_else(missing);
    }
    match &config.state {
        Some(folder) => secret::of_directory(folder),
        None => Secret::generate().map_err(Failure::aborted),
    }
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
                    "{} has no [guard] section; `doorwarden init --output -` prints one",
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
            "no login to protect; name one with --login 'POST /token form:username form:password'",
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
                "--admin {admin} is not a loopback address; requests there are not authenticated"
            )));
        }
        admin => admin.or(config.admin),
    };
    config.shadow |= args.shadow;
    Ok((config, policy))
}
