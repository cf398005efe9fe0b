//! The GitHub Action, its steps run one after the other as a runner would, without a container.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    process::Command,
};

use yaml_rust2::{Yaml, YamlLoader};

use crate::process::folder;

/// What a runner knows while it runs a composite action.
struct Runner {
    action: PathBuf,
    temp: PathBuf,
    inputs: HashMap<String, String>,
    /// By `step.name`.
    outputs: HashMap<String, String>,
    summary: String,
    failed: bool,
    used: Vec<String>,
}

fn action() -> Yaml {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(root.join("action.yml")).unwrap();
    YamlLoader::load_from_str(&text).unwrap().remove(0)
}

impl Runner {
    fn new(temp: PathBuf, given: &[(&str, &str)]) -> Self {
        let action = action();
        let defaults = action["inputs"].as_hash().unwrap().iter();
        let default = |(name, input): (&Yaml, &Yaml)| {
            let name = name.as_str().unwrap().to_owned();
            (
                name,
                input["default"].as_str().unwrap_or_default().to_owned(),
            )
        };
        let mut inputs: HashMap<String, String> = defaults.map(default).collect();
        for (name, value) in given {
            assert!(inputs.contains_key(*name), "the action has no input {name}");
            inputs.insert((*name).into(), (*value).into());
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        Self {
            action: root.canonicalize().unwrap(),
            temp,
            inputs,
            outputs: HashMap::new(),
            summary: String::new(),
            failed: false,
            used: Vec::new(),
        }
    }

    /// Expressions as the action uses them; others are a mistake.
    fn filled(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${{") {
            let (expression, after) = after.split_once("}}").unwrap();
            out.push_str(before);
            let parts: Vec<&str> = expression.trim().split('.').collect();
            let value = match parts[..] {
                ["inputs", name] => self.inputs.get(name).cloned(),
                ["steps", step, "outputs", name] => {
                    let value = self.outputs.get(&format!("{step}.{name}")).cloned();
                    Some(value.unwrap_or_default())
                }
                ["github", "token"] => Some("of this run".into()),
                ["github", "action_path"] => Some(self.action.display().to_string()),
                ["runner", "temp"] => Some(self.temp.display().to_string()),
                _ => None,
            };
            out.push_str(&value.unwrap_or_else(|| panic!("what is {expression}?")));
            rest = after;
        }
        out + rest
    }

    fn run(&mut self) {
        for step in action()["runs"]["steps"].as_vec().unwrap() {
            if let Some(uses) = step["uses"].as_str() {
                // Another's action; what it would be given has to be there.
                let file = self.filled(step["with"]["sarif_file"].as_str().unwrap());
                if !file.is_empty() {
                    assert!(Path::new(&file).exists(), "{file}");
                    self.used.push(uses.to_owned());
                }
                continue;
            }
            assert_eq!(step["shell"].as_str(), Some("bash"));
            self.run_step(step);
            if self.failed {
                return;
            }
        }
    }

    fn run_step(&mut self, step: &Yaml) {
        let (output, summary) = (self.temp.join("output"), self.temp.join("summary"));
        for file in [&output, &summary] {
            std::fs::write(file, "").unwrap();
        }
        let mut command = Command::new("bash");
        command
            .args(["--noprofile", "--norc", "-eo", "pipefail", "-c"])
            .arg(self.filled(step["run"].as_str().unwrap()))
            .env("GITHUB_OUTPUT", &output)
            .env("GITHUB_STEP_SUMMARY", &summary)
            .env("XDG_CONFIG_HOME", "/nonexistent")
            .env("CARGO_TARGET_DIR", self.temp.join("target"))
            .env(
                "PATH",
                format!(
                    "{}/bin:{}",
                    self.temp.display(),
                    std::env::var("PATH").unwrap()
                ),
            );
        for (name, value) in step["env"].as_hash().unwrap() {
            command.env(name.as_str().unwrap(), self.filled(value.as_str().unwrap()));
        }
        self.failed = !command.status().unwrap().success();
        let id = step["id"].as_str().unwrap_or_default();
        for line in std::fs::read_to_string(&output).unwrap().lines() {
            let (name, value) = line.split_once('=').unwrap();
            self.outputs
                .insert(format!("{id}.{name}"), value.to_owned());
        }
        self.summary += &std::fs::read_to_string(&summary).unwrap();
    }

    /// An output of the action.
    fn output(&self, name: &str) -> String {
        self.filled(action()["outputs"][name]["value"].as_str().unwrap())
    }
}

/// Programs of the machine that the test stands in for: the build, which takes minutes, and the
/// release, which is elsewhere.
fn stand_in(folder: &Path, program: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(folder).unwrap();
    let path = folder.join(program);
    std::fs::write(&path, format!("#!/usr/bin/env bash\nset -e\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_workflow_is_told_what_was_found_and_fails() {
    let naive = crate::cli::lab("naive");
    let temp = folder("action");
    let arguments = "--pace\n1000\n--check\nenumeration-by-answer\n--check\nlogin-unlimited";
    let given = [
        ("target", &*naive.login.url()),
        ("register", "true"),
        ("arguments", arguments),
    ];
    let mut runner = Runner::new(temp.clone(), &given);
    // As cargo would: what it builds lies where it is looked for.
    let built = format!(
        "echo \"$*\" >{temp}/asked; mkdir -p {temp}/target/release; ln -sf {binary} {temp}/target/release/doorwarden",
        temp = temp.display(),
        binary = env!("CARGO_BIN_EXE_doorwarden")
    );
    stand_in(&temp.join("bin"), "cargo", &built);
    runner.run();
    let asked = std::fs::read_to_string(temp.join("asked")).unwrap();
    assert!(asked.starts_with("build --release"), "{asked}");
    assert!(runner.failed, "the gate let a finding through");
    assert_eq!(runner.output("findings"), "2");
    assert_eq!(
        (runner.output("grade"), runner.output("score")),
        ("F".into(), "0".into())
    );
    assert_eq!(runner.used, ["github/codeql-action/upload-sarif@v3"]);
    let sarif = std::fs::read_to_string(runner.output("sarif")).unwrap();
    assert!(sarif.contains("login-unlimited"));
    assert!(
        runner.summary.contains("`login-unlimited`"),
        "{}",
        runner.summary
    );
}

#[test]
fn a_released_binary_is_taken_only_with_its_checksum() {
    let sound = crate::cli::lab("sound");
    for (good, temp) in [
        (true, folder("action-release")),
        (false, folder("action-forged")),
    ] {
        let given = [
            ("target", &*sound.login.url()),
            ("register", "true"),
            ("arguments", "--pace\n1000\n--check\ncookie-flags"),
            ("version", "v0.1.0"),
        ];
        let mut runner = Runner::new(temp.clone(), &given);
        // As `gh release download` would: the archive and its checksum in the folder.
        let spoil = if good { "" } else { "echo >>$name.tar.gz" };
        let release = format!(
            "while [[ $1 != --dir ]]; do shift; done; cd $2; name=doorwarden-$(uname -m)-linux\n\
             cp {binary} doorwarden; tar -czf $name.tar.gz doorwarden; rm doorwarden\n\
             sha256sum $name.tar.gz >$name.tar.gz.sha256; {spoil}",
            binary = env!("CARGO_BIN_EXE_doorwarden")
        );
        stand_in(&temp.join("bin"), "gh", &release);
        runner.run();
        assert_eq!(runner.failed, !good);
        assert_eq!(runner.output("findings"), if good { "0" } else { "" });
    }
}
