//! Starts servers, each on its own data.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use doorwarden_decision::Policy;
use doorwarden_gate::{Counters, PrivateUrl, Secret, http::credentials::Password, now};
use doorwarden_serve::{Config, Cost, Server, admin::Office};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use tokio::{sync::oneshot, task::JoinHandle};

/// A password that may be chosen.
pub(crate) const PASSWORD: &str = "a fine long password of mine";

/// Hashes that cost nothing to speak of.
pub(crate) const CHEAP: Cost = Cost {
    memory_kib: 64,
    passes: 1,
    lanes: 1,
};

/// A server that runs.
pub(crate) struct Service {
    pub(crate) url: String,
    pub(crate) data: PathBuf,
    pub(crate) database: Option<PrivateUrl>,
    config: Config,
    pub(crate) events: Arc<Mutex<Vec<String>>>,
    pub(crate) complaints: Arc<Mutex<Vec<String>>>,
    client: Client,
    end: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

pub(crate) fn folder(name: &str) -> PathBuf {
    let folder =
        std::env::temp_dir().join(format!("doorwarden-serve-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder
}

pub(crate) fn config(data: &Path) -> Config {
    Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data: data.to_owned(),
        cost: CHEAP,
        ..Config::default()
    }
}

/// Creates a database on the PostgreSQL that `cargo xtask test --step postgres` starts; elsewhere the tests run
/// on SQLite.
async fn database(name: &str) -> Option<PrivateUrl> {
    let server = std::env::var("DOORWARDEN_TEST_POSTGRES").ok()?;
    let name = name.replace('-', "_").to_lowercase();
    let make = format!("CREATE DATABASE {name}");
    on_postgres(&format!("{server}postgres"), &make).await;
    Some(format!("{server}{name}").into())
}

/// The first column of what a statement comes to.
async fn on_postgres(url: &str, statement: &str) -> Vec<String> {
    let connecting = tokio_postgres::connect(url, tokio_postgres::NoTls);
    let (client, talking) = connecting.await.unwrap();
    tokio::spawn(talking);
    let rows = client.simple_query(statement).await.unwrap();
    let row = |message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => {
            Some(row.get(0).unwrap_or_default().to_owned())
        }
        _ => None,
    };
    rows.into_iter().filter_map(row).collect()
}

pub(crate) fn secret() -> Secret {
    Secret::new([3; 32])
}

impl Service {
    pub(crate) async fn start(name: &str) -> Self {
        Self::with(name, |_| {}).await
    }

    pub(crate) async fn with(name: &str, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Self::config(name).await;
        change(&mut config);
        let policy = config.policy();
        Self::of(config, policy).await
    }

    pub(crate) async fn by_policy(
        name: &str,
        policy: Policy,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = Self::config(name).await;
        change(&mut config);
        Self::of(config, policy).await
    }

    async fn config(name: &str) -> Config {
        Config {
            database: database(name).await,
            ..config(&folder(name))
        }
    }

    pub(crate) fn counters(policy: &Policy) -> Counters {
        Counters::in_memory(policy, 1 << 20, &secret(), now()).unwrap()
    }

