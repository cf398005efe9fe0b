//! SECURITY.md against the source, and against the scanner.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    cli::lab,
    process::{doorwarden, ran, run},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the cells of the rows of a page's tables, without the rows below their heads.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let rows = page.lines().map(str::trim).filter(|l| l.starts_with('|'));
    let cells = rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect());
    cells
        .filter(|cells: &Vec<&str>| !cells.iter().all(|cell| cell.starts_with("---")))
        .collect()
}

/// Returns why a file does not have this test, or has it and does not run it.
fn problem(source: &str, test: &str) -> Option<String> {
    let Some((before, _)) = source.split_once(&format!("fn {test}(")) else {
        return Some("there is no such test".into());
    };
    // The attributes and comments above its line.
    let above = before.rsplit_once('\n').map_or("", |(above, _)| above);
    let attributes: Vec<&str> = above
        .lines()
        .rev()
        .map(str::trim)
        .take_while(|line| line.starts_with("#[") || line.starts_with("//"))
        .filter(|line| line.starts_with("#["))
        .collect();
    let is_test = |line: &&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
    if !attributes.iter().any(is_test) {
        return Some("it has no attribute of a test".into());
    }
    if attributes.iter().any(|line| line.starts_with("#[ignore")) {
        return Some("it is ignored".into());
    }
    None
}

/// `cargo xtask test` also requires that each has passed.
#[test]
fn every_guarantee_names_tests_that_exist() {
    let page = read("SECURITY.md");
    let mut wrong = Vec::new();
    let mut named = BTreeSet::new();
    for cells in rows(&page) {
        if ["test", "tests"].contains(cells.last().unwrap()) {
            continue;
        }
        let quoted = cells.last().unwrap().split('`').skip(1).step_by(2);
        let tests: Vec<&str> = quoted.filter(|text| text.contains(".rs::")).collect();
        if tests.is_empty() {
            wrong.push(format!("no test: {}", cells[0]));
        }
        named.extend(tests);
    }
    assert!(named.len() > 50, "{named:?}");
    for test in named {
        let (path, name) = test.split_once("::").unwrap();
        if let Some(why) = problem(&read(path), name) {
            wrong.push(format!("{test}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_tests_that_run_count() {
    let source = "    #[test]\n    fn good() {\n#[tokio::test(flavor = \"x\")]\n/// Text.\n\
        async fn waits() {\n#[test]\n#[ignore = \"slow\"]\nfn ignored() {\n}\nfn helper() {\n";
    assert_eq!(problem(source, "good"), None);
    assert_eq!(problem(source, "waits"), None);
    for name in ["ignored", "helper", "absent"] {
        assert!(problem(source, name).is_some(), "{name}");
    }
    let page = "| a | test |\n|---|---|\n| b | `c` |\n";
    assert_eq!(rows(page), [["a", "test"], ["b", "`c`"]]);
}

/// A request to the target, and the status that it got.
#[derive(Clone, Debug)]
struct Exchange {
    method: String,
    path: String,
    body: String,
    status: u16,
}

impl Exchange {
    fn field(&self, name: &str) -> Option<String> {
        let body: Value = serde_json::from_str(&self.body).ok()?;
        Some(body[name].as_str()?.to_owned())
    }
}

type Exchanges = Arc<Mutex<Vec<Exchange>>>;

/// Reads one message with a Content-Length, or to the end of its connection.
fn message(stream: &mut TcpStream) -> String {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        let n = stream.read(&mut buffer).unwrap_or(0);
        bytes.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            if n == 0 {
                return text;
            }
            continue;
        };
        let lower = head.to_lowercase();
        let length = lower.split("content-length:").nth(1);
        let length = length.and_then(|rest| rest.lines().next()?.trim().parse().ok());
        let is_request = !head.starts_with("HTTP/");
        if n == 0 || length.is_some_and(|length: usize| body.len() >= length) {
            return text;
        }
        if is_request && length.is_none() {
            return text;
        }
    }
}

/// Stands in front of a server, and keeps what the scanner asks of it.
fn recorder(target: SocketAddr) -> (SocketAddr, Exchanges) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let exchanges = Exchanges::default();
    let kept = Arc::clone(&exchanges);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut client, kept) = (stream.unwrap(), Arc::clone(&kept));
            std::thread::spawn(move || {
                let request = message(&mut client);
                let Some((head, body)) = request.split_once("\r\n\r\n") else {
                    return;
                };
                let mut words = head.split(' ');
                let method = words.next().unwrap().to_owned();
                let path = words.next().unwrap_or_default().to_owned();
                let closed = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
                let mut server = TcpStream::connect(target).unwrap();
                let forwarded = format!("{closed}\r\n\r\n{body}");
                server.write_all(forwarded.as_bytes()).unwrap();
                let answer = message(&mut server);
                let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok());
                kept.lock().unwrap().push(Exchange {
                    method,
                    path,
                    body: body.to_owned(),
                    status: status.unwrap_or(0),
                });
                let _ = client.write_all(answer.as_bytes());
            });
        }
    });
    (address, exchanges)
}

