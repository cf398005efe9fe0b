//! D9: two lanes as Microsoft describes Entra's smart lockout: ten failures of an account lock it
//! for a minute, each further one again and longer; familiar and unfamiliar places are counted
//! apart, and the last three incorrect passwords are not counted again.
//!
//! Source: Microsoft's documentation of smart lockout. What makes a place familiar and how the
//! waits grow is not published: here an address from which the account has logged in, and doubling
//! up to an hour. A success clears its lane.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{Answer, Defence, Doubtful, Try};
use crate::{HOUR, MINUTE, passwords::Password};

const FAILURES: u32 = 10;
const REMEMBERED: usize = 3;

#[derive(Default)]
pub(super) struct Entra(HashMap<u64, Account>);

#[derive(Default)]
struct Account {
    familiar: HashSet<u128>,
    lanes: [Lane; 2],
    wrong: VecDeque<Password>,
}

#[derive(Default)]
struct Lane {
    failures: u32,
    locked: u64,
}

impl Account {
    fn lane(&mut self, attempt: &Try) -> &mut Lane {
        let familiar = self.familiar.contains(&attempt.address_key());
        &mut self.lanes[usize::from(familiar)]
    }
}

impl Defence for Entra {
    fn begin(&mut self, attempt: &Try, now: u64) -> Answer {
        let lane = self.0.entry(attempt.name).or_default().lane(attempt);
        Answer::until(lane.locked, now, lane.failures.into())
    }

    fn end(
        &mut self,
        attempt: &Try,
        _: &Answer,
        verified: Option<bool>,
        now: u64,
    ) -> Vec<Doubtful> {
        let account = self.0.entry(attempt.name).or_default();
        match verified {
            Some(true) => {
                *account.lane(attempt) = Lane::default();
                account.familiar.insert(attempt.address_key());
            }
            Some(false) if !account.wrong.contains(&attempt.password) => {
                account.wrong.push_back(attempt.password);
                if account.wrong.len() > REMEMBERED {
                    account.wrong.pop_front();
                }
                let lane = account.lane(attempt);
                lane.failures += 1;
                if let Some(over) = lane.failures.checked_sub(FAILURES) {
                    lane.locked = now + (MINUTE << over.min(6)).min(HOUR);
                }
            }
            _ => {}
        }
        Vec::new()
    }
}
