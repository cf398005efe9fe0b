//! D8: Rauthy: failed logins of a full address bring staged bans (7: 1 min, 10: 10 min, 15: 15 min,
//! 20: 1 h, 25 and each one after: 24 h) with delays between; any success forgets them. Fifteen
//! distinct pairs from one address within three hours of each other ban it for a day.
//!
//! Source: rauthy `src/service/src/login_delay.rs`, `src/data/src/entity/cred_stuff_detect.rs`.

use std::collections::{HashMap, HashSet};

use super::{Action, Answer, Defence, Doubtful, Try};
use crate::{DAY, HOUR, MINUTE, SECOND, passwords::Password};

const PAIRS: usize = 15;
const PAIRS_WITHIN: u64 = 3 * HOUR;

#[derive(Default)]
pub(super) struct Rauthy(HashMap<u128, Address>);

#[derive(Default)]
struct Address {
    failures: u32,
    banned: u64,
    pairs: HashSet<(u64, Password)>,
    last_pair: u64,
}

impl Defence for Rauthy {
    fn begin(&mut self, attempt: &Try, now: u64) -> Answer {
        let address = self.0.entry(attempt.address_key()).or_default();
        let left = address.banned.saturating_sub(now);
        let score = f64::from(address.failures) + if left > 0 { 25.0 } else { 0.0 };
        let wait = match address.failures {
            3..=4 => 2,
            5..=6 => 3,
            8..=9 => 5,
            11..=14 => 10,
            16..=19 => 15,
            21..=24 => 20,
            _ => 0,
        };
        let wait = wait * u64::from(address.failures) * SECOND;
        let action = match (left, wait) {
            (0, 0) => Action::Allow,
            (0, wait) => Action::Delay { wait },
            (retry, _) => Action::Deny { retry },
        };
        Answer::new(action, score)
    }

    fn end(
        &mut self,
        attempt: &Try,
        _: &Answer,
        verified: Option<bool>,
        now: u64,
    ) -> Vec<Doubtful> {
        let address = self.0.entry(attempt.address_key()).or_default();
        match verified {
            Some(true) => address.failures = 0,
            Some(false) => {
                address.failures += 1;
                let ban = match address.failures {
                    7 => MINUTE,
                    10 => 10 * MINUTE,
                    15 => 15 * MINUTE,
                    20 => HOUR,
                    25.. => DAY,
                    _ => 0,
                };
                address.banned = address.banned.max(now + ban);
                if now > address.last_pair + PAIRS_WITHIN {
                    address.pairs.clear();
                }
                address.last_pair = now;
                if address.pairs.len() < PAIRS {
                    address.pairs.insert((attempt.name, attempt.password));
                }
                if address.pairs.len() >= PAIRS {
                    address.banned = now + DAY;
                }
            }
            None => {}
        }
        Vec::new()
    }
}
