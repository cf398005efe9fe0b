//! The store: names the counters, charges them, and notices when the server is unavailable.

use std::time::Instant;

use doorwarden_decision::{Charge, Count, Counts};
use doorwarden_gate::{Away, Secret, SharedStore};
use futures_util::future::BoxFuture;
use tokio::time::timeout;

use crate::{
    breaker::Breaker,
    connection::{CONNECT_TIMEOUT, Counted, KeyedCharge, RESPONSE_TIMEOUT, Server},
};

/// Counters in Redis or Valkey.
pub struct RedisStore {
    server: Server,
    names: Secret,
    breaker: Breaker,
}

/// The URL of a store is invalid. It is not repeated, since it may contain a password.
#[derive(Debug, thiserror::Error)]
#[error(
    "invalid store URL; write redis://HOST:PORT, or several nodes of a cluster separated by commas: redis://A:6379,redis://B:6379"
)]
pub struct InvalidStore;

impl RedisStore {
    /// Creates a store at `url`: one server, or several nodes of a cluster, separated by commas. Connects
    /// on first use. `secret` hides what each key counts.
    pub fn new(url: &str, secret: &Secret) -> Result<Self, InvalidStore> {
        Ok(Self {
            server: Server::new(url)?,
            names: Secret::new(secret.derive("store", 0)),
            breaker: Breaker::default(),
        })
    }

    /// Makes the store use scripts instead of functions, for servers before Redis 7.
    #[must_use]
    pub fn with_scripts(self) -> Self {
        self.server.use_scripts();
        self
    }

    /// Charges the counters, and returns why if that failed.
    async fn try_charge(&self, charges: &[Charge]) -> Result<Vec<Counted>, String> {
        let keyed: Vec<KeyedCharge> = charges
            .iter()
            .map(|charge| (self.counter_key(charge), charge))
            .collect();
        // Two response times, for a server that has to load the code first.
        let limit = CONNECT_TIMEOUT + RESPONSE_TIMEOUT * 2;
        match timeout(limit, self.server.charge(&keyed)).await {
            Ok(Ok(counted)) if counted.len() == charges.len() => Ok(counted),
            Ok(Ok(_)) => Err("unexpected response".into()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no response in time".into()),
        }
    }

    /// Returns the key of a counter, which reveals nothing without the secret.
    fn counter_key(&self, charge: &Charge) -> String {
        // With its window, or a changed policy would read slots of another length.
        let slot = charge.window.slot_millis();
        let key = charge.key;
        let purpose = format!("{} {} {slot}", key.ledger.name(), key.limit);
        let [a, b, c, d, e, f, g, h, ..] = self.names.derive(&purpose, key.id);
        let hash = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        format!("dw:{hash:016x}")
    }
}

impl SharedStore for RedisStore {
    fn charge<'a>(&'a self, charges: &'a [Charge]) -> BoxFuture<'a, Result<Counts, Away>> {
        Box::pin(async {
            if charges.is_empty() {
                return Ok(Counts::new());
            }
            let began = Instant::now();
            if !self.breaker.may_ask(began) {
                return Err(Away("no response a moment ago".into()));
            }
            match self.try_charge(charges).await {
                Ok(counted) => {
                    if self.breaker.record_success(began) {
                        tracing::info!("the shared counter store is available again");
                    }
                    Ok(to_counts(charges, counted))
                }
                Err(reason) => {
                    if self.breaker.record_failure(Instant::now()) {
                        tracing::warn!(
                            reason,
                            "the shared counter store is unavailable; the outage mode applies"
                        );
                    }
                    Err(Away(reason))
                }
            }
        })
    }
}

fn to_counts(charges: &[Charge], counted: Vec<Counted>) -> Counts {
    let count = |(charge, (count, slot, leaves)): (&Charge, Counted)| Count {
        charge: *charge,
        count,
        slot,
        leaves,
    };
    charges.iter().zip(counted).map(count).collect()
}

impl std::fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisStore(redacted)")
    }
}
