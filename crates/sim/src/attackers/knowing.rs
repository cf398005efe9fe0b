//! Who has read this code: stays under every limit, heats a common honest password to hurt people,
//! and vouches for its networks with accounts of its own.

use rand::RngExt;

use super::{Addresses, Attacker, Order, Route, Spray, Victims};
use crate::{
    DAY, Rng,
    defences::{Action, Try},
    passwords::{Choice, Password},
};

/// A spray below the limit of heat, with company.
pub(crate) struct Knowing {
    spray: Spray,
    own_accounts: u32,
    heated: u64,
    made: u64,
}

/// One in so many attempts is a login to an account of its own, one a guess that only heats.
const VOUCHES_EVERY: u64 = 10;
const HEATS_EVERY: u64 = 50;

impl Knowing {
    pub(crate) fn new(
        addresses: Addresses,
        choice: Choice,
        guesses: u64,
        pace: u64,
        own_accounts: u32,
    ) -> Self {
        // Five accounts a password and day are the limit; the sixth would be refused.
        let order = Order::Under { accounts: 5 };
        let mut spray = Spray::new(order, choice, addresses, guesses, pace);
        // Unknown names weigh nothing here, and waste guesses.
        spray.unknown = 0.0;
        spray.route = Route::new(addresses);
        Self {
            spray,
            own_accounts,
            heated: 0,
            made: 0,
        }
    }
}

impl Attacker for Knowing {
    fn next(&mut self, victims: &Victims, now: u64, rng: &mut Rng) -> Option<(Try, u64)> {
        self.made += 1;
        if self.made.is_multiple_of(VOUCHES_EVERY) {
            let own = victims.people.len() as u32 - 1 - rng.random_range(0..self.own_accounts);
            let address = self.spray.route.address(rng);
            let password = victims.people[own as usize].password;
            let login = Try {
                hostile: false,
                ..victims.guess(own, password, address)
            };
            return Some((login, 1));
        }
        let day = now / DAY;
        if self.made.is_multiple_of(HEATS_EVERY) {
            // The twenty most popular passwords, each until it is hot, every day.
            let place = self.heated % 120 / 6;
            self.heated += 1;
            let address = self.spray.route.address(rng);
            let password = Password(place + 1);
            debug_assert!(day > 0);
            return Some((victims.nobody(password, address, rng), 1));
        }
        self.spray.next(victims, now, rng)
    }

    fn told(&mut self, guess: &Try, action: Action) {
        self.spray.told(guess, action);
    }
}
