//! Frameworks' logins as their documentation sets them up, scanned. What must be found stands here
//! from reading their code.

use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::process::{Running, folder, free_address, run, wait_for};

/// A framework, how its application is started and scanned, and what is found.
struct Framework {
    name: &'static str,
    serve: fn(&Path, SocketAddr) -> Command,
    environment: &'static [(&'static str, &'static str)],
    /// Whether accounts are written into its database by `--seed`; else it reads them or registers.
    seeded: Option<&'static str>,
    scan: &'static [&'static str],
    found: &'static [&'static str],
    /// The login that must be understood.
    login: &'static str,
}

const APPS: &str = "examples/frameworks";

fn uvicorn(python: &Path, address: SocketAddr, app: &str) -> Command {
    let mut command = Command::new(python.join("uvicorn"));
    command.args(["--app-dir", APPS, app, "--log-level", "warning"]);
    command.args(["--port", &address.port().to_string()]);
    command
}

fn fastapi_users_app(python: &Path, address: SocketAddr) -> Command {
    uvicorn(python, address, "fastapi_users_app:app")
}

fn strawberry_app(python: &Path, address: SocketAddr) -> Command {
    uvicorn(python, address, "strawberry_app:app")
}

fn gunicorn(python: &Path, address: SocketAddr, app: &str) -> Command {
    let mut command = Command::new(python.join("gunicorn"));
    command.args([
        "--chdir",
        APPS,
        app,
        "--threads",
        "8",
        "--log-level",
        "warning",
    ]);
    command.args(["--bind", &address.to_string()]);
    command
}

fn flask_security(python: &Path, address: SocketAddr) -> Command {
    gunicorn(python, address, "flask_security_app:app")
}

fn flask_jwt_extended(python: &Path, address: SocketAddr) -> Command {
    gunicorn(python, address, "flask_jwt_extended_app:app")
}

fn django(python: &Path, address: SocketAddr) -> Command {
    gunicorn(python, address, "django_simplejwt_app:app")
}

fn express(_: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new("node");
    command.arg(format!("{APPS}/express_passport_app.js"));
    command.env("NODE_PATH", "target/node/node_modules");
    command.env("PORT", address.port().to_string());
    command
}

#[test]
fn fastapi_users() {
    // authenticate() hashes for unknown names too; JWTStrategy has sub, aud and exp, signs by HS256,
    // and destroy_token does nothing; the register route answers REGISTER_USER_ALREADY_EXISTS;
    // validate_password is empty; forgot-password answers 202 to all.
    Framework {
        name: "fastapi_users",
        serve: fastapi_users_app,
        environment: &[],
        seeded: None,
        scan: &["--register"],
        found: &[
            "jwt-no-id",
            "jwt-symmetric",
            "token-response-cacheable",
            "token-unbound",
            "password-grant",
            "token-outlives-logout",
            "enumeration-by-registration",
            "weak-password-accepted",
            "spray-unseen",
            "login-unlimited",
            "captcha-or-mfa-absent",
        ],
        login: "POST /auth/jwt/login form:username form:password",
    }
    .play();
}

#[test]
fn flask_security_too() {
    // The login wants Flask-WTF's token, which its page has; unknown names are hashed for, and told
    // in other words (SECURITY_RETURN_GENERIC_RESPONSES is off); Flask's session is in its cookie,
    // so logout can only take that away, and SESSION_COOKIE_SAMESITE is unset; Flask-Login's basic
    // session protection binds a session to the address.
    Framework {
        name: "flask_security",
        serve: flask_security,
        environment: &[],
        seeded: Some("flask_security_app.py"),
        scan: &[
            "--login",
            "POST /login json:/email json:/password",
            "--protected",
            "/me",
            "--token",
            "cookie:session",
            "--logout",
            "POST /logout",
        ],
        found: &[
            "cookie-flags",
            "token-outlives-logout",
            "enumeration-by-answer",
            "spray-unseen",
            "login-unlimited",
            "captcha-or-mfa-absent",
        ],
        login: "POST /login json:/email json:/password",
    }
    .play();
}

#[test]
fn flask_security_registers_by_its_page() {
    // The registration wants the page's token too, and the password twice; it tells that a name is
    // taken, and the length is all it asks of a password.
    Framework {
        name: "flask_security_registers",
        serve: flask_security,
        environment: &[("REGISTERABLE", "1")],
        seeded: None,
        scan: &[
            "--register",
            r#"POST /register body:{"email":"{{account}}","password":"{{password}}","password_confirm":"{{password}}"}"#,
            "--login",
            "POST /login json:/email json:/password",
            "--protected",
            "/me",
            "--token",
            "cookie:session",
        ],
        found: &[
            "cookie-flags",
            "enumeration-by-answer",
            "enumeration-by-registration",
            "weak-password-accepted",
            "spray-unseen",
            "login-unlimited",
            "captcha-or-mfa-absent",
        ],
        login: "POST /login json:/email json:/password",
    }
    .play();
}

#[test]
fn flask_jwt_extended_quick_start() {
    // JWT_SECRET_KEY is the documentation's; no hash for unknown names; a list for a name reaches
    // SQLite. Tokens have jti, nbf and exp of 15 minutes, and exp and nbf are checked.
    Framework {
        name: "flask_jwt_extended",
        serve: flask_jwt_extended,
        environment: &[],
        seeded: Some("flask_jwt_extended_app.py"),
        scan: &[],
        found: &[
            "jwt-weak-secret",
            "jwt-symmetric",
            "token-response-cacheable",
            "token-unbound",
            "enumeration-by-time",
            "spray-unseen",
            "login-unlimited",
            "captcha-or-mfa-absent",
            "login-input-errors",
        ],
        login: "POST /login json:/username json:/password",
    }
    .play();
}

