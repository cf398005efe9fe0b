//! D10: DALock (Blocki and Zhang, PETS 2022): an account is locked after ten incorrect guesses in a row,
//! or when the guessed passwords' popularity adds up to 2⁻⁹ of all users; a success forgets the
//! former and not the latter. Unlocking is left to other means there; here both are forgotten a day
//! after they began, which affects fewer users and lets a slow attacker start over.
//!
//! Source: the paper's evaluation (K = 10, Ψ = 2⁻⁹ with popularity by zxcvbn), and
//! `decision::popularity` for what its sketch of registered passwords would estimate. That sketch
//! would also know passwords that no list has; this does not, which costs it S5.

use std::collections::HashMap;

use doorwarden_decision::popularity;

use super::{Answer, Defence, Doubtful, Try};
use crate::DAY;

const STRIKES: u32 = 10;
const MASS: f64 = 1.0 / 512.0;

#[derive(Default)]
pub(super) struct Dalock(HashMap<u64, Account>);

#[derive(Default)]
struct Account {
    strikes: u32,
    mass: f64,
    since: u64,
}

impl Defence for Dalock {
    fn begin(&mut self, attempt: &Try, now: u64) -> Answer {
        let account = self.0.entry(attempt.name).or_default();
        if now > account.since + DAY {
            *account = Account {
                since: now,
                ..Account::default()
            };
        }
        let used = f64::from(account.strikes) / f64::from(STRIKES);
        let score = used.max(account.mass / MASS);
        let locked = if score >= 1.0 { account.since + DAY } else { 0 };
        Answer::until(locked, now, score)
    }

    fn end(&mut self, attempt: &Try, _: &Answer, verified: Option<bool>, _: u64) -> Vec<Doubtful> {
        let account = self.0.entry(attempt.name).or_default();
        match verified {
            Some(true) => account.strikes = 0,
            Some(false) => {
                account.strikes += 1;
                account.mass += attempt.password.listed().map_or(0.0, popularity::share_of);
            }
            None => {}
        }
        Vec::new()
    }
}
