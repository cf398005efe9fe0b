//! The door that every secret goes through: no account is looked up, no password hashed and no token
//! issued without an [`Entry`], which the gate grants or denies.

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

/// The maximum number of attempts that wait for a delay at once.
const DELAYS: usize = 1024;

pub(crate) struct Door {
    gate: Arc<Gate>,
    deadline: Deadline,
    delays: Semaphore,
}

/// The origin of a request, and the route that it was sent to.
#[derive(Debug)]
pub(crate) struct From {
    /// The method and the pattern of the path, such as `POST /login`.
    pub(crate) route: String,
    pub(crate) client: IpAddr,
    pub(crate) tokens: Tokens,
    /// A description of the device, from its user agent.
    pub(crate) device: String,
}

/// The permission to look up one account and to check one of its secrets.
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

    /// Asks the gate to admit an attempt at a secret. An error is the response that denies it.
    pub(crate) async fn admit(
        &self,
        name: &str,
        secret: &str,
        from: &From,
    ) -> Result<Entry<'_>, Response> {
        let asked = Asked {
            route: from.route.clone(),
            credentials: Credentials {
                account: name.to_owned(),
                password: Password::new(secret.to_owned()),
            },
            client: from.client,
            asn: None,
            tokens: from.tokens.tokens.clone(),
        };
        // In a task of its own: a client that disconnects must not leave a charge half done.
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
    /// Takes a place in the hashing queue; if it is full, the error says so and nothing is charged.
    pub(crate) async fn place(self, hashing: &Hashing) -> Result<(Self, Place), Response> {
        match hashing.place_for(&self.ticket) {
            Some(place) => Ok((self, place)),
            None => {
                self.given_up().await;
                Err(routes::busy())
            }
        }
    }

    /// Ends an attempt with a correct secret; returns a token by which the device is known.
    pub(crate) async fn right(self) -> Option<String> {
        self.under_way.answered(Outcome::Success, Instant::now());
        self.ticket.settle(Outcome::Success, now()).await
    }

    /// Ends an attempt with an incorrect secret, or without one to compare it with. Returns when the response
    /// may be sent.
    pub(crate) async fn wrong(self) {
        let elapsed = self.started.elapsed();
        self.ticket.settle(Outcome::Failure, now()).await;
        self.under_way.answered(Outcome::Failure, Instant::now());
        self.under_way.hold(elapsed).await;
    }

    /// Ends an attempt in which nothing was compared.
    pub(crate) async fn given_up(self) {
        self.under_way.answered(Outcome::Unverified, Instant::now());
        self.ticket.settle(Outcome::Unverified, now()).await;
    }
}
