//! D7: Authelia's regulation: three failures within two minutes ban for five minutes, counted back
//! to the last success; by user, which is its default, or by address.
//!
//! Source: authelia `internal/regulation/regulator.go` and its configuration's defaults.

use std::collections::HashMap;

use super::{Answer, Defence, Doubtful, Try};
use crate::MINUTE;

const RETRIES: usize = 3;
const FIND: u64 = 2 * MINUTE;
const BAN: u64 = 5 * MINUTE;

pub(super) struct Authelia {
    by_user: bool,
    keys: HashMap<u128, Key>,
}

#[derive(Default)]
struct Key {
    failures: Vec<u64>,
    banned: u64,
}

impl Authelia {
    pub(super) fn by_user() -> Self {
        Self {
            by_user: true,
            keys: HashMap::new(),
        }
    }

    pub(super) fn by_address() -> Self {
        Self {
            by_user: false,
            keys: HashMap::new(),
        }
    }

    fn key(&mut self, attempt: &Try) -> &mut Key {
        let key = if self.by_user {
            attempt.name.into()
        } else {
            attempt.address_key()
        };
        self.keys.entry(key).or_default()
    }
}

impl Defence for Authelia {
    fn begin(&mut self, attempt: &Try, now: u64) -> Answer {
        let key = self.key(attempt);
        let recent = key.failures.iter().filter(|at| **at + FIND > now).count();
        let score = if key.banned > now { RETRIES } else { recent };
        Answer::until(key.banned, now, score as f64)
    }

    fn end(
        &mut self,
        attempt: &Try,
        _: &Answer,
        verified: Option<bool>,
        now: u64,
    ) -> Vec<Doubtful> {
        let key = self.key(attempt);
        match verified {
            Some(true) => key.failures.clear(),
            Some(false) => {
                key.failures.retain(|at| *at + FIND > now);
                key.failures.push(now);
                if key.failures.len() >= RETRIES {
                    key.banned = now + BAN;
                }
            }
            None => {}
        }
        Vec::new()
    }
}
