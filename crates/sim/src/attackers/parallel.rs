//! Many guesses on one account before the first is answered: the race that a check before a count
//! loses.

use super::{Addresses, Attacker, Route, Victims};
use crate::{MINUTE, Rng, defences::Try, passwords::Choice};

/// Guesses in one burst.
pub(crate) const BURST: u64 = 200;

/// A burst of the most popular passwords on one account, then on the next.
pub(crate) struct Parallel {
    accounts: u64,
    choice: Choice,
    route: Route,
    place: u64,
}

impl Parallel {
    pub(crate) fn new(addresses: Addresses, accounts: u64) -> Self {
        Self {
            accounts,
            choice: Choice { banned: 0 },
            route: Route::new(addresses),
            place: 0,
        }
    }
}

impl Attacker for Parallel {
    fn next(&mut self, victims: &Victims, _: u64, rng: &mut Rng) -> Option<(Try, u64)> {
        let (account, place) = (self.place / BURST, self.place % BURST);
        if account >= self.accounts.min(victims.people.len() as u64) {
            return None;
        }
        self.place += 1;
        let address = self.route.address(rng);
        let guess = victims.guess(account as u32, self.choice.guess(place), address);
        let wait = if place + 1 == BURST { MINUTE } else { 0 };
        Some((guess, wait))
    }
}
