//! More guesses at invented names than there is time to hash (ATT&CK T1499.003).

use rand::RngExt;

use super::{Addresses, Attacker, Route, Victims};
use crate::{Rng, defences::Try, passwords::Password};

/// Sends as fast as `pace` says until it has sent all.
pub(crate) struct Flood {
    guesses: u64,
    pace: u64,
    route: Route,
    made: u64,
}

impl Flood {
    pub(crate) fn new(addresses: Addresses, guesses: u64, pace: u64) -> Self {
        Self {
            guesses,
            pace,
            route: Route::new(addresses),
            made: 0,
        }
    }
}

impl Attacker for Flood {
    fn next(&mut self, victims: &Victims, _: u64, rng: &mut Rng) -> Option<(Try, u64)> {
        if self.made >= self.guesses {
            return None;
        }
        self.made += 1;
        let wrong = Password::private((1 << 39) + rng.random_range(0..1u64 << 38));
        let address = self.route.address(rng);
        Some((victims.nobody(wrong, address, rng), self.pace))
    }
}