const GIVEN: [(&str, &str); 2] = [
    ("synthetic-one", "Correct-Horse-77"),
    ("synthetic-two", "Battery-Staple-88"),
];
/// Others' account.
const BYSTANDER: &str = "carol";
const PACE: u32 = 100;

/// Scans the most faulty login with every check, and returns what was asked of it.
fn scanned(register: bool, budget: u32) -> (Vec<Exchange>, Duration) {
    let naive = lab("naive");
    for (name, password) in GIVEN {
        naive.register(name, password);
    }
    naive.register(BYSTANDER, "Password1");
    let target = naive.login.url();
    let target = target.strip_prefix("http://").unwrap().parse().unwrap();
    let (address, exchanges) = recorder(target);
    let url = format!("http://{address}");
    let (pace, budget) = (PACE.to_string(), budget.to_string());
    let mut args = vec![
        "scan", &url, "--pace", &pace, "--budget", &budget, "--quiet",
    ];
    let accounts = GIVEN.map(|(name, password)| format!("{name}:{password}"));
    if register {
        args.push("--register");
    } else {
        args.extend(accounts.iter().flat_map(|account| ["--account", account]));
    }
    let started = Instant::now();
    let scanned = run(&args);
    let elapsed = started.elapsed();
    // 4: a budget that was too small left it incomplete.
    assert!(matches!(scanned.code, Some(1 | 4)), "{}", scanned.err);
    let exchanges = exchanges.lock().unwrap().clone();
    assert!(exchanges.len() > 30, "{}", exchanges.len());
    (exchanges, elapsed)
}

/// Returns the names that are registered in these exchanges, folded, and their passwords.
fn registered(exchanges: &[Exchange]) -> (BTreeSet<String>, BTreeSet<String>) {
    let registrations = exchanges.iter().filter(|one| one.path == "/register");
    let names = registrations.clone();
    let names = names.filter_map(|one| Some(folded(&one.field("username")?)));
    let passwords = registrations.filter_map(|one| one.field("password"));
    (names.collect(), passwords.collect())
}

/// A name without case and what is not a letter or digit.
fn folded(name: &str) -> String {
    let kept = name.chars().filter(|c| c.is_ascii_alphanumeric());
    kept.map(|c| c.to_ascii_lowercase()).collect()
}

#[test]
fn a_scan_touches_only_its_own_accounts() {
    for register in [true, false] {
        let (exchanges, _) = scanned(register, 250);
        let (names, passwords) = registered(&exchanges);
        assert_eq!(names.is_empty(), !register, "{names:?}");
        for one in &exchanges {
            is_its_own(one, &names, &passwords);
        }
        let tried = |name: &str| {
            let mut logins = exchanges.iter().filter(|one| one.path == "/login");
            logins.any(|one| one.field("username").as_deref() == Some(name))
        };
        assert_eq!(tried(GIVEN[0].0), !register);
    }
}

