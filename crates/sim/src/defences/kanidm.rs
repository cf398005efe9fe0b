//! D6: Kanidm's soft lock of a credential: 1 s under 3 failures, 3 s under 9, 5 s under 25, 10 s
//! under 100, then until midnight UTC. A success changes nothing.
//!
//! Source: kanidm `server/lib/src/credential/softlock.rs`.

use std::collections::HashMap;

use super::{Answer, Defence, Doubtful, Try};
use crate::{DAY, SECOND};

#[derive(Default)]
pub(super) struct Kanidm(HashMap<u64, Account>);

#[derive(Default)]
struct Account {
    failures: u32,
    unlock: u64,
    reset: u64,
}

impl Account {
    fn settle(&mut self, now: u64) {
        if now > self.reset {
            *self = Self::default();
        }
    }
}

impl Defence for Kanidm {
    fn begin(&mut self, attempt: &Try, now: u64) -> Answer {
        let account = self.0.entry(attempt.name).or_default();
        account.settle(now);
        Answer::until(account.unlock, now, account.failures.into())
    }

    fn end(
        &mut self,
        attempt: &Try,
        _: &Answer,
        verified: Option<bool>,
        now: u64,
    ) -> Vec<Doubtful> {
        if verified == Some(false) {
            let account = self.0.entry(attempt.name).or_default();
            account.settle(now);
            account.failures += 1;
            account.reset = (now / DAY + 1) * DAY;
            account.unlock = match account.failures {
                0..3 => now + SECOND,
                3..9 => now + 3 * SECOND,
                9..25 => now + 5 * SECOND,
                25..100 => now + 10 * SECOND,
                _ => account.reset,
            };
        }
        Vec::new()
    }
}
