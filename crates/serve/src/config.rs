//! How a server is configured: the section `[serve]`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use doorwarden_decision::Policy;
use doorwarden_gate::http::client_addr::ForwardingHeader;
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

/// `[serve]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The directory of the database, the secret and the mails.
    pub data: PathBuf,
    /// The URL by which clients reach it, and the issuer of its tokens (RFC 8414).
    pub issuer: Option<String>,
    /// The audience of its tokens; the issuer, where it is not given.
    pub audience: Option<String>,
    /// How much is asked.
    pub profile: Profile,
    /// The algorithm of new keys: RS256, ES256 or EdDSA.
    #[serde(deserialize_with = "algorithm")]
    pub algorithm: Algorithm,
    /// How long an access token lives, in minutes.
    pub access_minutes: u32,
    /// How long a session lives at the most, in days.
    pub session_days: u32,
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
    /// A program that is given each mail on its standard input; without it, mails are files in the data
    /// directory.
    pub mail_command: Vec<String>,
    /// A filter of leaked passwords, by `doorwarden breach build`.
    pub breach_filter: Option<PathBuf>,
    /// The URL of a k-anonymity range API that knows leaked passwords; asked where there is no filter.
    pub breach_range: Option<String>,
    /// Memory for counters, in MiB.
    pub memory_mib: usize,
    /// Listen without TLS where others than this machine can connect, and no proxy is trusted.
    pub danger_plain_http: bool,
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
            issuer: None,
            audience: None,
            profile: Profile::Standard,
            algorithm: Algorithm::RS256,
            access_minutes: 15,
            session_days: 30,
            registration: true,
            cost: Cost::default(),
            hash_threads: None,
            trusted_proxies: Vec::new(),
            client_header: ForwardingHeader::default(),
            secret_file: None,
            secret_command: Vec::new(),
            mail_command: Vec::new(),
            breach_filter: None,
            breach_range: None,
            memory_mib: 64,
            danger_plain_http: false,
        }
    }
}

/// What a configuration can't mean.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Passwords would cross a network unencrypted.
    #[error(
        "failed to listen on {0}: others can connect, and there is no TLS; listen on loopback behind a proxy that has it, name that proxy in `trusted_proxies`, or set `danger_plain_http = true`"
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
    /// A number that is none.
    #[error("failed to read `{0}`: it takes at least 1")]
    Zero(&'static str),
}

impl Config {
    /// Checks what types can't.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if !self.listen.ip().is_loopback()
            && self.trusted_proxies.is_empty()
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
        for (name, number) in [
            ("access_minutes", self.access_minutes as usize),
            ("session_days", self.session_days as usize),
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
            .unwrap_or_else(|| format!("http://{listens}"))
    }

    pub(crate) fn access(&self) -> i64 {
        i64::from(self.access_minutes) * 60
    }

    pub(crate) fn session(&self) -> i64 {
        i64::from(self.session_days) * 86_400
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
