//! An attacker who has read this code: guesses from users' own networks, first vouches for each with
//! accounts of its own, stays below the limit of heat, and heats common passwords to affect their users.

use std::net::{IpAddr, Ipv4Addr};

use rand::RngExt;

use super::{Addresses, Attacker, Order, Spray, Victims};
use crate::{
    Rng,
    defences::{Action, Try},
    passwords::{Choice, Password},
    people::anywhere,
};

/// A spray below the limit of heat, with company.
pub(crate) struct Knowing {
    spray: Spray,
    own_accounts: u32,
    /// The network of the moment, and how often it was used.
    network: u32,
    used: u32,
    heated: u64,
    made: u64,
}

/// Successful logins that make a network known to the site, and guesses that it is then used for.
const VOUCHES: u32 = 3;
const GUESSES: u32 = 20;

/// One in this many attempts only heats: six at each of the passwords in turn, from place 200 on, so
/// that its own best guesses stay cold.
const HEATS_EVERY: u64 = 20;
const HEATED: u64 = 20;
const HEATED_FROM: u64 = 200;

impl Knowing {
    pub(crate) fn new(choice: Choice, guesses: u64, pace: u64, own_accounts: u32) -> Self {
        let anything = Addresses::Fixed(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        // Five accounts a password and day are the limit; the sixth would be refused.
        let mut spray = Spray::new(
            Order::Under { accounts: 5 },
            choice,
            anything,
            guesses,
            pace,
        );
        // Unknown names weigh nothing here and waste guesses; its own accounts need no guesses.
        spray.unknown = 0.0;
        spray.spared = own_accounts;
        Self {
            spray,
            own_accounts,
            network: 0,
            used: VOUCHES + GUESSES,
            heated: 0,
            made: 0,
        }
    }

    /// An address in the network of the moment.
    fn address(&self, rng: &mut Rng) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from_bits(self.network | rng.random_range(1..255)))
    }
}

impl Attacker for Knowing {
    fn next(&mut self, victims: &Victims, now: u64, rng: &mut Rng) -> Option<(Try, u64)> {
        self.made += 1;
        if self.made.is_multiple_of(HEATS_EVERY) {
            let place = HEATED_FROM + self.heated / 6 % HEATED;
            self.heated += 1;
            let address = IpAddr::V4(Ipv4Addr::from_bits(anywhere(1.0, rng)));
            return Some((victims.nobody(Password(place), address, rng), 1));
        }
        if self.used >= VOUCHES + GUESSES {
            (self.network, self.used) = (anywhere(1.0, rng) & !0xff, 0);
        }
        self.used += 1;
        let address = self.address(rng);
        if self.used <= VOUCHES {
            let own = victims.people.len() as u32 - 1 - rng.random_range(0..self.own_accounts);
            let login = Try {
                hostile: false,
                ..victims.guess(own, victims.people[own as usize].password, address)
            };
            return Some((login, 1));
        }
        let (guess, wait) = self.spray.next(victims, now, rng)?;
        Some((Try { address, ..guess }, wait))
    }

    fn told(&mut self, guess: &Try, action: Action) {
        self.spray.told(guess, action);
    }
}