/// Panics if a request does more than a scan may.
fn is_its_own(one: &Exchange, registered: &BTreeSet<String>, passwords: &BTreeSet<String>) {
    let shown = format!("{one:?}");
    let methods = ["GET", "HEAD", "OPTIONS", "POST"];
    assert!(methods.contains(&one.method.as_str()), "{shown}");
    if one.path.to_lowercase().contains("admin") {
        assert_eq!(one.method, "GET", "{shown}");
    }
    if let Some(current) = one.field("current_password") {
        assert!(passwords.contains(&current), "{shown}");
    }
    let Some(name) = one.field("username") else {
        return;
    };
    let password = one.field("password").unwrap_or_default();
    if registered.contains(&folded(&name)) {
        return;
    }
    if let Some((_, own)) = GIVEN.iter().find(|(given, _)| *given == name) {
        let is_random = password.starts_with('Q') && password.contains('!');
        let known = [*own, GIVEN[0].1, ""];
        assert!(is_random || known.contains(&&*password), "{shown}");
        return;
    }
    // It was made up: not of a word list, and no other spelling of an account that was given.
    let letters = name.chars().filter(char::is_ascii_alphabetic).count();
    assert!(letters >= 10, "{shown}");
    let given = GIVEN.map(|(given, _)| folded(given));
    assert!(!given.contains(&folded(&name)), "{shown}");
    let common = ["password", "password1", "123456", "qwerty123"];
    assert!(!common.contains(&&*password.to_lowercase()), "{shown}");
}

#[test]
fn a_scan_stays_within_its_limits() {
    for (register, budget) in [(true, 250), (true, 60), (false, 250)] {
        let (exchanges, elapsed) = scanned(register, budget);
        assert!(exchanges.len() <= budget as usize, "{}", exchanges.len());
        // A burst is made up for by the pause after it.
        let paced = exchanges.len().saturating_sub(16) as f64 / f64::from(PACE);
        assert!(elapsed.as_secs_f64() >= paced, "{elapsed:?} for {paced}");
        let (mut names, _) = registered(&exchanges);
        names.extend(GIVEN.map(|(given, _)| folded(given)));
        let mut worst = 0;
        for name in names {
            let mut row = 0;
            let logins = exchanges.iter().filter(|one| one.path == "/login");
            let logins = logins.filter(|one| {
                one.field("username")
                    .is_some_and(|tried| folded(&tried) == name)
            });
            for login in logins {
                row = if login.status == 200 { 0 } else { row + 1 };
                worst = worst.max(row);
                assert!(row <= 12, "{name}: {row}");
            }
        }
        assert!(worst > 0, "no login failed");
    }
}