/// ModelBackend hashes for unknown names; tokens have jti, iat and exp of 5 minutes, signed by HS256;
/// ROTATE_REFRESH_TOKENS is off; no Cache-Control.
const SIMPLEJWT: Framework = Framework {
    name: "django_simplejwt",
    serve: django,
    environment: &[],
    seeded: Some("django_simplejwt_app.py"),
    scan: &["--protected", "/me", "--refresh", "/api/token/refresh/"],
    found: &[
        "jwt-symmetric",
        "token-response-cacheable",
        "token-unbound",
        "refresh-token-reuse",
        "spray-unseen",
        "login-unlimited",
        "captcha-or-mfa-absent",
    ],
    login: "POST /api/token/ json:/username json:/password",
};

#[test]
fn django_rest_simplejwt() {
    SIMPLEJWT.play();
}

#[test]
fn django_rest_simplejwt_with_axes() {
    // AXES_LOCKOUT_PARAMETERS is ["ip_address"], AXES_FAILURE_LIMIT 3, with no end; a locked address
    // is answered as for a wrong password.
    Framework {
        name: "django_simplejwt_axes",
        environment: &[("AXES", "1")],
        found: &[
            "jwt-symmetric",
            "token-response-cacheable",
            "token-unbound",
            "refresh-token-reuse",
            "spray-unseen",
            "limit-ignores-account",
            "captcha-or-mfa-absent",
        ],
        ..SIMPLEJWT
    }
    .play();
}

#[test]
fn express_with_passport() {
    // express-session sets HttpOnly and no SameSite; the strategy of passport's tutorial returns at
    // once for unknown names; logout regenerates the session; NODE_ENV is not production, so
    // express.json()'s error shows its stack.
    Framework {
        name: "express_passport",
        serve: express,
        environment: &[],
        seeded: None,
        scan: &["--logout", "POST /logout"],
        found: &[
            "token-unbound",
            "cookie-flags",
            "enumeration-by-time",
            "spray-unseen",
            "login-unlimited",
            "captcha-or-mfa-absent",
            "login-input-errors",
        ],
        login: "POST /login json:/username json:/password",
    }
    .play();
}

#[test]
fn graphql_by_strawberry() {
    // Its schema names the mutation; a refusal is a 200 with errors. Unknown names are hashed for.
    // Aliases bring no guesses: a mutation that may not be null fails the whole request, and those
    // after it don't run. Tokens have jti and exp, signed by HS256; no Cache-Control.
    Framework {
        name: "strawberry",
        serve: strawberry_app,
        environment: &[],
        seeded: None,
        scan: &[],
        found: &[
            "jwt-symmetric",
            "token-response-cacheable",
            "token-unbound",
            "spray-unseen",
            "login-unlimited",
            "captcha-or-mfa-absent",
        ],
        login: r#"POST /graphql body:{"query":"mutation { login(username: \"{{account}}\", password: \"{{password}}\") { accessToken } }"}"#,
    }
    .play();
}

impl Framework {
    fn play(&self) {
        let _turn = crate::real_apps::turn();
        let folder = folder(self.name);
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let python = root.join("target/frameworks/bin");
        assert!(
            python.exists(),
            "the frameworks are not installed; run `cargo xtask test`"
        );
        let accounts = accounts(&folder);
        let database = folder.join("app.sqlite3");
        if let Some(app) = self.seeded {
            self.seed(&python, &root.join(APPS).join(app), &database, &accounts);
        }
        let address = free_address();
        let mut command = (self.serve)(&python, address);
        command
            .current_dir(&root)
            .env("DATABASE", &database)
            .env("ACCOUNTS", &accounts)
            .envs(self.environment.iter().copied())
            .stdin(Stdio::null());
        let _app = Running::start(&mut command);
        wait_for("application", || TcpStream::connect(address).is_ok());

        let url = format!("http://{address}");
        let mut args = vec!["scan", &url, "--pace", "200", "--format", "json", "--quiet"];
        args.extend(self.scan);
        if !self.scan.contains(&"--register") {
            args.extend(["--accounts", accounts.to_str().unwrap()]);
        }
        let ran = run(&args);
        let report: Value =
            serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{:?} {}", ran.code, ran.err));
        assert_eq!(report["login"], self.login);
        assert!(report["requests"].as_u64().unwrap() <= 250, "{report:#}");
        let mut found: Vec<&str> = report["verdicts"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|verdict| verdict["verdict"] == "finding")
            .map(|verdict| verdict["check"].as_str().unwrap())
            .collect();
        found.sort_unstable();
        let mut expected = self.found.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected, "{report:#}");
    }

    fn seed(&self, python: &Path, app: &Path, database: &Path, accounts: &Path) {
        let mut command = Command::new(python.join("python"));
        command
            .args([app, Path::new("--seed")])
            .env("DATABASE", database)
            .envs(self.environment.iter().copied())
            .stdin(Stdio::piped());
        let mut seeding = command.spawn().unwrap();
        let lines = std::fs::read(accounts).unwrap();
        seeding.stdin.take().unwrap().write_all(&lines).unwrap();
        assert!(seeding.wait().unwrap().success());
    }
}

/// As many accounts as give each check its own.
fn accounts(folder: &Path) -> PathBuf {
    let name = |i: u8| char::from(b'a' + i);
    let lines: String = (0..18)
        .map(|i| format!("scan-{}@example.org:synthetic {i} Password!\n", name(i)))
        .collect();
    let path = folder.join("accounts.txt");
    std::fs::write(&path, lines).unwrap();
    path
}
