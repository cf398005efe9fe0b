//! User-facing text is free of the phrases that docs/WORDING.md rules out.

use std::{
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

use crate::process::run;

/// What is ruled out, as a regular expression, and what to write.
const RULED_OUT: [(&str, &str); 25] = [
    (r"\b(right|wrong) logins?\b", "successful or failed login"),
    (r"\bright passwords?\b", "correct password"),
    (r"\b(rightly|wrongly)\b", "correctly, incorrectly"),
    (
        r"\b(is|are|was|were) none\b",
        "name what is missing or invalid",
    ),
    (
        r"\b(is|are|was) no (text|number|UTF-8|JSON|mail|secret|token|time|address|terminal|password|login|name|list|key|hash|use|fault|proof|URL)\b",
        "is not a …; invalid …",
    ),
    (r"\bstands? twice\b", "duplicate; appears more than once"),
    (r"\bstands there\b", "appears"),
    (r"\bso many\b", "at most N"),
    (r"\bat the (most|least)\b", "at most, at least"),
    (
        r"\b(accounts|requests|logins|times|failures|guesses|attempts|mails|emails|hashes|tokens) a (second|minute|hour|day)\b",
        "per day",
    ),
    (r"\b\d+ a (second|minute|hour|day)\b", "per second"),
    (
        r"\bname:password a line\b|\ban? \w+ a line\b",
        "one per line",
    ),
    (
        r"\b(is|are|was|were|be|been) told\b",
        "is reported, logged or printed",
    ),
    (r"\bmend(s|ed|ing)?\b", "fix"),
    (r"\bTo know\b", "informational"),
    (
        r"\b[Nn]ot decided\b|\bcould not be decided\b",
        "inconclusive",
    ),
    (r"\b[Nn]othing (was )?found\b", "no findings"),
    (r"\b[Ww]hoever\b", "the client, the user, anyone who"),
    (
        r"(?i)(^|[^-])\b(somebody|everybody|anybody)\b",
        "a user, anyone, everyone",
    ),
    (r"\bhonest (people|users|logins)\b", "legitimate users"),
    (
        r"\bpeople (who were )?hurt\b|\bwho was hurt\b|\bwho was taken\b",
        "affected users; compromised accounts",
    ),
    (
        r"\btaken accounts?\b|\baccounts? taken\b|\btaken by a spray\b",
        "compromised accounts",
    ),
    (
        r"\bmail address(es)?\b|\bby mail\b|\b(a|the) mail\b|\bmails\b",
        "email",
    ),
    (r"\b(is|are) there already\b", "already exists"),
    (r"\bthe standard (output|error|input)\b", "standard output"),
];

/// Places where a phrase is meant: the file's end, and what its line contains.
const EXCEPTIONS: [(&str, &str); 1] = [
    // The column of what not to write.
    ("docs/WORDING.md", "| "),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files(folder: &str, extensions: &[&str]) -> Vec<PathBuf> {
    let mut folders = vec![root().join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            if path.is_dir() {
                folders.push(path);
            } else if extension.is_some_and(|extension| extensions.contains(&extension)) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// A piece of text and the line that it begins on.
type Piece = (usize, String);

/// Returns the string literals of Rust code, and the doc comments that clap makes help of; not its tests.
fn literals(code: &str) -> Vec<Piece> {
    let end = code.find("#[cfg(test)]").unwrap_or(code.len());
    let code: Vec<char> = code[..end].chars().collect();
    let (mut pieces, mut place, mut line) = (Vec::new(), 0, 1);
    while place < code.len() {
        match code[place] {
            '\n' => line += 1,
            '/' if code.get(place + 1) == Some(&'/') => {
                while place + 1 < code.len() && code[place + 1] != '\n' {
                    place += 1;
                }
            }
            // A character, or a lifetime, which has no second quote near.
            '\'' => {
                let escaped = usize::from(code.get(place + 1) == Some(&'\\'));
                if code.get(place + 2 + escaped) == Some(&'\'') {
                    place += 2 + escaped;
                }
            }
            '"' => {
                let hashes = code[..place]
                    .iter()
                    .rev()
                    .take_while(|c| **c == '#')
                    .count();
                let before = place.checked_sub(hashes + 1).map(|at| code[at]);
                let is_raw = matches!(before, Some('r'));
                let (start, mut text) = (line, String::new());
                place += 1;
                while place < code.len() {
                    let c = code[place];
                    let is_end = c == '"'
                        && (!is_raw
                            || code[place + 1..]
                                .iter()
                                .take(hashes)
                                .filter(|c| **c == '#')
                                .count()
                                == hashes);
                    if is_end {
                        break;
                    }
                    line += usize::from(c == '\n');
                    if c == '\\' && !is_raw {
                        place += 1;
                        line += usize::from(code.get(place) == Some(&'\n'));
                        text.push(' ');
                    } else {
                        text.push(c);
                    }
                    place += 1;
                }
                pieces.push((start, text));
            }
            _ => {}
        }
        place += 1;
    }
    pieces
}

/// Returns the paragraphs of a page, so that a phrase is found across the end of a line.
fn paragraphs(text: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut is_new = true;
    for (number, line) in text.lines().enumerate() {
        let is_row = line.starts_with('|');
        if line.trim().is_empty() || is_new || is_row {
            pieces.push((number + 1, line.to_owned()));
        } else if let Some(last) = pieces.last_mut() {
            last.1 += " ";
            last.1 += line.trim();
        }
        is_new = line.trim().is_empty() || is_row;
    }
    pieces
}

fn all_text() -> Vec<(String, Vec<Piece>)> {
    let mut paths = files("docs", &["md"]);
    for page in [
        "README.md",
        "SECURITY.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ] {
        paths.push(root().join(page));
    }
    paths.push(root().join("action.yml"));
    paths.push(root().join("examples/README.md"));
    paths.extend(files("crates", &["rs", "html", "toml"]));
    paths.extend(files("xtask/src", &["rs"]));
    let mut all = Vec::new();
    for path in paths {
        let name = path
            .strip_prefix(root())
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let is_ours = ["/tests/", "/benches/", "/examples/"]
            .iter()
            .all(|part| !name.contains(part));
        if !is_ours || name.ends_with("Cargo.toml") || name.ends_with("clippy.toml") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let pieces = if name.ends_with(".rs") {
            literals(&text)
        } else {
            paragraphs(&text)
        };
        all.push((name, pieces));
    }
    // Help comes of doc comments, which the literals leave out.
    let help = run(&["--help"]).out;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    for line in commands.filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
        let command = line.split_whitespace().next().unwrap();
        let page = run(&[command, "--help"]).out;
        all.push((format!("doorwarden {command} --help"), paragraphs(&page)));
    }
    all.push(("doorwarden --help".into(), paragraphs(&help)));
    all
}

#[test]
fn no_text_has_a_phrase_that_is_ruled_out() {
    let rules = RULED_OUT.map(|(pattern, better)| (Regex::new(pattern).unwrap(), better));
    let all = all_text();
    assert!(all.len() > 200, "only {} texts", all.len());
    let mut found = Vec::new();
    for (name, pieces) in &all {
        for (line, text) in pieces {
            let is_exempt =
                |(file, part): &(&str, &str)| name.ends_with(file) && text.contains(part);
            if EXCEPTIONS.iter().any(is_exempt) {
                continue;
            }
            for (rule, better) in &rules {
                if let Some(phrase) = rule.find(text) {
                    let phrase = phrase.as_str();
                    found.push(format!("{name}:{line}: `{phrase}`; write: {better}"));
                }
            }
        }
    }
    assert!(
        found.is_empty(),
        "{} phrases:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn literals_are_read_and_comments_are_not() {
    let code = "// \"no\"\nlet a = 'x'; let b = \"one \\\"two\\\"\"; let c = r#\"a \"raw\" one\"#;\n#[cfg(test)]\nmod tests { \"no\" }";
    let texts: Vec<String> = literals(code).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["one  two ", "a \"raw\" one"]);
}
