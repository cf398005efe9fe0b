//! D5: Keycloak's brute-force detector, switched on, with its defaults: 30 failures of an account,
//! then a minute for each further thirty, 15 minutes at most; two failures within a second wait
//! a minute; forgotten 12 h after the last one. Names that don't exist are not counted.
//!
//! Source: keycloak `DefaultBruteForceProtector.java` and `RealmManager.setupRealmDefaults`.

use std::collections::HashMap;

use super::{Answer, Defence, Doubtful, Try};
use crate::{HOUR, MINUTE, SECOND};

const FAILURES: u64 = 30;
const INCREMENT: u64 = MINUTE;
const MOST: u64 = 15 * MINUTE;
const RESET: u64 = 12 * HOUR;
const QUICK: u64 = SECOND;
const QUICK_WAIT: u64 = MINUTE;

#[derive(Default)]
pub(super) struct Keycloak(HashMap<u64, Account>);

#[derive(Default)]
struct Account {
    failures: u64,
    last: Option<u64>,
    not_before: u64,
}

impl Defence for Keycloak {
    fn begin(&mut self, attempt: &Try, now: u64) -> Answer {
        let account = self.0.entry(attempt.name).or_default();
        Answer::until(account.not_before, now, account.failures as f64)
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
            Some(true) => *account = Account::default(),
            Some(false) if attempt.exists => {
                let since = account.last.map(|last| now - last);
                if since.is_some_and(|since| since > RESET) {
                    account.failures = 0;
                }
                account.failures += 1;
                account.last = Some(now);
                let mut wait = INCREMENT * (account.failures / FAILURES);
                if wait == 0 && since.is_some_and(|since| since < QUICK) {
                    wait = QUICK_WAIT;
                }
                if wait > 0 {
                    account.not_before = now + wait.min(MOST);
                }
            }
            _ => {}
        }
        Vec::new()
    }
}
