//! The store: connect, charge, and say when it is away.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use doorwarden_decision::{Charge, Count, Counts};
use doorwarden_gate::{Away, Secret, SharedStore};
use futures_util::future::{BoxFuture, join_all};
use redis::{
    Client, Cmd, ErrorKind, RedisError, RedisResult, Script, ServerErrorKind,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig},
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
    cmd,
};
use tokio::{sync::OnceCell, time::timeout};

use crate::{
    breaker::Breaker,
    script::{Dialect, command, library, script},
};

/// How long connecting, and an answer, may take: a login waits for a second at the most before the
/// declared mode holds. A store in the same network answers within a millisecond.
const CONNECT: Duration = Duration::from_millis(500);
const ANSWER: Duration = Duration::from_millis(250);

/// A count, its slot, and milliseconds until the oldest leaves.
type Answered = (u32, u32, u32);

/// Counters in Redis or Valkey.
pub struct RedisStore {
    address: Address,
    connection: OnceCell<Connection>,
    names: Secret,
    script: Script,
    /// The server has no functions.
    scripts_only: AtomicBool,
    breaker: Breaker,
}

enum Address {
    One(Client),
    Cluster(Box<ClusterClient>),
}

#[derive(Clone)]
enum Connection {
    One(ConnectionManager),
    Cluster(ClusterConnection),
}

/// Why words name no store. They don't come back: there may be a password in them.
#[derive(Debug, thiserror::Error)]
#[error(
    "that is no store; write redis://HOST:PORT, or several nodes of a cluster joined by commas: redis://A:6379,redis://B:6379"
)]
pub struct InvalidStore;

impl RedisStore {
    /// A store at `url`: one server, or nodes of a cluster joined by commas. Nothing is sent yet.
    /// `secret` hides which key is whose.
    pub fn new(url: &str, secret: &Secret) -> Result<Self, InvalidStore> {
        let nodes: Vec<&str> = url
            .split(',')
            .map(str::trim)
            .filter(|node| !node.is_empty())
            .collect();
        let address = match nodes.as_slice() {
            [] => return Err(InvalidStore),
            [one] => Address::One(Client::open(*one).map_err(|_| InvalidStore)?),
            nodes => Address::Cluster(Box::new(
                ClusterClientBuilder::new(nodes.iter().copied())
                    .connection_timeout(CONNECT)
                    .response_timeout(ANSWER)
                    .retries(0)
                    .build()
                    .map_err(|_| InvalidStore)?,
            )),
        };
        Ok(Self {
            address,
            connection: OnceCell::new(),
            names: Secret::new(secret.derive("store", 0)),
            script: Script::new(&script()),
            scripts_only: AtomicBool::new(false),
            breaker: Breaker::default(),
        })
    }

    /// The same store, by scripts instead of functions: for servers before Redis 7.
    #[must_use]
    pub fn with_scripts(self) -> Self {
        self.scripts_only.store(true, Ordering::Relaxed);
        self
    }

    async fn connection(&self) -> RedisResult<Connection> {
        let connect = || async {
            let mut connection = match &self.address {
                Address::One(client) => {
                    let config = ConnectionManagerConfig::new()
                        .set_connection_timeout(Some(CONNECT))
                        .set_response_timeout(Some(ANSWER))
                        .set_number_of_retries(1)
                        .set_min_delay(Duration::from_millis(20))
                        .set_max_delay(Duration::from_millis(100));
                    Connection::One(client.get_connection_manager_with_config(config).await?)
                }
                Address::Cluster(client) => {
                    Connection::Cluster(client.get_async_connection().await?)
                }
            };
            // Before the first charge: a cluster that knew it in one node only would charge there twice.
            self.teach(&mut connection).await?;
            Ok::<_, RedisError>(connection)
        };
        self.connection.get_or_try_init(connect).await.cloned()
    }

    async fn ask(&self, charges: &[Charge]) -> RedisResult<Vec<Answered>> {
        let mut connection = self.connection().await?;
        let first = self.send(&mut connection, charges).await;
        match first {
            Err(error) if self.is_unknown(&error) => {
                self.teach(&mut connection).await?;
                match connection {
                    // One server: nothing was charged.
                    Connection::One(_) => self.send(&mut connection, charges).await,
                    // A cluster's other nodes have charged: not twice.
                    Connection::Cluster(_) => Err(error),
                }
            }
            answered => answered,
        }
    }

