//! User-facing text is free of the phrases that docs/WORDING.md rules out.

use std::{
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

use crate::process::run;

/// What is ruled out, as a regular expression, and what to write.
///
/// A space stands for any white space, so that a phrase is found across the end of a line.
const RULED_OUT: &[(&str, &str)] = &[
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
    (r"\bremed(y|ies)\b", "fix"),
    (r"\bspelt\b", "spelled, written"),
    (r"\b(anew|afresh)\b", "again"),
    (r"\bbeforehand\b", "before, in advance"),
    (r"\bis to be (had|found|known)\b", "is available at"),
    (r"\b[Ww]hat is there\b", "name it"),
    (r"\bsays? nothing of\b", "does not mention"),
    (r"\bin the call\b", "in the request"),
    (
        r"\b(others'|other's) (account|accounts|object|objects|name|names)\b",
        "of other users",
    ),
];

/// Phrases that are meant: the file, the phrase, and why.
const EXCEPTIONS: &[(&str, &str, &str)] = &[(
    "CHANGELOG.md",
    "remedy",
    "the former name of a field of the report",
)];

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
    let tests = Regex::new(r"#\[cfg\(test\)\]\s+(#\[[^\]]*\]\s+)*(pub(\([^)]*\))? )?mod ").unwrap();
    let end = tests.find(code).map_or(code.len(), |tests| tests.start());
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
            '/' if code.get(place + 1) == Some(&'*') => {
                while place + 2 < code.len() && code[place + 1..place + 3] != ['*', '/'] {
                    place += 1;
                    line += usize::from(code[place] == '\n');
                }
                place += 2;
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
                        let is_end_of_line = code.get(place) == Some(&'\n');
                        line += usize::from(is_end_of_line);
                        text.push(if is_end_of_line { '\n' } else { ' ' });
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
            last.1 += "\n";
            last.1 += line;
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
        let mut pieces = if name.ends_with(".rs") {
            literals(&text)
        } else {
            paragraphs(&text)
        };
        if name == "docs/WORDING.md" {
            // The second column of its table lists what not to write.
            for (_, row) in pieces.iter_mut().filter(|(_, text)| text.starts_with('|')) {
                *row = row.split('|').nth(1).unwrap_or_default().to_owned();
            }
        }
        all.push((name, pieces));
    }
    // Help comes of doc comments, which the literals leave out.
    let mut commands: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(command) = commands.pop() {
        let mut args: Vec<&str> = command.iter().map(String::as_str).collect();
        args.push("--help");
        let help = run(&args).out;
        let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let listed = listed.take_while(|line| !line.is_empty());
        for line in listed.filter(|line| line.starts_with("  ") && !line.starts_with("   ")) {
            let name = line.split_whitespace().next().unwrap();
            if name != "help" {
                commands.push([command.as_slice(), &[name.to_owned()]].concat());
            }
        }
        all.push((format!("doorwarden {}", args.join(" ")), paragraphs(&help)));
    }
    all
}

/// Returns where a text has phrases that are ruled out: line, phrase, better words.
fn find_ruled_out(rules: &[(Regex, &str)], (line, text): &Piece) -> Vec<(usize, String, String)> {
    let mut found = Vec::new();
    for (rule, better) in rules {
        for phrase in rule.find_iter(text) {
            let line = line + text[..phrase.start()].matches('\n').count();
            let phrase = phrase.as_str().split_whitespace().collect::<Vec<_>>();
            found.push((line, phrase.join(" "), (*better).to_owned()));
        }
    }
    found
}

fn rules() -> Vec<(Regex, &'static str)> {
    let compiled = |&(pattern, better): &(&str, &'static str)| {
        (Regex::new(&pattern.replace(' ', r"\s+")).unwrap(), better)
    };
    RULED_OUT.iter().map(compiled).collect()
}

#[test]
fn no_text_has_a_phrase_that_is_ruled_out() {
    let (rules, all) = (rules(), all_text());
    assert!(all.len() > 200, "only {} texts", all.len());
    let mut used = vec![false; EXCEPTIONS.len()];
    let mut found = Vec::new();
    for (name, pieces) in &all {
        for (line, phrase, better) in pieces
            .iter()
            .flat_map(|piece| find_ruled_out(&rules, piece))
        {
            let is_meant = |(file, meant, _): &(&str, &str, &str)| name == file && phrase == *meant;
            if let Some(at) = EXCEPTIONS.iter().position(is_meant) {
                used[at] = true;
            } else {
                found.push(format!("{name}:{line}: `{phrase}`; write: {better}"));
            }
        }
    }
    assert!(
        found.is_empty(),
        "{} phrases:\n{}",
        found.len(),
        found.join("\n")
    );
    assert!(
        used.iter().all(|used| *used),
        "exceptions without a phrase: {EXCEPTIONS:?} {used:?}"
    );
}

#[test]
fn a_phrase_is_found_across_the_end_of_a_line() {
    let at = |pieces: Vec<Piece>| -> Vec<(usize, String)> {
        let found = pieces
            .iter()
            .flat_map(|piece| find_ruled_out(&rules(), piece));
        found.map(|(line, phrase, _)| (line, phrase)).collect()
    };
    let told = |line| vec![(line, "is told".to_owned())];
    assert_eq!(at(paragraphs("A title\n\na user is\n  told\n")), told(3));
    let code = "fn f() {\n    g(\"one \\\n        two is \\\n        told\");\n}";
    assert_eq!(at(literals(code)), told(3));
}

#[test]
fn literals_are_read_and_comments_are_not() {
    let code = "// \"no\"\n/* \"no\" */ #[cfg(test)] use b; let a = 'x'; let b = \"one \\\"two\\\"\"; let c = r#\"a \"raw\" one\"#;\n#[cfg(test)]\nmod tests { \"no\" }";
    let texts: Vec<String> = literals(code).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["one  two ", "a \"raw\" one"]);
}
