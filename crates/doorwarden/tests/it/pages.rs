//! The pages that people look at, in a real browser.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{
    cli::lab,
    process::{folder, run},
};

/// What Chromium saw of a page; its pictures are in the page's folder.
fn looked_at(page: &Path) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let modules = root.join("target/browser/node_modules");
    assert!(
        modules.exists(),
        "the browser's driver is not installed; run `cargo xtask test`"
    );
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/page.js");
    let mut command = Command::new("node");
    command
        .args([&script, page, page.parent().unwrap()])
        .env("NODE_PATH", modules);
    let output = command.output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Nothing leaves the page, nothing is too wide for a telephone, all can be read in light and dark.
fn is_sound(seen: &Value) {
    assert_eq!(seen["requests"], serde_json::json!([]), "{seen:#}");
    assert_eq!(seen["errors"], serde_json::json!([]), "{seen:#}");
    for way in ["light", "dark", "phone"] {
        assert_eq!(seen["overflow"][way], 0, "{way}: {seen:#}");
        // WCAG 2.2, 1.4.3: 4.5 for text.
        assert!(
            seen["contrast"][way].as_f64().unwrap() >= 4.5,
            "{way}: {seen:#}"
        );
    }
    assert!(seen["pdf"].as_u64().unwrap() > 5_000, "{seen:#}");
}

fn pictures(folder: &Path) -> [PathBuf; 4] {
    ["light.png", "dark.png", "phone.png", "print.pdf"].map(|name| folder.join(name))
}

#[test]
fn a_report_reads_well_in_a_browser() {
    let naive = lab("naive");
    let folder = folder("report-page");
    let output = folder.to_str().unwrap();
    let url = naive.login.url();
    let ran = run(&[
        "scan",
        &url,
        "--register",
        "--pace",
        "1000",
        "--quiet",
        "--format",
        "html",
        "--output",
        output,
    ]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let seen = looked_at(&folder.join("report.html"));
    is_sound(&seen);
    assert!(seen["title"].as_str().unwrap().contains(&url), "{seen:#}");
    assert!(pictures(&folder).iter().all(|picture| picture.exists()));
}

#[test]
fn a_trend_reads_well_in_a_browser() {
    let sound = lab("sound");
    let folder = folder("trend-page");
    let file = |name: &str| folder.join(name).display().to_string();
    let url = sound.login.url();
    let (page, history) = (file("trend.html"), file("history.sqlite3"));
    let mut args = vec![
        "watch",
        &url,
        "--register",
        "--pace",
        "1000",
        "--once",
        "--quiet",
    ];
    args.extend(["--page", &page, "--history", &history]);
    for _ in 0..2 {
        let ran = run(&args);
        assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    }
    let seen = looked_at(Path::new(&page));
    is_sound(&seen);
}
