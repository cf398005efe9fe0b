//! Guards as processes of their own: over a restart, and several on one store.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Stdio,
};

use crate::process::{Running, doorwarden, run};

struct Login {
    _running: doorwarden_lab::Server,
    _runtime: tokio::runtime::Runtime,
    address: SocketAddr,
}

/// A login of the lab that counts nothing.
fn login() -> Login {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let accounts = vec![("alice".to_owned(), "a password of her own".to_owned())];
    let login = runtime
        .block_on(doorwarden_lab::start(doorwarden_lab::naive(), accounts))
        .unwrap();
    Login {
        address: login.address(),
        _running: login,
        _runtime: runtime,
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("doorwarden-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn guard(upstream: SocketAddr, more: &[&str]) -> (Running, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (listen, upstream) = (address.to_string(), format!("http://{upstream}"));
    let mut args = vec!["guard", "--listen", &listen, "--upstream", &upstream];
    args.extend(["--login", "POST /login json:/username json:/password"]);
    args.extend(more);
    let mut command = doorwarden(&args);
    let guard = Running::start(command.stdout(Stdio::null()).stderr(Stdio::piped()));
    for _ in 0..500 {
        if TcpStream::connect(address).is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    (guard, address)
}

/// The status of a guess.
fn guess(address: SocketAddr, number: usize) -> u16 {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let body = serde_json::json!({"username": "alice", "password": format!("wrong {number}")});
    runtime.block_on(async {
        let request = reqwest::Client::new()
            .post(format!("http://{address}/login"))
            .header("content-type", "application/json")
            .body(body.to_string());
        request.send().await.unwrap().status().as_u16()
    })
}

fn verified(address: SocketAddr, numbers: std::ops::Range<usize>) -> usize {
    let statuses: Vec<u16> = numbers.map(|number| guess(address, number)).collect();
    assert!(
        statuses.iter().all(|status| [401, 429].contains(status)),
        "{statuses:?}"
    );
    statuses.iter().filter(|status| **status == 401).count()
}

#[test]
fn a_restart_forgets_no_failure() {
    let (login, folder) = (login(), folder("state"));
    let state = folder.to_str().unwrap();
    let (first, address) = guard(login.address, &["--state", state]);
    assert_eq!(verified(address, 0..7), 7);
    first.signal("-INT");
    assert_eq!(first.wait().code, Some(0));
    let mode = |name: &str| {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(folder.join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode("secret"), mode("state")), (0o600, 0o600));
    let (_second, address) = guard(login.address, &["--state", state]);
    assert_eq!(verified(address, 7..20), 3);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_policy_explains_itself() {
    let told = run(&["guard", "explain-policy"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    for said in [
        "10 per 15 minutes; 50 per day",
        "How malicious lockout is prevented",
        "0.1 %",
    ] {
        assert!(told.out.contains(said), "{}", told.out);
    }
}

#[test]
fn guards_that_share_a_store_need_a_secret() {
    let folder = folder("secret");
    let short = folder.join("short");
    fs::write(&short, "abc").unwrap();
    let base = [
        "guard",
        "--upstream",
        "http://127.0.0.1:1",
        "--login",
        "POST /l json:/u json:/p",
    ];
    let ran = |more: &[&str]| {
        let ran = run(&[base.as_slice(), more].concat());
        assert_eq!(ran.code, Some(2), "{}", ran.err);
        ran.err
    };
    let store = ["--store", "redis://:hunter2@127.0.0.1:1"];
    assert!(ran(&store).contains("the same secret"));
    let with =
        |path: &Path| ran(&[&store[..], &["--secret-file", path.to_str().unwrap()]].concat());
    assert!(with(&short).contains("64 hexadecimal digits"));
    fs::write(&short, "ab".repeat(32)).unwrap();
    let wrong = ran(&[
        "--store",
        "http://:hunter2@x",
        "--secret-file",
        short.to_str().unwrap(),
    ]);
    assert!(
        wrong.contains("redis://HOST:PORT") && !wrong.contains("hunter2"),
        "{wrong}"
    );
    assert!(ran(&["--admin", "0.0.0.0:1"]).contains("loopback"));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_board_is_played_and_written() {
    let folder = folder("board");
    let output = folder.to_str().unwrap();
    let args = [
        "sim",
        "--scenario",
        "S13",
        "--defence",
        "D0-none",
        "--defence",
        "D12-doorwarden",
    ];
    let small = ["--seeds", "2", "--accounts", "200", "--output", output];
    let ran = run(&[&args[..], &small].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let csv = fs::read_to_string(folder.join("board.csv")).unwrap();
    assert_eq!(csv.lines().count(), 3, "{csv}");
    let json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.join("board.json")).unwrap()).unwrap();
    assert_eq!(json["schema"], "doorwarden/board/1");
    for figure in ["S13-roc.svg", "S13-compromised.svg", "S13-affected.svg"] {
        assert!(
            fs::read_to_string(folder.join(figure))
                .unwrap()
                .starts_with("<svg")
        );
    }
    assert_eq!(run(&["sim", "--scenario", "S99"]).code, Some(2));
    assert!(run(&["sim", "--list"]).out.contains("D12-without-heat"));
    fs::remove_dir_all(folder).unwrap();
}

#[cfg(feature = "real-redis")]
#[test]
fn two_guards_on_one_store_count_together() {
    use crate::server::{Make, Server};
    let (login, folder, store) = (login(), folder("nodes"), Server::start(Make::Valkey));
    let secret = folder.join("secret");
    fs::write(&secret, "5a".repeat(32)).unwrap();
    let (url, secret) = (store.url(), secret.to_str().unwrap());
    let more = ["--store", &url, "--secret-file", secret];
    let (_one, first) = guard(login.address, &more);
    let (_two, second) = guard(login.address, &more);
    let total: usize = (0..20)
        .filter(|number| guess([first, second][number % 2], *number) == 401)
        .count();
    assert_eq!(total, 10);
    fs::remove_dir_all(folder).unwrap();
}
