//! README and docs against the program: links, commands, figures, and the pages made of them.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{ChildStdin, Stdio},
};

use crate::{
    cli::{Lab, lab},
    process::{Ran, Running, doorwarden, folder, ran, run},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the pages of the book, relative to the root.
fn pages() -> BTreeSet<String> {
    let mut folders = vec![root().join("docs")];
    let mut pages = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let page = path.strip_prefix(root()).unwrap();
                pages.insert(page.to_str().unwrap().to_owned());
            }
        }
    }
    pages
}

const AT_THE_ROOT: [&str; 6] = [
    "README.md",
    "SECURITY.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "examples/README.md",
];

/// Returns the targets of `[text](target)` outside of fenced code.
fn links(text: &str) -> Vec<String> {
    let mut is_code = false;
    let mut links = Vec::new();
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        let parts = line.split("](").skip(1).filter(|_| !is_code);
        links.extend(parts.filter_map(|part| Some(part.split_once(')')?.0.to_owned())));
    }
    links
}

/// Returns the anchors that GitHub and mdbook give to a page's headings.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let root_pages = AT_THE_ROOT.iter().map(|page| (*page).to_owned());
    let mut broken = Vec::new();
    for page in root_pages.chain(pages()) {
        let folder = root().join(&page);
        let folder = folder.parent().unwrap();
        for link in links(&read(&page)) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match file {
                "" => root().join(&page),
                file => folder.join(file),
            };
            let is_there = target.exists()
                && (anchor.is_empty()
                    || anchors(&fs::read_to_string(&target).unwrap())
                        .iter()
                        .any(|found| found == anchor));
            if !is_there {
                broken.push(format!("{page}: {link}"));
            }
            // A link out of docs/ is dead on the site, which holds docs/ alone.
            if page.starts_with("docs/") && target.exists() {
                let target = target.canonicalize().unwrap();
                let docs = root().join("docs").canonicalize().unwrap();
                if !target.starts_with(docs) {
                    broken.push(format!("{page}: {link} leads out of docs/"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

#[test]
fn the_summary_lists_every_page() {
    let listed: BTreeSet<String> = links(&read("docs/SUMMARY.md"))
        .into_iter()
        .map(|link| format!("docs/{link}"))
        .collect();
    let mut pages = pages();
    pages.remove("docs/SUMMARY.md");
    pages.remove("docs/skill/SKILL.md");
    assert_eq!(listed, pages);
}

#[test]
fn the_readme_is_short() {
    assert!(read("README.md").lines().count() <= 150);
}

/// Returns the commands of a page's `sh` blocks, one per line, without comments.
fn commands(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut is_shell = false;
    let mut open = String::new();
    for line in text.lines() {
        if line.starts_with("```") {
            is_shell = line == "```sh";
            continue;
        }
        if !is_shell || line.trim_start().starts_with('#') {
            continue;
        }
        let line = line.split(" #").next().unwrap_or_default().trim();
        if let Some(part) = line.strip_suffix('\\') {
            open += part;
        } else {
            commands.push(format!("{open}{line}"));
            open.clear();
        }
    }
    commands
}

/// Splits at spaces outside of single quotes.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for c in command.chars() {
        match c {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            c => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Where the commands of one page run.
struct Desk {
    folder: PathBuf,
    lab: Lab,
}

impl Desk {
    fn new(name: &str) -> Self {
        let lab = lab("naive");
        let folder = folder(name);
        let mut accounts = String::new();
        for number in 0..12 {
            let (name, password) = (
                format!("test-{number}"),
                format!("password of test {number}"),
            );
            lab.register(&name, &password);
            accounts += &format!("{name}:{password}\n");
        }
        fs::write(folder.join("test-accounts.txt"), accounts).unwrap();
        Self { folder, lab }
    }

    fn command(&self, args: &[String]) -> std::process::Command {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut command = doorwarden(&args);
        command
            .current_dir(&self.folder)
            .env("DOORWARDEN_OPERATOR_KEY", "ab".repeat(32))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    fn run(&self, args: &[String]) -> Ran {
        let mut child = self.command(args).spawn().unwrap();
        answer_prompt(child.stdin.take());
        ran(child.wait_with_output().unwrap())
    }

    /// Starts a server, waits until it listens, and ends it. Returns the line that says where.
    fn serve(&self, args: &[String], meanwhile: impl FnOnce(&str)) {
        let mut child = self.command(args).stdout(Stdio::null()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let running = Running::adopt(child);
        let mut said = String::new();
        for line in stderr.lines() {
            let line = line.unwrap();
            said += &line;
            if let Some((_, url)) = line.split_once("listens on ") {
                meanwhile(url.split_whitespace().next().unwrap());
                running.signal("-TERM");
                assert_eq!(running.wait().code, Some(0), "{args:?}: {said}");
                return;
            }
        }
        panic!("{args:?} did not listen: {said}");
    }

    /// Runs a command of the docs, on the lab's login instead of the reader's and with less to do.
    fn try_out(&self, command: &str) {
        let login = "POST /login json:/username json:/password";
        let url = self.lab.login.url();
        let command = command
            .replace("POST /token form:username form:password", login)
            .replace("http://127.0.0.1:8000", &url)
            .replace("--seeds 18", "--seeds 1")
            .replace("--ablations --output", "--seeds 1 --ablations --output");
        let mut args = words(&command)[1..].to_vec();
        let mut add = |more: &[&str]| args.extend(more.iter().map(|word| (*word).to_owned()));
        match command.split_whitespace().nth(1).unwrap() {
            "scan" if !command.contains("--prove") => {
                add(&["--pace", "1000", "--check", "login-unlimited", "--quiet"])
            }
            "watch" => add(&["--pace", "1000", "--check", "login-unlimited", "--quiet"]),
            "sim" if !command.contains("--list") => {
                if !command.contains("--scenario") {
                    add(&["--scenario", "S0"]);
                }
                if !command.contains("--quick") {
                    add(&["--accounts", "200"]);
                }
            }
            "guard" if !command.contains("explain-policy") => {
                add(&["--listen", "127.0.0.1:0"]);
                return self.serve(&args, |_| ());
            }
            "serve" if !command.contains("--asvs") => {
                add(&["--listen", "127.0.0.1:0"]);
                return self.serve(&args, |_| ());
            }
            _ => {}
        }
        let ran = self.run(&args);
        // A scan may find something, or be inconclusive with one check.
        let is_fine = matches!(ran.code, Some(0 | 1 | 4));
        assert!(is_fine, "{command}: {:?} {}{}", ran.code, ran.out, ran.err);
    }

    /// Checks that `serve` has the route that a curl command asks.
    fn has_route(&self, command: &str) {
        let url = words(command)
            .into_iter()
            .find(|word| word.starts_with("http"))
            .unwrap();
        let path = url.splitn(4, '/').nth(3).unwrap().to_owned();
        let args = ["serve", "--data", "other-data", "--listen", "127.0.0.1:0"];
        self.serve(&args.map(str::to_owned), |url| {
            let text = async {
                reqwest::get(format!("{url}/openapi.json"))
                    .await?
                    .text()
                    .await
            };
            let text = tokio::runtime::Runtime::new()
                .unwrap()
                .block_on(text)
                .unwrap();
            let document: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert!(
                document["paths"][format!("/{path}")].is_object(),
                "{command}"
            );
        });
    }
}

fn answer_prompt(stdin: Option<ChildStdin>) {
    // A command that asks for nothing has closed it.
    let _ = stdin
        .unwrap()
        .write_all(b"a long password that nobody has\n");
}

fn try_cargo(command: &str) {
    let words = words(command);
    match words[1].as_str() {
        "demo" => assert!(read(".cargo/config.toml").contains("demo = ")),
        "xtask" => {
            let name = words.get(2).map_or("", String::as_str);
            let files = root().join("xtask/src/commands");
            let file = files.join(format!("{}.rs", name.replace('-', "_")));
            assert!(file.exists(), "{command}");
        }
        "install" => {
            assert_eq!(words[3], "crates/doorwarden", "{command}");
            if let Some(place) = words.iter().position(|word| word == "--features") {
                let feature = format!("\n{} = [", words[place + 1]);
                assert!(
                    read("crates/doorwarden/Cargo.toml").contains(&feature),
                    "{command}"
                );
            }
        }
        "update" | "tree" => {}
        other => panic!("unknown: cargo {other}"),
    }
}

fn try_out_all(page: &str) {
    let desk = Desk::new(&page.replace(['/', '.'], "-"));
    let commands = commands(&read(page));
    assert!(!commands.is_empty(), "{page}");
    for command in commands {
        match command.split_whitespace().next() {
            Some("doorwarden") => desk.try_out(&command),
            Some("cargo") => try_cargo(&command),
            Some("curl") => desk.has_route(&command),
            _ => panic!("{page}: {command}"),
        }
    }
}

#[test]
fn the_commands_of_the_readme_run() {
    try_out_all("README.md");
}

#[test]
fn the_commands_of_the_scan_page_run() {
    try_out_all("docs/scan.md");
}

#[test]
fn the_commands_of_the_guard_page_run() {
    try_out_all("docs/guard.md");
}

#[test]
fn the_commands_of_the_serve_page_run() {
    try_out_all("docs/serve.md");
}

#[test]
fn the_commands_of_the_sim_page_run() {
    try_out_all("docs/sim.md");
}

#[test]
fn the_commands_of_the_scoreboard_run() {
    try_out_all("docs/scoreboard.md");
}

#[test]
fn every_page_with_commands_is_tried() {
    let tried = [
        "README.md",
        "docs/scan.md",
        "docs/guard.md",
        "docs/serve.md",
        "docs/sim.md",
        "docs/scoreboard.md",
    ];
    let all = pages().into_iter().chain(["README.md".to_owned()]);
    let untried: Vec<String> = all
        .filter(|page| page != "docs/skill/SKILL.md" && !tried.contains(&page.as_str()))
        .filter(|page| !commands(&read(page)).is_empty())
        .collect();
    assert!(untried.is_empty(), "{untried:?}");
}

/// The figures of the prose, as the program states them.
#[test]
fn the_figures_are_the_programs() {
    let help = run(&["scan", "--help"]).out;
    let default = |option: &str| {
        let rest = help.split(&format!("--{option} <")).nth(1).unwrap();
        let value = rest.split("[default: ").nth(1).unwrap();
        value.split(']').next().unwrap().to_owned()
    };
    let (readme, scan) = (read("README.md"), read("docs/scan.md"));
    let sentence = format!(
        "at most {} requests, at most {} per",
        default("budget"),
        default("pace")
    );
    assert!(flat(&readme).contains(&sentence), "{sentence}");
    let sentence = format!("fails at most {} times in a row", default("failures"));
    assert!(flat(&scan).contains(&sentence), "{sentence}");

    let serve = flat(&read("docs/serve.md"));
    let config = doorwarden_serve::Config::default();
    for sentence in [
        format!("valid for {} minutes", config.access_minutes),
        format!("at most {} days (`session_days`)", config.session_days),
        format!("at most {} days unused (`idle_days`)", config.idle_days),
        format!("with {} MiB and", config.cost.memory_kib / 1024),
    ] {
        assert!(serve.contains(&sentence), "{sentence}");
    }
    assert_eq!(config.cost.passes, 2, "docs/serve.md says two passes");

    let asvs = run(&["serve", "--asvs"]).out;
    let requirements = asvs.lines().filter(|line| {
        let first = line.trim_start_matches(['│', ' ']);
        line.starts_with('│') && first.starts_with(|c: char| c.is_ascii_digit())
    });
    let sentence = format!("the {} requirements of ASVS", requirements.count());
    assert!(serve.contains(&sentence), "{sentence}");

    let vectors = read("crates/serve/tests/it/wycheproof.rs");
    let number = |before: &str| -> u32 {
        let rest = vectors.split(before).nth(1).unwrap();
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
        rest[..end].parse().unwrap()
    };
    let (verified, faults) = (number("(ran, valid), ("), number("FAULTS: [u64; "));
    let sentence = format!(
        "Of Wycheproof's {} vectors for JWS, {verified} are verified as they say; the other {faults} are",
        verified + faults
    );
    assert!(serve.contains(&sentence), "{sentence}");

    let oracle = read("docs/oracle.md");
    let (cells, _) = oracle.lines().last().unwrap().split_once(" cells").unwrap();
    assert!(
        flat(&scan).contains(&format!("{cells} verdicts were correct")),
        "{cells}"
    );

    let policy = run(&["init", "--output", "-"]).out;
    let guard = read("docs/guard.md");
    for setting in [
        "account = \"10 per 15 minutes; 50 per day\"",
        "step_ups = 0.001",
        "delays = 0.01",
    ] {
        assert!(
            policy.contains(setting) && guard.contains(setting),
            "{setting}"
        );
    }
}

/// Joins lines, so that a sentence is found wherever it is broken.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the first paragraph after a page's heading.
fn first_paragraph(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(str::trim);
    let prose = |paragraph: &&str| {
        !paragraph.is_empty()
            && !paragraph.starts_with(['#', '|', '!', '-', '<'])
            && !paragraph.starts_with("```")
    };
    flat(paragraphs.into_iter().find(prose).unwrap_or_default())
}

/// Returns a section with its heading, to the next heading of the same or a higher level.
fn section<'a>(text: &'a str, heading: &str) -> &'a str {
    let level = heading.len() - heading.trim_start_matches('#').len();
    let start = text
        .find(&format!("{heading}\n"))
        .unwrap_or_else(|| panic!("{heading}"));
    let mut end = text.len();
    let mut is_code = false;
    let mut place = start;
    for line in text[start..].split_inclusive('\n') {
        is_code ^= line.starts_with("```");
        let depth = line.len() - line.trim_start_matches('#').len();
        if place > start && !is_code && (1..=level).contains(&depth) {
            end = place;
            break;
        }
        place += line.len();
    }
    text[start..end].trim_end()
}

/// Run with `DOORWARDEN_BLESS=1` (or `cargo xtask docs`) to write them.
#[test]
fn the_pages_for_agents_are_not_stale() {
    let mut index = format!(
        "# Doorwarden\n\n> {}\n",
        first_paragraph(&read("docs/introduction.md"))
    );
    for line in read("docs/SUMMARY.md").lines() {
        if let Some(part) = line.strip_prefix("# ").filter(|part| *part != "Summary") {
            index += &format!("\n## {part}\n\n");
        }
        // Only the first level: the checks and decisions have indexes of their own.
        if let Some(link) = line.strip_prefix("- ") {
            let page = links(line).remove(0);
            let title = link.split(']').next().unwrap().trim_start_matches('[');
            let about = first_paragraph(&read(&format!("docs/{page}")));
            let about = about
                .split_inclusive(". ")
                .next()
                .unwrap_or_default()
                .trim();
            index += &format!("- [{title}](docs/{page}): {about}\n");
        }
    }
    same_or_bless("llms.txt", &index);

    let (scan, guard) = (read("docs/scan.md"), read("docs/guard.md"));
    let skill = format!(
        "---\nname: doorwarden\ndescription: Test a login that the user owns for password spraying and credential \
         stuffing, read the report, and put the guard in front of it.\n---\n\n\
         Generated from docs/scan.md and docs/guard.md by `cargo xtask docs`.\n\n\
         Scan only applications that the user owns, with test accounts.\n\n{}\n\n{}\n\n{}\n\n{}\n\n{}\n",
        section(&scan, "# Scanning a login")
            .split("\n## ")
            .next()
            .unwrap()
            .trim_end(),
        section(&scan, "## Test accounts"),
        section(&scan, "## Reading a report"),
        section(&scan, "## From findings to a guard"),
        section(&guard, "# Protecting an application")
            .split("\n## ")
            .next()
            .unwrap()
            .trim_end(),
    );
    // Its links are those of pages one folder up.
    let skill = skill
        .replace("](checks/", "](../checks/")
        .replace("](guard.md", "](../guard.md")
        .replace("](scan.md", "](../scan.md");
    same_or_bless("docs/skill/SKILL.md", &skill);
}

fn same_or_bless(path: &str, expected: &str) {
    let file = root().join(path);
    if std::env::var_os("DOORWARDEN_BLESS").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, expected).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    assert!(found == expected, "{path} is stale; run `cargo xtask docs`");
}
