//! Applications that know nothing of Doorwarden: scanned, guarded, scanned again.

use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use doorwarden_lab::{SprayResult, SprayTarget};
use serde_json::{Value, json};

use crate::process::{Running, doorwarden, folder, free_address, run, wait_for};

const WEAK: &str = "Winter2026!";
const SPRAYED: usize = 200;
const SCANNED: usize = 22;

/// One login of one application, and what is wrong with it.
struct Case {
    app: &'static str,
    serve: fn(&Path, SocketAddr) -> Command,
    login: &'static str,
    path: &'static str,
    content_type: &'static str,
    body: fn(&str, &str) -> String,
    /// What a scan finds, from reading the application's code, and the guard closes; in the order of
    /// the checks.
    found: &'static [&'static str],
    /// What is found and the guard leaves as it is: the application's own tokens.
    remains: &'static [&'static str],
    /// Where a token is good for something, and its field in the login's answer.
    protected: &'static str,
    token: &'static str,
    /// More of the guard's configuration.
    guard: &'static str,
    /// The answer to a failure that the application's clients read.
    failure: &'static str,
}

fn json_body(name: &str, password: &str) -> String {
    json!({"username": name, "password": password}).to_string()
}

fn form_body(name: &str, password: &str) -> String {
    format!("username={}&password={}", encoded(name), encoded(password))
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn uvicorn(python: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(python.join("uvicorn"));
    let port = address.port().to_string();
    command.args([
        "--app-dir",
        "examples/fastapi_jwt",
        "app:app",
        "--port",
        &port,
        "--log-level",
        "warning",
    ]);
    command
}

fn gunicorn(python: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(python.join("gunicorn"));
    command.args([
        "--chdir",
        "examples/flask_bearer",
        "app:app",
        "--threads",
        "8",
        "--log-level",
        "warning",
        "--bind",
        &address.to_string(),
    ]);
    command
}

const FASTAPI_FORM: Case = Case {
    app: "fastapi_jwt",
    serve: uvicorn,
    login: "POST /token form:username form:password",
    path: "/token",
    content_type: "application/x-www-form-urlencoded",
    body: form_body,
    found: &["enumeration-by-time", "spray-unseen", "login-unlimited"],
    // By its code: HS256, claims sub and exp, plain dictionaries as answers, OAuth2PasswordBearer.
    remains: &[
        "jwt-no-id",
        "jwt-symmetric",
        "token-response-cacheable",
        "token-unbound",
        "password-grant",
    ],
    protected: "/users/me",
    token: "access_token",
    guard: "",
    failure: r#"{"detail":"Incorrect username or password"}"#,
};

const FASTAPI_JSON: Case = Case {
    login: "POST /api/auth/login json:/username json:/password",
    path: "/api/auth/login",
    content_type: "application/json",
    body: json_body,
    found: &[
        "enumeration-by-answer",
        "enumeration-by-time",
        "spray-unseen",
        "login-unlimited",
    ],
    ..FASTAPI_FORM
};

const FLASK: Case = Case {
    app: "flask_bearer",
    serve: gunicorn,
    login: "POST /login json:/username json:/password",
    path: "/login",
    content_type: "application/json",
    body: json_body,
    found: &[
        "enumeration-by-answer",
        "enumeration-by-time",
        "spray-unseen",
        "login-unlimited",
        // A list for a name reaches SQLite. The guard refuses it first.
        "login-input-errors",
    ],
    // It introspects for anybody.
    remains: &[
        "token-response-cacheable",
        "token-unbound",
        "introspection-open",
    ],
    protected: "/protected",
    token: "token",
    guard: "[guard.failure]\nbody = '{\"error\":\"Wrong name or password\"}'\n",
    failure: r#"{"error":"Wrong name or password"}"#,
};

#[test]
fn fastapi_form_login() {
    FASTAPI_FORM.play();
}

#[test]
fn fastapi_json_login() {
    FASTAPI_JSON.play();
}

#[test]
fn flask_json_login() {
    FLASK.play();
}

impl Case {
    fn play(&self) {
        let _turn = turn();
        let folder = folder(self.app);
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let python = root.join("target/venv/bin");
        assert!(
            python.exists(),
            "there is no virtual environment; run `cargo xtask test`"
        );
        let database = folder.join("app.sqlite3");
        let accounts = self.seed(&root, &python, &database, &folder);
        let address = free_address();
        let mut command = (self.serve)(&python, address);
        command
            .current_dir(&root)
            .env("DATABASE", &database)
            .stdin(Stdio::null());
        let _app = Running::start(&mut command);
        wait_for("application", || TcpStream::connect(address).is_ok());

        let before = self.scan(address, &accounts);
        let expected = [self.remains, self.found, &["captcha-or-mfa-absent"]].concat();
        assert_eq!(
            sorted(verdicts(&before, "finding")),
            sorted(expected),
            "{before:#}"
        );
        let weak = SPRAYED / 10;
        assert_eq!(self.spray(address).compromised.len(), weak);

        let (guard, guarded) = self.guard(address, &folder, "one");
        let after = self.scan(guarded, &accounts);
        // A limit by account is told as one that can be turned on a stranger who is its owner.
        let told = ["lockout-denies-owner", "captcha-or-mfa-absent"];
        let expected = [self.remains, &told].concat();
        assert_eq!(
            sorted(verdicts(&after, "finding")),
            sorted(expected),
            "{after:#}"
        );
        for check in self.found {
            // The control of times may differ by chance: then it is undecided, and not found either.
            let decided = verdicts(&after, "passed").contains(check);
            assert!(
                decided || *check == "enumeration-by-time",
                "{check}: {after:#}"
            );
        }
        stop(guard);

        let (guard, guarded) = self.guard(address, &folder, "two");
        self.people(guarded);
        let taken = self.spray(guarded);
        assert!(
            taken.compromised.len() * 100 < weak * 2,
            "{:?} of {weak}",
            taken.compromised
        );
        self.detours(guarded);
        // After the spray, whoever has a password of their own still gets in.
        self.honest(guarded, "user-000@example.org", "a password of my own 0");
        stop(guard);
        let audit = std::fs::read_to_string(folder.join("two.jsonl")).unwrap();
        assert!(audit.lines().count() >= SPRAYED);
        assert!(
            !audit.contains(WEAK) && !audit.contains("user-0"),
            "the audit trail tells names or passwords"
        );
    }

    /// Makes the users; returns the file of the scanner's accounts.
    fn seed(&self, root: &Path, python: &Path, database: &Path, folder: &Path) -> PathBuf {
        let sprayed = (0..SPRAYED).map(|i| {
            let password = match i {
                0 => "a password of my own 0".to_owned(),
                i if i % 10 == 9 => WEAK.to_owned(),
                _ => "what the others have is not sprayed".to_owned(),
            };
            format!("{}:{password}\n", name(i))
        });
        let scanned: String = (0..SCANNED)
            .map(|i| format!("scan-{}@example.org:synthetic {i} Password!\n", letters(i)))
            .collect();
        let accounts = folder.join("accounts.txt");
        std::fs::write(&accounts, &scanned).unwrap();
        let mut command = Command::new(python.join("python"));
        command
            .arg(root.join("examples").join(self.app).join("seed.py"))
            .env("DATABASE", database)
            .stdin(Stdio::piped());
        let mut seed = command.spawn().unwrap();
        let lines: String = sprayed.chain([scanned]).collect();
        seed.stdin
            .take()
            .unwrap()
            .write_all(lines.as_bytes())
            .unwrap();
        assert!(seed.wait().unwrap().success());
        accounts
    }

    fn scan(&self, address: SocketAddr, accounts: &Path) -> Value {
        let url = format!("http://{address}");
        let ran = run(&[
            "scan",
            &url,
            "--login",
            self.login,
            "--accounts",
            accounts.to_str().unwrap(),
            "--pace",
            "200",
            "--format",
            "json",
            "--quiet",
        ]);
        serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{:?} {}", ran.code, ran.err))
    }

    fn spray(&self, address: SocketAddr) -> SprayResult {
        let sprayed = SprayTarget {
            address,
            path: self.path,
            content_type: self.content_type,
            body: self.body,
        };
        let names: Vec<String> = (0..SPRAYED).map(name).collect();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime
            .block_on(sprayed.spray(&names, &[WEAK], || {}))
            .unwrap()
    }

    fn guard(&self, upstream: SocketAddr, folder: &Path, name: &str) -> (Running, SocketAddr) {
        let address = free_address();
        let config = folder.join(format!("{name}.toml"));
        let text = format!(
            "[guard]\nlisten = \"{address}\"\nupstream = \"http://{upstream}\"\n[[guard.login]]\nroute = \"{}\"\n{}",
            self.login, self.guard
        );
        std::fs::write(&config, text).unwrap();
        let audit = folder.join(format!("{name}.jsonl"));
        let args = [
            "guard",
            "--config",
            config.to_str().unwrap(),
            "--audit",
            audit.to_str().unwrap(),
        ];
        let guard = Running::start(
            doorwarden(&args)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped()),
        );
        wait_for("guard", || TcpStream::connect(address).is_ok());
        (guard, address)
    }

    /// Honest people: one logs in, one mistypes twice first; both use what they get.
    fn people(&self, address: SocketAddr) {
        self.honest(address, "user-000@example.org", "a password of my own 0");
        for typo in ["a pasword of my own 0", "a password of my won 0"] {
            let (status, body) = self.send(address, "user-000@example.org", typo);
            assert_eq!((status, body.as_str()), (401, self.failure));
        }
        self.honest(address, "user-000@example.org", "a password of my own 0");
    }

    /// gunicorn lets its peer set SCRIPT_NAME, and with it the path: `/x/login` would be `/login`.
    fn detours(&self, address: SocketAddr) {
        let url = format!("http://{address}/x{}", self.path);
        let body = (self.body)("user-000@example.org", "a password of my own 0");
        let request = reqwest::Client::new()
            .post(url)
            .header("content-type", self.content_type)
            .header("SCRIPT_NAME", "/x")
            .body(body);
        let answer = block_on(async { request.send().await?.text().await });
        assert!(!answer.contains("token"), "{answer}");
    }

    fn honest(&self, address: SocketAddr, name: &str, password: &str) {
        let (status, body) = self.send(address, name, password);
        assert_eq!(status, 200, "{body}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        let token = answer[self.token].as_str().unwrap();
        let url = format!("http://{address}{}", self.protected);
        let me = block_on(async {
            reqwest::Client::new()
                .get(url)
                .bearer_auth(token)
                .send()
                .await?
                .text()
                .await
        });
        assert!(me.contains(name), "{me}");
    }

    fn send(&self, address: SocketAddr, name: &str, password: &str) -> (u16, String) {
        let url = format!("http://{address}{}", self.path);
        let body = (self.body)(name, password);
        block_on(async {
            let request = reqwest::Client::new()
                .post(url)
                .header("content-type", self.content_type)
                .body(body);
            let response = request.send().await?;
            Ok((response.status().as_u16(), response.text().await?))
        })
    }
}

fn block_on<T>(future: impl Future<Output = reqwest::Result<T>>) -> T {
    tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(future)
        .unwrap()
}

fn verdicts<'a>(report: &'a Value, kind: &str) -> Vec<&'a str> {
    let verdicts = report["verdicts"].as_array().unwrap().iter();
    verdicts
        .filter(|verdict| verdict["verdict"] == kind)
        .map(|verdict| verdict["check"].as_str().unwrap())
        .collect()
}

fn stop(guard: Running) {
    guard.signal("-TERM");
    let ran = guard.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.err);
}

fn name(i: usize) -> String {
    format!("user-{i:03}@example.org")
}

fn letters(i: usize) -> String {
    (0..6)
        .map(|place| char::from(b'a' + ((i * 7 + place * (i + 3)) % 26) as u8))
        .collect()
}

fn sorted<T: Ord>(mut words: Vec<T>) -> Vec<T> {
    words.sort();
    words
}

/// One application at a time: they take times, on two cores.
pub(crate) fn turn() -> std::sync::MutexGuard<'static, ()> {
    static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let guard = TURN
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    std::thread::sleep(Duration::from_millis(100));
    guard
}
