//! D1: at most five requests per minute from one address, successful or not: `@limiter.limit("5/minute")`
//! of slowapi and Flask-Limiter, as their first pages show it.

use super::{Action, Answer, Defence, Doubtful, FixedWindow, Try};
use crate::MINUTE;

const MOST: u32 = 5;

#[derive(Default)]
pub(super) struct AddressWindow(FixedWindow<u128>);

impl Defence for AddressWindow {
    fn begin(&mut self, attempt: &Try, now: u64) -> Answer {
        let count = self.0.add(attempt.address_key(), 1, MINUTE, now);
        let retry = FixedWindow::<u128>::left(MINUTE, now);
        let action = if count > MOST {
            Action::Deny { retry }
        } else {
            Action::Allow
        };
        Answer::new(action, count.into())
    }

    fn end(&mut self, _: &Try, _: &Answer, _: Option<bool>, _: u64) -> Vec<Doubtful> {
        Vec::new()
    }
}
