//! `doorwarden serve` as a process: scanned, killed, and used by clients that others wrote.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::Value;

use crate::process::{Running, doorwarden, folder, free_address, run, wait_for};

pub const PASSWORD: &str = "a fine long password of mine";

/// A server on its own data.
pub struct Service {
    pub url: String,
    pub data: PathBuf,
    pub process: Running,
    /// How its operator names it.
    which: [String; 2],
}

impl Service {
    pub fn start(name: &str, more: &[&str]) -> Self {
        Self::on(folder(name).join("data"), more)
    }

    fn on(data: PathBuf, more: &[&str]) -> Self {
        let which = ["--data".to_owned(), data.to_str().unwrap().to_owned()];
        Self::of(data, which, more)
    }

    /// By a configuration; `more` is what its section says beside the data directory.
    #[cfg(any(feature = "real-apps", feature = "real-postgres"))]
    pub fn configured(data: PathBuf, more: &str) -> Self {
        std::fs::create_dir_all(&data).unwrap();
        let config = data.join("doorwarden.toml");
        let text = format!("[serve]\ndata = {data:?}\n{more}\n");
        std::fs::write(&config, text).unwrap();
        let which = ["--config".to_owned(), config.to_str().unwrap().to_owned()];
        Self::of(data, which, &[])
    }

    /// With a host name for its issuer: browsers have no passkeys for addresses.
    #[cfg(feature = "real-apps")]
    fn of_localhost(name: &str) -> Self {
        let data = folder(name).join("data");
        let which = ["--data".to_owned(), data.to_str().unwrap().to_owned()];
        let address = free_address();
        let issuer = format!("http://localhost:{}", address.port());
        let mut service = Self::at(address, data, which, &["--issuer", &issuer]);
        service.url = issuer;
        service
    }

    fn of(data: PathBuf, which: [String; 2], more: &[&str]) -> Self {
        Self::at(free_address(), data, which, more)
    }

    fn at(address: SocketAddr, data: PathBuf, which: [String; 2], more: &[&str]) -> Self {
        let mut command = doorwarden(&["serve", "--listen", &address.to_string()]);
        command.args(&which);
        let audit = data.with_extension("audit");
        command
            .args(["--audit", audit.to_str().unwrap()])
            .args(more)
            .stderr(Stdio::null());
        let process = Running::start(&mut command);
        wait_for("the service", || TcpStream::connect(address).is_ok());
        Self {
            url: format!("http://{address}"),
            data,
            process,
            which,
        }
    }

    pub fn office(&self, args: &[&str]) -> String {
        let mut all = vec![args[0], &self.which[0], &self.which[1]];
        all.extend(&args[1..]);
        let ran = run(&all);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        ran.out
    }

    /// Posts a form; the status and the body.
    pub fn post(&self, path: &str, form: &str) -> (u16, String) {
        self.post_as("", path, form)
    }

    /// The same with a token.
    pub fn post_as(&self, token: &str, path: &str, form: &str) -> (u16, String) {
        let address = self.url.strip_prefix("http://").unwrap();
        let bearer = match token {
            "" => String::new(),
            token => format!("authorization: Bearer {token}\r\n"),
        };
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/x-www-form-urlencoded\r\n\
             {bearer}content-length: {}\r\nconnection: close\r\n\r\n{form}",
            form.len()
        );
        let Ok(mut stream) = TcpStream::connect(address) else {
            return (0, String::new());
        };
        let mut answer = String::new();
        // Killed in the middle, it breaks off: that is no acknowledgement.
        let whole = stream
            .write_all(request.as_bytes())
            .and_then(|()| stream.read_to_string(&mut answer));
        let status = answer
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        let body = answer
            .split("\r\n\r\n")
            .nth(1)
            .unwrap_or_default()
            .to_owned();
        (status.filter(|_| whole.is_ok()).unwrap_or(0), body)
    }
}

pub fn form(name: &str, password: &str) -> String {
    format!("username={name}&password={}", password.replace(' ', "+"))
}

