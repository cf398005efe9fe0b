//! Leaked pairs (ATT&CK T1110.004): as they are, and tweaked as users tweak them.

use rand::RngExt;

use super::{Addresses, Attacker, Route, Victims};
use crate::{
    Rng,
    defences::{Action, Try},
    passwords::Password,
};

/// Tries each leaked pair once.
pub(crate) struct Stuffing {
    /// Pairs to try, and the time between two.
    pub(crate) pairs: u64,
    pub(crate) pace: u64,
    /// The share of valid pairs, and of nonexistent names.
    pub(crate) valid: f64,
    pub(crate) unknown: f64,
    route: Route,
    made: u64,
    /// People whose pair was tried.
    right: usize,
}

impl Stuffing {
    pub(crate) fn new(
        addresses: Addresses,
        pairs: u64,
        pace: u64,
        valid: f64,
        unknown: f64,
    ) -> Self {
        Self {
            pairs,
            pace,
            valid,
            unknown,
            route: Route::new(addresses),
            made: 0,
            right: 0,
        }
    }
}

impl Stuffing {
    fn next_right(&mut self, victims: &Victims) -> Option<u32> {
        let rest =
            (self.right..victims.people.len()).find(|person| victims.people[*person].leaked)?;
        self.right = rest + 1;
        Some(rest as u32)
    }
}

impl Attacker for Stuffing {
    fn next(&mut self, victims: &Victims, _: u64, rng: &mut Rng) -> Option<(Try, u64)> {
        if self.made >= self.pairs {
            return None;
        }
        self.made += 1;
        let account = rng.random_range(0..victims.people.len() as u32);
        let address = self.route.address(rng);
        // Invalid pairs have passwords that hardly any user of this site has.
        let wrong = Password::private((1 << 37) + self.made);
        // Each leaked pair is tried once: those that are right belong to people whose pair has leaked.
        let right = rng
            .random_bool(self.valid)
            .then(|| self.next_right(victims))
            .flatten();
        let guess = if let Some(right) = right {
            let password = victims.people[right as usize].password;
            victims.guess(right, password, address)
        } else if rng.random_bool(self.unknown) {
            victims.nobody(wrong, address, rng)
        } else {
            victims.guess(account, wrong, address)
        };
        let guess = Try {
            leaked: true,
            ..guess
        };
        Some((guess, self.pace))
    }

    fn told(&mut self, _: &Try, action: Action) {
        self.route.told(action);
    }
}

/// Ten variants of each account's leaked password, one after the other.
///
/// Of reused passwords 20 % are modified, and 30 % of those fall within ten guesses (Wang et al.,
/// 2017): so do six in a hundred accounts here.
pub(crate) struct Tweaks {
    pace: u64,
    route: Route,
    place: u64,
}

const VARIANTS: u64 = 10;
const WITHIN_TEN: f64 = 0.06;

impl Tweaks {
    pub(crate) fn new(addresses: Addresses, pace: u64) -> Self {
        Self {
            pace,
            route: Route::new(addresses),
            place: 0,
        }
    }

    /// Which of the variants is right for an account, if any is: the same for every seed's order.
    fn right(account: u64) -> Option<u64> {
        let drawn = crate::passwords::mix(account ^ 0x7e57);
        let falls = (drawn >> 11) as f64 / (1u64 << 53) as f64;
        (falls < WITHIN_TEN).then_some(drawn % VARIANTS)
    }
}

impl Attacker for Tweaks {
    fn next(&mut self, victims: &Victims, _: u64, rng: &mut Rng) -> Option<(Try, u64)> {
        let (account, variant) = (self.place / VARIANTS, self.place % VARIANTS);
        let person = victims.people.get(account as usize)?;
        self.place += 1;
        let password = if Self::right(account) == Some(variant) {
            person.password
        } else {
            Password::private((1 << 38) + self.place)
        };
        if victims.taken[account as usize] {
            self.place = (account + 1) * VARIANTS;
        }
        let address = self.route.address(rng);
        Some((victims.guess(account as u32, password, address), self.pace))
    }

    fn told(&mut self, _: &Try, action: Action) {
        self.route.told(action);
    }
}
