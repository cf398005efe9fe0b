//! Attackers, one kind per file.
//!
//! An attacker knows the names of the accounts, sees what a client would see, and adapts: it changes its
//! address when denied, moves on to another password when one is denied repeatedly, keeps its pace, and
//! leaves compromised accounts alone.

mod flood;
mod knowing;
mod lockout;
mod parallel;
mod patient;
mod spray;
mod stuffing;

pub(crate) use flood::Flood;
pub(crate) use knowing::Knowing;
pub(crate) use lockout::Lockout;
pub(crate) use parallel::Parallel;
pub(crate) use patient::Patient;
pub(crate) use spray::{Order, Spray};
pub(crate) use stuffing::{Stuffing, Tweaks};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rand::RngExt;

use crate::{
    Rng,
    defences::{Action, Try},
    people::{Person, anywhere},
};

/// What an attacker may see of the world: names, and the accounts that it has compromised.
pub(crate) struct Victims<'a> {
    pub(crate) people: &'a [Person],
    pub(crate) taken: &'a [bool],
}

impl Victims<'_> {
    /// A guess at an account.
    pub(crate) fn guess(
        &self,
        account: u32,
        password: crate::passwords::Password,
        address: IpAddr,
    ) -> Try {
        let person = &self.people[account as usize];
        Try {
            name: account.into(),
            exists: true,
            password,
            right: person.password == password,
            address,
            device: None,
            hostile: true,
            leaked: false,
            load: 0.0,
        }
    }

    /// A guess at a nonexistent name.
    pub(crate) fn nobody(
        &self,
        password: crate::passwords::Password,
        address: IpAddr,
        rng: &mut Rng,
    ) -> Try {
        Try {
            name: (1 << 40) + rng.random_range(0..1u64 << 40),
            exists: false,
            password,
            right: false,
            address,
            device: None,
            hostile: true,
            leaked: false,
            load: 0.0,
        }
    }
}

/// An attacker.
pub(crate) trait Attacker {
    /// Returns the next guess and the milliseconds until the one after it; `None` when finished.
    fn next(&mut self, victims: &Victims, now: u64, rng: &mut Rng) -> Option<(Try, u64)>;

    /// Observes the result of a guess.
    fn told(&mut self, guess: &Try, action: Action) {
        let _ = (guess, action);
    }
}

/// The addresses that guesses come from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Addresses {
    /// A botnet that uses each address for `guesses` guesses, or with odds of `churn` for fewer. The share
    /// `regional` of addresses is in users' own networks.
    Botnet {
        guesses: u32,
        churn: f64,
        regional: f64,
    },
    /// One host that owns an IPv6 /64, or a /48, and takes a new address for each guess.
    Prefix { bits: u8 },
    /// One address, shared with legitimate users.
    Fixed(IpAddr),
}

/// Residential proxies are mostly elsewhere in the world; one in ten is in users' own networks or behind
/// their carriers.
pub(crate) const REGIONAL: f64 = 0.1;

/// The addresses that an attacker goes through.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    addresses: Addresses,
    current: Option<(IpAddr, u32)>,
}

impl Route {
    pub(crate) fn new(addresses: Addresses) -> Self {
        Self {
            addresses,
            current: None,
        }
    }

    pub(crate) fn address(&mut self, rng: &mut Rng) -> IpAddr {
        match self.addresses {
            Addresses::Fixed(address) => address,
            Addresses::Prefix { bits } => {
                let prefix = 0x2a00_0db8_0001_u128 << 80;
                let host = rng.random::<u128>() >> bits;
                IpAddr::V6(Ipv6Addr::from_bits(prefix | host))
            }
            Addresses::Botnet {
                guesses,
                churn,
                regional,
            } => {
                let kept = self
                    .current
                    .filter(|(_, used)| *used < guesses && !rng.random_bool(churn));
                let fresh = || (IpAddr::V4(Ipv4Addr::from_bits(anywhere(regional, rng))), 0);
                let (address, used) = kept.unwrap_or_else(fresh);
                self.current = Some((address, used + 1));
                address
            }
        }
    }

    /// Gives up a denied address.
    pub(crate) fn told(&mut self, action: Action) {
        if matches!(action, Action::Deny { .. }) {
            self.current = None;
        }
    }
}
