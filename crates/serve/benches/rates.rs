//! The service compared with what it is built on, in one run: successful logins with bare Argon2id, logins
//! of known devices under more than twenty times the machine's hash rate of hostile attempts, the cost of a
//! shed attempt, tokens with bare signatures, and their verification with PyJWT and joserfc.
//!
//! The server that logs users in is a process of its own, so that its time and memory are measured apart
//! from its clients'. `cargo bench -p doorwarden-serve --features measured --bench rates`
#![expect(clippy::print_stdout, reason = "a bench speaks")]
#![expect(clippy::unwrap_used, reason = "a bench that can't go on has failed")]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::{
    rand::SystemRandom,
    rsa::{KeyPair, KeySize},
    signature::RSA_PKCS1_SHA256,
};
use doorwarden_gate::{Counters, Secret, http::credentials::Password, now};
use doorwarden_serve::{
    Config, Server,
    admin::Office,
    jwt::{self, Expected, Jwks},
};
use reqwest::Client;

const PASSWORD: &str = "a fine long password of mine";
const SPAN: Duration = Duration::from_secs(10);
const PEOPLE: usize = 64;

/// Says to the bench's own program that it is the server, and where its data is.
const DATA: &str = "DOORWARDEN_RATES_DATA";

/// A known device, and who is tried from it.
struct Person {
    name: String,
    client: Client,
    device: String,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    if let Some(data) = std::env::var_os(DATA) {
        return runtime.block_on(serve(Path::new(&data)));
    }
    let cores = std::thread::available_parallelism().unwrap().get();
    let before = bare(cores);
    let pace = before.rate * 0.25;
    let served = runtime.block_on(served(pace));
    // Before and after, so that the machine's moods are everybody's.
    let after = bare(cores);
    let bare = Bare {
        rate: (before.rate + after.rate) / 2.0,
        cost: (before.cost + after.cost) / 2.0,
    };
    println!(
        "bare Argon2id, 19 MiB, t=2, memory reused, {cores} threads: {:.1} per second, {:.2} ms of a core each",
        bare.rate,
        bare.cost * 1000.0
    );
    served.print(&bare);
    // As a handler does it, on a thread of the runtime's own.
    let within = runtime.spawn(within(bare.cost));
    runtime.block_on(within).unwrap();
}

/// Hashes, nothing else.
struct Bare {
    /// A second.
    rate: f64,
    /// Seconds of a core for each.
    cost: f64,
}

fn bare(threads: usize) -> Bare {
    let ended = AtomicBool::new(false);
    let done = AtomicU32::new(0);
    let (started, before) = (Instant::now(), cpu(std::process::id()));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let params = Params::new(19 * 1024, 2, 1, Some(32)).unwrap();
                let mut arena = vec![Block::default(); params.block_count()];
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
                let mut out = [0; 32];
                while !ended.load(Ordering::Relaxed) {
                    argon2
                        .hash_password_into_with_memory(
                            PASSWORD.as_bytes(),
                            b"0123456789abcdef",
                            &mut out,
                            &mut arena,
                        )
                        .unwrap();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(SPAN);
        ended.store(true, Ordering::Relaxed);
    });
    let done = f64::from(done.load(Ordering::Relaxed));
    Bare {
        rate: done / started.elapsed().as_secs_f64(),
        cost: (cpu(std::process::id()) - before) / done,
    }
}

/// Seconds of a core that a process has taken: `utime` and `stime` of proc_pid_stat(5), in hundredths.
fn cpu(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields = stat.rsplit(')').next().unwrap().split_whitespace();
    let ticks: f64 = fields
        .skip(11)
        .take(2)
        .map(|field| field.parse::<f64>().unwrap())
        .sum();
    ticks / 100.0
}