    async fn send(
        &self,
        connection: &mut Connection,
        charges: &[Charge],
    ) -> RedisResult<Vec<Answered>> {
        let keyed: Vec<_> = charges
            .iter()
            .map(|charge| (self.key(charge), charge))
            .collect();
        let ask = |charges| command(self.dialect(), self.script.get_hash(), charges);
        match connection {
            Connection::One(one) => {
                let answered: Vec<u32> = ask(&keyed).query_async(one).await?;
                let answers = answered.as_chunks::<3>().0.iter();
                Ok(answers
                    .map(|[count, slot, leaves]| (*count, *slot, *leaves))
                    .collect())
            }
            // In a cluster each key may be another node's. Commands that are sent at once go out at
            // once, and one that was moved is followed by itself.
            Connection::Cluster(cluster) => {
                let one = |charge| {
                    let mut cluster = cluster.clone();
                    let command = ask(std::slice::from_ref(charge));
                    async move { command.query_async::<Answered>(&mut cluster).await }
                };
                join_all(keyed.iter().map(one)).await.into_iter().collect()
            }
        }
    }

    fn dialect(&self) -> Dialect {
        if self.scripts_only.load(Ordering::Relaxed) {
            Dialect::Script
        } else {
            Dialect::Function
        }
    }

    /// Whether the server does not know the function or script: it was started anew.
    fn is_unknown(&self, error: &RedisError) -> bool {
        let known = error.kind() == ErrorKind::Server(ServerErrorKind::NoScript);
        let text = error.to_string();
        known || text.contains("Function not found") || text.contains("unknown command")
    }

    async fn teach(&self, connection: &mut Connection) -> RedisResult<()> {
        if self.dialect() == Dialect::Function {
            let mut load = cmd("FUNCTION");
            load.arg("LOAD").arg("REPLACE").arg(library());
            match run(&load, connection).await {
                Ok(()) => return Ok(()),
                Err(error) if error.to_string().contains("unknown command") => {
                    self.scripts_only.store(true, Ordering::Relaxed);
                }
                Err(error) => return Err(error),
            }
        }
        let mut load = cmd("SCRIPT");
        load.arg("LOAD").arg(script());
        run(&load, connection).await
    }

    /// A counter's key: it says nothing to who has not the secret.
    fn key(&self, charge: &Charge) -> String {
        // With its window, or a changed policy would read the slots of another.
        let slot = charge.window.slot_millis();
        let key = charge.key;
        let purpose = format!("{} {} {slot}", key.ledger.name(), key.limit);
        let [a, b, c, d, e, f, g, h, ..] = self.names.derive(&purpose, key.id);
        let hash = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        format!("dw:{hash:016x}")
    }
}

async fn run(command: &Cmd, connection: &mut Connection) -> RedisResult<()> {
    match connection {
        Connection::One(one) => one.req_packed_command(command).await.map(drop),
        Connection::Cluster(cluster) => cluster.req_packed_command(command).await.map(drop),
    }
}

impl SharedStore for RedisStore {
    fn charge<'a>(&'a self, charges: &'a [Charge]) -> BoxFuture<'a, Result<Counts, Away>> {
        Box::pin(async {
            if charges.is_empty() {
                return Ok(Counts::new());
            }
            if !self.breaker.may_ask(Instant::now()) {
                return Err(Away("it did not answer a moment ago".into()));
            }
            // Twice the answer's time, for a server that has to be taught first.
            let asked = timeout(CONNECT + ANSWER * 2, self.ask(charges)).await;
            let answered = match asked {
                Ok(Ok(answered)) if answered.len() == charges.len() => answered,
                Ok(Ok(_)) => return Err(self.away("it answered something else".into())),
                Ok(Err(error)) => return Err(self.away(error.to_string())),
                Err(_) => return Err(self.away("it did not answer in time".into())),
            };
            self.breaker.answered();
            let counts = charges
                .iter()
                .zip(answered)
                .map(|(charge, (count, slot, leaves))| Count {
                    charge: *charge,
                    count,
                    slot,
                    leaves,
                });
            Ok(counts.collect())
        })
    }
}

impl RedisStore {
    fn away(&self, reason: String) -> Away {
        self.breaker.failed(Instant::now());
        Away(reason)
    }
}

impl std::fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisStore(redacted)")
    }
}
