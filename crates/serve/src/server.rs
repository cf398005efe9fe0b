//! Listens, passes each request to its route, and shuts down gracefully.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{Router, extract::connect_info::IntoMakeServiceWithConnectInfo};
use axum_server::{Handle, tls_rustls::RustlsConfig};

use doorwarden_decision::Policy;
use doorwarden_gate::{Counters, EventSink, Gate, Parts, Secret, http::client_addr::Proxies};
use tokio::{net::TcpListener, time::sleep};

use crate::{
    App, BreachError, Complain, Config, ConfigError, KeyError, StoreError, Unsealable,
    breaches::Breaches, door::Door, hashing::Hashing, keys::Keys, mail::Mailer, routes, seal::Seal,
    store::Store, tokens, unlocks,
};

/// How often keys and unlocks are polled: changes by the command line take effect within this.
const LOOK: Duration = Duration::from_secs(5);

/// How long requests in progress may take at shutdown.
const GRACE: Duration = Duration::from_secs(30);

/// How often expired data is deleted.
const TIDY: Duration = Duration::from_secs(3600);

/// A server that is ready to run.
pub struct Server {
    pub(crate) app: Arc<App>,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
}

/// A certificate and its key, which may be renewed while the server runs.
struct Tls {
    config: RustlsConfig,
    certificate: PathBuf,
    key: PathBuf,
}

impl Tls {
    async fn of(config: &Config) -> Result<Option<Self>, StartError> {
        let (Some(certificate), Some(key)) = (&config.tls_certificate, &config.tls_key) else {
            return Ok(None);
        };
        let read = RustlsConfig::from_pem_file(certificate, key).await;
        let read = read.map_err(|error| StartError::Tls {
            certificate: certificate.display().to_string(),
            key: key.display().to_string(),
            error,
        })?;
        Ok(Some(Self {
            config: read,
            certificate: certificate.clone(),
            key: key.clone(),
        }))
    }

    /// Returns when the certificate and its key were last modified.
    fn written(&self) -> [Option<SystemTime>; 2] {
        [&self.certificate, &self.key].map(|file| std::fs::metadata(file).ok()?.modified().ok())
    }

    /// Reloads the files when one has changed. If that fails, the last certificate stays in use, and it is
    /// retried: the files are written one after the other.
    async fn renew(self, app: Arc<App>) {
        let mut last = self.written();
        let mut failed = None;
        loop {
            sleep(LOOK).await;
            let written = self.written();
            if written == last {
                continue;
            }
            let reading = self
                .config
                .reload_from_pem_file(&self.certificate, &self.key);
            match reading.await {
                Ok(()) => {
                    tracing::info!("TLS certificate renewed");
                    last = written;
                }
                // Still failing at the next poll: not a renewal in progress.
                Err(error) => {
                    if failed == Some((written, false)) {
                        let certificate = self.certificate.display();
                        app.complain()(&format!(
                            "failed to reload the certificate {certificate}: {error}; the last one stays in use"
                        ));
                    }
                    failed = match failed {
                        Some((pair, _)) if pair == written => Some((written, true)),
                        _ => Some((written, false)),
                    };
                }
            }
        }
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The source of known passwords.
    #[error(transparent)]
    Breach(#[from] BreachError),
    /// The secret.
    #[error(transparent)]
    Seal(#[from] Unsealable),
    /// The certificate.
    #[error(
        "failed to read the certificate {certificate} and its key {key}: {error}; both must be PEM files"
    )]
    Tls {
        /// The certificate's file.
        certificate: String,
        /// The key's file.
        key: String,
        /// Why.
        error: std::io::Error,
    },
    /// The address or the threads.
    #[error("failed to listen on {address}: {error}; choose another address with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
}

/// Opens the database of a configuration.
pub(crate) async fn open(config: &Config, secret: &Secret) -> Result<(Store, Seal), StartError> {
    let failed = |error: std::io::Error| StoreError::Open {
        place: config.data.display().to_string(),
        reason: error.to_string(),
    };
    std::fs::create_dir_all(&config.data).map_err(failed)?;
    Ok((Store::open(config).await?, Seal::new(secret)?))
}

impl Server {
    /// Opens the database, creates what is missing, and listens.
    pub async fn start(
        config: Config,
        policy: Policy,
        secret: &Secret,
        counters: Counters,
        sink: EventSink,
        complain: Complain,
    ) -> Result<Self, StartError> {
        config.check()?;
        // Here the account decides on the second factor: where the gate would require one, an account without
        // it must be denied.
        let policy = Policy {
            second_factor: false,
            ..policy
        };
        let listen = config.listen;
        let failed = |error: std::io::Error| StartError::Listen {
            address: listen,
            error,
        };
        let (store, seal) = open(&config, secret).await?;
        let breaches = Breaches::of(&config)?;
        let keys = Keys::load(&store, &seal, config.algorithm, crate::now()).await?;
        let tls = Tls::of(&config).await?;
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let threads = config.hash_threads.unwrap_or_else(|| {
            std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
        });
        let hashing = Hashing::start(threads, config.cost).map_err(failed)?;
        let gate = Gate::new(Parts {
            counters,
            capacity: hashing.places(),
            shadow: false,
            policy,
            sink,
        });
        let issuer = config.issuer(address);
        let app = App {
            #[cfg(feature = "passkeys")]
            passkeys: crate::passkeys::Party::of(&issuer, secret)?,
            audience: config.audience.clone().unwrap_or_else(|| issuer.clone()),
            issuer,
            door: Door::new(gate),
            hashing,
            breaches,
            keys,
            mailer: Arc::new(Mailer::of(&config)?),
            proxies: Proxies {
                trusted: config.trusted_proxies.clone(),
                header: config.client_header,
            },
            seal,
            store,
            complain,
            config,
        };
        Ok(Self {
            app: Arc::new(app),
            listener,
            address,
            tls,
        })
    }

    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL by which clients reach it.
    pub fn issuer(&self) -> &str {
        &self.app.issuer
    }