/// What a scan finds beside information, and what it can't decide.
fn faults(url: &str, more: &[&str]) -> (Vec<String>, Vec<String>, Value) {
    let mut args = vec!["scan", url, "--pace", "100", "--format", "json", "--quiet"];
    args.extend(more);
    let ran = run(&args);
    let report: Value =
        serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{:?} {}", ran.code, ran.err));
    let verdicts = report["verdicts"].as_array().unwrap().clone();
    let of = |keep: &dyn Fn(&Value) -> bool| {
        let kept = verdicts.iter().filter(|verdict| keep(verdict));
        kept.map(|verdict| verdict["check"].as_str().unwrap().to_owned())
            .collect()
    };
    let found = of(&|verdict| verdict["verdict"] == "finding" && verdict["severity"] != "info");
    let undecided = of(&|verdict| verdict["verdict"] == "inconclusive");
    (found, undecided, report)
}

#[test]
fn a_scan_finds_nothing_in_any_profile() {
    for profile in ["compat", "standard"] {
        let service = Service::start(&format!("scanned-{profile}"), &["--profile", profile]);
        let (found, undecided, report) = faults(&service.url, &["--register"]);
        assert_eq!(found, [""; 0], "{profile}: {report:#}");
        assert_eq!(undecided, [""; 0], "{profile}: {report:#}");
        assert_eq!(report["grade"], "A", "{profile}: {report:#}");
    }
    // Tokens of the API are for clients with a key there; people log in at the pages.
    let service = Service::start("scanned-strict", &["--profile", "strict"]);
    let pages = [
        "--register",
        "POST /account/register form:/username form:/password",
        "--login",
        "POST /account/login form:/username form:/password",
        "--protected",
        "/account",
        "--token",
        "cookie:session",
        "--logout",
        "POST /account/logout",
        "--change-password",
        "POST /account/password form:/old_password form:/new_password",
    ];
    let pages = pages.map(|word| word.replace("form:/", "form:"));
    let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
    let (found, undecided, report) = faults(&service.url, &pages);
    assert_eq!(found, [""; 0], "{report:#}");
    assert_eq!(undecided, [""; 0], "{report:#}");
}

/// Killed in the middle of many writes, it has kept all that it acknowledged.
#[test]
fn what_was_acknowledged_survives_a_kill() {
    let data = folder("killed").join("data");
    killed(|_| Service::on(data.clone(), &[]));
}

/// Kills it in the midst of its work, three times, and lets it be started again.
pub fn killed(mut start: impl FnMut(u64) -> Service) {
    let mut service = start(0);
    for round in 0..3 {
        let seen = AtomicUsize::new(0);
        let (acknowledged, changed): (Vec<String>, Vec<String>) = std::thread::scope(|scope| {
            let changing = scope.spawn(|| changes(&service, round, &seen));
            let workers: Vec<_> = (0..3)
                .map(|worker| {
                    let service = &service;
                    scope.spawn(move || {
                        let mut names = Vec::new();
                        for number in 0..10_000 {
                            let name = format!("kill-{round}-{worker}-{number}");
                            match service.post("/register", &form(&name, PASSWORD)).0 {
                                202 => names.push(name),
                                0 => break,
                                // A busy machine has no place for it.
                                _ => {}
                            }
                        }
                        names
                    })
                })
                .collect();
            std::thread::sleep(std::time::Duration::from_millis(1000 + 300 * round));
            wait_for("a changed password", || seen.load(Ordering::Relaxed) > 0);
            service.process.signal("-KILL");
            let registered = workers
                .into_iter()
                .flat_map(|worker| worker.join().unwrap())
                .collect();
            (registered, changing.join().unwrap())
        });
        assert!(!acknowledged.is_empty() && !changed.is_empty());
        service = start(round + 1);
        let listed = service.office(&["users", "list", "--json"]);
        for name in &acknowledged {
            assert!(
                listed.contains(&format!("\"{name}\"")),
                "{name} was acknowledged and is gone"
            );
        }
        for name in &changed {
            let sessions = service.office(&["sessions", "list", name]);
            assert!(!sessions.contains("Unknown device"), "{name}: {sessions}");
            assert_eq!(
                service.post("/login", &form(name, CHANGED)).0,
                200,
                "{name}"
            );
        }
    }
}

