//! The log: what it holds, and that no secret is in it, however verbose it is.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
};

use crate::process::{Running, doorwarden, folder, ran};

const PASSWORD: &str = "canary-password-51";
const WRONG: &str = "canary-mistyped-52";
const TOKEN: &str = "canary-access-token-53";
const REFRESH: &str = "canary-refresh-token-54";
const COOKIE: &str = "canary-cookie-55";
const HEADER: &str = "canary-header-56";
const QUERY: &str = "canary-query-57";
const SIGNING_KEY: &str = "canary-signing-key-58";
const JWT_KEY: &str = "canary-jwt-key-59";
const HOOK: &str = "canary-hook-60";
/// As hexadecimal digits, and as a webhook's secret.
const OPERATOR_KEY: &str = "ca7a61ca7a61ca7a61ca7a61ca7a61ca7a61ca7a61ca7a61ca7a61ca7a61ca7a";
const WEBHOOK_SECRET: &str = "Y2FuYXJ5LXdlYmhvb2stc2VjcmV0LTYx";

const CANARIES: [&str; 12] = [
    PASSWORD,
    WRONG,
    TOKEN,
    REFRESH,
    COOKIE,
    HEADER,
    QUERY,
    SIGNING_KEY,
    JWT_KEY,
    HOOK,
    OPERATOR_KEY,
    WEBHOOK_SECRET,
];

fn is_clean(what: &str, log: &str) {
    for canary in CANARIES {
        assert!(!log.contains(canary), "{what}: {canary} in\n{log}");
    }
}

/// An application whose login hands out the canary tokens.
fn application() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut request = [0; 16_384];
                let n = stream.read(&mut request).unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..n]).into_owned();
                let (status, body) = if is_granted(&request) {
                    let body = format!(
                        r#"{{"access_token":"{TOKEN}","refresh_token":"{REFRESH}","username":"u"}}"#
                    );
                    ("200 OK", body)
                } else {
                    ("401 Unauthorized", r#"{"detail":"incorrect"}"#.to_owned())
                };
                let response = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nset-cookie: s={COOKIE}\r\n\
                     content-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _ = stream.write_all(response.as_bytes());
            });
        }
    });
    format!("http://{address}")
}

/// Logins are decided by the password, everything else by the token.
fn is_granted(request: &str) -> bool {
    let secret = if request.starts_with("POST /login") {
        PASSWORD
    } else {
        TOKEN
    };
    request.contains(secret)
}

/// The levels and formats that are tried: the most verbose ones.
const FORMATS: [&str; 2] = ["human", "json"];

fn verbose(args: &[&str], format: &str) -> Command {
    let mut command = doorwarden(args);
    command
        .args(["-vvv", "--log-format", format, "--color", "never"])
        // It is not read; that it does not widen the log either is part of the test.
        .env("RUST_LOG", "trace")
        .env("DOORWARDEN_LOG", "trace")
        .env("DOORWARDEN_OPERATOR_KEY", OPERATOR_KEY)
        .env("DOORWARDEN_JWT_KEY", JWT_KEY)
        .env("DOORWARDEN_SIGNING_KEY", SIGNING_KEY)
        .env(
            "DOORWARDEN_WEBHOOK_SECRET",
            format!("whsec_{WEBHOOK_SECRET}"),
        );
    command
}

const LOGIN: &str = "POST /login json:/username json:/password";

fn scan_arguments<'a>(command: &'a str, url: &'a str, account: &'a str) -> Vec<&'a str> {
    let mut args = vec![
        command,
        url,
        "--login",
        LOGIN,
        "--account",
        account,
        "--pace",
        "1000",
    ];
    args.extend(["--protected", "/me", "--signed", "GET /orders"]);
    args
}

#[test]
fn a_scan_logs_its_requests_and_no_secret() {
    let (url, account) = (application(), format!("synthetic:{PASSWORD}"));
    for format in FORMATS {
        let ran = ran(verbose(&scan_arguments("scan", &url, &account), format)
            .output()
            .unwrap());
        is_clean(format, &(ran.out + &ran.err));
        for expected in ["request", "check started", "response received"] {
            assert!(ran.err.contains(expected), "{expected}: {}", ran.err);
        }
        let prove = ["scan", "https://example.org", "--prove"];
        let proof = crate::process::ran(verbose(&prove, format).output().unwrap());
        assert_eq!(proof.code, Some(0), "{}", proof.err);
        is_clean(format, &(proof.out + &proof.err));
    }
}

#[test]
fn a_watch_logs_no_secret() {
    let (url, account) = (application(), format!("synthetic:{PASSWORD}"));
    // Nobody listens there, and the address of a webhook is a secret too.
    let hook = format!("http://127.0.0.1:9/{HOOK}?token={HOOK}");
    for format in FORMATS {
        let history = folder("watch-log").join("history.sqlite3");
        let mut args = scan_arguments("watch", &url, &account);
        args.extend([
            "--once",
            "--webhook",
            &hook,
            "--history",
            history.to_str().unwrap(),
        ]);
        args.extend(["--check", "login-unlimited"]);
        let first = ran(verbose(&args, format).output().unwrap());
        // A second scan that finds something else has a message to deliver.
        args.extend(["--check", "token-response-cacheable"]);
        let second = ran(verbose(&args, format).output().unwrap());
        let log = first.out + &first.err + &second.out + &second.err;
        is_clean(format, &log);
        assert!(log.contains("scan recorded"), "{log}");
        assert!(log.contains("will retry after the next scan"), "{log}");
    }
}

