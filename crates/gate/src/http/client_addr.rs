//! The client address: that of the peer, or the one that trusted proxies report.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// The header that the trusted proxies maintain. Only this one is read: a proxy that maintains one
/// passes the other through as the client wrote it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardingHeader {
    /// `X-Forwarded-For`, a list of addresses.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The trusted proxies in front, and the header that they maintain.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// Their networks.
    pub trusted: Vec<IpNet>,
    /// The header that they maintain.
    pub header: ForwardingHeader,
}

impl Proxies {
    /// Returns whether an address belongs to a trusted proxy.
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|net| net.contains(&address))
    }

    /// Returns the client address: the right-most hop that is not itself a trusted proxy. Without a
    /// trusted peer the header is ignored, since any client can write it (fastapi-limiter PR #11 shows
    /// the result of trusting the left-most hop).
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        for hop in self.header.hops(headers).into_iter().rev() {
            if !self.trusts(client) {
                break;
            }
            // The hop beyond the last trusted proxy is malformed: stop there, and count that proxy.
            let Some(address) = hop else { break };
            client = address;
        }
        client
    }
}

impl ForwardingHeader {
    /// The hops, the nearest last; `None` for a malformed one.
    fn hops(self, headers: &HeaderMap) -> Vec<Option<IpAddr>> {
        let (name, read): (&str, fn(&str) -> Option<IpAddr>) = match self {
            Self::XForwardedFor => ("x-forwarded-for", address),
            Self::Forwarded => ("forwarded", forwarded_for),
        };
        let values = headers.get_all(name).iter();
        // Each hop by itself: what the client wrote must not make what a proxy wrote behind it unreadable.
        values
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .map(|hop| read(std::str::from_utf8(hop).ok()?))
            .collect()
    }
}

/// Headers that report the origin of a request. They are removed from requests of untrusted peers, so
/// that the application can't trust them either.
pub const FORWARDING_HEADERS: [HeaderName; 7] = [
    HeaderName::from_static("forwarded"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-client-ip"),
    HeaderName::from_static("true-client-ip"),
    HeaderName::from_static("cf-connecting-ip"),
    HeaderName::from_static("x-cluster-client-ip"),
];

fn forwarded_for(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let is_for = name.trim().eq_ignore_ascii_case("for");
        is_for.then(|| address(value.trim().trim_matches('"')))?
    })
}

/// An address with or without brackets and port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text
        .strip_prefix('[')
        .and_then(|t| t.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare.parse().ok();
    address
        .or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()))
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, headers: &[(&'static str, &str)], trusted: &[&str]) -> String {
        client_by(ForwardingHeader::XForwardedFor, peer, headers, trusted)
    }

    fn client_by(
        header: ForwardingHeader,
        peer: &str,
        headers: &[(&'static str, &str)],
        trusted: &[&str],
    ) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let proxies = Proxies {
            trusted: trusted.iter().map(|net| net.parse().unwrap()).collect(),
            header,
        };
        proxies.client(peer.parse().unwrap(), &map).to_string()
    }

    #[test]
    fn an_untrusted_peer_is_the_client_whatever_it_says() {
        let spoofed = [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-real-ip", "203.0.113.9"),
        ];
        assert_eq!(client("198.51.100.7", &spoofed, &[]), "198.51.100.7");
        assert_eq!(
            client("198.51.100.7", &spoofed, &["10.0.0.0/8"]),
            "198.51.100.7"
        );
    }

    #[test]
    fn bytes_that_are_no_text_hide_no_hop() {
        let mut map = HeaderMap::new();
        let value = http::HeaderValue::from_bytes(b"\xff, 203.0.113.5").unwrap();
        map.append("x-forwarded-for", value);
        let proxies = Proxies {
            trusted: vec!["127.0.0.1/32".parse().unwrap()],
            ..Proxies::default()
        };
        let client = proxies.client("127.0.0.1".parse().unwrap(), &map);
        assert_eq!(client.to_string(), "203.0.113.5");
    }

    #[test]
    fn the_right_most_untrusted_hop_is_the_client() {
        let trusted = ["10.0.0.0/8"];
        for (value, expected) in [
            ("203.0.113.9", "203.0.113.9"),
            ("6.6.6.6, 203.0.113.9", "203.0.113.9"),
            ("6.6.6.6, 203.0.113.9, 10.2.2.2", "203.0.113.9"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("6.6.6.6, unknown", "10.0.0.1"),
            ("6.6.6.6, , 10.2.2.2", "10.2.2.2"),
            ("", "10.0.0.1"),
        ] {
            let headers = [("x-forwarded-for", value)];
            assert_eq!(client("10.0.0.1", &headers, &trusted), expected, "{value}");
        }
        let two_lines = [
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "203.0.113.9"),
        ];
        assert_eq!(client("10.0.0.1", &two_lines, &trusted), "203.0.113.9");
    }

    #[test]
    fn forwarded_is_read() {
        let value = r#"for=6.6.6.6, For="[2001:db8::1]:80";proto=https"#;
        let headers = [("forwarded", value)];
        let by = |header| client_by(header, "10.0.0.1", &headers, &["10.0.0.0/8"]);
        assert_eq!(by(ForwardingHeader::Forwarded), "2001:db8::1");
        // Not maintained by the proxy, so the client wrote it.
        assert_eq!(by(ForwardingHeader::XForwardedFor), "10.0.0.1");
    }
}
