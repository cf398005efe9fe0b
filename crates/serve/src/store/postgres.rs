//! PostgreSQL, for several nodes: its own schema, and one writer at a time across all nodes.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    sync::Arc,
    time::Duration,
};

use rustls_platform_verifier::ConfigVerifierExt;
use tokio::{runtime::Handle, time::timeout};
use tokio_postgres::{
    Client, Config, IsolationLevel, NoTls, Row, Statement,
    config::{Host, SslMode, TargetSessionAttrs},
    types::ToSql,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    MIGRATIONS, StoreError,
    connection::{Queried, QueryError, Value, said},
};

/// The timeout of a query.
pub(super) const LONGEST: Duration = Duration::from_secs(12);

/// The server-side timeout of a statement or a lock: it fails there before it times out here.
const STATEMENT: Duration = Duration::from_secs(10);

/// A node that hangs in a transaction is disconnected after this, so that others can write.
const HANGING: Duration = Duration::from_secs(5);

/// The advisory lock of writers: "doorward" as a number.
const WRITERS: i64 = 0x646f_6f72_7761_7264;

/// The address of a database, and how to connect to it.
pub(super) struct Place {
    config: Config,
    tls: MakeRustlsConnect,
    shown: String,
}

impl Place {
    /// Reads a URL. Hashes don't cross a network unencrypted, unless `danger_plain`.
    pub(super) fn parse(url: &str, danger_plain: bool) -> Result<Self, StoreError> {
        let failed = |place: &str, reason: String| StoreError::Open {
            place: place.to_owned(),
            reason,
        };
        // The parser's error may quote a part of the URL, which has a password.
        let read = url.parse::<Config>();
        let mut config = read.map_err(|_| {
            let form = "invalid URL; it must be postgres://NAME:PASSWORD@HOST/DATABASE";
            failed("set by `database`", form.into())
        })?;
        let hosts = config.get_hosts().iter().map(|host| match host {
            Host::Tcp(name) => name.clone(),
            Host::Unix(path) => path.display().to_string(),
        });
        let shown = format!(
            "{} on {}",
            config.get_dbname().unwrap_or("postgres"),
            hosts.collect::<Vec<_>>().join(",")
        );
        let addresses = config.get_hostaddrs();
        let here = config.get_hosts().iter().all(is_here)
            && addresses.iter().all(std::net::IpAddr::is_loopback);
        if here && config.get_ssl_mode() == SslMode::Prefer {
            // Loopback can't be eavesdropped, and the server's certificate is often self-signed.
            config.ssl_mode(SslMode::Disable);
        }
        if !here && !danger_plain {
            if config.get_ssl_mode() == SslMode::Disable {
                let reason = "without TLS, password hashes would cross a network unencrypted; remove sslmode, or set `danger_plain_database = true`";
                return Err(failed(&shown, reason.into()));
            }
            config.ssl_mode(SslMode::Require);
        }
        config
            .application_name("doorwarden")
            // A replica may lag behind: revoked sessions would still be valid there.
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .connect_timeout(LONGEST / 2)
            .tcp_user_timeout(LONGEST);
        let tls = rustls::ClientConfig::with_platform_verifier();
        let tls = tls.map_err(|error| failed(&shown, error.to_string()))?;
        Ok(Self {
            config,
            tls: MakeRustlsConnect::new(tls),
            shown,
        })
    }

    /// Connects; times out also if a server accepts the connection and does not respond.
    async fn connect(&self) -> Queried<Client> {
        let connecting = timeout(LONGEST, self.connected());
        connecting.await.map_err(|_| QueryError::Slow)?
    }

    async fn connected(&self) -> Queried<Client> {
        let away = |error: tokio_postgres::Error| QueryError::Away(said(&error));
        let client = if self.config.get_ssl_mode() == SslMode::Disable {
            let (client, talking) = self.config.connect(NoTls).await.map_err(away)?;
            // If it ends, the client's next query fails.
            tokio::spawn(async move { drop(talking.await) });
            client
        } else {
            let connecting = self.config.connect(self.tls.clone());
            let (client, talking) = connecting.await.map_err(away)?;
            tokio::spawn(async move { drop(talking.await) });
            client
        };
        let (limit, hanging) = (STATEMENT.as_millis(), HANGING.as_millis());
        let settings = format!(
            "SET search_path TO doorwarden; SET synchronous_commit TO on; SET lock_timeout TO {limit}; \
             SET statement_timeout TO {limit}; SET idle_in_transaction_session_timeout TO {hanging}"
        );
        client.batch_execute(&settings).await?;
        Ok(client)
    }
}

/// Returns true if a host is this machine.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse()
                    .is_ok_and(|at: std::net::IpAddr| at.is_loopback())
        }
    }
}

