//! Words, exit codes, files.

use std::process::Stdio;

use doorwarden_lab::Server as Login;

use crate::process::{Running, doorwarden, folder, run};

const LOGIN: &str = "POST /login json:/username json:/password";

/// A login of the lab that runs beside the test, with a runtime of its own.
pub struct Lab {
    runtime: tokio::runtime::Runtime,
    pub login: Login,
}

pub fn lab(id: &str) -> Lab {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let specimen = doorwarden_lab::specimens()
        .into_iter()
        .find(|s| s.id == id)
        .unwrap();
    let login = runtime
        .block_on(doorwarden_lab::start(specimen, Vec::new()))
        .unwrap();
    Lab { runtime, login }
}

impl Lab {
    pub fn register(&self, username: &str, password: &str) {
        let body = serde_json::json!({"username": username, "password": password}).to_string();
        let url = format!("{}/register", self.login.url());
        let request = reqwest::Client::new()
            .post(url)
            .header("content-type", "application/json")
            .body(body);
        assert_eq!(self.runtime.block_on(request.send()).unwrap().status(), 201);
    }
}

#[test]
fn a_faulty_login_exits_with_1_and_a_sound_one_with_0() {
    let naive = lab("naive");
    let ran = run(&["scan", &naive.login.url(), "--register", "--pace", "1000"]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains(" findings: "), "{}", ran.out);
    for check in ["spray-unseen", "login-unlimited", "enumeration-by-answer"] {
        let finding = format!("  {check}  [");
        assert!(ran.out.contains(&finding), "{check}: {}", ran.out);
    }
    assert!(
        ran.out.lines().all(|line| line.chars().count() <= 80),
        "{}",
        ran.out
    );
    assert!(ran.err.contains("at most 76 requests"), "{}", ran.err);
    assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'));
    let high = [
        "scan",
        &naive.login.url(),
        "--register",
        "--pace",
        "1000",
        "--fail-on",
        "never",
        "--quiet",
    ];
    let ran = run(&high);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));

    let sound = lab("sound-html");
    let url = sound.login.url();
    let register = "POST /register json:/username json:/password";
    let mut args = vec!["scan", &url, "--login", LOGIN, "--register", register];
    args.extend(["--pace", "1000", "--min-score", "65"]);
    // All but the one that takes times: beside other tests, two cores may be too noisy to decide.
    for check in doorwarden_scan::checks::ALL {
        if check.id != "enumeration-by-time" {
            args.extend(["--check", check.id]);
        }
    }
    let ran = run(&args);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
}

#[test]
fn the_json_report_keeps_its_schema() {
    let naive = lab("naive");
    let ran = run(&[
        "scan",
        &naive.login.url(),
        "--register",
        "--pace",
        "1000",
        "--format",
        "json",
    ]);
    // What is said of the scan stands beside it, on the standard error.
    assert!(ran.err.contains("at most"), "{}", ran.err);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&run(&["schema", "report"]).out).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(
        validator.is_valid(&report),
        "{:?}",
        validator.iter_errors(&report).next()
    );
    for field in [
        "target",
        "score",
        "grade",
        "accounts_per_day",
        "requests",
        "duration_ms",
        "endpoints",
        "verdicts",
        "side_effects",
        "other_logins",
    ] {
        assert!(report.get(field).is_some(), "{field}");
    }
    assert!(report["requests"].as_u64().unwrap() <= 250);
}

#[test]
fn without_an_account_it_says_what_one_would_add() {
    let open = lab("answers-anybody");
    let ran = run(&["scan", &open.login.url(), "--pace", "1000", "--quiet"]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.out.contains("token-not-checked"), "{}", ran.out);
    let naive = lab("naive");
    let ran = run(&[
        "scan",
        &naive.login.url(),
        "--pace",
        "1000",
        "--quiet",
        "--format",
        "json",
    ]);
    assert_eq!(ran.code, Some(4), "{}", ran.err);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let verdicts = report["verdicts"].as_array().unwrap();
    assert_eq!(verdicts.len(), doorwarden_scan::checks::ALL.len());
    let decided = verdicts.iter().filter(|verdict| {
        let reason = verdict["reason"].as_str().unwrap_or_default();
        !(reason.contains("--account") && verdict["verdict"] == "inconclusive")
    });
    let mut decided: Vec<_> = decided.map(|verdict| &verdict["check"]).collect();
    decided.sort_by_key(|check| check.as_str());
    assert_eq!(
        decided,
        [
            "cors-credentials",
            "login-input-errors",
            "password-grant",
            "plain-http",
            "token-not-checked",
        ]
    );
    // Two to learn how names that nobody has are refused, and a few malformed ones.
    assert!((2..=10).contains(&naive.login.attempts()));
}