const CHANGED: &str = "another fine long password";

/// Registers, logs in, changes the password, which ends the session, logs in again and out, until nothing
/// answers; the names all of whose steps were acknowledged.
fn changes(service: &Service, round: u64, seen: &AtomicUsize) -> Vec<String> {
    let mut changed = Vec::new();
    for number in 0..10_000 {
        let name = format!("change-{round}-{number}");
        if service.post("/register", &form(&name, PASSWORD)).0 == 0 {
            break;
        }
        let (status, tokens) = service.post("/login", &form(&name, PASSWORD));
        match status {
            200 => {}
            0 => break,
            _ => continue,
        }
        let tokens: Value = serde_json::from_str(&tokens).unwrap();
        let change = format!("old_password={PASSWORD}&new_password={CHANGED}").replace(' ', "+");
        let token = tokens["access_token"].as_str().unwrap();
        match service.post_as(token, "/password/change", &change).0 {
            200 => {}
            0 => break,
            _ => continue,
        }
        // And a session that is begun with the new one is ended.
        let (status, tokens) = service.post("/login", &form(&name, CHANGED));
        if status != 200 {
            continue;
        }
        let tokens: Value = serde_json::from_str(&tokens).unwrap();
        let token = tokens["access_token"].as_str().unwrap();
        if service.post_as(token, "/logout", "").0 == 204 {
            changed.push(name);
        }
        seen.store(changed.len(), Ordering::Relaxed);
    }
    changed
}

#[test]
fn what_was_counted_comes_back_after_a_restart() {
    let data = folder("counted").join("data");
    let service = Service::on(data.clone(), &[]);
    assert_eq!(service.post("/register", &form("alice", PASSWORD)).0, 202);
    for i in 0..10 {
        service.post("/login", &form("alice", &format!("a wrong password {i}")));
    }
    assert_eq!(service.post("/login", &form("alice", PASSWORD)).0, 429);
    service.process.signal("-INT");
    assert_eq!(service.process.wait().code, Some(0));
    let service = Service::on(data.clone(), &[]);
    assert_eq!(service.post("/login", &form("alice", PASSWORD)).0, 429);
    service.process.signal("-INT");
    assert_eq!(service.process.wait().code, Some(0));
    // Unlocked while nothing runs, it is so when it does.
    let shown = data.to_str().unwrap();
    assert_eq!(
        run(&["users", "--data", shown, "unlock", "alice"]).code,
        Some(0)
    );
    let service = Service::on(data, &[]);
    wait_for("the account", || {
        service.post("/login", &form("alice", PASSWORD)).0 == 200
    });
}

