//! Listens, and hands each request to its route.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use doorwarden_decision::{Calibration, Policy};
use doorwarden_gate::{
    EventSink, Gate, Keyring, MemoryStore, NoRandomness, Parts, Secret, http::client_addr::Proxies,
    now,
};
use tokio::{net::TcpListener, time::sleep};

use crate::{
    App, BreachError, Complain, Config, ConfigError, KeyError, StoreError, Unsealable,
    breaches::Breaches, door::Door, dpop::Seen, hashing::Hashing, keys::Keys, mail::Mailer, routes,
    seal::Seal, store::Store, tokens,
};

/// How often the keys are looked at: a rotation by the command line takes effect within this.
const LOOK: Duration = Duration::from_secs(5);

/// How often what has ended is deleted.
const TIDY: Duration = Duration::from_secs(3600);

/// A server that is ready to run.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    address: SocketAddr,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// What it knows of breaches.
    #[error(transparent)]
    Breach(#[from] BreachError),
    /// Its secret.
    #[error(transparent)]
    Seal(#[from] Unsealable),
    /// The system has no randomness.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// Its address or its threads.
    #[error("failed to listen on {address}: {error}; choose another address with --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
}

/// Opens the database of a directory, for whoever holds its secret.
pub(crate) fn open(folder: &Path, secret: &Secret) -> Result<(Store, Seal), StartError> {
    let failed = |error: std::io::Error| StoreError::Open {
        path: folder.display().to_string(),
        reason: error.to_string(),
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    Ok((Store::open(folder)?, Seal::new(secret)?))
}

impl Server {
    /// Opens the database, makes what is missing, and listens.
    pub async fn start(
        config: Config,
        policy: Policy,
        secret: &Secret,
        sink: EventSink,
        complain: Complain,
    ) -> Result<Self, StartError> {
        config.check()?;
        // Whether there is a second factor is the account's matter here: where the gate would ask for one,
        // an account without it must be refused.
        let policy = Policy {
            second_factor: false,
            ..policy
        };
        let listen = config.listen;
        let failed = |error: std::io::Error| StartError::Listen {
            address: listen,
            error,
        };
        let (store, seal) = open(&config.data, secret)?;
        let breaches = match (&config.breach_filter, &config.breach_range) {
            (Some(path), _) => Breaches::read(path)?,
            (None, Some(url)) => Breaches::range(url)?,
            (None, None) => Breaches::Unknown,
        };
        let keys = Keys::load(&store, &seal, config.algorithm, crate::now()).await?;
        let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let threads = config.hash_threads.unwrap_or_else(|| {
            std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
        });
        let hashing = Hashing::start(threads, config.cost).map_err(failed)?;
        let [a, b, c, d, e, f, g, h, ..] = secret.derive("tables", 0);
        let seed = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        let gate = Gate::new(Parts {
            store: MemoryStore::new(&policy, config.memory_mib << 20, seed).into(),
            keyring: Keyring::own(secret, now())?,
            calibration: Calibration::default(),
            capacity: hashing.places(),
            shadow: false,
            policy,
            sink,
        });
        let issuer = config.issuer(address);
        let mailer = match &config.mail_command[..] {
            [] => Mailer::Folder(config.data.join("mail")),
            words => Mailer::Command(words.to_vec()),
        };
        let app = App {
            audience: config.audience.clone().unwrap_or_else(|| issuer.clone()),
            issuer,
            door: Door::new(gate),
            hashing,
            breaches,
            keys,
            mailer: Arc::new(mailer),
            seen: Seen::default(),
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
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL by which clients reach it.
    pub fn issuer(&self) -> &str {
        &self.app.issuer
    }

    /// The gate that all secrets go through.
    pub fn gate(&self) -> &Arc<Gate> {
        self.app.door.gate()
    }

    /// Serves until `ended`, and then until the requests under way are answered.
    pub async fn run(self, ended: impl Future<Output = ()> + Send + 'static) {
        let looking = tokio::spawn(look(Arc::clone(&self.app)));
        let routes = routes::all(Arc::clone(&self.app));
        let service = routes.into_make_service_with_connect_info::<SocketAddr>();
        let serving = axum::serve(self.listener, service).with_graceful_shutdown(ended);
        if let Err(error) = serving.await {
            self.app.complain()(&error);
        }
        looking.abort();
    }
}

/// Looks at the keys now and then, and deletes what has ended.
async fn look(app: Arc<App>) {
    let mut since = TIDY;
    loop {
        if let Err(error) = app.keys.reload(&app.store, &app.seal).await {
            app.complain()(&error);
        }
        if since >= TIDY {
            since = Duration::ZERO;
            let now = app.now();
            app.store
                .post(move |connection| tokens::tidy(connection, now));
        }
        sleep(LOOK).await;
        since += LOOK;
    }
}
