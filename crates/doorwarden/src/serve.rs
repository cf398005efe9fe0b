//! `doorwarden serve`, and what its operator does beside it: `users`, `sessions`, `clients`, `keys`.

use std::{
    fs,
    io::{self, BufRead, IsTerminal},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command as Program,
    sync::Arc,
};

use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};
use doorwarden_gate::{Secret, http::credentials::Password};
use doorwarden_serve::{
    Config, Profile, Server,
    admin::{self, Office},
    asvs::{self, Status},
    jwt::Algorithm,
};
use zeroize::Zeroizing;

use crate::{
    Failure, config,
    guard::AuditTrail,
    interrupt::interrupted,
    state::{self, Counting},
};

/// Which server is meant.
#[derive(clap::Args)]
struct Which {
    /// The configuration file [default: doorwarden.toml, where it exists]
    #[arg(long)]
    config: Option<PathBuf>,
    /// The directory of its database and secret [default: doorwarden-data]
    #[arg(long)]
    data: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// Where to listen [default: 127.0.0.1:8400]
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// The URL by which clients reach it [default: http:// and where it listens]
    #[arg(long)]
    issuer: Option<String>,
    /// How much is asked: compat, standard or strict [default: standard]
    #[arg(long, value_parser = profile)]
    profile: Option<Profile>,
    /// Print which requirements of ASVS 5.0 (V6, V7, V9, V10) are met, and end
    #[arg(long)]
    self_check: bool,
    /// Append audit events to this file instead of the standard output
    #[arg(long)]
    audit: Option<PathBuf>,
}

fn profile(name: &str) -> Result<Profile, String> {
    match name {
        "compat" => Ok(Profile::Compat),
        "standard" => Ok(Profile::Standard),
        "strict" => Ok(Profile::Strict),
        _ => Err("it takes compat, standard or strict".into()),
    }
}

impl Which {
    /// The configuration, with what was given beside it, and the limits that it names.
    fn read(self) -> Result<(Config, Option<doorwarden_decision::Policy>), Failure> {
        let path = match self.config {
            Some(path) => Some(path),
            None => Path::new(config::FILE)
                .exists()
                .then(|| config::FILE.into()),
        };
        let (serve, policy) = match path {
            Some(path) => {
                let read = config::read(&path)?;
                (read.serve, read.policy)
            }
            None => (None, None),
        };
        let mut serve = serve.unwrap_or_default();
        if let Some(data) = self.data {
            serve.data = data;
        }
        Ok((serve, policy))
    }

    async fn office(self) -> Result<(Office, Config), Failure> {
        let (config, _) = self.read()?;
        let secret = secret(&config)?;
        let complain = Arc::new(|line: &str| eprintln!("doorwarden: {line}"));
        let office = Office::open(config.clone(), &secret, complain).await;
        Ok((office.map_err(Failure::usage)?, config))
    }
}

/// The secret: by command, file or environment, or that of the data directory.
fn secret(config: &Config) -> Result<Secret, Failure> {
    if let Some((program, arguments)) = config.secret_command.split_first() {
        let failed =
            |how: String| Failure::usage(format!("failed to get the secret: {program} {how}"));
        let ran = Program::new(program).args(arguments).output();
        let ran = ran.map_err(|error| failed(error.to_string()))?;
        if !ran.status.success() {
            return Err(failed(format!("ended with {}", ran.status)));
        }
        let text = Zeroizing::new(String::from_utf8(ran.stdout).unwrap_or_default());
        return state::parse_secret(&text, &format!("what {program} prints"));
    }
    if let Some(path) = &config.secret_file {
        return state::read_secret(path);
    }
    match std::env::var("DOORWARDEN_SECRET") {
        Ok(text) => state::parse_secret(&Zeroizing::new(text), "DOORWARDEN_SECRET"),
        Err(_) => state::secret_in(&config.data),
    }
}

