//! `doorwarden watch`: what is remembered, and who is told.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use crate::{
    cli::lab,
    process::{doorwarden, folder, ran},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Takes one message and hands it back, head and body.
fn receiver() -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let taken = thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        let mut message = String::new();
        let mut bytes = [0; 4096];
        // The body is JSON and the last thing that is sent.
        while !message.ends_with('}') {
            let length = peer.read(&mut bytes).unwrap();
            assert!(length > 0, "it ended early: {message}");
            message += &String::from_utf8_lossy(&bytes[..length]);
        }
        peer.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        message
    });
    (url, taken)
}

#[test]
fn a_change_is_told_once_and_signed() {
    let naive = lab("naive");
    let target = naive.login.url();
    let folder = folder("watch");
    let file = |name: &str| folder.join(name).display().to_string();
    let (history, page, mail) = (
        file("history.sqlite3"),
        file("trend.html"),
        file("change.eml"),
    );
    let (hook, message) = receiver();
    let look = |checks: &[&str]| {
        let mut args = vec![
            "watch",
            &target,
            "--register",
            "--pace",
            "1000",
            "--once",
            "--quiet",
        ];
        args.extend([
            "--history",
            &history,
            "--page",
            &page,
            "--email",
            &mail,
            "--webhook",
            &hook,
        ]);
        args.extend(checks.iter().flat_map(|check| ["--check", check]));
        let mut command = doorwarden(&args);
        ran(command
            .env("DOORWARDEN_WEBHOOK_SECRET", SECRET)
            .output()
            .unwrap())
    };
    let first = look(&["enumeration-by-answer"]);
    assert_eq!(first.code, Some(0), "{}{}", first.out, first.err);
    assert!(first.out.contains("no changes"), "{}", first.out);
    assert!(!std::path::Path::new(&mail).exists());

    let second = look(&["enumeration-by-answer", "login-unlimited"]);
    assert_eq!(second.code, Some(1), "{}{}", second.out, second.err);
    assert!(second.out.contains("1 new"), "{}", second.out);
    let message = message.join().unwrap();
    assert!(message.contains("webhook-signature: v1,"), "{message}");
    let (_, body) = message.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["type"], "doorwarden.scan.changed");
    assert_eq!(body["data"]["change"]["new"][0], "login-unlimited");
    let mail = std::fs::read_to_string(&mail).unwrap();
    assert!(
        mail.starts_with("Subject: Doorwarden: ") && mail.contains("login-unlimited: "),
        "{mail}"
    );

    let third = look(&["enumeration-by-answer", "login-unlimited"]);
    assert_eq!(third.code, Some(0), "{}{}", third.out, third.err);
    let page = std::fs::read_to_string(&page).unwrap();
    assert_eq!(page.matches("<tr><td>").count(), 3, "{page}");
    assert!(page.contains("new: login-unlimited"), "{page}");
}

#[test]
fn a_target_that_went_away_is_a_change_and_a_message_waits() {
    let sound = lab("sound");
    let target = sound.login.url();
    let folder = folder("watch-away");
    let history = folder.join("history.sqlite3").display().to_string();
    // A port on which nobody listens: the message can't be delivered.
    let nobody = format!("http://{}/", crate::process::free_address());
    let look = || {
        let mut args = vec!["watch", &target, "--register", "--pace", "1000", "--once"];
        args.extend([
            "--history",
            &history,
            "--check",
            "cookie-flags",
            "--webhook",
            &nobody,
        ]);
        let mut command = doorwarden(&args);
        ran(command
            .env("DOORWARDEN_WEBHOOK_SECRET", SECRET)
            .output()
            .unwrap())
    };
    assert_eq!(look().code, Some(0));
    drop(sound);
    let away = look();
    assert_eq!(away.code, Some(1), "{}{}", away.out, away.err);
    assert!(away.out.contains("scan failed"), "{}", away.out);
    assert!(
        away.err.contains("will retry after the next scan"),
        "{}",
        away.err
    );
    assert_eq!(look().code, Some(0), "it is told once");
}

#[test]
fn mistakes_are_told() {
    let told = |args: &[&str], secret: &str| {
        let mut command = doorwarden(&[&["watch", "http://127.0.0.1:9", "--once"], args].concat());
        let ran = ran(command
            .env("DOORWARDEN_WEBHOOK_SECRET", secret)
            .output()
            .unwrap());
        assert_eq!(ran.code, Some(2), "{}", ran.err);
        ran.err
    };
    assert!(told(&["--every", "5s"], SECRET).contains("write 30m"));
    let history = folder("watch-mistakes").join("h").display().to_string();
    let hook = ["--webhook", "http://127.0.0.1:9", "--history", &history];
    assert!(told(&hook, "guess").contains("openssl rand"));
    assert!(told(&["--history", "/nonexistent/h"], SECRET).contains("--history"));
}
