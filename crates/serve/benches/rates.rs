//! The service beside what it is made of, in one run: right logins beside bare Argon2id, and honest
//! people's logins while twenty times the machine's rate of hostile ones comes in.
//!
//! `cargo bench -p doorwarden-serve --bench rates`
#![expect(clippy::print_stdout, reason = "a bench speaks")]
#![expect(clippy::unwrap_used, reason = "a bench that can't go on has failed")]

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use doorwarden_gate::{Counters, Secret, now};
use doorwarden_serve::{Config, Server, admin::Office};
use reqwest::Client;

const PASSWORD: &str = "a fine long password of mine";
const SPAN: Duration = Duration::from_secs(10);

/// A known device, and who is tried from it.
struct Person {
    name: String,
    client: Client,
    device: String,
}

fn main() {
    let cores = std::thread::available_parallelism().unwrap().get();
    let bare = bare(cores);
    println!("bare Argon2id, 19 MiB, t=2, memory used again, {cores} threads: {bare:.1} a second");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(served(bare));
}

/// Hashes a second on all cores.
fn bare(threads: usize) -> f64 {
    let ended = AtomicBool::new(false);
    let done = AtomicU32::new(0);
    let started = Instant::now();
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
    f64::from(done.load(Ordering::Relaxed)) / started.elapsed().as_secs_f64()
}

async fn served(bare: f64) {
    let data: PathBuf =
        std::env::temp_dir().join(format!("doorwarden-rates-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&data);
    let config = Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data: data.clone(),
        ..Config::default()
    };
    let secret = Secret::new([5; 32]);
    let policy = config.policy();
    let counters = Counters::in_memory(&policy, config.memory_mib << 20, &secret, now()).unwrap();
    let server = Server::start(
        config.clone(),
        policy,
        &secret,
        counters,
        Box::new(|_| {}),
        Arc::new(|_| {}),
    );
    let server = server.await.unwrap();
    let url = format!("http://{}", server.address());
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async {
        let _ = ended.await;
    }));

    // One hash for all, so that making the accounts takes no minutes.
    let office = Office::open(config, &secret).await.unwrap();
    let password = doorwarden_gate::http::credentials::Password::new(PASSWORD.into());
    office
        .add_user("bench-model", &password, None, false)
        .await
        .unwrap();
    let database = rusqlite::Connection::open(data.join("doorwarden.sqlite3")).unwrap();
    database.busy_timeout(Duration::from_secs(10)).unwrap();
    let people = 64;
    for i in 0..people {
        let copy = "INSERT INTO users (id, name, key, hash, created) SELECT ?1, ?1, ?1, hash, created FROM users WHERE key = 'bench-model'";
        database.execute(copy, [format!("person-{i}")]).unwrap();
    }
    let mut known = Vec::new();
    for i in 0..people {
        let name = format!("person-{i}");
        let client = from(Ipv4Addr::new(127, 7, i as u8, 1));
        let device = log_in(&client, &url, &name, "").await.unwrap();
        known.push(Arc::new(Person {
            name,
            client,
            device,
        }));
    }

    let rate = honest(&url, &known, f64::INFINITY).await;
    println!(
        "right logins of {people} people: {rate:.1} a second, {:.2} of bare Argon2id",
        rate / bare
    );

    let paced = bare * 0.25;
    let calm = honest(&url, &known, paced).await;
    let stop = Arc::new(AtomicBool::new(false));
    let counts: Arc<[AtomicU32; 2]> = Arc::default();
    let flood = tokio::spawn(flood(
        url.clone(),
        bare * 20.0,
        Arc::clone(&stop),
        Arc::clone(&counts),
    ));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let pressed = honest(&url, &known, paced).await;
    stop.store(true, Ordering::Relaxed);
    flood.await.unwrap();
    let [refused, others] = [0, 1].map(|i| counts[i].load(Ordering::Relaxed));
    println!(
        "known devices' logins at {paced:.1} a second: {calm:.1} get through in peace, {pressed:.1} under {:.0} hostile ones a second: {:.2}",
        f64::from(refused + others) / (SPAN.as_secs_f64() + 2.0),
        pressed / calm
    );
    println!("of the hostile ones {refused} were shed or refused, {others} hashed");
    let _ = end.send(());
    drop(known);
    let _ = tokio::time::timeout(Duration::from_secs(10), running).await;
    let _ = std::fs::remove_dir_all(data);
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

/// Right logins that get through in a second, when so many are tried at the most.
async fn honest(url: &str, known: &[Arc<Person>], rate: f64) -> f64 {
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
    f64::from(done.load(Ordering::Relaxed)) / started.elapsed().as_secs_f64()
}

/// Wrong logins of invented names, each from one of many addresses; bounded in rate and time.
async fn flood(url: String, rate: f64, stop: Arc<AtomicBool>, counts: Arc<[AtomicU32; 2]>) {
    const BOTS: u32 = 128;
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
