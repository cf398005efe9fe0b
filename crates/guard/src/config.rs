//! The section `[guard]` of `doorwarden.toml`.

use std::{
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use doorwarden_decision::Login;
use doorwarden_gate::{
    MemoryBudget, Outage, PrivateUrl,
    http::{client_addr::ForwardingHeader, credentials::Place},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, uri::Authority};
use ipnet::IpNet;
use serde::{Deserialize, Deserializer, de};

use crate::OutcomeRule;

/// The configuration of a guard. Every field except `upstream` and `login` has a default.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The address to listen on.
    #[serde(default = "Config::default_listen")]
    pub listen: SocketAddr,
    /// The application.
    pub upstream: Upstream,
    /// The logins to protect.
    pub login: Vec<ProtectedLogin>,
    /// Whether paths other than the logins are forwarded.
    #[serde(default)]
    pub scope: Scope,
    /// The networks of the proxies in front of the guard. Only their header is trusted.
    #[serde(default)]
    pub trusted_proxies: Vec<IpNet>,
    /// The header that those proxies maintain.
    #[serde(default)]
    pub client_header: ForwardingHeader,
    /// Shadow mode: compute and log everything, deny nothing; only the device cookie is set.
    #[serde(default)]
    pub shadow: bool,
    /// The response to every failed login.
    #[serde(default)]
    pub failure: FailureForm,
    /// Memory for counters, in MiB.
    #[serde(default)]
    pub memory_mib: MemoryBudget,
    /// The most logins verified concurrently; from three quarters of it on, strangers are denied.
    #[serde(default = "Config::default_verifying")]
    pub verifying: NonZeroUsize,
    /// A loopback address that serves metrics for Prometheus and the retroactive hits.
    #[serde(default, deserialize_with = "loopback")]
    pub admin: Option<SocketAddr>,
    /// A table of autonomous systems: lines of `FIRST,LAST,NUMBER`.
    #[serde(default)]
    pub asn_table: Option<PathBuf>,
    /// The directory for the secret and the state that is kept over a restart.
    #[serde(default)]
    pub state: Option<PathBuf>,
    /// The file with the secret that several nodes share, instead of the one in `state`.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// The store of shared counters: `redis://HOST:PORT`, or several nodes of a cluster, separated by
    /// commas.
    #[serde(default)]
    pub store: Option<PrivateUrl>,
    /// The number of guards that share the store; limits are divided by it while the store is
    /// unavailable.
    #[serde(default = "Config::default_nodes")]
    pub nodes: NonZeroU32,
    /// What applies while the store is unavailable.
    #[serde(default)]
    pub outage: Outage,
    /// How long the application may take from the end of a request to the start of its response, in
    /// seconds; from 1 to 3600.
    #[serde(
        default = "Config::default_upstream_timeout",
        deserialize_with = "sensible_timeout"
    )]
    pub upstream_timeout_seconds: u64,
}

impl Config {
    fn default_listen() -> SocketAddr {
        ([127, 0, 0, 1], 8080).into()
    }

    fn default_verifying() -> NonZeroUsize {
        NonZeroUsize::MIN.saturating_add(255)
    }

    fn default_nodes() -> NonZeroU32 {
        NonZeroU32::MIN
    }

    fn default_upstream_timeout() -> u64 {
        30
    }

    /// Creates a configuration with defaults for everything else.
    pub fn new(upstream: Upstream, login: Vec<ProtectedLogin>) -> Self {
        Self {
            listen: Self::default_listen(),
            upstream,
            login,
            scope: Scope::default(),
            trusted_proxies: Vec::new(),
            client_header: ForwardingHeader::default(),
            shadow: false,
            failure: FailureForm::default(),
            memory_mib: MemoryBudget::default(),
            verifying: Self::default_verifying(),
            admin: None,
            asn_table: None,
            state: None,
            secret_file: None,
            store: None,
            nodes: Self::default_nodes(),
            outage: Outage::default(),
            upstream_timeout_seconds: Self::default_upstream_timeout(),
        }
    }
}

