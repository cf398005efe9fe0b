//! Failing on purpose, so that owners are locked out (ATT&CK T1531, CWE-645).

use rand::RngExt;

use super::{Addresses, Attacker, Route, Victims};
use crate::{Rng, defences::Try, passwords::Password};

/// Keeps failing on each of the first accounts in turn.
pub(crate) struct Lockout {
    accounts: u32,
    guesses: u64,
    pace: u64,
    route: Route,
    made: u64,
}

impl Lockout {
    pub(crate) fn new(addresses: Addresses, accounts: u32, guesses: u64, pace: u64) -> Self {
        Self {
            accounts,
            guesses,
            pace,
            route: Route::new(addresses),
            made: 0,
        }
    }
}

impl Attacker for Lockout {
    fn next(&mut self, victims: &Victims, _: u64, rng: &mut Rng) -> Option<(Try, u64)> {
        if self.made >= self.guesses {
            return None;
        }
        self.made += 1;
        let account = (self.made % u64::from(self.accounts)) as u32;
        let wrong = Password::private((1 << 39) + rng.random_range(0..1u64 << 38));
        let address = self.route.address(rng);
        Some((victims.guess(account, wrong, address), self.pace))
    }
}
