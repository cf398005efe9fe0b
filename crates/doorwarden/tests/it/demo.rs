//! The user's first command.

use std::{process::Stdio, time::Duration};

use crate::process::{Running, doorwarden, folder, run, wait_for};

#[test]
fn the_demo_shows_the_loop() {
    let folder = folder("demo");
    let ran = run(&["demo", "--output", folder.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    // Not the one that takes times: another test runs beside this one.
    for check in ["enumeration-by-answer", "spray-unseen", "login-unlimited"] {
        let row = ran.out.lines().find(|line| line.contains(check)).unwrap();
        let cells: Vec<&str> = row.split(['│', '┆']).map(str::trim).collect();
        assert_eq!(&cells[2..4], ["FINDING", "passed"], "{row}");
    }
    let taken = ran
        .out
        .lines()
        .find(|line| line.contains("compromised by the spray"))
        .unwrap();
    assert!(
        taken.contains("20 of 200") && taken.contains(" 0 of 200"),
        "{taken}"
    );
    for name in ["before.html", "after.html"] {
        let page = std::fs::read_to_string(folder.join(name)).unwrap();
        assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
        assert!(
            !page.contains("src=") && !page.contains("href="),
            "the page leads elsewhere"
        );
    }
    let audit = std::fs::read_to_string(folder.join("audit.jsonl")).unwrap();
    assert!(audit.lines().count() > 600);
    assert!(!audit.contains("Winter2026!"));
}

#[test]
fn an_interrupt_ends_the_demo_and_all_it_started() {
    let folder = folder("demo-interrupted");
    let mut command = doorwarden(&["demo", "--output", folder.to_str().unwrap()]);
    let demo = Running::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let audit = folder.join("audit.jsonl");
    wait_for("guard", || {
        std::fs::metadata(&audit).is_ok_and(|file| file.len() > 0)
    });
    demo.signal("-INT");
    std::thread::sleep(Duration::from_millis(10));
    let ran = demo.wait();
    assert_eq!(ran.code, Some(130), "{}", ran.err);
    assert!(ran.err.contains("have ended"), "{}", ran.err);
}