pub(crate) async fn serve(args: Args) -> Result<u8, Failure> {
    let (mut config, policy) = args.which.read()?;
    config.listen = args.listen.unwrap_or(config.listen);
    config.issuer = args.issuer.or(config.issuer);
    config.profile = args.profile.unwrap_or(config.profile);
    if args.self_check {
        say!("{}", checked(&config));
        return Ok(0);
    }
    let policy = policy.unwrap_or_else(|| config.policy());
    let secret = secret(&config)?;
    let data = config.data.clone();
    let mail = config.mail_command.is_empty() && config.smtp.is_none();
    let scheme = config.scheme();
    let counting = Counting {
        store: config.store.as_ref(),
        nodes: config.nodes,
        outage: config.outage,
        memory_mib: config.memory_mib,
        state: Some(&config.data),
    };
    let counters = counting.begin(&policy, &secret)?;
    let trail = AuditTrail::open(args.audit.as_deref())?;
    let complain = Arc::new(|line: &str| eprintln!("doorwarden: {line}"));
    let server = Server::start(config, policy, &secret, counters, trail.sink(), complain).await;
    let server = server.map_err(Failure::usage)?;
    eprintln!("doorwarden serve on {scheme}://{}", server.address());
    eprintln!("  issuer {}", server.issuer());
    eprintln!("  data in {}", data.display());
    if mail {
        eprintln!("  mails are files in {}", data.join("mail").display());
    }
    eprintln!(
        "  pages at /account, routes at /docs; a first administrator: doorwarden users add NAME --admin"
    );
    let gate = Arc::clone(server.gate());
    let keeping = tokio::spawn(state::keep(data.clone(), Arc::clone(&gate)));
    server.run(interrupted()).await;
    keeping.abort();
    trail.close();
    state::save(&data, &gate)?;
    Ok(0)
}

/// The requirements of ASVS, and how many of each level are met.
fn checked(config: &Config) -> String {
    let rows = asvs::requirements(config);
    let told = rows.iter().map(|row| {
        let status = row.status.to_string();
        [
            row.id.to_owned(),
            row.level.to_string(),
            row.about.to_owned(),
            status,
            row.ground.clone(),
        ]
    });
    let mut text = table(["ASVS 5.0", "level", "about", "", "by"], told).to_string();
    for level in 1..=3 {
        let of = |status: Status| {
            let counted = rows
                .iter()
                .filter(|row| row.level == level && row.status == status);
            counted.count()
        };
        text += &format!(
            "\nlevel {level}: {} met, {} not met, {} not applicable",
            of(Status::Met),
            of(Status::NotMet),
            of(Status::NotApplicable)
        );
    }
    text
}

#[derive(clap::Args)]
pub(crate) struct UsersArgs {
    #[command(flatten)]
    which: Which,
    #[command(subcommand)]
    command: UsersCommand,
}

#[derive(clap::Subcommand)]
enum UsersCommand {
    /// Add an account; its password is asked for, or is the first line of the standard input
    Add {
        /// Its name
        name: String,
        /// Its mail address, for a forgotten password
        #[arg(long)]
        mail: Option<String>,
        /// Let it administer
        #[arg(long)]
        admin: bool,
    },
    /// List the accounts
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Disable an account; its sessions end
    Disable {
        /// Its name
        name: String,
    },
    /// Enable it again
    Enable {
        /// Its name
        name: String,
    },
    /// Let an account be tried again, as if nobody had failed on it; running servers do it within 5 s
    Unlock {
        /// Its name
        name: String,
    },
    /// Take an account's passkeys, authenticator and recovery codes away; its sessions end
    ResetFactors {
        /// Its name
        name: String,
    },
    /// Import accounts with hashes of Django, Werkzeug, passlib or bcrypt: a CSV file with a header, or a
    /// JSON object a line, with name, hash, and perhaps mail and disabled
    Import {
        /// The file
        file: PathBuf,
    },
}

