//! The door that every secret goes through: no account is looked up, no password hashed and no token
//! issued without an [`Entry`], which the gate gives or refuses.

use std::{net::IpAddr, sync::Arc, time::Instant};

use axum::response::Response;
use doorwarden_decision::{Decision, Outcome};
use doorwarden_gate::{
    Admission, Asked, Deadline, Gate, Ticket, UnderWay,
    http::{
        credentials::{Credentials, Password},
        device::Tokens,
        refusal,
    },
    now,
};
use http::StatusCode;
use tokio::sync::Semaphore;

use crate::{
    hashing::{Hashing, Place},
    routes,
};

/// Attempts that may wait for a delay at once.
const DELAYS: usize = 1024;

pub(crate) struct Door {
    gate: Arc<Gate>,
    deadline: Deadline,
    delays: Semaphore,
}

/// Where a request comes from.
#[derive(Debug)]
pub(crate) struct From {
    pub(crate) client: IpAddr,
    pub(crate) tokens: Tokens,
    /// The device in words, from its user agent.
    pub(crate) device: String,
}

/// The right to look up one account and to check one secret of it.
#[must_use]
pub(crate) struct Entry<'a> {
    ticket: Ticket,
    under_way: UnderWay<'a>,
    started: Instant,
}

impl Door {
    pub(crate) fn new(gate: Arc<Gate>) -> Self {
        Self {
            gate,
            deadline: Deadline::new(crate::Config::QUANTUM, Instant::now()),
            delays: Semaphore::new(DELAYS),
        }
    }

    pub(crate) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// Asks the gate for an attempt at somebody's secret. An error is the answer that refuses it.
    pub(crate) async fn admit(
        &self,
        route: &'static str,
        name: &str,
        secret: &str,
        from: &From,
    ) -> Result<Entry<'_>, Response> {
        let asked = Asked {
            route: route.to_owned(),
            credentials: Credentials {
                account: name.to_owned(),
                password: Password::new(secret.to_owned()),
            },
            client: from.client,
            asn: None,
            tokens: from.tokens.tokens.clone(),
        };
        // In a task of its own: a client that goes away in mid-charge must not leave it half done.
        let gate = Arc::clone(&self.gate);
        let admitting = tokio::spawn(async move { gate.admit(asked, now()).await });
        let admitted = admitting.await.map_err(|_| routes::broken())?;
        let mut ticket = match admitted {
            Ok(Admission::Allow(ticket)) => ticket,
            Ok(Admission::Deny(denial)) => {
                return Err(refusal::too_many(denial).map(Into::into));
            }
            Err(invalid) => {
                return Err(routes::problem(
                    StatusCode::BAD_REQUEST,
                    &invalid.to_string(),
                ));
            }
        };
        if let Decision::Delay { wait } = ticket.decision() {
            if let Ok(_place) = self.delays.try_acquire() {
                ticket.hold(false);
                tokio::time::sleep(wait).await;
                ticket.hold(true);
            } else {
                ticket.settle(Outcome::Unverified, now()).await;
                return Err(routes::busy());
            }
        }
        Ok(Entry {
            ticket,
            under_way: self.deadline.begin(Instant::now()),
            started: Instant::now(),
        })
    }
}

impl Entry<'_> {
    /// A place among those that hash; without one, the answer says so and nothing is charged.
    pub(crate) async fn place(self, hashing: &Hashing) -> Result<(Self, Place), Response> {
        match hashing.place_for(&self.ticket) {
            Some(place) => Ok((self, place)),
            None => {
                self.given_up().await;
                Err(routes::busy())
            }
        }
    }

    /// The secret was right. What comes back is for the device: a token by which it is known.
    pub(crate) async fn right(self) -> Option<String> {
        self.under_way.answered(Outcome::Success, Instant::now());
        self.ticket.settle(Outcome::Success, now()).await
    }

    /// The secret was wrong, or there was nothing to compare it with. Comes back when the answer may
    /// leave.
    pub(crate) async fn wrong(self) {
        let elapsed = self.started.elapsed();
        self.ticket.settle(Outcome::Failure, now()).await;
        self.under_way.answered(Outcome::Failure, Instant::now());
        self.under_way.hold(elapsed).await;
    }

    /// Nothing was compared.
    pub(crate) async fn given_up(self) {
        self.under_way.answered(Outcome::Unverified, Instant::now());
        self.ticket.settle(Outcome::Unverified, now()).await;
    }
}
