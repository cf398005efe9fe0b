//! The target, and the proof that the operator owns it.

use std::{fmt, net::IpAddr};

use hickory_resolver::{Resolver, proto::rr::RData};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use url::{Host, Url};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::probe::{Probe, Stop};

/// The path of the ownership token on the target.
pub(crate) const WELL_KNOWN: &str = "/.well-known/doorwarden.txt";

/// A target of a scan: scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    origin: Url,
}

/// A text that is not a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{words}` is not a target: {reason}; write http://127.0.0.1:8000 or https://HOST")]
pub struct InvalidTarget {
    words: String,
    reason: &'static str,
}

/// How ownership of a target was established.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ownership {
    /// The target is on this machine.
    Loopback,
    /// The target serves the operator's token.
    WellKnownFile,
    /// A DNS record of the target's domain contains the operator's token.
    DnsRecord,
}

impl fmt::Display for Ownership {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "on this machine",
            Self::WellKnownFile => "verified by a file on the target",
            Self::DnsRecord => "verified by a DNS record",
        })
    }
}

/// The operator's secret key, from which the ownership tokens of targets are derived. A token on a
/// target is public; only the holder of the key can use it to scan.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct OperatorKey([u8; 32]);

impl fmt::Debug for OperatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorKey(redacted)")
    }
}

impl OperatorKey {
    /// Returns a key from 32 random bytes.
    pub fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// Parses the output of [`OperatorKey::to_hex`].
    pub fn from_hex(hex: &str) -> Option<Self> {
        let mut key = [0; 32];
        let hex = hex.trim();
        if hex.len() != 64 || !hex.is_ascii() {
            return None;
        }
        for (byte, digits) in key.iter_mut().zip(hex.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(key))
    }

    /// Returns the key as 64 hexadecimal digits, to be stored where only the operator can read
    /// them.
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }

    /// Returns the token that proves ownership of `target`.
    pub fn token(&self, target: &Target) -> String {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        block.zeroize();
        mac.update(b"doorwarden ownership\n");
        mac.update(target.authority().as_bytes());
        format!("doorwarden-{}", hex(&mac.finalize().into_bytes()[..16]))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl std::str::FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(words: &str) -> Result<Self, InvalidTarget> {
        let invalid = |reason| InvalidTarget {
            words: words.escape_debug().to_string(),
            reason,
        };
        let mut origin = Url::parse(words).map_err(|_| invalid("it is not a URL"))?;
        if !["http", "https"].contains(&origin.scheme()) {
            return Err(invalid("its scheme is neither http nor https"));
        }
        if !origin.username().is_empty() || origin.password().is_some() {
            return Err(invalid("it contains a username or password"));
        }
        if origin.host().is_none() {
            return Err(invalid("it has no host"));
        }
        if origin.path() != "/" || origin.query().is_some() {
            return Err(invalid("it has a path; name the login's path with --login"));
        }
        origin.set_fragment(None);
        Ok(Self { origin })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.origin.as_str().trim_end_matches('/'))
    }
}

impl Target {
    /// Returns the URL of a path on the target.
    pub(crate) fn url(&self, path: &str) -> Url {
        let (path, query) = path
            .split_once('?')
            .map_or((path, None), |(p, q)| (p, Some(q)));
        let mut url = self.origin.clone();
        url.set_path(path);
        url.set_query(query);
        url
    }

    /// Returns the path and query of a URL on this target; the URL may be relative.
    pub(crate) fn path_of(&self, url: &str) -> Option<String> {
        let url = self.origin.join(url).ok()?;
        let here = url.origin() == self.origin.origin();
        here.then(|| match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        })
    }

    /// Returns true if the target is on the loopback interface. Names other than `localhost` do not
    /// count: their DNS could point there and elsewhere.
    pub fn is_loopback(&self) -> bool {
        match self.origin.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    /// Returns true if requests can be sent from any address in 127.0.0.0/8.
    pub(crate) fn is_loopback_v4(&self) -> bool {
        !matches!(self.origin.host(), Some(Host::Ipv6(_))) && self.is_loopback()
    }

    /// Returns the host if it is a name.
    pub(crate) fn host_name(&self) -> Option<&str> {
        match self.origin.host() {
            Some(Host::Domain(name)) => Some(name),
            _ => None,
        }
    }

    /// Returns host and port, which a token is bound to.
    pub fn authority(&self) -> String {
        let host = self.origin.host_str().unwrap_or_default();
        let port = self.origin.port_or_known_default().unwrap_or_default();
        format!("{host}:{port}")
    }

    /// Returns the name of the DNS record that may contain the token; IP addresses have none.
    pub fn dns_record(&self) -> Option<String> {
        match self.origin.host() {
            Some(Host::Domain(name)) => Some(format!("_doorwarden.{}", name.trim_end_matches('.'))),
            _ => None,
        }
    }

    pub(crate) fn is_https(&self) -> bool {
        self.origin.scheme() == "https"
    }

    /// Returns the port, with the default of the scheme.
    pub(crate) fn port(&self) -> u16 {
        self.origin.port_or_known_default().unwrap_or_default()
    }
}

