//! The autonomous system of an address, from a table that the operator provides.

use std::{
    io::{self, BufRead},
    net::IpAddr,
};

/// Address ranges and their autonomous systems, sorted.
#[derive(Debug, Default)]
pub struct AsnTable {
    /// First and last address as 128 bits (IPv4 mapped into IPv6), and the system.
    ranges: Vec<(u128, u128, u32)>,
}

/// Why a table could not be read.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTable {
    /// The file could not be read.
    #[error("failed to read the table of autonomous systems: {0}")]
    Unreadable(#[from] io::Error),
    /// A line does not match the format.
    #[error(
        "invalid line {line} in the table of autonomous systems; expected FIRST,LAST,NUMBER[,NAME], such as 1.0.0.0,1.0.0.255,13335"
    )]
    Line {
        /// From 1.
        line: usize,
    },
}

impl AsnTable {
    /// Reads `FIRST,LAST,NUMBER[,NAME]` lines, the format of the CSV files that are published as
    /// `@ip-location-db/asn`. Lines may be in any order and mix both address families; where ranges
    /// overlap, the one that begins last wins.
    pub fn read(from: impl BufRead) -> Result<Self, InvalidTable> {
        let mut ranges = Vec::new();
        for (place, line) in from.lines().enumerate() {
            let line = line?;
            if line.trim().is_empty() {
                continue;
            }
            ranges.push(range(&line).ok_or(InvalidTable::Line { line: place + 1 })?);
        }
        ranges.sort_unstable();
        Ok(Self { ranges })
    }

    /// Returns the autonomous system of an address; `None` if the table has none.
    pub fn asn(&self, address: IpAddr) -> Option<u32> {
        let address = bits(address);
        let after = self.ranges.partition_point(|(first, ..)| *first <= address);
        let (_, last, asn) = self.ranges[..after].last()?;
        (address <= *last).then_some(*asn)
    }
}

fn range(line: &str) -> Option<(u128, u128, u32)> {
    let mut fields = line
        .splitn(4, ',')
        .map(|field| field.trim().trim_matches('"'));
    let mut address = || fields.next()?.parse::<IpAddr>().ok().map(bits);
    let (first, last) = (address()?, address()?);
    let asn = fields.next()?.trim_start_matches("AS").parse().ok()?;
    (first <= last).then_some((first, last, asn))
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

#[cfg(not(feature = "shuttle"))]
#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
1.0.0.0,1.0.0.255,13335,\"Cloudflare, Inc.\"
192.0.2.0,192.0.2.127,AS64496
2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,64497
";

    #[test]
    fn addresses_of_both_families_have_their_system() {
        let table = AsnTable::read(TABLE.as_bytes()).unwrap();
        let asn = |address: &str| table.asn(address.parse().unwrap());
        assert_eq!(asn("1.0.0.0"), Some(13335));
        assert_eq!(asn("::ffff:1.0.0.255"), Some(13335));
        assert_eq!(asn("192.0.2.127"), Some(64496));
        assert_eq!(asn("192.0.2.128"), None);
        assert_eq!(asn("2001:db8:1::1"), Some(64497));
        assert_eq!(asn("0.0.0.1"), None);
    }

    #[test]
    fn a_mistake_names_its_line() {
        for wrong in ["1.0.0.9,1.0.0.1,5", "1.0.0.0,x,5", "1.0.0.0,1.0.0.1", "a"] {
            let error =
                AsnTable::read(format!("1.0.0.0,1.0.0.1,5\n{wrong}\n").as_bytes()).unwrap_err();
            assert!(error.to_string().contains("line 2"), "{error}");
        }
    }
}