/// Reads what a server writes to standard error until it listens; the rest on a thread.
fn start(mut command: Command) -> (Running, String, std::thread::JoinHandle<String>) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let running = Running::adopt(child);
    let (mut log, mut line) = (String::new(), String::new());
    // A line for people, or an event for machines.
    let address = loop {
        line.clear();
        assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended: {log}");
        log += &line;
        if let Some((_, rest)) = line.split_once("127.0.0.1:") {
            let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
            if line.contains("listens on") || line.contains("started") {
                break format!("127.0.0.1:{port}");
            }
        }
    };
    let reading = std::thread::spawn(move || {
        let _ = stderr.read_to_string(&mut log);
        log
    });
    (running, address, reading)
}

fn ask(address: &str, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!(
        "{head} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\nconnection: close\r\n\
         content-type: application/json\r\nauthorization: Bearer {TOKEN}\r\ncookie: s={COOKIE}\r\n\
         x-other: {HEADER}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

fn credentials(password: &str) -> String {
    serde_json::json!({"username": "canary-name", "password": password}).to_string()
}

#[test]
fn a_guard_logs_requests_and_attempts_and_no_secret() {
    let upstream = application();
    for format in FORMATS {
        let args = [
            "guard",
            "--upstream",
            &upstream,
            "--login",
            LOGIN,
            "--listen",
            "127.0.0.1:0",
        ];
        let (running, address, reading) = start(verbose(&args, format));
        for password in [WRONG, PASSWORD] {
            ask(&address, "POST /login", &credentials(password));
        }
        ask(&address, &format!("GET /reset/{QUERY}?reset={QUERY}"), "");
        running.signal("-TERM");
        assert_eq!(running.wait().code, Some(0));
        let log = reading.join().unwrap();
        is_clean(format, &log);
        assert!(!log.contains("canary-name"), "{log}");
        for expected in ["request", "attempt", "success", "failure"] {
            assert!(log.contains(expected), "{expected}: {log}");
        }
    }
}

#[test]
fn a_service_logs_requests_and_attempts_and_no_secret() {
    for format in FORMATS {
        let data = folder("serve-log").join("data");
        let data = data.to_str().unwrap();
        let mut command = verbose(&["users", "--data", data, "add", "canary-name"], format);
        let mut adding = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let line = format!("{PASSWORD}\n");
        adding
            .stdin
            .take()
            .unwrap()
            .write_all(line.as_bytes())
            .unwrap();
        let added = ran(adding.wait_with_output().unwrap());
        assert_eq!(added.code, Some(0), "{}", added.err);
        is_clean(format, &added.err);

        let args = ["serve", "--data", data, "--listen", "127.0.0.1:0"];
        let (running, address, reading) = start(verbose(&args, format));
        ask(&address, "POST /login", &credentials(WRONG));
        let response = ask(&address, "POST /login", &credentials(PASSWORD));
        let body: serde_json::Value =
            serde_json::from_str(response.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        ask(&address, &format!("GET /me?token={QUERY}"), "");
        running.signal("-TERM");
        assert_eq!(running.wait().code, Some(0));
        let log = reading.join().unwrap();
        is_clean(format, &log);
        let issued = ["access_token", "refresh_token"].map(|name| body[name].as_str().unwrap());
        let secret = fs::read_to_string(format!("{data}/secret")).unwrap();
        for secret in issued.into_iter().chain([secret.trim(), "canary-name"]) {
            assert!(!log.contains(secret), "{secret}: {log}");
        }
        for expected in ["request", "attempt", "server started"] {
            assert!(log.contains(expected), "{expected}: {log}");
        }
    }
}

#[test]
fn nothing_is_logged_by_default_and_nothing_is_said_when_quiet() {
    let upstream = application();
    for (more, expected) in [(&[][..], "listens on"), (&["--quiet"], "")] {
        let address = crate::process::free_address().to_string();
        let mut args = vec!["guard", "--upstream", &upstream, "--login", LOGIN];
        args.extend(["--listen", &address]);
        args.extend(more);
        let mut command = doorwarden(&args);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let running = Running::start(child);
        crate::process::wait_for("the guard", || TcpStream::connect(&address).is_ok());
        ask(&address, "POST /login", &credentials(PASSWORD));
        running.signal("-TERM");
        let ran = running.wait();
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert!(ran.err.contains(expected), "{}", ran.err);
        assert!(expected.is_empty() == ran.err.is_empty(), "{}", ran.err);
        for level in ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"] {
            assert!(!ran.err.contains(level), "{}", ran.err);
        }
    }
}

#[test]
fn a_scan_and_a_service_log_nothing_below_warn_by_default() {
    let is_quiet = |what: &str, log: &str| {
        for level in ["TRACE", "DEBUG", "INFO"] {
            assert!(!log.contains(level), "{what}: {log}");
        }
    };
    let (url, account) = (application(), format!("synthetic:{PASSWORD}"));
    let mut command = doorwarden(&scan_arguments("scan", &url, &account));
    let scan = ran(command
        .env("DOORWARDEN_SIGNING_KEY", SIGNING_KEY)
        .output()
        .unwrap());
    assert!(scan.err.contains("at most"), "{}", scan.err);
    is_quiet("scan", &scan.err);

    let data = folder("serve-default-log").join("data");
    let args = ["serve", "--data", data.to_str().unwrap(), "--listen"];
    let (running, address, reading) = start(doorwarden(&[&args[..], &["127.0.0.1:0"]].concat()));
    ask(&address, "POST /login", &credentials(WRONG));
    running.signal("-TERM");
    assert_eq!(running.wait().code, Some(0));
    is_quiet("serve", &reading.join().unwrap());
}
