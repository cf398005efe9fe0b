//! The configuration of a server: the section `[serve]`.

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use doorwarden_decision::Policy;
use doorwarden_gate::{MemoryBudget, Outage, PrivateUrl, http::client_addr::ForwardingHeader};
use ipnet::IpNet;
use serde::Deserialize;

use crate::{
    jwt::Algorithm,
    passwords::{self, Cost},
};

/// The requirements on accounts and clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Passwords of 8 characters, for applications that migrate with their users.
    Compat,
    /// ASVS 5.0 level 2: 15 characters for a password without a second factor.
    #[default]
    Standard,
    /// As `Standard`, and the API issues tokens only to clients with a DPoP key (RFC 9449), under the strict
    /// policy of limits.
    Strict,
}

/// The format of access tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// JWTs (RFC 9068), verified with the JWKS.
    #[default]
    Jwt,
    /// Random strings, which only this service knows; verified by introspection (RFC 7662).
    Opaque,
}

/// `[serve]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The directory of the database, the secret, the counters and emails.
    pub data: PathBuf,
    /// A PostgreSQL database shared by several nodes, `postgres://NAME:PASSWORD@HOST/DATABASE`, instead of
    /// SQLite in the data directory.
    pub database: Option<PrivateUrl>,
    /// The counter store that they share: `redis://HOST:PORT`, or nodes of a cluster, separated by commas.
    pub store: Option<PrivateUrl>,
    /// The number of nodes that share it; limits are divided by it while the store is unavailable.
    pub nodes: NonZeroU32,
    /// What to do while the store is unavailable.
    pub outage: Outage,
    /// The URL by which clients reach it, and the issuer of its tokens (RFC 8414).
    pub issuer: Option<String>,
    /// The audience of its tokens; by default the issuer.
    pub audience: Option<String>,
    /// The requirements on accounts and clients.
    pub profile: Profile,
    /// The algorithm of new keys: RS256, ES256 or EdDSA.
    #[serde(deserialize_with = "algorithm")]
    pub algorithm: Algorithm,
    /// The format of access tokens.
    pub access: Access,
    /// The lifetime of an access token, in minutes.
    pub access_minutes: u32,
    /// The maximum lifetime of a session, in days.
    pub session_days: u32,
    /// How long a session lives unused, in days.
    pub idle_days: u32,
    /// How long audit events are kept, in days.
    pub audit_days: u32,
    /// Whether users may register.
    pub registration: bool,
    /// The cost of new password hashes.
    pub cost: Cost,
    /// The number of threads that hash; by default the number of CPU cores.
    pub hash_threads: Option<usize>,
    /// The networks of trusted proxies in front.
    pub trusted_proxies: Vec<IpNet>,
    /// The header that they maintain.
    pub client_header: ForwardingHeader,
    /// A file of 64 hexadecimal digits: the secret that encrypts keys. Without it and `secret_command`,
    /// DOORWARDEN_SECRET is used, or the file `secret` in the data directory.
    pub secret_file: Option<PathBuf>,
    /// A program that prints the secret.
    pub secret_command: Vec<String>,
    /// A mail server: `smtps://NAME:PASSWORD@HOST`, or `smtp://…?tls=required` for STARTTLS.
    pub smtp: Option<PrivateUrl>,
    /// The sender of emails; required with `smtp`.
    pub mail_from: Option<String>,
    /// A program that receives each email on stdin; without it and `smtp`, emails are written to files in
    /// the data directory.
    pub mail_command: Vec<String>,
    /// A filter of leaked passwords, built by `doorwarden breach build`.
    pub breach_filter: Option<PathBuf>,
    /// The URL of a k-anonymity range API of leaked passwords; used if there is no filter.
    pub breach_range: Option<String>,
    /// Memory for counters, in MiB.
    pub memory_mib: MemoryBudget,
    /// The certificate chain for TLS, as a PEM file; reloaded when it changes.
    pub tls_certificate: Option<PathBuf>,
    /// Its private key, as a PEM file.
    pub tls_key: Option<PathBuf>,
    /// Listen without TLS on an address that is not loopback, and without a trusted proxy.
    pub danger_plain_http: bool,
    /// Accept `sslmode=disable` for a database on another machine.
    pub danger_plain_database: bool,
}

fn algorithm<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Algorithm, D::Error> {
    let name = String::deserialize(from)?;
    name.parse().map_err(serde::de::Error::custom)
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8400)),
            data: "doorwarden-data".into(),
            database: None,
            store: None,
            nodes: NonZeroU32::MIN,
            outage: Outage::default(),
            issuer: None,
            audience: None,
            profile: Profile::Standard,
            algorithm: Algorithm::RS256,
            access: Access::default(),
            access_minutes: 15,
            session_days: 30,
            idle_days: 14,
            audit_days: 400,
            registration: true,
            cost: Cost::default(),
            hash_threads: None,
            trusted_proxies: Vec::new(),
            client_header: ForwardingHeader::default(),
            secret_file: None,
            secret_command: Vec::new(),
            smtp: None,
            mail_from: None,
            mail_command: Vec::new(),
            breach_filter: None,
            breach_range: None,
            memory_mib: MemoryBudget::default(),
            tls_certificate: None,
            tls_key: None,
            danger_plain_http: false,
            danger_plain_database: false,
        }
    }
}