fn loopback<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let address = SocketAddr::deserialize(deserializer)?;
    if !address.ip().is_loopback() {
        return Err(de::Error::custom(format!(
            "{address} is not a loopback address; there is no authentication, so use 127.0.0.1:PORT"
        )));
    }
    Ok(Some(address))
}

fn sensible_timeout<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let seconds = u64::deserialize(deserializer)?;
    if !(1..=3600).contains(&seconds) {
        return Err(de::Error::custom(format!(
            "invalid timeout {seconds}; use 1 to 3600 seconds"
        )));
    }
    Ok(seconds)
}

/// What is forwarded to the application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The whole site.
    #[default]
    Site,
    /// Only the logins. Anything else gets a 404, so that a front proxy that routes too much here is
    /// noticed.
    Logins,
}

/// The address of the application: scheme, host and port, without a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    pub(crate) scheme: http::uri::Scheme,
    pub(crate) authority: Authority,
}

impl std::fmt::Display for Upstream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority)
    }
}

/// The upstream is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid upstream `{0}`; write http://HOST:PORT or https://HOST, without a path")]
pub struct InvalidUpstream(String);

impl std::str::FromStr for Upstream {
    type Err = InvalidUpstream;

    fn from_str(words: &str) -> Result<Self, InvalidUpstream> {
        let invalid = || InvalidUpstream(words.to_owned());
        let parts = words.parse::<Uri>().map_err(|_| invalid())?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(invalid());
        };
        let bare = parts.path_and_query.is_none_or(|path| path == "/");
        let known = ["http", "https"].contains(&scheme.as_str());
        // User information in an upstream would be a password in a configuration file.
        if bare && known && !authority.as_str().contains('@') {
            Ok(Self { scheme, authority })
        } else {
            Err(invalid())
        }
    }
}

impl<'de> Deserialize<'de> for Upstream {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = String::deserialize(deserializer)?;
        words.parse().map_err(de::Error::custom)
    }
}

/// A login, and how its responses are interpreted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProtectedLogin {
    /// The method, the path and where the request carries the credentials.
    #[serde(deserialize_with = "readable")]
    pub route: Login,
    /// Which responses mean that the login succeeded.
    #[serde(default)]
    pub success: OutcomeRule,
}

impl ProtectedLogin {
    /// Creates a login with the default outcome rule; fails if its body template is unsupported.
    pub fn new(
        route: Login,
    ) -> Result<Self, doorwarden_gate::http::credentials::UnreadableTemplate> {
        Place::of(&route)?;
        Ok(Self {
            route,
            success: OutcomeRule::default(),
        })
    }
}

fn readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Login, D::Error> {
    let login = Login::deserialize(deserializer)?;
    Place::of(&login).map_err(de::Error::custom)?;
    Ok(login)
}

/// The response to every failed login, in place of the application's own.
#[derive(Clone, Debug)]
pub struct FailureForm {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) quantum: Duration,
}

