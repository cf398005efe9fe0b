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
    /// A route that asks for the token; found where none is named.
    pub protected: Option<Route>,
    /// The logout; discovered where none is named.
    pub logout: Option<Route>,
    /// Where a refresh token is exchanged; discovered where none is named.
    pub refresh: Option<Route>,
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

/// A method and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The method, in capitals.
    pub method: String,
    /// The path, from `/`.
    pub path: String,
}

/// Why words are no route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a route; write 'GET /me', 'POST /logout' or only the path")]
pub struct InvalidRoute(String);

impl Route {
    /// A route from words; without a method it is `method`.
    pub fn parse(words: &str, method: &str) -> Result<Self, InvalidRoute> {
        let (method, path) = words
            .trim()
            .split_once(' ')
            .unwrap_or((method, words.trim()));
        let path = path.trim();
        let is_method = !method.is_empty() && method.bytes().all(|b| b.is_ascii_alphabetic());
        let is_path = path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic());
        if !is_method || !is_path {
            return Err(InvalidRoute(words.escape_debug().to_string()));
        }
        Ok(Self {
            method: method.to_uppercase(),
            path: path.to_owned(),
        })
    }
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
            protected: None,
            logout: None,
            refresh: None,
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