/// The lifetime of sessions, in seconds.
#[derive(Clone, Copy)]
pub(crate) struct Lifetime {
    /// In total.
    pub(crate) most: i64,
    /// Unused.
    pub(crate) idle: i64,
}

impl Lifetime {
    /// Returns the end of a session that began at a time and is used now.
    pub(crate) fn end(self, created: i64, now: i64) -> i64 {
        (created + self.most).min(now + self.idle)
    }
}

/// An invalid configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Passwords would cross a network unencrypted.
    #[error(
        "failed to listen on {0}: other machines can connect, and there is no TLS; set `tls_certificate` and `tls_key`, listen on loopback behind a TLS proxy, list that proxy in `trusted_proxies`, or set `danger_plain_http = true`"
    )]
    PlainHttp(SocketAddr),
    /// The issuer is not a URL as RFC 8414 requires.
    #[error(
        "invalid `issuer` {0:?}; it must be a URL without query, fragment and trailing slash, such as https://login.example.org"
    )]
    Issuer(String),
    /// The cost can't be computed.
    #[error("invalid `cost`: {0}")]
    Cost(argon2::Error),
    /// Invalid settings for email.
    #[error("invalid `{field}`: {reason}")]
    Mail {
        /// The field.
        field: &'static str,
        /// Why.
        reason: String,
    },
    /// One of two settings that require each other.
    #[error("`{0}` requires `{1}`; set both or neither")]
    Half(&'static str, &'static str),
    /// A number that must not be zero.
    #[error("invalid `{0}`; it must be at least 1")]
    Zero(&'static str),
}

impl Config {
    /// Validates what types can't.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if !self.listen.ip().is_loopback()
            && self.trusted_proxies.is_empty()
            && self.tls_certificate.is_none()
            && !self.danger_plain_http
        {
            return Err(ConfigError::PlainHttp(self.listen));
        }
        if let Some(issuer) = &self.issuer {
            let url = url::Url::parse(issuer).ok();
            let fits = url.is_some_and(|url| {
                matches!(url.scheme(), "https" | "http")
                    && url.query().is_none()
                    && url.fragment().is_none()
            });
            if !fits || issuer.ends_with('/') {
                return Err(ConfigError::Issuer(issuer.clone()));
            }
        }
        self.cost.params().map_err(ConfigError::Cost)?;
        for (one, is_there, other, is_there_too) in [
            (
                "tls_certificate",
                self.tls_certificate.is_some(),
                "tls_key",
                self.tls_key.is_some(),
            ),
            (
                "smtp",
                self.smtp.is_some(),
                "mail_from",
                self.mail_from.is_some(),
            ),
        ] {
            match (is_there, is_there_too) {
                (true, false) => return Err(ConfigError::Half(one, other)),
                (false, true) => return Err(ConfigError::Half(other, one)),
                _ => {}
            }
        }
        for (name, number) in [
            ("access_minutes", self.access_minutes as usize),
            ("session_days", self.session_days as usize),
            ("idle_days", self.idle_days as usize),
            ("audit_days", self.audit_days as usize),
            ("hash_threads", self.hash_threads.unwrap_or(1)),
        ] {
            if number == 0 {
                return Err(ConfigError::Zero(name));
            }
        }
        Ok(())
    }

    /// Returns the issuer of tokens.
    pub(crate) fn issuer(&self, listens: SocketAddr) -> String {
        self.issuer
            .clone()
            .unwrap_or_else(|| format!("{}://{listens}", self.scheme()))
    }

    /// Returns the scheme of its URL.
    pub fn scheme(&self) -> &'static str {
        match self.tls_certificate {
            Some(_) => "https",
            None => "http",
        }
    }

    pub(crate) fn access(&self) -> i64 {
        i64::from(self.access_minutes) * 60
    }

    pub(crate) fn lifetime(&self) -> Lifetime {
        Lifetime {
            most: i64::from(self.session_days) * 86_400,
            idle: i64::from(self.idle_days) * 86_400,
        }
    }

    /// Returns the minimum length of a password.
    pub(crate) fn least_password(&self, second_factor: bool) -> usize {
        match self.profile {
            Profile::Compat => passwords::BESIDE,
            _ if second_factor => passwords::BESIDE,
            _ => passwords::ALONE,
        }
    }

    /// Returns the limits of the profile, for a configuration without any.
    pub fn policy(&self) -> Policy {
        Policy::preset(match self.profile {
            Profile::Strict => doorwarden_decision::Preset::Strict,
            Profile::Compat | Profile::Standard => doorwarden_decision::Preset::Standard,
        })
    }

    /// The unit of the delay of failed logins.
    pub(crate) const QUANTUM: Duration = Duration::from_millis(50);
}
