//! D2: five failures of an account in 15 minutes lock it for 15 minutes; a success resets the count. The
//! lockout of OWASP's authentication cheat sheet and of many articles.

use std::collections::HashMap;

use super::{Answer, Defence, Doubtful, Try};
use crate::MINUTE;

const MOST: u32 = 5;
const WINDOW: u64 = 15 * MINUTE;

#[derive(Default)]
pub(super) struct AccountLockout(HashMap<u64, Account>);

#[derive(Default)]
struct Account {
    failures: u32,
    first: u64,
    locked: u64,
}

impl Defence for AccountLockout {
    fn begin(&mut self, attempt: &Try, now: u64) -> Answer {
        let account = self.0.entry(attempt.name).or_default();
        Answer::until(account.locked, now, account.failures.into())
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
            Some(false) => {
                if now - account.first > WINDOW {
                    (account.first, account.failures) = (now, 0);
                }
                account.failures += 1;
                if account.failures >= MOST {
                    account.locked = now + WINDOW;
                }
            }
            None => {}
        }
        Vec::new()
    }
}
