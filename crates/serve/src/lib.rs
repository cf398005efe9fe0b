//! A login and token service.
//!
//! ```text
//! server.rs         listens, passes each request to its route, shuts down gracefully
//! config.rs         the section `[serve]`
//! routes/           one file per group of routes
//! login.rs          each way to prove an identity, through the door
//! door.rs           admit -> Entry: the permission to look up one account and to check one secret
//! accounts.rs       one set of rules for new accounts, by API, page or command line
//! hashing.rs        password hashing: a bounded queue, reusable memory
//! passwords.rs      password hashes, ours and those of other systems; the rules for new passwords
//! breaches.rs       passwords known from breaches
//! tokens.rs         access, refresh and page tokens, and the sessions that they belong to
//! jwt.rs, keys.rs   JWTs, strictly verified; the keys that sign them
//! dpop.rs           tokens that only the holder of a key can use
//! second_factor.rs  time-based one-time passwords and recovery codes
//! passkeys.rs       logins by WebAuthn, behind a feature
//! signatures.rs     requests signed with a user's secret (RFC 9421)
//! seal.rs           encryption of stored secrets
//! mail.rs           email, by SMTP, program or file
//! unlocks.rs        accounts that an operator unlocks
//! audit.rs          the audit log
//! users.rs          accounts in the database; by name only with an Entry
//! store/            SQLite or PostgreSQL: one thread writes, in groups
//! admin.rs          what operators and administrators do, by command line or API
//! asvs.rs           the requirements of ASVS 5.0 that are met, each with its test
//! measured.rs       internals for the benchmarks, behind a feature
//! ```

mod accounts;
pub mod admin;
pub mod asvs;
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

/// Receives messages for the operator: one line each, without secrets.
pub type Complain = Arc<dyn Fn(&str) + Send + Sync>;

/// The state that routes share.
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
    /// `None` if the issuer is an IP address.
    #[cfg(feature = "passkeys")]
    pub(crate) passkeys: Option<passkeys::Party>,
    pub(crate) seal: seal::Seal,
    pub(crate) store: store::Store,
    pub(crate) complain: Complain,
}

impl App {
    /// Returns true if passkeys are available.
    pub(crate) fn takes_passkeys(&self) -> bool {
        #[cfg(feature = "passkeys")]
        return self.passkeys.is_some();
        #[cfg(not(feature = "passkeys"))]
        false
    }

    /// Returns the time, in seconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        now()
    }

    /// Returns a function that reports an error to the operator.
    pub(crate) fn complain(&self) -> impl Fn(&dyn Display) + Send + 'static {
        let complain = Arc::clone(&self.complain);
        move |error| complain(&error.to_string().escape_debug().to_string())
    }
}

/// Returns the time, in seconds since 1970.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs() as i64)
}
