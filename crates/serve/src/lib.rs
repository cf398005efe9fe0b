//! A login and token service.
//!
//! ```text
//! server.rs         listens, hands each request to its route, ends gracefully
//! routes/           one file for each group of routes
//! login.rs          who somebody is: each way to prove it, through the door
//! door.rs           admit -> Entry: the right to look up one account and to check one secret
//! hashing.rs        where passwords are hashed: bounded, in memory that is used again
//! passwords.rs      hashes of ours and of others, and what a password may be
//! tokens.rs         access, refresh and page tokens, and the sessions they descend from
//! jwt.rs, keys.rs   JWTs, strictly; the keys that sign them
//! dpop.rs           tokens that only the holder of a key can use
//! second_factor.rs  codes by time and recovery codes
//! passkeys.rs       logins by WebAuthn, behind a feature
//! self_check.rs     what of ASVS 5.0 is met, and by which test
//! signatures.rs     requests signed with a user's secret (RFC 9421)
//! breaches.rs       passwords that are known from breaches
//! unlocks.rs        accounts that an operator lets be tried again
//! audit.rs          what happened, for whoever asks later
//! users.rs          accounts, by name only for whoever holds an Entry
//! store/            SQLite or PostgreSQL: one thread writes, in groups
//! admin.rs          what an operator does, by command line or API
//! ```

pub mod admin;
pub mod audit;
mod breaches;
mod config;
mod door;
mod dpop;
mod hashing;
pub mod jwt;
mod keys;
mod login;
mod mail;
#[cfg(feature = "measured")]
pub mod measured;
#[cfg(feature = "passkeys")]
mod passkeys;
mod passwords;
mod routes;
mod seal;
mod second_factor;
pub mod self_check;
mod server;
mod signatures;
mod store;
mod tokens;
mod unlocks;
mod users;

use std::{
    fmt::Display,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use doorwarden_gate::http::client_addr::Proxies;

pub use breaches::{BreachError, build as build_breach_filter};
pub use config::{Access, Config, ConfigError, Profile};
pub use keys::KeyError;
pub use passwords::{Cost, Stored, UnknownHash};
pub use seal::Unsealable;
pub use server::{Server, StartError};
pub use store::{QueryError, StoreError};

/// Receives what an operator should read: one line each, without secrets.
pub type Complain = Arc<dyn Fn(&str) + Send + Sync>;

/// All that routes share.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) door: door::Door,
    pub(crate) hashing: hashing::Hashing,
    pub(crate) breaches: breaches::Breaches,
    pub(crate) keys: keys::Keys,
    pub(crate) mailer: Arc<mail::Mailer>,
    pub(crate) proxies: Proxies,
    /// Where the issuer has a host name.
    #[cfg(feature = "passkeys")]
    pub(crate) passkeys: Option<passkeys::Party>,
    pub(crate) seal: seal::Seal,
    pub(crate) store: store::Store,
    pub(crate) complain: Complain,
}

impl App {
    /// Whether people can have passkeys here.
    pub(crate) fn takes_passkeys(&self) -> bool {
        #[cfg(feature = "passkeys")]
        return self.passkeys.is_some();
        #[cfg(not(feature = "passkeys"))]
        false
    }

    /// The time, in seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        now()
    }

    /// Tells the operator.
    pub(crate) fn complain(&self) -> impl Fn(&dyn Display) + Send + 'static {
        let complain = Arc::clone(&self.complain);
        move |error| complain(&error.to_string().escape_debug().to_string())
    }
}

/// The time, in seconds since 1970.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs() as i64)
}