pub(crate) async fn users(args: UsersArgs) -> Result<u8, Failure> {
    let (office, _) = args.which.office().await?;
    match args.command {
        UsersCommand::Add { name, mail, admin } => {
            let password = Password::new(ask_password()?.to_string());
            office
                .add_user(&name, &password, mail, admin)
                .await
                .map_err(Failure::usage)?;
            say!("added {}", name.escape_debug());
            Ok(0)
        }
        UsersCommand::List { json } => {
            let users = office.users().await.map_err(Failure::aborted)?;
            if json {
                say!(
                    "{}",
                    serde_json::to_string_pretty(&users).map_err(Failure::aborted)?
                );
                return Ok(0);
            }
            let rows = users.into_iter().map(|user| {
                let yes = |is: bool| if is { "yes" } else { "" }.to_owned();
                let mail = user.mail.unwrap_or_default();
                [
                    user.name,
                    mail,
                    yes(user.admin),
                    yes(user.second_factor),
                    yes(user.disabled),
                ]
            });
            say!(
                "{}",
                table(
                    ["name", "mail", "administers", "second factor", "disabled"],
                    rows
                )
            );
            Ok(0)
        }
        UsersCommand::Disable { name } => {
            office.disable(&name, true).await.map_err(Failure::usage)?;
            say!("disabled {}", name.escape_debug());
            Ok(0)
        }
        UsersCommand::Enable { name } => {
            office.disable(&name, false).await.map_err(Failure::usage)?;
            say!("enabled {}", name.escape_debug());
            Ok(0)
        }
        UsersCommand::Unlock { name } => {
            office.unlock(&name).await.map_err(Failure::usage)?;
            say!("unlocked {}", name.escape_debug());
            Ok(0)
        }
        UsersCommand::ResetFactors { name } => {
            office.reset_factors(&name).await.map_err(Failure::usage)?;
            say!("reset the factors of {}", name.escape_debug());
            Ok(0)
        }
        UsersCommand::Import { file } => import(&office, &file).await,
    }
}

async fn import(office: &Office, file: &Path) -> Result<u8, Failure> {
    let shown = file.display();
    let text = Zeroizing::new(
        fs::read_to_string(file)
            .map_err(|error| Failure::usage(format!("failed to read {shown}: {error}")))?,
    );
    let imported = office
        .import(&text, admin::is_csv(file))
        .await
        .map_err(Failure::aborted)?;
    say!("imported {} accounts", imported.made);
    for not in &imported.not {
        eprintln!("{shown}:{}: {}", not.line, not.reason);
    }
    if imported.not.is_empty() {
        return Ok(0);
    }
    Err(Failure::usage(format!(
        "{} lines of {shown} were not imported; mend them and import the file again: what is there already stays",
        imported.not.len()
    )))
}

/// A password, typed unseen, or the first line of what is piped in.
fn ask_password() -> Result<Zeroizing<String>, Failure> {
    let failed = |error: io::Error| Failure::usage(format!("failed to read the password: {error}"));
    let password = if io::stdin().is_terminal() {
        rpassword::prompt_password("Password: ").map_err(failed)?
    } else {
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).map_err(failed)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    Ok(Zeroizing::new(password))
}

/// Names are somebody else's text: what a terminal might obey reaches it escaped.
fn plain(text: &str) -> String {
    let shown = text.chars().map(|c| match c.is_control() {
        true => c.escape_debug().to_string(),
        false => c.to_string(),
    });
    shown.collect()
}

fn table<const N: usize>(header: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header(header);
    for row in rows {
        table.add_row(row.map(|cell| plain(&cell)));
    }
    table
}

#[derive(clap::Args)]
pub(crate) struct SessionsArgs {
    #[command(flatten)]
    which: Which,
    #[command(subcommand)]
    command: SessionsCommand,
}

#[derive(clap::Subcommand)]
enum SessionsCommand {
    /// List an account's sessions
    List {
        /// The account's name
        name: String,
    },
    /// End them all
    Revoke {
        /// The account's name
        name: String,
    },
}

pub(crate) async fn sessions(args: SessionsArgs) -> Result<u8, Failure> {
    let (office, _) = args.which.office().await?;
    match args.command {
        SessionsCommand::List { name } => {
            let sessions = office.sessions(&name).await.map_err(Failure::usage)?;
            let rows = sessions.into_iter().map(|session| {
                [
                    session.device,
                    time(session.created),
                    time(session.used),
                    time(session.expires),
                ]
            });
            say!("{}", table(["device", "began", "used", "ends"], rows));
        }
        SessionsCommand::Revoke { name } => {
            let ended = office.end_sessions(&name).await.map_err(Failure::usage)?;
            say!("ended {ended} sessions");
        }
    }
    Ok(0)
}