/// Migrates a database; returns a connection that writes and some that read.
pub(super) async fn open(place: Place, readers: usize) -> Result<(Link, Vec<Link>), StoreError> {
    let place = Arc::new(place);
    let failed = |error: QueryError| StoreError::Open {
        place: place.shown.clone(),
        reason: error.to_string(),
    };
    let mut client = place.connect().await.map_err(failed)?;
    migrate(&mut client, &place.shown).await?;
    let runtime = Handle::current();
    let link = |client| Link {
        place: Arc::clone(&place),
        runtime: runtime.clone(),
        client: RefCell::new(client),
        within: Cell::new(false),
    };
    Ok((
        link(Some(Open::new(client))),
        (0..readers).map(|_| link(None)).collect(),
    ))
}

/// A connection that reconnects after a failure. Used by threads that may block.
pub(crate) struct Link {
    place: Arc<Place>,
    runtime: Handle,
    client: RefCell<Option<Open>>,
    /// Whether a transaction is open and has not failed as a whole.
    within: Cell<bool>,
}

struct Open {
    client: Arc<Client>,
    statements: HashMap<String, Statement>,
}

impl Open {
    fn new(client: Client) -> Self {
        Self {
            client: Arc::new(client),
            statements: HashMap::new(),
        }
    }
}

