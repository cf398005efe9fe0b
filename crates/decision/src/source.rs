//! Where an attempt comes from.

use std::net::IpAddr;

/// What a client address is counted as: an IPv4 address, or the /64 of an IPv6 one.
///
/// One IPv6 subscriber owns at least a /64 (RFC 6177), so counting by full address counts
/// nothing: that is a known hole of other limiters (grav #204, better-auth #7509).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SourceKey(u64);

impl SourceKey {
    /// Returns the key of an address. An IPv4 address mapped into IPv6 counts as the IPv4 address.
    pub fn new(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(u64::from(v4.to_bits())),
            // 64 prefix bits; global unicast never has the upper 32 all zero, so that the two
            // families can't meet.
            IpAddr::V6(v6) => Self((v6.to_bits() >> 64) as u64),
        }
    }

    /// Returns the 64 bits, for counters.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Returns the network around it: the /24 of an IPv4 address, the /48 of an IPv6 one, which is what
    /// RFC 6177 lets a site have at most.
    pub const fn network(self) -> u64 {
        if self.0 >> 32 == 0 {
            self.0 >> 8
        } else {
            self.0 >> 16
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(address: &str) -> SourceKey {
        SourceKey::new(address.parse().unwrap())
    }

    #[test]
    fn a_subscriber_is_one_source() {
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }

    #[test]
    fn a_network_is_a_slash_24_or_a_slash_48() {
        let network = |address| key(address).network();
        assert_eq!(network("192.0.2.1"), network("192.0.2.254"));
        assert_ne!(network("192.0.2.1"), network("192.0.3.1"));
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:ff::1"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:2:2::1"));
    }
}