    async fn of(config: Config, policy: Policy) -> Self {
        let data = config.data.clone();
        let (database, own) = (config.database.clone(), config.clone());
        let (events, complaints) = (
            Arc::<Mutex<Vec<String>>>::default(),
            Arc::<Mutex<Vec<String>>>::default(),
        );
        let (told, said) = (Arc::clone(&events), Arc::clone(&complaints));
        let counters = Self::counters(&policy);
        let server = Server::start(
            config,
            policy,
            &secret(),
            counters,
            Box::new(move |event| {
                told.lock()
                    .unwrap()
                    .push(serde_json::to_string(event).unwrap())
            }),
            Arc::new(move |line| said.lock().unwrap().push(line.to_owned())),
        )
        .await
        .unwrap();
        let url = format!("http://{}", server.address());
        let (end, ended) = oneshot::channel();
        let running = tokio::spawn(server.run(async {
            let _ = ended.await;
        }));
        Self {
            url,
            data,
            database,
            config: own,
            events,
            complaints,
            client: Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
            end: Some(end),
            running,
        }
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url))
    }

    pub(crate) fn delete(&self, path: &str) -> RequestBuilder {
        self.client.delete(format!("{}{path}", self.url))
    }

    /// Posts fields as JSON.
    pub(crate) async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.send_as("", path, fields).await
    }

    /// The same by somebody.
    pub(crate) async fn send_as(
        &self,
        token: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Response {
        let object: serde_json::Map<String, Value> = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).into()))
            .collect();
        let mut request = self.post(path).json(&object);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        request.send().await.unwrap()
    }

    /// Registers an account.
    pub(crate) async fn register(&self, name: &str) {
        let answer = self
            .send("/register", &[("username", name), ("password", PASSWORD)])
            .await;
        assert_eq!(answer.status(), 202);
    }

    /// Logs in; the answer of a token endpoint.
    pub(crate) async fn log_in(&self, name: &str, password: &str) -> Value {
        let answer = self
            .send("/login", &[("username", name), ("password", password)])
            .await;
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    /// An account's access token.
    pub(crate) async fn token(&self, name: &str) -> String {
        text(&self.log_in(name, PASSWORD).await, "access_token")
    }

    pub(crate) async fn me(&self, token: &str) -> u16 {
        self.get("/me")
            .bearer_auth(token)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    }

    pub(crate) async fn office(&self) -> Office {
        let said = Arc::clone(&self.complaints);
        let complain = Arc::new(move |line: &str| said.lock().unwrap().push(line.to_owned()));
        Office::open(self.config.clone(), &secret(), complain)
            .await
            .unwrap()
    }

    pub(crate) async fn administrator(&self) -> String {
        let password = Password::new(PASSWORD.into());
        self.office()
            .await
            .add_user("root", &password, None, true)
            .await
            .unwrap();
        self.token("root").await
    }

    /// Runs a statement on the database itself: the first column of its rows.
    pub(crate) async fn ask(&self, statement: &str) -> Vec<String> {
        if let Some(url) = &self.database {
            let statement = format!("SET search_path TO doorwarden; {statement}");
            return on_postgres(url.expose(), &statement).await;
        }
        let sqlite = rusqlite::Connection::open(self.data.join("doorwarden.sqlite3")).unwrap();
        sqlite.busy_timeout(Duration::from_secs(5)).unwrap();
        let mut prepared = sqlite.prepare(statement).unwrap();
        let first = |row: &rusqlite::Row<'_>| {
            Ok(match row.get_ref(0)? {
                rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                text => text.as_str()?.to_owned(),
            })
        };
        let rows = prepared.query_map([], first).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    /// All that the database holds, as it keeps it.
    pub(crate) async fn everything(&self) -> Vec<u8> {
        if self.database.is_none() {
            let file = |name: &str| std::fs::read(self.data.join(name)).unwrap_or_default();
            return [file("doorwarden.sqlite3"), file("doorwarden.sqlite3-wal")].concat();
        }
        let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'doorwarden'";
        let mut all = Vec::new();
        for table in self.ask(tables).await {
            let rows = format!("SELECT row_to_json(t)::text FROM {table} t");
            all.extend(self.ask(&rows).await.concat().into_bytes());
        }
        all
    }

    /// A client's id and secret.
    pub(crate) async fn client(&self) -> (String, String) {
        let (id, secret) = self.office().await.add_client("test").await.unwrap();
        (id, secret.to_string())
    }

    pub(crate) async fn stop(mut self) {
        if let Some(end) = self.end.take() {
            let _ = end.send(());
        }
        // Idle connections are the client's to close.
        self.client = Client::new();
        self.running.await.unwrap();
        let complaints = self.complaints.lock().unwrap();
        assert!(complaints.is_empty(), "{complaints:?}");
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

pub(crate) fn text(answer: &Value, field: &str) -> String {
    let found = answer[field].as_str();
    found
        .unwrap_or_else(|| panic!("no {field} in {answer}"))
        .to_owned()
}