impl FailureForm {
    /// Returns the response.
    pub(crate) fn response(&self) -> http::Response<crate::Body> {
        let mut response = http::Response::new(crate::full(self.body.clone()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }
}

/// As written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FailureWords {
    status: u16,
    content_type: String,
    body: String,
    headers: std::collections::BTreeMap<String, String>,
    quantum_ms: u64,
}

impl Default for FailureWords {
    /// The response of FastAPI's tutorial, whose clients read `detail`; the 401 names a scheme, as
    /// RFC 9110 §11.6.1 requires.
    fn default() -> Self {
        Self {
            status: 401,
            content_type: "application/json".into(),
            body: r#"{"detail":"Incorrect username or password"}"#.into(),
            headers: [("www-authenticate".into(), "Bearer".into())].into(),
            quantum_ms: 100,
        }
    }
}

impl FailureWords {
    fn form(self) -> Result<FailureForm, String> {
        let status = StatusCode::from_u16(self.status)
            .ok()
            .filter(|status| !status.is_server_error() && !status.is_informational());
        let mut headers = HeaderMap::new();
        let content_type = ("content-type".to_owned(), self.content_type);
        for (name, value) in self.headers.into_iter().chain([content_type]) {
            let name: HeaderName = name
                .parse()
                .map_err(|_| format!("invalid header name `{name}`"))?;
            let framing = [
                "content-length",
                "transfer-encoding",
                "connection",
                "upgrade",
                "trailer",
            ];
            if framing.contains(&name.as_str()) {
                return Err(format!("header `{name}` is set by the server; remove it"));
            }
            let value: HeaderValue = value
                .parse()
                .map_err(|_| format!("invalid value of header `{name}`"))?;
            headers.insert(name, value);
        }
        headers.insert(
            http::header::CACHE_CONTROL,
            HeaderValue::from_static("no-store"),
        );
        if !(1..=5_000).contains(&self.quantum_ms) {
            return Err(format!(
                "invalid quantum_ms {}; use 1 to 5000",
                self.quantum_ms
            ));
        }
        Ok(FailureForm {
            status: status.ok_or_else(|| {
                format!(
                    "invalid status {}; use a final status below 500, such as 401",
                    self.status
                )
            })?,
            headers,
            body: self.body,
            quantum: Duration::from_millis(self.quantum_ms),
        })
    }
}

impl Default for FailureForm {
    fn default() -> Self {
        FailureWords::default()
            .form()
            .expect("the form written here")
    }
}

impl<'de> Deserialize<'de> for FailureForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = FailureWords::deserialize(deserializer)?;
        words.form().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_configuration_is_enough() {
        let config: Config = toml::from_str(
            r#"
            upstream = "http://127.0.0.1:8000"
            [[login]]
            route = "POST /token form:username form:password"
            "#,
        )
        .unwrap();
        assert_eq!(config.listen.port(), 8080);
        assert_eq!(config.failure.status, 401);
        assert!(!config.shadow);
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        let login = "[[login]]\nroute = \"POST /t form:u form:p\"\n";
        for (text, said) in [
            ("upstream = \"127.0.0.1:8000\"\n", "http://HOST:PORT"),
            ("upstream = \"http://a:1/path\"\n", "without a path"),
            (
                "upstream = \"http://a:1\"\nlissten = \"x\"\n",
                "unknown field `lissten`",
            ),
            ("upstream = \"http://a:1\"\nmemory_mib = 0\n", "65536 MiB"),
            (
                "upstream = \"http://a:1\"\nupstream_timeout_seconds = 0\n",
                "1 to 3600",
            ),
            (
                "upstream = \"http://a:1\"\nfailure = { headers = { content-length = \"3\" } }\n",
                "set by the server",
            ),
            (
                "upstream = \"http://a:1\"\nscope = \"all\"\n",
                "`site` or `logins`",
            ),
            (
                "upstream = \"http://a:1\"\nfailure = { status = 503 }\n",
                "below 500",
            ),
            (
                "upstream = \"http://a:1\"\ntrusted_proxies = [\"10.0.0.300/8\"]\n",
                "line 2",
            ),
        ] {
            let error = toml::from_str::<Config>(&format!("{text}{login}")).unwrap_err();
            let message = error.to_string();
            assert!(message.contains(said), "{message}");
            assert!(message.contains("line "), "{message}");
        }
        let template = "upstream = \"http://a:1\"\n[[login]]\nroute = 'POST /t body:{\"q\":\"x {{account}}\",\"p\":\"{{password}}\"}'\n";
        let message = toml::from_str::<Config>(template).unwrap_err().to_string();
        assert!(
            message.contains("line 3") && message.contains("whole JSON string"),
            "{message}"
        );
    }
}
