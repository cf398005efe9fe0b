//! Connections to a server or a cluster.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use doorwarden_decision::Charge;
use futures_util::future::join_all;
use redis::{
    Client, Cmd, ErrorKind, RedisError, RedisResult, Script, ServerErrorKind,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig},
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
    cmd,
};
use tokio::sync::OnceCell;

use crate::{
    InvalidStore,
    script::{Dialect, charge_command, library_source, script_source},
};

/// How long connecting may take, and a response: a login waits for at most a second before the
/// configured outage mode applies. A store in the same network responds within a millisecond.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_millis(250);

/// A count, its slot, and the milliseconds until the oldest event leaves.
pub(crate) type Counted = (u32, u32, u32);

/// A counter's key in the store, and the charge for it.
pub(crate) type KeyedCharge<'a> = (String, &'a Charge);

/// A server or a cluster, connected on first use.
pub(crate) struct Server {
    address: Address,
    connection: OnceCell<Connection>,
    script: Script,
    /// Set if the server has no functions.
    scripts_only: AtomicBool,
}

enum Address {
    Single(Client),
    Cluster(Box<ClusterClient>),
}

#[derive(Clone)]
enum Connection {
    Single(ConnectionManager),
    Cluster(ClusterConnection),
}

impl Server {
    /// Parses `url`: one server, or several nodes of a cluster, separated by commas. Sends nothing yet.
    pub(crate) fn new(url: &str) -> Result<Self, InvalidStore> {
        let nodes: Vec<&str> = url
            .split(',')
            .map(str::trim)
            .filter(|node| !node.is_empty())
            .collect();
        let address = match nodes.as_slice() {
            [] => return Err(InvalidStore),
            [node] => Address::Single(Client::open(*node).map_err(|_| InvalidStore)?),
            nodes => Address::Cluster(Box::new(
                ClusterClientBuilder::new(nodes.iter().copied())
                    .connection_timeout(CONNECT_TIMEOUT)
                    .response_timeout(RESPONSE_TIMEOUT)
                    .retries(0)
                    .build()
                    .map_err(|_| InvalidStore)?,
            )),
        };
        Ok(Self {
            address,
            connection: OnceCell::new(),
            script: Script::new(&script_source()),
            scripts_only: AtomicBool::new(false),
        })
    }

    /// Uses scripts instead of functions from now on.
    pub(crate) fn use_scripts(&self) {
        self.scripts_only.store(true, Ordering::Relaxed);
    }

    /// Applies the charges, in one round trip.
    pub(crate) async fn charge(&self, charges: &[KeyedCharge<'_>]) -> RedisResult<Vec<Counted>> {
        let mut connection = self.connect().await?;
        match self.send_charges(&mut connection, charges).await {
            Err(error) if is_not_loaded(&error) => {
                self.load_code(&mut connection).await?;
                match connection {
                    // One server: nothing was charged.
                    Connection::Single(_) => self.send_charges(&mut connection, charges).await,
                    // The other nodes of a cluster have charged: not twice.
                    Connection::Cluster(_) => Err(error),
                }
            }
            counted => counted,
        }
    }

    async fn connect(&self) -> RedisResult<Connection> {
        let connect = || async {
            let mut connection = self.address.connect().await?;
            // Before the first charge: if only one node of a cluster had the code, it would charge twice.
            self.load_code(&mut connection).await?;
            Ok::<_, RedisError>(connection)
        };
        self.connection.get_or_try_init(connect).await.cloned()
    }

    async fn send_charges(
        &self,
        connection: &mut Connection,
        charges: &[KeyedCharge<'_>],
    ) -> RedisResult<Vec<Counted>> {
        let command = |charges| charge_command(self.dialect(), self.script.get_hash(), charges);
        match connection {
            Connection::Single(single) => {
                let numbers: Vec<u32> = command(charges).query_async(single).await?;
                let counted = numbers.as_chunks::<3>().0.iter();
                Ok(counted
                    .map(|[count, slot, leaves]| (*count, *slot, *leaves))
                    .collect())
            }
            // In a cluster each key may be on a different node. The commands are sent concurrently, and
            // each follows its own redirection.
            Connection::Cluster(cluster) => {
                let send = |charge| {
                    let mut cluster = cluster.clone();
                    let command = command(std::slice::from_ref(charge));
                    async move { command.query_async::<Counted>(&mut cluster).await }
                };
                join_all(charges.iter().map(send))
                    .await
                    .into_iter()
                    .collect()
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

    /// Loads the function, or the script on servers without functions.
    async fn load_code(&self, connection: &mut Connection) -> RedisResult<()> {
        if self.dialect() == Dialect::Function {
            let mut load = cmd("FUNCTION");
            load.arg("LOAD").arg("REPLACE").arg(library_source());
            match connection.execute(&load).await {
                Err(error) if error.to_string().contains("unknown command") => self.use_scripts(),
                loaded => return loaded,
            }
        }
        let mut load = cmd("SCRIPT");
        load.arg("LOAD").arg(script_source());
        connection.execute(&load).await
    }
}

impl Address {
    async fn connect(&self) -> RedisResult<Connection> {
        match self {
            Self::Single(client) => {
                let config = ConnectionManagerConfig::new()
                    .set_connection_timeout(Some(CONNECT_TIMEOUT))
                    .set_response_timeout(Some(RESPONSE_TIMEOUT))
                    .set_number_of_retries(1)
                    .set_min_delay(Duration::from_millis(20))
                    .set_max_delay(Duration::from_millis(100));
                let manager = client.get_connection_manager_with_config(config).await?;
                Ok(Connection::Single(manager))
            }
            Self::Cluster(client) => Ok(Connection::Cluster(client.get_async_connection().await?)),
        }
    }
}

impl Connection {
    /// Sends a command whose result does not matter.
    async fn execute(&mut self, command: &Cmd) -> RedisResult<()> {
        match self {
            Self::Single(single) => single.req_packed_command(command).await.map(drop),
            Self::Cluster(cluster) => cluster.req_packed_command(command).await.map(drop),
        }
    }
}

/// Returns whether the server lacks the function or script, because it was restarted.
fn is_not_loaded(error: &RedisError) -> bool {
    let text = error.to_string();
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
        || text.contains("Function not found")
        || text.contains("unknown command")
}
