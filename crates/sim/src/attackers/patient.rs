//! The attacker that a scan's score is about: one address for ten accounts, each password by its
//! popularity on every account, from address to address, a whole day, coming back to what was refused.

use std::net::{IpAddr, Ipv4Addr};

use super::{Attacker, Victims};
use crate::{
    Rng,
    defences::{Action, Try},
    passwords::Choice,
};

/// The score supposes 1,000 addresses and 10,000 accounts.
const ACCOUNTS_FOR_AN_ADDRESS: usize = 10;

/// Addresses of RFC 2544's network, which no user has.
const FIRST: u32 = 0xC612_0000;

pub(crate) struct Patient {
    choice: Choice,
    pace: u64,
    place: u64,
    /// Each account's next password, by its rank.
    ranks: Vec<u64>,
    /// Every second refusal it goes on to the next password: the password may be what is refused.
    refusals: u64,
}

impl Patient {
    pub(crate) fn new(choice: Choice, accounts: u32, pace: u64) -> Self {
        Self {
            choice,
            pace,
            place: 0,
            ranks: vec![0; accounts as usize],
            refusals: 0,
        }
    }
}

impl Attacker for Patient {
    fn next(&mut self, victims: &Victims, _: u64, _: &mut Rng) -> Option<(Try, u64)> {
        let accounts = self.ranks.len().min(victims.people.len());
        // The next account that it does not have.
        for _ in 0..accounts {
            self.place += 1;
            let account = (self.place % accounts as u64) as usize;
            if !victims.taken[account] {
                let addresses = accounts.div_ceil(ACCOUNTS_FOR_AN_ADDRESS) as u64;
                // Another way round than the accounts, so that no account has an address of its own.
                let address = (self.place + self.place / accounts as u64) % addresses;
                let address = IpAddr::V4(Ipv4Addr::from_bits(FIRST + address as u32));
                let password = self.choice.guess(self.ranks[account]);
                let guess = victims.guess(account as u32, password, address);
                return Some((guess, self.pace));
            }
        }
        None
    }

    fn told(&mut self, guess: &Try, action: Action) {
        let refused = action.refuses() || action == Action::StepUp;
        self.refusals += u64::from(refused);
        if !refused || self.refusals.is_multiple_of(2) {
            self.ranks[guess.name as usize] += 1;
        }
    }
}