/// Verifies that the operator owns the target. `Ok(None)`: there is no proof, and nothing more may
/// be sent to the target.
pub(crate) async fn prove(
    target: &Target,
    key: Option<&OperatorKey>,
    probe: &mut Probe,
) -> Result<Option<Ownership>, Stop> {
    if target.is_loopback() {
        return Ok(Some(Ownership::Loopback));
    }
    let Some(key) = key else { return Ok(None) };
    let token = key.token(target);
    if dns_holds(target, &token).await {
        return Ok(Some(Ownership::DnsRecord));
    }
    let answer = probe.get(WELL_KNOWN).await?;
    let held = answer.status == 200 && answer.text().lines().any(|line| line.trim() == token);
    Ok(held.then_some(Ownership::WellKnownFile))
}

async fn dns_holds(target: &Target, token: &str) -> bool {
    let Some(record) = target.dns_record() else {
        return false;
    };
    let Ok(resolver) = Resolver::builder_tokio().and_then(|builder| builder.build()) else {
        return false;
    };
    let Ok(answer) = resolver.txt_lookup(format!("{record}.")).await else {
        return false;
    };
    answer.answers().iter().any(|record| match &record.data {
        RData::TXT(txt) => txt.to_string().trim() == token,
        _ => false,
    })
}

/// Returns a loopback address to send from that nothing else uses, from random bits.
pub(crate) fn loopback_source(random: u32) -> IpAddr {
    // 127.1.0.2 to 127.254.255.253: away from 127.0.0.1, never a network's first or last.
    let [a, b, c, _] = random.to_be_bytes();
    IpAddr::from([127, 1 + a % 254, b, 2 + c % 252])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(words: &str) -> Target {
        words.parse().unwrap()
    }

    #[test]
    fn only_literal_loopback_is_the_machine_itself() {
        for own in [
            "http://127.0.0.1:8000",
            "http://127.9.9.9",
            "http://[::1]:80",
            "https://localhost",
        ] {
            assert!(target(own).is_loopback(), "{own}");
        }
        for other in [
            "http://localhost.example.org",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://128.0.0.1",
            "https://example.org",
        ] {
            assert!(!target(other).is_loopback(), "{other}");
        }
        // What a browser reads as 127.0.0.1 is 127.0.0.1 here too.
        assert!(target("http://2130706433/").is_loopback());
    }

    #[test]
    fn what_is_no_target_is_told() {
        for (words, said) in [
            ("127.0.0.1:8000", "not"),
            ("ftp://a/", "scheme"),
            ("http://u:p@a/", "username"),
            ("http://a/login", "--login"),
        ] {
            let message = words.parse::<Target>().unwrap_err().to_string();
            assert!(message.contains(said), "{message}");
        }
    }

    #[test]
    fn a_token_is_bound_to_its_key_and_target() {
        let key = OperatorKey::new([3; 32]);
        let token = key.token(&target("https://example.org"));
        assert_eq!(token, key.token(&target("https://example.org:443/")));
        assert_ne!(token, key.token(&target("https://example.org:8443")));
        assert_ne!(
            token,
            OperatorKey::new([4; 32]).token(&target("https://example.org"))
        );
        let read = OperatorKey::from_hex(&key.to_hex()).unwrap();
        assert_eq!(read.token(&target("https://example.org")), token);
        assert!(OperatorKey::from_hex("éé").is_none());
    }
}
