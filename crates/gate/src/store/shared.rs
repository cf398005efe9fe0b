//! Counters shared by several nodes, and what applies while their store is unavailable.

use std::sync::atomic::{AtomicBool, Ordering};

use doorwarden_decision::{Charge, Counts, Policy, Timestamp};
use futures_util::future::BoxFuture;
use serde::Deserialize;

use super::{MemoryStore, Store};

/// The store did not respond, or not in time. The charges may or may not have been applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "failed to reach the shared counter store: {0}; the configured outage mode applies until it responds again"
)]
pub struct Away(pub String);

/// Counters outside of this process.
///
/// To add an implementation, apply every charge as
/// [`Counter::apply`](doorwarden_decision::Counter::apply) does, each on its own key, by the clock of
/// the *store*. Return the counts in the order of the charges, in one round trip. Give up within a
/// second, and immediately while the store is known to be unavailable. Pass the conformance suite,
/// `crates/redis/tests/it/conformance.rs`. A mistake here gives attackers free guesses on every node.
pub trait SharedStore: Send + Sync {
    /// Applies each charge and returns the counts in their order.
    fn charge<'a>(&'a self, charges: &'a [Charge]) -> BoxFuture<'a, Result<Counts, Away>>;
}

/// What applies while the shared counter store is unavailable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outage {
    /// Each node uses its own counters, with the limits divided by the number of nodes.
    #[default]
    Local,
    /// Nothing is limited.
    DangerOpen,
    /// Every login is denied.
    Closed,
}

/// A shared counter store, and what applies while it is unavailable.
pub struct SharedCounters {
    store: Box<dyn SharedStore>,
    own: MemoryStore,
    divided: Policy,
    outage: Outage,
    away: AtomicBool,
}

/// Where an attempt was charged; it is settled in the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// By the policy as it is.
    Normal,
    /// In the node's own counters, by divided limits.
    Own,
    /// Nowhere: everything is allowed, or refused.
    Nowhere(Outage),
}

/// The result of a charge.
pub(crate) struct Charged {
    pub(crate) counts: Counts,
    pub(crate) place: Place,
    /// Set if the store became unavailable or available again with this charge.
    pub(crate) turned: Option<Result<(), Away>>,
}

impl SharedCounters {
    /// Creates counters in `store`, which `nodes` share; `own` is used while it is unavailable.
    pub fn new(
        store: Box<dyn SharedStore>,
        own: MemoryStore,
        policy: &Policy,
        outage: Outage,
        nodes: u32,
    ) -> Self {
        Self {
            store,
            own,
            divided: policy.divided(nodes),
            outage,
            away: AtomicBool::new(false),
        }
    }
}

impl Store {
    pub(crate) async fn charge(&self, charges: &[Charge], now: Timestamp) -> Charged {
        let shared = match self {
            Self::Memory(memory) => {
                return Charged {
                    counts: memory.charge(charges, now),
                    place: Place::Normal,
                    turned: None,
                };
            }
            Self::Shared(shared) => shared,
        };
        match shared.store.charge(charges).await {
            Ok(counts) => Charged {
                counts,
                place: Place::Normal,
                turned: shared.away.swap(false, Ordering::Relaxed).then_some(Ok(())),
            },
            Err(away) => {
                let first = !shared.away.swap(true, Ordering::Relaxed);
                let (counts, place) = match shared.outage {
                    Outage::Local => (shared.own.charge(charges, now), Place::Own),
                    other => (Counts::new(), Place::Nowhere(other)),
                };
                Charged {
                    counts,
                    place,
                    turned: first.then_some(Err(away)),
                }
            }
        }
    }

    /// Settles in the place where the attempt was charged. If a shared store is unavailable by then, the
    /// charges stay, as for a failure.
    pub(crate) async fn settle(&self, charges: &[Charge], place: Place, now: Timestamp) {
        match (self, place) {
            (Self::Memory(memory), _) => drop(memory.charge(charges, now)),
            (Self::Shared(shared), Place::Own) => drop(shared.own.charge(charges, now)),
            (Self::Shared(shared), Place::Normal) => {
                // Nothing is left to do where it fails: what was charged stays.
                let _ = shared.store.charge(charges).await;
            }
            (Self::Shared(_), Place::Nowhere(_)) => {}
        }
    }

    /// The policy that holds for what was charged in a place.
    pub(crate) fn policy<'a>(&'a self, policy: &'a Policy, place: Place) -> &'a Policy {
        match (self, place) {
            (Self::Shared(shared), Place::Own) => &shared.divided,
            _ => policy,
        }
    }

    /// Whether shared counters are away.
    pub(crate) fn is_away(&self) -> bool {
        match self {
            Self::Memory(_) => false,
            Self::Shared(shared) => shared.away.load(Ordering::Relaxed),
        }
    }
}
