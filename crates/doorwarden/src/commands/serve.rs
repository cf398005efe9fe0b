//! `doorwarden serve`.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use doorwarden_serve::{
    Config, Profile, Server,
    asvs::{self, Status},
};

use super::administer::{ServerArgs, find_secret, table};
use crate::{
    Failure,
    counting::{self, Counting},
    interrupt::interrupted,
    logging::Output,
    trail::AuditTrail,
    warnings,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,
    /// The address to listen on [default: 127.0.0.1:8400]
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// The URL that clients reach it by [default: http:// and the listening address]
    #[arg(long)]
    issuer: Option<String>,
    /// How strict to be: compat, standard or strict [default: standard]
    #[arg(long, value_parser = profile)]
    profile: Option<Profile>,
    /// Print which requirements of ASVS 5.0 (V6, V7, V9 and V10) this configuration meets, and exit
    #[arg(long)]
    asvs: bool,
    /// Append audit events to this file instead of standard output
    #[arg(long)]
    audit: Option<PathBuf>,
}

fn profile(name: &str) -> Result<Profile, String> {
    match name {
        "compat" => Ok(Profile::Compat),
        "standard" => Ok(Profile::Standard),
        "strict" => Ok(Profile::Strict),
        _ => Err("expected compat, standard or strict".into()),
    }
}

pub(crate) async fn serve(args: Args, output: &Output) -> Result<u8, Failure> {
    let (mut config, policy) = args.server.read()?;
    config.listen = args.listen.unwrap_or(config.listen);
    config.issuer = args.issuer.or(config.issuer);
    config.profile = args.profile.unwrap_or(config.profile);
    if args.asvs {
        say!("{}", render_requirements(&config));
        return Ok(0);
    }
    let policy = policy.unwrap_or_else(|| config.policy());
    let secret = find_secret(&config)?;
    let data = config.data.clone();
    let has_mail_files = config.mail_command.is_empty() && config.smtp.is_none();
    let scheme = config.scheme();
    let counting = Counting {
        store: config.store.as_ref(),
        nodes: config.nodes,
        outage: config.outage,
        memory_mib: config.memory_mib,
        state: Some(&config.data),
    };
    let counters = counting.open(&policy, &secret)?;
    let trail = AuditTrail::open(args.audit.as_deref())?;
    let server = Server::start(
        config,
        policy,
        &secret,
        counters,
        trail.sink(),
        warnings::log(),
    )
    .await;
    let server = server.map_err(Failure::usage)?;
    let interrupted = interrupted();
    if output.has_hints() {
        eprintln!(
            "doorwarden serve listens on {scheme}://{}",
            server.address()
        );
        eprintln!("  issuer {}", server.issuer());
        eprintln!("  data in {}", data.display());
        if has_mail_files {
            eprintln!("  emails are written to {}", data.join("mail").display());
        }
        eprintln!("  pages at /account, API at /docs");
        eprintln!("  to add the first administrator: doorwarden users add NAME --admin");
    }
    let gate = Arc::clone(server.gate());
    counting::run(server.run(interrupted), gate, Some(data), trail).await
}

/// Renders the requirements of ASVS and how many of each level are met.
fn render_requirements(config: &Config) -> String {
    let rows = asvs::requirements(config);
    let cells = rows.iter().map(|row| {
        let status = row.status.to_string();
        [
            row.id.to_owned(),
            row.level.to_string(),
            row.about.to_owned(),
            status,
            row.ground.clone(),
        ]
    });
    let mut text = table(
        ["ASVS 5.0", "level", "subject", "status", "evidence"],
        cells,
    )
    .to_string();
    for level in 1..=3 {
        let count = |status: Status| {
            let matching = rows
                .iter()
                .filter(|row| row.level == level && row.status == status);
            matching.count()
        };
        text += &format!(
            "\nlevel {level}: {} met, {} not met, {} not applicable",
            count(Status::Met),
            count(Status::NotMet),
            count(Status::NotApplicable)
        );
    }
    text
}
