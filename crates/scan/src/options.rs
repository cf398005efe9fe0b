//! What a scan is asked to do.

use std::{net::IpAddr, time::Duration};

use doorwarden_decision::Login;

use crate::{Account, OperatorKey, Target};

/// What a scan is asked to do.
#[derive(Debug)]
pub struct Options {
    /// What to scan.
    pub target: Target,
    /// The operator's key, for targets that are not on loopback.
    pub key: Option<OperatorKey>,
    /// The login; discovered where none is named.
    pub login: Option<Login>,
    /// Test accounts with their right passwords.
    pub accounts: Vec<Account>,
    /// Whether and how to register test accounts.
    pub registration: Registration,
    /// The most requests that are sent, in all.
    pub budget: u32,
    /// The most requests a second.
    pub pace: f64,
    /// The most failures in a row for one account.
    pub failures_per_account: u32,
    /// Addresses of this machine to send from. On loopback there are enough without.
    pub sources: Vec<IpAddr>,
    /// Only these checks, by id; all when empty.
    pub only: Vec<String>,
}

/// How test accounts are registered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// Not at all.
    #[default]
    None,
    /// At the registration that the OpenAPI document names.
    Discover,
    /// At this endpoint.
    At(Login),
}

impl Options {
    /// 250 requests at 5 a second, 12 failures in a row for an account.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            key: None,
            login: None,
            accounts: Vec::new(),
            registration: Registration::None,
            budget: 250,
            pace: 5.0,
            failures_per_account: 12,
            sources: Vec::new(),
            only: Vec::new(),
        }
    }

    pub(crate) fn interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.pace.clamp(0.1, 1000.0))
    }
}
