//! Counters that several nodes share, and what holds while they are away.

use std::sync::atomic::{AtomicBool, Ordering};

use doorwarden_decision::{Charge, Counts, Policy, Timestamp};
use futures_util::future::BoxFuture;
use serde::Deserialize;

use super::{MemoryStore, Store};

/// The store did not answer, or not in time. What was charged may or may not have been.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "failed to reach the shared counters: {0}; the declared outage mode holds until they are back"
)]
pub struct Away(pub String);

/// Counters outside of this process.
///
/// To add one: apply every charge as [`Counter::apply`](doorwarden_decision::Counter::apply)
/// would, each on its own key, by the *store's* clock; answer in their order, in one round trip;
/// give up within a second, and at once while it is known to be away. Pass the conformance
/// suite (`doorwarden_gate::conformance`). A mistake here gives every node's attackers free
/// guesses.
pub trait SharedStore: Send + Sync {
    /// Applies each charge and answers in their order.
    fn charge<'a>(&'a self, charges: &'a [Charge]) -> BoxFuture<'a, Result<Counts, Away>>;
}

/// What holds while the shared counters are away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outage {
    /// The node's own counters, with the limits divided by the number of nodes.
    #[default]
    Local,
    /// Nothing is limited.
    DangerOpen,
    /// Every login is refused.
    Closed,
}

/// Shared counters with what is needed while they are away.
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

/// What a store answered.
pub(crate) struct Charged {
    pub(crate) counts: Counts,
    pub(crate) place: Place,
    /// Whether the shared counters went away, or came back, with this charge.
    pub(crate) turned: Option<Result<(), Away>>,
}

impl SharedCounters {
    /// `nodes` share `store`; `own` is for the time when it is away.
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

    /// Settles where it was charged. A shared store that is away now keeps what was charged: a
    /// failure.
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