#[derive(clap::Args)]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    which: Which,
    /// Of this account alone
    #[arg(long)]
    user: Option<String>,
    /// How many, the newest first; 1000 at the most
    #[arg(long, default_value_t = 100)]
    last: i64,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn audit(args: AuditArgs) -> Result<u8, Failure> {
    let office = args.which.office().await?.0;
    let told = office.audit(args.user.as_deref(), args.last).await;
    let told = told.map_err(Failure::usage)?;
    if args.json {
        let text = serde_json::to_string_pretty(&told).map_err(Failure::aborted)?;
        say!("{text}");
        return Ok(0);
    }
    let rows = told.into_iter().map(|one| {
        let detail = match &one.detail {
            serde_json::Value::Object(members) if members.is_empty() => String::new(),
            detail => detail.to_string(),
        };
        let who = one.name.or(one.account).unwrap_or_default();
        [time(one.at), one.event, who, detail]
    });
    say!("{}", table(["at", "event", "account", ""], rows));
    Ok(0)
}

/// A time as RFC 3339 writes it.
fn time(seconds: i64) -> String {
    let time = time::OffsetDateTime::from_unix_timestamp(seconds).ok();
    let format = &time::format_description::well_known::Rfc3339;
    time.and_then(|time| time.format(format).ok())
        .unwrap_or_default()
}

#[derive(clap::Args)]
pub(crate) struct ClientsArgs {
    #[command(flatten)]
    which: Which,
    #[command(subcommand)]
    command: ClientsCommand,
}

#[derive(clap::Subcommand)]
enum ClientsCommand {
    /// Add a client; its secret is printed once
    Add {
        /// What it is
        name: String,
    },
}

pub(crate) async fn clients(args: ClientsArgs) -> Result<u8, Failure> {
    let (office, _) = args.which.office().await?;
    let ClientsCommand::Add { name } = args.command;
    let (id, secret) = office.add_client(&name).await.map_err(Failure::aborted)?;
    say!("client_id={id}\nclient_secret={}", *secret);
    Ok(0)
}

#[derive(clap::Args)]
pub(crate) struct KeysArgs {
    #[command(flatten)]
    which: Which,
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(clap::Subcommand)]
enum KeysCommand {
    /// Make the next key: published now, signing in ten minutes; a running server takes it by itself
    Rotate {
        /// Its algorithm: RS256, ES256 or EdDSA [default: the configuration's]
        #[arg(long)]
        alg: Option<Algorithm>,
    },
}

pub(crate) async fn keys(args: KeysArgs) -> Result<u8, Failure> {
    let (office, config) = args.which.office().await?;
    let KeysCommand::Rotate { alg } = args.command;
    let kid = office
        .rotate_keys(alg.unwrap_or(config.algorithm))
        .await
        .map_err(Failure::usage)?;
    say!("kid={kid}");
    Ok(0)
}

#[derive(clap::Args)]
pub(crate) struct BreachArgs {
    #[command(subcommand)]
    command: BreachCommand,
}

#[derive(clap::Subcommand)]
enum BreachCommand {
    /// Build a filter of leaked passwords from a downloaded corpus: lines of SHA1:COUNT
    Build {
        /// The corpus
        corpus: PathBuf,
        /// Where to write the filter, for `breach_filter`
        #[arg(long, default_value = "doorwarden-breaches")]
        output: PathBuf,
        /// Leave out what was seen less often
        #[arg(long, default_value_t = 1)]
        min_count: u64,
    },
}

pub(crate) fn breach(args: BreachArgs) -> Result<u8, Failure> {
    let BreachCommand::Build {
        corpus,
        output,
        min_count,
    } = args.command;
    let told = |lines: u64| eprintln!("{} million lines", lines / 1_000_000);
    let built = doorwarden_serve::build_breach_filter(&corpus, &output, min_count, told);
    let passwords = built.map_err(Failure::usage)?;
    say!("{passwords} passwords in {}", output.display());
    Ok(0)
}
