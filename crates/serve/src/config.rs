//! How a server is configured: the section `[serve]`.

use std::{net::SocketAddr, num::NonZeroU32, path::PathBuf, time::Duration};

use doorwarden_decision::Policy;
use doorwarden_gate::{Outage, PrivateUrl, http::client_addr::ForwardingHeader};
use ipnet::IpNet;
use serde::Deserialize;

use crate::{
    jwt::Algorithm,
    passwords::{self, Cost},
};

/// How much is asked of accounts and clients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Passwords of 8 characters, for applications that move here with their users.
    Compat,
    /// ASVS 5.0 level 2: 15 characters for a password that stands alone.
    #[default]
    Standard,
    /// Beside that, tokens by the API only to clients that prove a key (DPoP, RFC 9449), and the strict
    /// policy of limits.
    Strict,
}

/// What access tokens are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// JWTs by RFC 9068: whoever has the JWKS can verify them.
    #[default]
    Jwt,
    /// Random texts, which only this service knows: whoever is sent one introspects it (RFC 7662).
    Opaque,
}

/// `[serve]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The directory of the database, the secret, the counters and the mails.
    pub data: PathBuf,
    /// A PostgreSQL database that several nodes share, `postgres://NAME:PASSWORD@HOST/DATABASE`, instead
    /// of SQLite in the data directory.
    pub database: Option<PrivateUrl>,
    /// Counters that they share: `redis://HOST:PORT`, or nodes of a cluster, joined by commas.
    pub store: Option<PrivateUrl>,
    /// How many nodes share them; their limits are divided by it while the store is away.
    pub nodes: NonZeroU32,
    /// What holds while the store is away.
    pub outage: Outage,
    /// The URL by which clients reach it, and the issuer of its tokens (RFC 8414).
    pub issuer: Option<String>,
    /// The audience of its tokens; the issuer, where it is not given.
    pub audience: Option<String>,
    /// How much is asked.
    pub profile: Profile,
    /// The algorithm of new keys: RS256, ES256 or EdDSA.
    #[serde(deserialize_with = "algorithm")]
    pub algorithm: Algorithm,
    /// What access tokens are.
    pub access: Access,
    /// How long an access token lives, in minutes.
    pub access_minutes: u32,
    /// How long a session lives at the most, in days.
    pub session_days: u32,
    /// How long it lives unused, in days.
    pub idle_days: u32,
    /// How long what happened can be read, in days.
    pub audit_days: u32,
    /// Whether people may register.
    pub registration: bool,
    /// The cost of new password hashes.
    pub cost: Cost,
    /// Threads that hash; the machine's cores, where it is not given.
    pub hash_threads: Option<usize>,
    /// Networks of the proxies in front.
    pub trusted_proxies: Vec<IpNet>,
    /// The header that they maintain.
    pub client_header: ForwardingHeader,
    /// A file of 64 hexadecimal digits: the secret under which keys are encrypted. Without it and
    /// `secret_command`, DOORWARDEN_SECRET, or the file `secret` in the data directory.
    pub secret_file: Option<PathBuf>,
    /// A program that prints the secret.
    pub secret_command: Vec<String>,
    /// A mail server: `smtps://NAME:PASSWORD@HOST`, or `smtp://…?tls=required` for STARTTLS.
    pub smtp: Option<PrivateUrl>,
    /// Who mails are from; a mail server asks for it.
    pub mail_from: Option<String>,
    /// A program that is given each mail on its standard input; without it and `smtp`, mails are files in
    /// the data directory.
    pub mail_command: Vec<String>,
    /// A filter of leaked passwords, by `doorwarden breach build`.
    pub breach_filter: Option<PathBuf>,
    /// The URL of a k-anonymity range API that knows leaked passwords; asked where there is no filter.
    pub breach_range: Option<String>,
    /// Memory for counters, in MiB.
    pub memory_mib: usize,
    /// The certificate chain that it listens with by TLS, as a PEM file; read again when it changes.
    pub tls_certificate: Option<PathBuf>,
    /// Its private key, as a PEM file.
    pub tls_key: Option<PathBuf>,
    /// Listen without TLS where others than this machine can connect, and no proxy is trusted.
    pub danger_plain_http: bool,
    /// Let `sslmode=disable` be taken for a database elsewhere.
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
            memory_mib: 64,
            tls_certificate: None,
            tls_key: None,
            danger_plain_http: false,
            danger_plain_database: false,
        }
    }
}

/// How long sessions live, in seconds.
#[derive(Clone, Copy)]
pub(crate) struct Lifetime {
    /// At the most.
    pub(crate) most: i64,
    /// Unused.
    pub(crate) idle: i64,
}

impl Lifetime {
    /// When a session ends that began at a time and is used now.
    pub(crate) fn end(self, created: i64, now: i64) -> i64 {
        (created + self.most).min(now + self.idle)
    }
}

/// What a configuration can't mean.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Passwords would cross a network unencrypted.
    #[error(
        "failed to listen on {0}: others can connect, and there is no TLS; give `tls_certificate` and `tls_key`, listen on loopback behind a proxy that has TLS, name that proxy in `trusted_proxies`, or set `danger_plain_http = true`"
    )]
    PlainHttp(SocketAddr),
    /// The issuer is no URL of the form that RFC 8414 asks for.
    #[error(
        "failed to read `issuer` {0:?}: it takes a URL without query and fragment, such as https://login.example.org"
    )]
    Issuer(String),
    /// The cost can't be computed.
    #[error("failed to read `cost`: {0}")]
    Cost(argon2::Error),
    /// Mails can't be sent so.
    #[error("failed to read `{field}`: {reason}")]
    Mail {
        /// The field.
        field: &'static str,
        /// Why.
        reason: String,
    },
    /// One of two that need each other.
    #[error("failed to read `{0}`: it needs `{1}` beside it")]
    Half(&'static str, &'static str),
    /// A number that is none.
    #[error("failed to read `{0}`: it takes at least 1")]
    Zero(&'static str),
}

impl Config {
    /// Checks what types can't.
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
            ("memory_mib", self.memory_mib),
        ] {
            if number == 0 {
                return Err(ConfigError::Zero(name));
            }
        }
        Ok(())
    }

    /// The issuer of tokens.
    pub(crate) fn issuer(&self, listens: SocketAddr) -> String {
        self.issuer
            .clone()
            .unwrap_or_else(|| format!("{}://{listens}", self.scheme()))
    }

    /// The scheme that it listens by.
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

    /// The least length of a password.
    pub(crate) fn least_password(&self, second_factor: bool) -> usize {
        match self.profile {
            Profile::Compat => passwords::BESIDE,
            _ if second_factor => passwords::BESIDE,
            _ => passwords::ALONE,
        }
    }

    /// The limits, where the configuration names none: the profile's.
    pub fn policy(&self) -> Policy {
        Policy::preset(match self.profile {
            Profile::Strict => doorwarden_decision::Preset::Strict,
            Profile::Compat | Profile::Standard => doorwarden_decision::Preset::Standard,
        })
    }

    /// What failed logins wait for, at least: a multiple of this.
    pub(crate) const QUANTUM: Duration = Duration::from_millis(50);
}
