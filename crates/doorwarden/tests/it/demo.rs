//! The user's first command.

use std::{process::Stdio, time::Duration};

use crate::process::{Running, doorwarden, folder, run, wait_for};

#[test]
fn the_demo_shows_the_loop() {
    let folder = folder("demo");
    let ran = run(&["demo", "--output", folder.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    // README's table, row by row. Not the check of times: other tests run beside this one.
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md"));
    let readme = readme.unwrap();
    let start = readme.find("| `cargo demo` |").unwrap();
    let rows = readme[start..]
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    let mut compared = 0;
    for row in rows.filter(|row| !row.contains("enumeration-by-time")) {
        let cells = cells(row, &['|']);
        let name = cells[0].trim_start_matches('[').split(']').next().unwrap();
        let mut printed = ran.out.lines().map(|line| self::cells(line, &['│', '┆']));
        let found = printed.find(|cells| cells[0] == name);
        let found = found.unwrap_or_else(|| panic!("no row {name}:\n{}", ran.out));
        if name == "score of 100" {
            // The waits that it is computed from are measured, so it may differ by a point or two.
            for (stated, found) in cells[1..].iter().zip(&found[1..]) {
                let [stated, found] = [stated, found].map(|score| score.parse::<i32>().unwrap());
                assert!((stated - found).abs() <= 2, "{name}: {found}, not {stated}");
            }
        } else {
            assert_eq!(cells[1..], found[1..], "{name}");
        }
        compared += 1;
    }
    assert!(compared >= 7, "only {compared} rows");
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

/// Returns the cells of a row, in lower case and without emphasis.
fn cells(row: &str, separators: &[char]) -> Vec<String> {
    let row = row.trim_matches(separators);
    let cells = row.split(separators).map(|cell| cell.replace("**", ""));
    cells.map(|cell| cell.trim().to_lowercase()).collect()
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
