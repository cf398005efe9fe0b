//! Guessing popular passwords at all accounts (ATT&CK T1110.003): StopGuessing's three attackers, and
//! one who stops below a threshold.

use rand::RngExt;

use super::{Addresses, Attacker, Route, Victims};
use crate::{
    DAY, Rng,
    defences::{Action, Try},
    passwords::{Choice, Password},
};

/// So many refusals in a row, and the next password has its turn.
const PATIENCE: u32 = 10;

/// In which order an attacker guesses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// One password over all accounts, then the next.
    BreadthFirst,
    /// A password by its popularity, at any account.
    Weighted,
    /// So many accounts for a password, then the next, and from the front again after a day.
    Under { accounts: u64 },
    /// Passwords that are in no list, one over all accounts, then the next.
    Private { passwords: u64 },
}

/// A spraying attacker.
pub(crate) struct Spray {
    pub(crate) order: Order,
    pub(crate) choice: Choice,
    /// Guesses at most, and the time between two.
    pub(crate) guesses: u64,
    pub(crate) pace: u64,
    /// The share of guesses at nonexistent names.
    pub(crate) unknown: f64,
    /// Accounts of its own in which it logs in after every third guess, to wash its address.
    pub(crate) own_accounts: u32,
    /// Accounts, the last ones, that it does not guess at.
    pub(crate) spared: u32,
    pub(crate) route: Route,
    /// Refusals in a row.
    refused: u32,
    made: u64,
    accounts: u64,
    place: u64,
    began: Option<u64>,
    washes: bool,
}

impl Spray {
    pub(crate) fn new(
        order: Order,
        choice: Choice,
        addresses: Addresses,
        guesses: u64,
        pace: u64,
    ) -> Self {
        Self {
            order,
            choice,
            guesses,
            pace,
            unknown: 0.1,
            own_accounts: 0,
            spared: 0,
            route: Route::new(addresses),
            refused: 0,
            made: 0,
            accounts: 1,
            place: 0,
            began: None,
            washes: false,
        }
    }

    /// The account and password at the attacker's place; moves on.
    fn target(&mut self, accounts: u64, now: u64, rng: &mut Rng) -> (u32, Password) {
        if let (Order::Under { .. }, Some(began)) = (self.order, self.began)
            && now >= began + DAY
        {
            // A new day: every password may be tried a few times again, at other accounts.
            self.began = Some(now);
            self.place = 0;
        }
        let place = self.place;
        self.place += 1;
        let account = |number: u64| (number % accounts) as u32;
        match self.order {
            Order::BreadthFirst => (account(place), self.choice.guess(place / accounts)),
            Order::Weighted => (account(rng.random()), self.choice.draw(rng)),
            Order::Under { accounts: few } => {
                (account(rng.random()), self.choice.guess(place / few))
            }
            Order::Private { passwords } => (
                account(place),
                Password::private((place / accounts) % passwords + (1 << 36)),
            ),
        }
    }

    fn give_up_password(&mut self) {
        let of_one = match self.order {
            Order::BreadthFirst | Order::Private { .. } => self.accounts,
            Order::Under { accounts } => accounts,
            Order::Weighted => return,
        };
        self.place = (self.place / of_one + 1) * of_one;
    }

    fn wash(&mut self, victims: &Victims, rng: &mut Rng) -> Try {
        let own = rng.random_range(0..self.own_accounts) as usize;
        // The last accounts are the attacker's.
        let account = victims.people.len() - 1 - own;
        let address = self.route.address(rng);
        Try {
            hostile: false,
            ..victims.guess(account as u32, victims.people[account].password, address)
        }
    }
}

impl Attacker for Spray {
    fn next(&mut self, victims: &Victims, now: u64, rng: &mut Rng) -> Option<(Try, u64)> {
        if self.made >= self.guesses {
            return None;
        }
        self.began.get_or_insert(now);
        let pace = self.pace;
        if self.own_accounts > 0 && self.made % 3 == 2 && !self.washes {
            self.washes = true;
            return Some((self.wash(victims, rng), 1));
        }
        self.washes = false;
        self.made += 1;
        let accounts = victims.people.len() as u64 - u64::from(self.own_accounts.max(self.spared));
        self.accounts = accounts;
        let mut target = self.target(accounts, now, rng);
        for _ in 0..64 {
            if !victims.taken[target.0 as usize] {
                break;
            }
            target = self.target(accounts, now, rng);
        }
        let address = self.route.address(rng);
        let guess = if rng.random_bool(self.unknown) {
            victims.nobody(target.1, address, rng)
        } else {
            victims.guess(target.0, target.1, address)
        };
        Some((guess, pace))
    }

    fn told(&mut self, _: &Try, action: Action) {
        self.route.told(action);
        if !matches!(action, Action::Deny { .. }) {
            self.refused = 0;
            return;
        }
        self.refused += 1;
        if self.refused == PATIENCE {
            self.refused = 0;
            self.give_up_password();
        }
    }
}