impl Link {
    fn wait<T>(&self, asked: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Queried<T> {
        let answered = self
            .runtime
            .block_on(async { timeout(LONGEST, asked).await });
        if answered.is_err() {
            // Its state is unknown: it is not used again.
            self.client.replace(None);
            self.within.set(false);
        }
        Ok(answered.map_err(|_| QueryError::Slow)??)
    }

    fn client(&self) -> Queried<Arc<Client>> {
        let open = self
            .client
            .borrow()
            .as_ref()
            .map(|open| Arc::clone(&open.client));
        if let Some(client) = open.filter(|client| !client.is_closed()) {
            return Ok(client);
        }
        if self.within.replace(false) {
            // On a new connection the rest of a transaction would be committed by itself.
            self.client.replace(None);
            return Err(QueryError::Away("the connection was lost".into()));
        }
        let opened = Open::new(self.runtime.block_on(self.place.connect())?);
        let client = Arc::clone(&opened.client);
        self.client.replace(Some(opened));
        Ok(client)
    }

    /// Prepares a statement, once each: they are few and constant.
    fn prepared(&self, client: &Client, query: &str) -> Queried<Statement> {
        let known = self
            .client
            .borrow()
            .as_ref()
            .and_then(|open| open.statements.get(query).cloned());
        if let Some(known) = known {
            return Ok(known);
        }
        let prepared = self.wait(client.prepare(&query.replace('?', "$")))?;
        if let Some(open) = self.client.borrow_mut().as_mut() {
            open.statements.insert(query.to_owned(), prepared.clone());
        }
        Ok(prepared)
    }

    pub(super) fn execute(&self, query: &str, parameters: &[Value]) -> Queried<usize> {
        let client = self.client()?;
        let statement = self.prepared(&client, query)?;
        let changed = self.wait(client.execute(&statement, &references(parameters)))?;
        Ok(changed as usize)
    }

    pub(super) fn query(&self, query: &str, parameters: &[Value]) -> Queried<Vec<Row>> {
        let client = self.client()?;
        let statement = self.prepared(&client, query)?;
        self.wait(client.query(&statement, &references(parameters)))
    }

    pub(super) fn batch(&self, queries: &str) -> Queried<()> {
        let client = self.client()?;
        let ran = self.wait(client.batch_execute(queries));
        if ran.is_err() {
            // Savepoints that can't be taken or released: nothing of the transaction may be committed.
            self.within.set(false);
        }
        ran
    }

    pub(super) fn begin(&self) -> Queried<()> {
        self.within.set(false);
        // Reads have to see the state after the lock, whatever the server's default is.
        let begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
        let begun = self.batch(&format!("{begin}; SELECT pg_advisory_xact_lock({WRITERS})"));
        match &begun {
            Ok(()) => self.within.set(true),
            // A lock timeout leaves the transaction open: it ends with the connection.
            Err(_) => drop(self.client.replace(None)),
        }
        begun
    }

    pub(super) fn is_within(&self) -> bool {
        self.within.get()
    }

    pub(super) fn commit(&self) -> Queried<()> {
        // COMMIT of a failed transaction succeeds, as a rollback.
        if !self.within.get() {
            return Err(QueryError::Away("the transaction was aborted".into()));
        }
        let committed = self.batch("COMMIT");
        self.within.set(false);
        committed
    }
}

fn references(parameters: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    parameters.iter().map(|value| value as _).collect()
}

/// Translates the tables from SQLite.
fn translated(tables: &str) -> String {
    tables
        .replace(" INTEGER", " BIGINT")
        .replace(" BLOB", " BYTEA")
        .replace(") STRICT;", ");")
}

/// Applies the missing steps, in one transaction; a backup is kept in another schema.
async fn migrate(client: &mut Client, shown: &str) -> Result<(), StoreError> {
    let failed = |error: tokio_postgres::Error| StoreError::Open {
        place: shown.to_owned(),
        reason: said(&error),
    };
    let transaction = client
        .build_transaction()
        .isolation_level(IsolationLevel::ReadCommitted)
        .start();
    let transaction = transaction.await.map_err(failed)?;
    // Migrating much data takes time, and another node waits for it.
    let begin = format!(
        "SET LOCAL statement_timeout TO 0; SET LOCAL lock_timeout TO 0; SELECT pg_advisory_xact_lock({WRITERS}); CREATE SCHEMA IF NOT EXISTS doorwarden; \
         CREATE TABLE IF NOT EXISTS version (version BIGINT NOT NULL)"
    );
    transaction.batch_execute(&begin).await.map_err(failed)?;
    let found = transaction
        .query_opt("SELECT version FROM version", &[])
        .await
        .map_err(failed)?;
    let version: i64 = found.map_or(Ok(0), |row| row.try_get(0)).map_err(failed)?;
    let known = MIGRATIONS.len() as i64;
    if version > known {
        return Err(StoreError::Newer {
            place: shown.to_owned(),
            found: version,
            known,
        });
    }
    if version == known {
        return transaction.commit().await.map_err(failed);
    }
    if version > 0 {
        let backup = format!(
            "CREATE SCHEMA doorwarden_before_{known}; DO $$ DECLARE t text; BEGIN \
             FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'doorwarden' LOOP \
             EXECUTE format('CREATE TABLE doorwarden_before_{known}.%I AS TABLE doorwarden.%I', t, t); \
             END LOOP; END $$"
        );
        transaction.batch_execute(&backup).await.map_err(failed)?;
    }
    for tables in MIGRATIONS.iter().skip(version as usize) {
        let step = translated(tables);
        transaction.batch_execute(&step).await.map_err(failed)?;
    }
    let written = format!("DELETE FROM version; INSERT INTO version VALUES ({known})");
    transaction.batch_execute(&written).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "real-postgres")]
    #[tokio::test(flavor = "multi_thread")]
    async fn an_older_database_comes_along_and_is_kept_as_it_was() {
        let server = crate::store::server::Postgres::start();
        let place = || Place::parse(&server.url("postgres"), false).unwrap();
        let client = place().connect().await.unwrap();
        let old = format!(
            "CREATE SCHEMA doorwarden; CREATE TABLE version (version BIGINT NOT NULL); {};
             INSERT INTO version VALUES (1);
             INSERT INTO users (id, name, key, hash, created) VALUES ('u', 'Ann', 'ann', 'h', 1);
             INSERT INTO sessions (id, \"user\", device, created, used, expires) VALUES ('s', 'u', 'd', 1, 1, 9)",
            translated(MIGRATIONS[0])
        );
        client.batch_execute(&old).await.unwrap();
        // Nodes that begin at once bring it along once.
        let nodes = (0..4).map(|_| open(place(), 0));
        for opened in futures_util::future::join_all(nodes).await {
            assert!(opened.is_ok());
        }
        let text =
            async |query: &str| -> String { client.query_one(query, &[]).await.unwrap().get(0) };
        let owner = "SELECT name FROM users JOIN sessions ON account = users.id";
        assert_eq!(text(owner).await, "Ann");
        let before = "SELECT \"user\" FROM doorwarden_before_2.sessions";
        assert_eq!(text(before).await, "u");
        let newer = "UPDATE version SET version = 99";
        client.batch_execute(newer).await.unwrap();
        let refused = open(place(), 0).await;
        assert!(matches!(refused, Err(StoreError::Newer { found: 99, .. })));
    }

    /// A server that takes a connection and never answers.
    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_is_given_up() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let place = Place::parse(&format!("postgres://me@127.0.0.1:{port}/x"), false).unwrap();
        let silent = tokio::spawn(async move {
            let _held = listener.accept().await;
            std::future::pending::<()>().await;
        });
        assert!(matches!(place.connect().await, Err(QueryError::Slow)));
        silent.abort();
    }

    #[test]
    fn nothing_crosses_a_network_unencrypted() {
        let parsed = |url: &str, danger| Place::parse(url, danger);
        let mode = |url: &str| parsed(url, false).unwrap().config.get_ssl_mode();
        assert_eq!(
            mode("postgres://me:pw@db.example.org/logins"),
            SslMode::Require
        );
        assert_eq!(
            mode("postgres://me:pw@db.example.org/logins?sslmode=prefer"),
            SslMode::Require
        );
        assert_eq!(mode("postgres://me@127.0.0.1/logins"), SslMode::Disable);
        assert_eq!(
            mode("postgres://me@127.0.0.1/logins?sslmode=require"),
            SslMode::Require
        );
        assert_eq!(
            mode("postgres:///logins?host=/run/postgresql"),
            SslMode::Disable
        );
        assert_eq!(
            mode("postgres://me@localhost/logins?hostaddr=192.0.2.1"),
            SslMode::Require
        );
        let plain = "postgres://me:canary@db.example.org/logins?sslmode=disable";
        let refused = parsed(plain, false).err().unwrap().to_string();
        assert!(refused.contains("danger_plain_database"), "{refused}");
        assert!(parsed(plain, true).is_ok());
        for wrong in [
            "postgres://me:canary@db/x?unknown=canary",
            "mysql://me:canary@db",
            plain,
        ] {
            let error = parsed(wrong, false).err().unwrap().to_string();
            assert!(!error.contains("canary"), "{error}");
        }
    }
}