    /// Returns the gate that all secrets go through.
    pub fn gate(&self) -> &Arc<Gate> {
        self.app.door.gate()
    }

    /// Serves until `ended`, and then until the requests in progress are answered.
    pub async fn run(self, ended: impl Future<Output = ()> + Send + 'static) {
        tracing::info!(address = %self.address, tls = self.tls.is_some(), "server started");
        let looking = tokio::spawn(look(Arc::clone(&self.app)));
        let routes = routes::all(Arc::clone(&self.app));
        let service = routes.into_make_service_with_connect_info::<SocketAddr>();
        let served = match self.tls {
            None => plain(self.listener, service, ended).await,
            Some(tls) => {
                let config = tls.config.clone();
                let renewing = tokio::spawn(tls.renew(Arc::clone(&self.app)));
                let served = encrypted(self.listener, config, service, ended).await;
                renewing.abort();
                served
            }
        };
        if let Err(error) = served {
            self.app.complain()(&error);
        }
        looking.abort();
        if let Err(error) = self.app.store.flush().await {
            self.app.complain()(&error);
        }
        tracing::info!("server stopped");
    }
}

/// Serves without TLS.
async fn plain(
    listener: TcpListener,
    service: IntoMakeServiceWithConnectInfo<Router, SocketAddr>,
    ended: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let serving = axum::serve(listener, service).with_graceful_shutdown(async move {
        ended.await;
        let _ = tell.send(());
    });
    let overdue = async {
        // Dropped, the sender has not signalled: serving itself has ended.
        match told.await {
            Ok(()) => sleep(GRACE).await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        served = serving => served,
        () = overdue => Ok(()),
    }
}

/// Serves with TLS.
async fn encrypted(
    listener: TcpListener,
    config: RustlsConfig,
    service: IntoMakeServiceWithConnectInfo<Router, SocketAddr>,
    ended: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let handle = Handle::new();
    let ending = handle.clone();
    tokio::spawn(async move {
        ended.await;
        ending.graceful_shutdown(Some(GRACE));
    });
    let serving = axum_server::from_tcp_rustls(listener.into_std()?, config)?;
    serving.handle(handle).serve(service).await
}

/// Polls keys and unlocks, and deletes expired data.
async fn look(app: Arc<App>) {
    let mut since = TIDY;
    let mut unlocked = unlocks::Done::default();
    loop {
        if let Err(error) = app.keys.reload(&app.store, &app.seal).await {
            app.complain()(&error);
        }
        if let Err(error) = unlocked.look(&app).await {
            app.complain()(&error);
        }
        if since >= TIDY {
            since = Duration::ZERO;
            let (now, days) = (app.now(), i64::from(app.config.audit_days));
            let complain = app.complain();
            app.store.post(
                move |connection| tokens::tidy(connection, days, now),
                move |reason| complain(&format!("failed to delete expired data: {reason}")),
            );
        }
        sleep(LOOK).await;
        since += LOOK;
    }
}