/// A server that answers so to the n-th request, counted from zero; and what it was sent.
fn server(
    answer: impl Fn(usize, &str) -> String + Send + 'static,
    bind: &str,
) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(bind).unwrap();
    let port = listener.local_addr().unwrap().port();
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let kept = Arc::clone(&seen);
    std::thread::spawn(move || {
        for (n, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let request = message(&mut stream);
            let answer = answer(n, &request);
            kept.lock().unwrap().push(request);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (port, seen)
}

fn http(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
}

const LOGIN: &str = "POST /login json:/username json:/password";

/// 0.0.0.0 leads to this machine, and is not one of loopback's addresses.
#[test]
fn a_target_of_others_gets_only_the_request_for_the_proof() {
    let proof = |key: &str, url: &str| {
        let mut command = doorwarden(&["scan", url, "--prove"]);
        let printed = ran(command
            .env("DOORWARDEN_OPERATOR_KEY", key)
            .output()
            .unwrap())
        .out;
        let token = printed
            .split_whitespace()
            .find(|word| word.starts_with("doorwarden-"));
        token.unwrap().to_owned()
    };
    let scan = |url: &str, key: &str| {
        let mut command = doorwarden(&["scan", url, "--account", "synthetic:Correct-Horse-77"]);
        command.args(["--login", LOGIN, "--quiet", "--pace", "1000"]);
        ran(command
            .env("DOORWARDEN_OPERATOR_KEY", key)
            .output()
            .unwrap())
    };
    let (mine, theirs) = ("ab".repeat(32), "cd".repeat(32));
    // No proof, another operator's, an invented one, one in the midst of other text; at last the right one.
    let published: [fn(&str, &str) -> String; 5] = [
        |_, _| String::new(),
        |_, theirs| theirs.to_owned(),
        |_, _| "doorwarden-".to_owned() + &"0".repeat(64),
        |mine, _| format!("x{mine}x"),
        |mine, _| mine.to_owned(),
    ];
    for (n, publish) in published.into_iter().enumerate() {
        // What it publishes depends on its port.
        let page = Arc::<OnceLock<String>>::default();
        let published = Arc::clone(&page);
        let (port, seen) = server(
            move |_, request| match request.contains("/.well-known/") {
                true => http("200 OK", published.get().unwrap()),
                false => http("401 Unauthorized", "no"),
            },
            "0.0.0.0:0",
        );
        let url = format!("http://0.0.0.0:{port}");
        page.set(publish(&proof(&mine, &url), &proof(&theirs, &url)))
            .unwrap();
        let refused = scan(&url, &mine);
        if n == 4 {
            let seen = seen.lock().unwrap();
            assert!(
                seen.iter().any(|one| one.starts_with("POST /login")),
                "{seen:?}"
            );
            continue;
        }
        assert_eq!(refused.code, Some(2), "{}", refused.err);
        let seen = seen.lock().unwrap();
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert!(
            seen[0].starts_with("GET /.well-known/doorwarden.txt HTTP/1.1"),
            "{seen:?}"
        );
    }
}

#[test]
fn a_target_that_becomes_slow_stops_the_scan() {
    let (port, seen) = server(
        |n, request| {
            if n >= 12 {
                std::thread::sleep(Duration::from_millis(1_600));
            }
            match request.contains("Correct-Horse-77") {
                true => http("200 OK", r#"{"access_token":"a-token-of-the-test"}"#),
                false => http("401 Unauthorized", "no"),
            }
        },
        "127.0.0.1:0",
    );
    let url = format!("http://127.0.0.1:{port}");
    let account = "synthetic:Correct-Horse-77";
    let stopped = run(&[
        "scan",
        &url,
        "--login",
        LOGIN,
        "--account",
        account,
        "--pace",
        "1000",
        "--check",
        "enumeration-by-answer",
        "--check",
        "spray-unseen",
        "--check",
        "login-unlimited",
    ]);
    let said = format!("{}{}", stopped.out, stopped.err);
    assert!(said.contains("5 times slower"), "{said}");
    let asked = seen.lock().unwrap().len();
    assert!(asked < 40, "{asked}");
}

#[test]
fn a_proxy_of_the_environment_gets_nothing() {
    let (proxy, at_proxy) = server(|_, _| http("200 OK", "{}"), "127.0.0.1:0");
    let (port, seen) = server(|_, _| http("401 Unauthorized", "no"), "127.0.0.1:0");
    let url = format!("http://127.0.0.1:{port}");
    let account = "synthetic:Correct-Horse-77";
    let mut command = doorwarden(&["scan", &url, "--login", LOGIN, "--account", account]);
    for variable in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env(variable, format!("http://127.0.0.1:{proxy}"));
    }
    command
        .args(["--pace", "1000"])
        .env_remove("NO_PROXY")
        .env_remove("no_proxy");
    let scanned = ran(command.output().unwrap());
    assert!(!seen.lock().unwrap().is_empty(), "{}", scanned.err);
    assert_eq!(*at_proxy.lock().unwrap(), Vec::<String>::new());
}