#[test]
fn one_account_decides_what_it_can_and_says_what_more_would_add() {
    let naive = lab("naive");
    let url = naive.login.url();
    naive.register("synthetic-one", "a right password");
    let ran = run(&[
        "scan",
        &url,
        "--account",
        "synthetic-one:a right password",
        "--pace",
        "1000",
    ]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("8 more test accounts"), "{}", ran.out);
    assert!(!ran.out.contains("a right password") && !ran.err.contains("a right password"));
}

#[test]
fn mistakes_exit_with_2_and_say_what_to_do() {
    let folder = folder("cli");
    let accounts = folder.join("accounts.txt");
    std::fs::write(&accounts, "alice:secret-canary\nbob\n").unwrap();
    let accounts = accounts.to_str().unwrap();
    let sound = lab("sound");
    let url = sound.login.url();
    for (args, said) in [
        (
            vec!["scan", "http://192.0.2.1", "--account", "a:b"],
            "--prove",
        ),
        (
            vec!["scan", "https://example.org", "--account", "a:b"],
            "_doorwarden.example.org",
        ),
        (vec!["scan", "127.0.0.1:8000"], "http://127.0.0.1:8000"),
        (vec!["scan", &url, "--account", "a"], "name:password"),
        (vec!["scan", &url, "--accounts", accounts], "line 2"),
        (
            vec!["scan", &url, "--accounts", "/nonexistent"],
            "/nonexistent",
        ),
        (
            vec!["scan", &url, "--login", "POST /login"],
            "form:username",
        ),
        (
            vec!["scan", &url, "--account", "nobody:wrong"],
            "check the account's password",
        ),
        (
            vec!["scan", &url, "--check", "nonsense", "--account", "a:b"],
            "doorwarden explain",
        ),
        (
            vec!["scan", &url, "--pace", "0", "--account", "a:b"],
            "--pace",
        ),
        (
            vec![
                "scan",
                &url,
                "--format",
                "json",
                "--format",
                "html",
                "--account",
                "a:b",
            ],
            "--output",
        ),
        (vec!["explain", "nonsense"], "doorwarden explain"),
        (vec!["guard", "--upstream", "http://127.0.0.1:1"], "--login"),
        (vec!["guard", "--config", "/nonexistent"], "doorwarden init"),
    ] {
        let ran = run(&args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.err);
        assert!(ran.err.contains(said), "{args:?}: {}", ran.err);
        assert!(!ran.err.contains("canary"), "{}", ran.err);
    }
}

#[test]
fn an_unreachable_target_exits_with_3() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let ran = run(&[
        "scan",
        &format!("http://{closed}"),
        "--login",
        LOGIN,
        "--account",
        "a:b",
    ]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert!(ran.err.contains("Connection refused"), "{}", ran.err);
}