/// The most memory that a process has had, in MiB (`VmHWM`).
fn peak(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// The server: says where it listens and the secret of a client, and ends with its standard input.
async fn serve(data: &Path) {
    let (server, config, secret) = start(data).await;
    // One hash for all, so that making the accounts takes no minutes.
    let office = Office::open(config, &secret, Arc::new(|_| {}))
        .await
        .unwrap();
    let password = Password::new(PASSWORD.into());
    office
        .add_user("bench-model", &password, None, false)
        .await
        .unwrap();
    let database = rusqlite::Connection::open(data.join("doorwarden.sqlite3")).unwrap();
    database.busy_timeout(Duration::from_secs(10)).unwrap();
    for i in 0..PEOPLE {
        let copy = "INSERT INTO users (id, name, key, hash, created) SELECT ?1, ?1, ?1, hash, created FROM users WHERE key = 'bench-model'";
        database.execute(copy, [format!("person-{i}")]).unwrap();
    }
    let (client, key) = office.add_client("bench").await.unwrap();
    println!("http://{}\n{client}\n{}", server.address(), *key);
    let ended =
        tokio::task::spawn_blocking(|| std::io::stdin().lock().read_line(&mut String::new()));
    server.run(async { drop(ended.await) }).await;
}

async fn start(data: &Path) -> (Server, Config, Secret) {
    let config = Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data: data.to_owned(),
        ..Config::default()
    };
    let (secret, policy) = (Secret::new([5; 32]), config.policy());
    let counters = Counters::in_memory(&policy, config.memory_mib.bytes(), &secret, now()).unwrap();
    let (sink, complain) = (Box::new(|_: &_| {}), Arc::new(|_: &str| {}));
    let started = Server::start(config.clone(), policy, &secret, counters, sink, complain);
    (started.await.unwrap(), config, secret)
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("doorwarden-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

/// A server that runs as a process of its own.
struct Served {
    process: Child,
    data: PathBuf,
    url: String,
    client: [String; 2],
}

impl Served {
    fn start() -> Self {
        let data = folder("rates");
        let mut process = Command::new(std::env::current_exe().unwrap())
            .env(DATA, &data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut lines = lines.map(Result::unwrap);
        let mut next = || lines.next().unwrap();
        Self {
            url: next(),
            client: [next(), next()],
            process,
            data,
        }
    }

    fn cpu(&self) -> f64 {
        cpu(self.process.id())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

/// What the server did for people.
struct Figures {
    free: Honest,
    /// Seconds of a core for each of the free ones.
    cost: f64,
    pace: f64,
    calm: f64,
    pressed: f64,
    /// Hostile logins a second, those that were shed or refused at once, and the others.
    hostile: f64,
    refused: u32,
    others: u32,
    memory: [f64; 2],
}

async fn served(pace: f64) -> Figures {
    let served = Served::start();
    let url = &served.url;
    let mut known = Vec::new();
    for i in 0..PEOPLE {
        let name = format!("person-{i}");
        let client = from(Ipv4Addr::new(127, 7, i as u8, 1));
        let device = log_in(&client, url, &name, "").await.unwrap();
        known.push(Arc::new(Person {
            name,
            client,
            device,
        }));
    }

    let before = served.cpu();
    let free = honest(url, &known, f64::INFINITY).await;
    let cost = (served.cpu() - before) / free.done;

    let calm = honest(url, &known, pace).await.rate;
    let memory = peak(served.process.id());
    let stop = Arc::new(AtomicBool::new(false));
    let counts: Arc<[AtomicU32; 2]> = Arc::default();
    let flooding = flood(
        url.clone(),
        pace * 160.0,
        Arc::clone(&stop),
        Arc::clone(&counts),
    );
    let flood = tokio::spawn(flooding);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let pressed = honest(url, &known, pace).await.rate;
    stop.store(true, Ordering::Relaxed);
    flood.await.unwrap();
    let [refused, others] = [0, 1].map(|i| counts[i].load(Ordering::Relaxed));
    introspected(&served).await;
    Figures {
        free,
        cost,
        pace,
        calm,
        pressed,
        hostile: f64::from(refused + others) / (SPAN.as_secs_f64() + 2.0),
        refused,
        others,
        memory: [memory, peak(served.process.id())],
    }
}

impl Figures {
    fn print(&self, bare: &Bare) {
        println!(
            "successful logins of {PEOPLE} users: {:.1} per second, {:.2} of bare Argon2id; {:.2} ms of a core each, of which the hash is {:.3}",
            self.free.rate,
            self.free.rate / bare.rate,
            self.cost * 1000.0,
            bare.cost / self.cost
        );
        println!(
            "logins from known devices at {:.1} per second: {:.1} succeed without an attack, {:.1} under {:.0} hostile attempts per second ({:.1} times the machine's hash rate): {:.2}",
            self.pace,
            self.calm,
            self.pressed,
            self.hostile,
            self.hostile / bare.rate,
            self.pressed / self.calm
        );
        println!(
            "of the hostile attempts, {} were shed or denied, {} got no immediate response",
            self.refused, self.others
        );
        println!(
            "peak memory of the server: {:.0} MiB without an attack, {:.0} MiB after the flood",
            self.memory[0], self.memory[1]
        );
    }
}

/// Introspections of one live token, from a few connections.
async fn introspected(served: &Served) {
    let [id, secret] = &served.client;
    let client = Client::new();
    let ask = |path: &str, form: &[(&str, &str)]| {
        let request = client.post(format!("{}{path}", served.url)).form(form);
        request.basic_auth(id, Some(secret)).send()
    };
    let issued = ask("/oauth/token", &[("grant_type", "client_credentials")])
        .await
        .unwrap();
    let issued: serde_json::Value = issued.json().await.unwrap();
    let token = issued["access_token"].as_str().unwrap().to_owned();
    let (started, before) = (Instant::now(), served.cpu());
    let done = AtomicU32::new(0);
    let asking = (0..8).map(|_| async {
        while started.elapsed() < SPAN {
            let answer = ask("/oauth/introspect", &[("token", &token)])
                .await
                .unwrap();
            assert!(answer.text().await.unwrap().contains("\"active\":true"));
            done.fetch_add(1, Ordering::Relaxed);
        }
    });
    futures_util::future::join_all(asking).await;
    let done = f64::from(done.load(Ordering::Relaxed));
    println!(
        "introspections over HTTP: {:.0} per second, sharing the machine with the clients, {:.2} ms of a core each",
        done / started.elapsed().as_secs_f64(),
        (served.cpu() - before) / done * 1000.0
    );
}

/// What can be held beside others only from within.
async fn within(hash: f64) {
    let data = folder("rates-within");
    let (server, _, _) = start(&data).await;
    let (measured, issuer) = (server.measured(), server.issuer().to_owned());

    // In turns, so that the machine's moods are everybody's.
    let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let random = SystemRandom::new();
    let text = measured.issue().unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    let ratio = beside(
        || {
            key.sign(&RSA_PKCS1_SHA256, &random, text.as_bytes(), &mut signature)
                .unwrap()
        },
        || drop(measured.issue().unwrap()),
    );
    println!(
        "RS256 tokens issued: {:.0} per second on one core, {:.2} of {:.0} bare signatures",
        ratio.other, ratio.ratio, ratio.one
    );

    let jwks = measured.jwks();
    let keys = Jwks::parse(&jwks).unwrap();
    let expected = Expected {
        algorithm: "RS256".parse().unwrap(),
        audience: Some(&issuer),
        issuer: Some(&issuer),
        typ: Some("at+jwt"),
        now: std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap()
            .as_secs(),
    };
    let verified = rate(Duration::from_secs(2), || {
        jwt::verify(&text, &keys, &expected).unwrap();
    });
    println!("RS256 tokens verified: {verified:.0} per second on one core");
    for (name, rate) in python(&jwks, &issuer, &text) {
        println!(
            "  {name}: {rate:.0}, ours is {:.1} times as fast",
            verified / rate
        );
    }

    // Names and passwords that nobody has tried, while strangers have all the places that they may have.
    let crowd = measured.crowd().await;
    const SHED: u32 = 100_000;
    let before = cpu(std::process::id());
    for i in 0..SHED {
        assert!(
            measured
                .is_shed(&format!("name-{i}"), &format!("guess {i}"))
                .await
        );
    }
    let cost = (cpu(std::process::id()) - before) / f64::from(SHED);
    println!(
        "a shed attempt, without HTTP: {:.1} µs of a core, 1/{:.0} of a hash",
        cost * 1e6,
        hash / cost
    );
    drop(crowd);
    let _ = std::fs::remove_dir_all(data);
}

/// How often a second something can be done.
fn rate(span: Duration, mut work: impl FnMut()) -> f64 {
    let (started, mut done) = (Instant::now(), 0.0);
    while started.elapsed() < span {
        work();
        done += 1.0;
    }
    done / started.elapsed().as_secs_f64()
}

/// Two rates, and the median of the second's share of the first.
struct Beside {
    one: f64,
    other: f64,
    ratio: f64,
}

fn beside(mut one: impl FnMut(), mut other: impl FnMut()) -> Beside {
    let turn = Duration::from_millis(250);
    let mut turns: Vec<_> = (0..15)
        .map(|_| (rate(turn, &mut one), rate(turn, &mut other)))
        .collect();
    turns.sort_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
    let (one, other) = turns[turns.len() / 2];
    Beside {
        one,
        other,
        ratio: other / one,
    }
}

/// The same token verified by PyJWT and joserfc, which `cargo xtask setup` installs.
fn python(jwks: &str, issuer: &str, token: &str) -> BTreeMap<String, f64> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = root.join("../../target/clients/bin/python");
    if !program.exists() {
        println!("  PyJWT and joserfc are not installed; run `cargo xtask setup`");
        return BTreeMap::new();
    }
    let mut python = Command::new(program)
        .arg(root.join("benches/verify.py"))
        .args([jwks, issuer, issuer])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python
        .stdin
        .take()
        .unwrap()
        .write_all(token.as_bytes())
        .unwrap();
    let told = python.wait_with_output().unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    let lines = told.lines().filter_map(|line| line.split_once(' '));
    lines
        .map(|(name, rate)| (name.to_owned(), rate.parse().unwrap()))
        .collect()
}

fn from(address: Ipv4Addr) -> Client {
    Client::builder()
        .local_address(IpAddr::V4(address))
        .timeout(Duration::from_secs(5))
        .build()
        .unwrap()
}

/// A right login; the device's token, where it got through.
async fn log_in(client: &Client, url: &str, name: &str, device: &str) -> Option<String> {
    let form = [("username", name), ("password", PASSWORD)];
    let request = client
        .post(format!("{url}/login"))
        .header("x-doorwarden-device", device)
        .form(&form);
    let answer = request.send().await.ok()?;
    let token = answer
        .headers()
        .get("x-doorwarden-device")?
        .to_str()
        .ok()?
        .to_owned();
    answer.status().is_success().then_some(token)
}

/// Right logins that got through.
struct Honest {
    /// A second.
    rate: f64,
    done: f64,
}

/// Right logins, when so many a second are tried at the most.
async fn honest(url: &str, known: &[Arc<Person>], rate: f64) -> Honest {
    let done = Arc::new(AtomicU32::new(0));
    let started = Instant::now();
    let pause = Duration::try_from_secs_f64(known.len() as f64 / rate).unwrap_or_default();
    let mut all = tokio::task::JoinSet::new();
    for (i, person) in known.iter().enumerate() {
        let (person, done, url) = (Arc::clone(person), Arc::clone(&done), url.to_owned());
        let count = known.len() as u32;
        all.spawn(async move {
            let mut device = person.device.clone();
            let mut next = started + pause * i as u32 / count;
            while next < started + SPAN {
                tokio::time::sleep_until(next.into()).await;
                if let Some(token) = log_in(&person.client, &url, &person.name, &device).await {
                    device = token;
                    done.fetch_add(1, Ordering::Relaxed);
                }
                next = (next + pause).max(if pause.is_zero() {
                    Instant::now()
                } else {
                    next
                });
            }
        });
    }
    while all.join_next().await.is_some() {}
    let done = f64::from(done.load(Ordering::Relaxed));
    Honest {
        rate: done / started.elapsed().as_secs_f64(),
        done,
    }
}

/// Wrong logins of invented names, each from one of many addresses; bounded in rate and time.
async fn flood(url: String, rate: f64, stop: Arc<AtomicBool>, counts: Arc<[AtomicU32; 2]>) {
    const BOTS: u32 = 256;
    let pause = Duration::from_secs_f64(f64::from(BOTS) / rate);
    let longest = Instant::now() + SPAN * 3;
    let mut bots = tokio::task::JoinSet::new();
    for bot in 0..BOTS {
        let (url, stop, counts) = (url.clone(), Arc::clone(&stop), Arc::clone(&counts));
        bots.spawn(async move {
            let client = from(Ipv4Addr::new(127, 20 + (bot % 100) as u8, bot as u8, 9));
            for i in 0u32.. {
                if stop.load(Ordering::Relaxed) || Instant::now() > longest {
                    return;
                }
                let begun = Instant::now();
                let form = [
                    ("username", format!("bot-{bot}-{i}")),
                    ("password", format!("guess {bot} {i}")),
                ];
                // A bot does not wait for an answer that waits for its deadline.
                let sent = client
                    .post(format!("{url}/login"))
                    .form(&form)
                    .timeout(Duration::from_millis(200))
                    .send();
                let status = sent.await.map_or(0, |answer| answer.status().as_u16());
                let shed = matches!(status, 429 | 503);
                counts[usize::from(!shed)].fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(pause.saturating_sub(begun.elapsed())).await;
            }
        });
    }
    while bots.join_next().await.is_some() {}
}