#[test]
fn an_operator_adds_disables_and_imports() {
    let service = Service::start("operator", &[]);
    let mut add = doorwarden(&[
        "users",
        "--data",
        service.data.to_str().unwrap(),
        "add",
        "root",
        "--admin",
    ]);
    let mut adding = add
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    adding
        .stdin
        .take()
        .unwrap()
        .write_all(format!("{PASSWORD}\n").as_bytes())
        .unwrap();
    assert!(adding.wait().unwrap().success());
    let (status, tokens) = service.post("/login", &form("root", PASSWORD));
    assert_eq!(status, 200);
    let tokens: Value = serde_json::from_str(&tokens).unwrap();
    let token = tokens["access_token"].as_str().unwrap();

    // The token verifies by the keys, strictly.
    let keys = service.data.with_extension("jwks.json");
    let client = reqwest::Client::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let jwks = runtime.block_on(async {
        let asked = client
            .get(format!("{}/.well-known/jwks.json", service.url))
            .send();
        asked.await.unwrap().text().await.unwrap()
    });
    std::fs::write(&keys, jwks).unwrap();
    let verify = |more: &[&str]| {
        let mut args = vec!["token", "verify", "--jwks", keys.to_str().unwrap()];
        args.extend(more);
        let ran = run(&args);
        (ran.code, ran.out)
    };
    let (code, out) = verify(&[
        "--alg",
        "RS256",
        "--typ",
        "at+jwt",
        "--iss",
        &service.url,
        "--aud",
        &service.url,
        token,
    ]);
    assert_eq!((code, out.as_str()), (Some(0), "valid\n"));
    for (more, why) in [
        (vec!["--alg", "HS256", token], "unexpected `alg`"),
        (vec!["--alg", "RS256", "--aud", "other", token], "`aud`"),
        (
            vec!["--alg", "RS256", "--at", "9999999999", token],
            "expired",
        ),
        (
            vec!["--alg", "RS256", &token[..token.len() - 2]],
            "signature",
        ),
        (vec!["--alg", "RS256", "nonsense"], "three parts"),
    ] {
        let (code, out) = verify(&more);
        assert_eq!(code, Some(1));
        assert!(out.contains(why), "{out}");
    }
    assert_eq!(verify(&["--alg", "none", token]).0, Some(2));

    service.office(&["users", "disable", "root"]);
    assert_eq!(service.post("/login", &form("root", PASSWORD)).0, 401);
    service.office(&["users", "enable", "root"]);
    assert_eq!(service.post("/login", &form("root", PASSWORD)).0, 200);
    assert!(
        service
            .office(&["sessions", "list", "root"])
            .contains("Unknown device")
    );
    assert!(
        service
            .office(&["sessions", "revoke", "root"])
            .contains("ended 1 sessions")
    );
    assert!(
        service
            .office(&["keys", "rotate", "--alg", "ES256"])
            .starts_with("kid=")
    );

    let file = service.data.with_extension("csv");
    std::fs::write(&file, "name,hash\nold,pbkdf2:sha256:1000$salt$nonsense\n").unwrap();
    let ran = run(&[
        "users",
        "--data",
        service.data.to_str().unwrap(),
        "import",
        file.to_str().unwrap(),
    ]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.contains(".csv:2: unsupported hash format"),
        "{}",
        ran.err
    );
}