#[test]
fn an_interrupt_ends_a_scan_with_what_it_knows() {
    let naive = lab("naive");
    let args = [
        "scan",
        &naive.login.url(),
        "--register",
        "--pace",
        "20",
        "--quiet",
    ];
    let scan = Running::start(
        doorwarden(&args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    );
    std::thread::sleep(std::time::Duration::from_secs(3));
    scan.signal("-INT");
    let ran = scan.wait();
    assert!(
        [Some(1), Some(3)].contains(&ran.code),
        "{:?} {}",
        ran.code,
        ran.err
    );
    assert!(
        ran.out.contains("interrupted") && ran.out.contains("Side effects on the target"),
        "{}",
        ran.out
    );
}

#[test]
fn a_plan_says_what_is_understood_and_tries_no_login() {
    let naive = lab("naive");
    let ran = run(&["scan", &naive.login.url(), "--plan"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    for line in [
        "login                    POST /login json:/username json:/password",
        "password change          POST /password current_password new_password",
        "object of a user         GET /users/",
        "for administrators       GET /admin/accounts",
    ] {
        assert!(ran.out.contains(line), "{line}: {}", ran.out);
    }
    assert_eq!(naive.login.attempts(), 0);
    let elsewhere = run(&["scan", "http://192.0.2.1", "--plan"]);
    assert_eq!(
        elsewhere.code,
        Some(2),
        "a target that is not proven is not asked"
    );
}

#[test]
fn a_plan_needs_no_target() {
    let ran = run(&["scan", "http://127.0.0.1:1", "--account", "a:b", "--plan"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        ran.out
            .contains("250 requests, 5 per second, 12 consecutive failures per account"),
        "{}",
        ran.out
    );
}

#[test]
fn a_proof_is_bound_to_the_operator_s_key() {
    let token = |key: &str| {
        let output = doorwarden(&["scan", "https://example.org", "--prove"])
            .env("DOORWARDEN_OPERATOR_KEY", key)
            .output();
        crate::process::ran(output.unwrap()).out
    };
    let one = token(&"ab".repeat(32));
    assert!(
        one.starts_with("doorwarden-") && one.contains("/.well-known/doorwarden.txt"),
        "{one}"
    );
    assert_eq!(one, token(&"ab".repeat(32)));
    assert_ne!(one, token(&"cd".repeat(32)));
}

#[test]
fn whoever_reads_may_go_away() {
    let data = folder("gone").join("data");
    let users = ["users", "--data", data.to_str().unwrap(), "list"];
    for args in [
        &["explain"][..],
        &["schema", "report"],
        &["sim", "--list"],
        &["--help"],
        &["completions", "bash"],
        &users,
    ] {
        let mut command = doorwarden(args);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(
            (ended.status.code(), said.as_ref()),
            (Some(0), ""),
            "{args:?}"
        );
    }
}

#[test]
fn every_check_explains_itself() {
    let list = run(&["explain"]).out;
    assert_eq!(
        list.lines().count(),
        doorwarden_scan::checks::ALL.len(),
        "{list}"
    );
    for line in list.lines() {
        let id = line.split_whitespace().next().unwrap();
        let page = run(&["explain", id]).out;
        assert!(
            page.contains("## Evidence and controls") && page.contains("CWE-"),
            "{page}"
        );
    }
}

#[test]
fn init_writes_a_file_that_guard_takes_and_never_overwrites_one() {
    let folder = folder("init");
    let path = folder.join("doorwarden.toml");
    let path = path.to_str().unwrap();
    assert_eq!(run(&["init", "--output", path]).code, Some(0));
    let again = run(&["init", "--output", path]);
    assert_eq!(again.code, Some(2));
    assert!(again.err.contains("already exists"), "{}", again.err);
    let mut command = doorwarden(&["guard", "--config", path, "--listen", "127.0.0.1:0"]);
    let guard = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    std::thread::sleep(std::time::Duration::from_millis(500));
    guard.signal("-TERM");
    let ran = guard.wait();
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        ran.err
            .contains("protects POST /token form:username form:password"),
        "{}",
        ran.err
    );
}

/// The project's proof in one test: see the fault, put the guard in front as the scan says, see it
/// closed; and what a pipeline does with the reports on the way.
#[test]
fn a_scan_writes_the_guard_that_closes_it() {
    let folder = folder("closing");
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let naive = lab("naive");
    let url = naive.login.url();
    let (policy, baseline, reports) = (path("guard.toml"), path("baseline.toml"), path("reports"));
    let scan = |url: &str, more: &[&str]| {
        run(&[
            &["scan", url, "--register", "--pace", "1000", "--quiet"],
            more,
        ]
        .concat())
    };
    let mut args = vec![
        "--write-policy",
        &policy,
        "--write-baseline",
        &baseline,
        "--output",
        &reports,
    ];
    for format in ["text", "json", "html", "markdown", "sarif", "junit"] {
        args.extend(["--format", format]);
    }
    let before = scan(&url, &args);
    assert_eq!(before.code, Some(1), "{}", before.err);
    for name in ["txt", "json", "html", "md", "sarif", "xml"] {
        let text = std::fs::read_to_string(folder.join(format!("reports/report.{name}"))).unwrap();
        assert!(text.contains("spray-unseen"), "{name}: {text}");
    }
    let again = scan(&url, &["--write-policy", &policy]);
    assert_eq!(again.code, Some(2));
    assert!(again.err.contains("is not overwritten"), "{}", again.err);

    // What waits for its reasons is no baseline yet.
    let unfinished = scan(&url, &["--baseline", &baseline]);
    assert_eq!(unfinished.code, Some(2));
    assert!(
        unfinished.err.contains("without a reason"),
        "{}",
        unfinished.err
    );
    let written = std::fs::read_to_string(&baseline).unwrap();
    std::fs::write(
        &baseline,
        written.replace("reason = \"\"", "reason = \"the guard is coming\""),
    )
    .unwrap();
    let accepted = scan(&url, &["--baseline", &baseline]);
    assert!(matches!(accepted.code, Some(0 | 4)), "{}", accepted.out);
    assert!(accepted.out.contains("\nBaseline\n"), "{}", accepted.out);

    let address = crate::process::free_address();
    let listen = address.to_string();
    let mut command = doorwarden(&["guard", "--config", &policy, "--listen", &listen]);
    let guard = Running::start(command.stdout(Stdio::null()).stderr(Stdio::piped()));
    crate::process::wait_for("guard", || std::net::TcpStream::connect(address).is_ok());
    let after = scan(&format!("http://{address}"), &["--baseline", &baseline]);
    guard.signal("-TERM");
    let guard = guard.wait();
    // 4: times may be undecided by chance.
    assert!(
        matches!(after.code, Some(0 | 4)),
        "{}{}",
        after.out,
        guard.err
    );
    assert!(after.out.contains("No findings"), "{}", after.out);
    assert!(
        after.out.contains("fixed, so the entry can be removed"),
        "{}",
        after.out
    );
}

#[test]
fn a_wrong_configuration_is_refused_with_its_place() {
    let folder = folder("config");
    let path = folder.join("doorwarden.toml");
    let good = "[guard]\nupstream = \"http://127.0.0.1:1\"\n[[guard.login]]\nroute = \"POST /t form:u form:p\"\n";
    for (text, place, said) in [
        (
            format!("{good}[policy]\nheat = \"2 per day\"\n"),
            "line 6, column 8",
            "from 5 to 64",
        ),
        (
            format!("{good}[policy]\naccount = \"often\"\n"),
            "line 6, column 11",
            "5 per minute",
        ),
        (
            format!("{good}[polcy]\n"),
            "line 5, column 2",
            "unknown field `polcy`",
        ),
        (
            good.replace("upstream", "upstraem"),
            "line 2, column 1",
            "unknown field `upstraem`",
        ),
        (
            good.replace("POST /t", "POST t"),
            "line 4, column 9",
            "starts with /",
        ),
        ("[guard\n".to_owned(), "line 1", "doorwarden init"),
    ] {
        std::fs::write(&path, &text).unwrap();
        let ran = run(&["guard", "--config", path.to_str().unwrap()]);
        assert_eq!(ran.code, Some(2), "{text}{}", ran.err);
        assert!(
            ran.err.contains(place) && ran.err.contains(said),
            "{text}{}",
            ran.err
        );
    }
}

#[test]
fn a_port_in_use_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ran = run(&[
        "guard",
        "--upstream",
        "http://127.0.0.1:1",
        "--login",
        LOGIN,
        "--listen",
        &address,
    ]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("choose another address"), "{}", ran.err);
}

#[test]
fn without_a_command_a_short_help_has_examples() {
    let ran = run(&[]);
    assert_eq!(ran.code, Some(2), "a command is missing");
    assert!(ran.err.lines().count() < 45, "{}", ran.err);
    let examples = ran.err.split("Examples:").nth(1).unwrap();
    for command in ["doorwarden scan ", "doorwarden guard ", "doorwarden serve"] {
        assert!(examples.contains(command), "{}", ran.err);
    }
    // The same, asked for.
    let help = run(&["--help"]);
    assert_eq!((help.code, help.out), (Some(0), ran.err));
}

#[test]
fn what_clap_rejects_says_what_to_do() {
    for (args, said) in [
        (&["scna"][..], "similar subcommands exist"),
        (&["users", "scan"], "unrecognized subcommand"),
        (&["scan", "--register"], "<URL>"),
        (&["--register", "scan", "http://127.0.0.1:1"], "--register"),
        (&["serve", "--upstream", "http://127.0.0.1:1"], "--upstream"),
        (&["guard", "--quiet", "-v"], "cannot be used with"),
        (&["--color", "blue", "explain"], "always"),
    ] {
        let ran = run(args);
        assert_eq!(ran.code, Some(2), "{args:?}");
        assert!(ran.err.contains(said), "{args:?}: {}", ran.err);
    }
}

#[cfg(unix)]
#[test]
fn arguments_that_are_not_utf_8_are_no_panic() {
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::OsStr::from_bytes(b"\xff");
    let output = doorwarden(&["explain"]).arg(name).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn every_page_of_help_fits_a_narrow_terminal() {
    let help = run(&["--help"]).out;
    let commands = help
        .split("Commands:")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap();
    let mut seen = 0;
    for line in commands
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
    {
        let command = line.split_whitespace().next().unwrap();
        if command == "help" {
            continue;
        }
        let output = doorwarden(&[command, "--help"])
            .env("COLUMNS", "40")
            .output();
        let output = crate::process::ran(output.unwrap());
        assert_eq!(output.code, Some(0), "{command}");
        assert!(output.out.contains("Usage:"), "{command}");
        seen += 1;
    }
    assert!(seen >= 17, "{help}");
}

#[test]
fn colours_are_asked_for_or_refused() {
    let coloured = |args: &[&str]| doorwarden(args).output().unwrap().stderr.contains(&0x1b);
    assert!(!coloured(&["scna"]), "there is no terminal");
    assert!(coloured(&["--color", "always", "scna"]));
    assert!(!coloured(&["--color=never", "scna"]));
    let mut refused = doorwarden(&["scna"]);
    let refused = refused.env("NO_COLOR", "1").output().unwrap();
    assert!(!refused.stderr.contains(&0x1b));
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ran = run(&["completions", shell]);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        assert!(ran.out.contains("explain-policy"), "{shell}");
    }
}

#[test]
fn every_command_has_a_man_page() {
    let folder = folder("man");
    let ran = run(&["man", "--output", folder.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    for page in [
        "doorwarden.1",
        "doorwarden-scan.1",
        "doorwarden-guard-explain-policy.1",
    ] {
        let text = std::fs::read_to_string(folder.join(page)).unwrap();
        assert!(text.contains(".TH"), "{page}");
    }
}

#[test]
fn results_that_can_not_be_written_are_told_before_the_work() {
    let folder = folder("unwritable");
    let file = folder.join("file");
    std::fs::write(&file, "").unwrap();
    // A directory under a file can't be made, not even by root.
    let output = file.join("reports");
    let output = output.to_str().unwrap();
    let naive = lab("naive");
    let url = naive.login.url();
    for args in [
        &[
            "scan",
            &url,
            "--register",
            "--format",
            "json",
            "--output",
            output,
        ][..],
        &["scan", &url, "--register", "--write-policy", output],
        &["scan", &url, "--register", "--write-baseline", output],
        &["sim", "--quick", "--output", output],
        &["demo", "--output", output],
        &["man", "--output", output],
    ] {
        let ran = run(args);
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.err);
        assert!(ran.err.contains(output), "{args:?}: {}", ran.err);
    }
    assert_eq!(naive.login.attempts(), 0);
}

/// An audit trail that nobody reads holds attempts up, as it should, and neither the state nor the end.
#[cfg(unix)]
#[test]
fn a_guard_whose_trail_nobody_reads_still_saves_its_state_and_ends() {
    let folder = folder("stalled");
    let (fifo, state) = (folder.join("trail"), folder.join("state"));
    let made = std::process::Command::new("mkfifo")
        .arg(&fifo)
        .status()
        .unwrap();
    assert!(made.success());
    // Opened for both, so that no writer waits for a reader that never comes.
    let pipe = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&fifo)
        .unwrap();
    let naive = lab("naive");
    let url = naive.login.url();
    let address = crate::process::free_address();
    let listen = address.to_string();
    let mut args = vec![
        "guard",
        "--upstream",
        &url,
        "--login",
        LOGIN,
        "--listen",
        &listen,
    ];
    args.extend([
        "--state",
        state.to_str().unwrap(),
        "--audit",
        fifo.to_str().unwrap(),
    ]);
    let mut command = doorwarden(&args);
    let guard = Running::start(command.stdout(Stdio::null()).stderr(Stdio::null()));
    crate::process::wait_for("guard", || std::net::TcpStream::connect(address).is_ok());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // More events than a pipe of 64 kB holds.
    for number in 0..150 {
        let body = serde_json::json!({"username": format!("n{number}"), "password": "p"});
        let request = reqwest::Client::new()
            .post(format!("http://{address}/login"))
            .header("content-type", "application/json")
            .body(body.to_string());
        runtime.block_on(request.send()).unwrap();
    }
    guard.signal("-TERM");
    crate::process::wait_for("state", || state.join("state").exists());
    guard.signal("-TERM");
    assert_eq!(guard.wait().code, Some(130));
    drop(pipe);
}

#[test]
fn a_secret_that_was_not_delivered_is_an_error() {
    let folder = folder("no-secret");
    let data = folder.join("data");
    let data = data.to_str().unwrap();
    for (value, said) in [("", "DOORWARDEN_SECRET"), ("abc", "64 hexadecimal digits")] {
        let mut command = doorwarden(&["users", "--data", data, "list"]);
        let ran = crate::process::ran(command.env("DOORWARDEN_SECRET", value).output().unwrap());
        assert_eq!(ran.code, Some(2), "{}", ran.err);
        assert!(ran.err.contains(said), "{}", ran.err);
        assert!(!std::path::Path::new(data).join("secret").exists());
    }
}