#[test]
fn what_can_not_be_served_is_told() {
    let folder = folder("unserved");
    let data = folder.to_str().unwrap();
    let ran = run(&["serve", "--data", data, "--listen", "0.0.0.0:0"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("danger_plain_http"), "{}", ran.err);
    let config = folder.join("doorwarden.toml");
    std::fs::write(&config, "[serve]\nacess_minutes = 5\n").unwrap();
    let ran = run(&["serve", "--config", config.to_str().unwrap()]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.err.contains("line 2") && ran.err.contains("acess_minutes"),
        "{}",
        ran.err
    );
    // Another secret opens nothing.
    let other = "0".repeat(64);
    let made = run(&["keys", "--data", data, "rotate"]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    let mut command = doorwarden(&["serve", "--data", data, "--listen", "127.0.0.1:0"]);
    let output = command.env("DOORWARDEN_SECRET", other).output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(words.contains("encrypted with another secret"), "{words}");
}

#[cfg(feature = "real-apps")]
mod others {
    use std::{path::Path, process::Command};

    use super::*;

    impl Service {
        /// A client's id and secret.
        fn client(&self) -> [String; 2] {
            let out = self.office(&["clients", "add", "tests"]);
            let of = |name: &str| {
                let line = out.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap().to_owned()
            };
            [of("client_id="), of("client_secret=")]
        }
    }

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    fn tests(file: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests")
            .join(file)
    }

    /// Runs a program to its end; what it printed.
    fn content(command: &mut Command) -> String {
        let output = command.stdin(Stdio::null()).output().unwrap();
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(output.status.success(), "{command:?}\n{out}\n{err}");
        out.into_owned()
    }

    #[test]
    fn clients_of_python_are_content() {
        let service = Service::start("clients-py", &[]);
        let out = content(
            Command::new(root().join("target/clients/bin/python"))
                .arg(tests("clients/clients.py"))
                .arg(&service.url)
                .args(service.client()),
        );
        assert_eq!(out.lines().count(), 6, "{out}");
    }

    #[test]
    fn clients_of_node_are_content() {
        let service = Service::start("clients-js", &[]);
        let out = content(
            Command::new("node")
                .arg(tests("clients/clients.mjs"))
                .arg(&service.url)
                .args(service.client())
                .arg(root().join("target/clients-node/node_modules")),
        );
        assert_eq!(out.lines().count(), 4, "{out}");
    }

    #[test]
    fn schemathesis_finds_nothing() {
        let service = Service::of_localhost("schemathesis");
        assert_eq!(service.post("/register", &form("schema", PASSWORD)).0, 202);
        let tokens: Value =
            serde_json::from_str(&service.post("/login", &form("schema", PASSWORD)).1).unwrap();
        let bearer = format!(
            "Authorization: Bearer {}",
            tokens["access_token"].as_str().unwrap()
        );
        let schemathesis = |more: &[&str]| {
            let out = content(
                Command::new(root().join("target/clients/bin/schemathesis"))
                    // It keeps what it found in the directory that it runs in.
                    .current_dir(service.data.parent().unwrap())
                    .arg("--config-file")
                    .arg(tests("clients/schemathesis.toml"))
                    .args([
                        "run",
                        &format!("{}/openapi.json", service.url),
                        "--seed",
                        "1",
                    ])
                    .args([
                        "--max-examples",
                        "20",
                        "--phases",
                        "examples,coverage,fuzzing",
                    ])
                    .args(more),
            );
            assert!(out.contains("generated"), "{out}");
        };
        // As a user, without what would end the session; then as nobody.
        let paths = "^/(me|signed|admin|password/change|mfa/totp/|passkeys)";
        schemathesis(&[
            "-H",
            &bearer,
            "--include-path-regex",
            paths,
            "--exclude-method",
            "DELETE",
        ]);
        schemathesis(&[]);
    }

    fn browser(script: &str) -> Command {
        let mut command = Command::new("node");
        command
            .arg(tests("browser").join(script))
            .env("NODE_PATH", root().join("target/browser/node_modules"));
        command
    }

    #[test]
    fn people_use_the_pages_in_a_browser() {
        let service = Service::start("pages", &[]);
        let folder = folder("serve-pictures");
        let seen = content(browser("serve.js").arg(&service.url).arg(&folder));
        let seen: Value = serde_json::from_str(&seen).unwrap();
        assert_eq!(seen["errors"], serde_json::json!([]), "{seen:#}");
        assert_eq!(seen["foreign"], serde_json::json!([]), "{seen:#}");
        for (what, wide) in seen["overflow"].as_object().unwrap() {
            assert_eq!(wide, 0, "{what}: {seen:#}");
        }
        assert_eq!(seen["account"], "browser@example.org");
        assert_eq!(seen["recovery"], 10);
        assert_eq!(
            (&seen["asked"], &seen["inside"]),
            (&"Second factor".into(), &"browser@example.org".into())
        );
        assert_eq!(seen["sessions"], 2);
        assert_eq!(
            (&seen["ended"], &seen["out"]),
            (&"/account/login".into(), &"/account/login".into())
        );
        let cookie = |name: &str| {
            let cookies = seen["cookies"].as_array().unwrap().iter();
            cookies
                .into_iter()
                .find(|cookie| cookie["name"] == name)
                .unwrap()
                .clone()
        };
        assert_eq!(cookie("session")["sameSite"], "Strict");
        assert_eq!(cookie("session")["httpOnly"], true);
    }

    #[cfg(feature = "passkeys")]
    #[test]
    fn passkeys_log_in_in_a_browser() {
        let service = Service::of_localhost("passkeys");
        let folder = folder("serve-pictures");
        let seen = content(browser("passkeys.js").arg(&service.url).arg(&folder));
        let seen: Value = serde_json::from_str(&seen).unwrap();
        let expected = serde_json::json!({
            "errors": [],
            "refused": "The password is incorrect.",
            "codes": 10,
            "listed": 1,
            "inside": "passkeys@example.org",
            "beside": "passkeys@example.org",
            "unverified": ["No passkey was used.", "/account/login"],
            "removed": ["The passkey has been removed.", 0],
            "gone": "Unknown passkey, or the login has expired.",
        });
        assert_eq!(seen, expected, "{seen:#}");
    }

    #[cfg(feature = "passkeys")]
    #[test]
    fn authenticators_of_python_are_content() {
        let service = Service::of_localhost("passkeys-py");
        let mut command = Command::new(root().join("target/clients/bin/python"));
        command.arg(tests("clients/passkeys.py")).arg(&service.url);
        assert_eq!(content(&mut command), "content\n");
    }

    #[test]
    fn a_mail_for_a_new_password_leaves_by_smtp() {
        let (address, mails) = (free_address(), folder("smtp").join("mails"));
        let mut server = Command::new(root().join("target/clients/bin/aiosmtpd"));
        server
            .args(["--nosetuid", "--listen", &address.to_string()])
            .args(["--class", "aiosmtpd.handlers.Debugging", "stdout"])
            .stdout(std::fs::File::create(&mails).unwrap());
        let _server = Running::start(&mut server);
        wait_for("the mail server", || TcpStream::connect(address).is_ok());
        let smtp =
            format!("smtp = \"smtp://{address}\"\nmail_from = \"Logins <logins@example.org>\"");
        let service = Service::configured(folder("by-smtp").join("data"), &smtp);
        let name = "alice@example.org";
        assert_eq!(service.post("/register", &form(name, PASSWORD)).0, 202);
        let ask = "username=alice@example.org";
        assert_eq!(service.post("/password/reset", ask).0, 202);
        let read = || std::fs::read_to_string(&mails).unwrap();
        wait_for("the mail", || read().contains("END MESSAGE"));
        // Quoted-printable breaks lines with a = at their end.
        let mail = read().replace("=\n", "").replace("=3D", "=");
        assert!(mail.contains("From: Logins <logins@example.org>"), "{mail}");
        assert!(mail.contains("To: alice@example.org"), "{mail}");
        let token = mail.split("reset?token=").nth(1).unwrap();
        let token = token.split_whitespace().next().unwrap();
        let reset = format!("token={token}&password=another+fine+long+password");
        assert_eq!(service.post("/password/reset/confirm", &reset).0, 200);
        assert_eq!(service.post("/login", &form(name, CHANGED)).0, 200);
    }

    #[test]
    fn swagger_ui_logs_in() {
        let service = Service::start("swagger", &[]);
        assert_eq!(service.post("/register", &form("swagger", PASSWORD)).0, 202);
        let seen = content(
            browser("swagger.js")
                .arg(&service.url)
                .args(["swagger", PASSWORD])
                .arg(root().join("target/browser/node_modules/swagger-ui-dist")),
        );
        assert_eq!(
            serde_json::from_str::<Value>(&seen).unwrap()["status"],
            "200"
        );
    }

    #[test]
    fn an_application_verifies_tokens_by_the_keys_alone() {
        let service = Service::start("fastapi", &[]);
        assert_eq!(service.post("/register", &form("alice", PASSWORD)).0, 202);
        let tokens: Value =
            serde_json::from_str(&service.post("/login", &form("alice", PASSWORD)).1).unwrap();
        let address = free_address();
        let mut command = Command::new(root().join("target/clients/bin/uvicorn"));
        command
            .args([
                "--app-dir",
                tests("clients").to_str().unwrap(),
                "fastapi_app:app",
                "--log-level",
                "warning",
            ])
            .args(["--port", &address.port().to_string()])
            .env("ISSUER", &service.url);
        let _app = Running::start(&mut command);
        wait_for("the application", || TcpStream::connect(address).is_ok());
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let orders = |token: &str| {
            let request = reqwest::Client::new()
                .get(format!("http://{address}/orders"))
                .bearer_auth(token);
            runtime.block_on(async { request.send().await.unwrap().status().as_u16() })
        };
        let token = tokens["access_token"].as_str().unwrap();
        assert_eq!(orders(token), 200);
        assert_eq!(orders(&token[..token.len() - 3]), 401);
    }
}
