//! Recent logins with a password that has since turned hot.

use std::collections::VecDeque;

use crate::{AccountKey, Mark, Marks, SourceKey, Timestamp};

/// How far back successful logins are kept, in milliseconds: a day, as long as heat counts.
const LOOK_BACK: u64 = 86_400_000;

/// A successful login from a device and a network that its account did not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfamiliar {
    /// The time of the login.
    pub at: Timestamp,
    /// The account.
    pub account: AccountKey,
    /// The client address.
    pub source: SourceKey,
    marks: Marks,
}

/// Successful logins of the last day that nothing but the password spoke for, to report when their
/// password turns out to be sprayed. Kept only in the memory of one process: it is the one place that
/// holds the mark of a *correct* password, and an attacker who can read the memory and the mark key
/// could find out which accounts use a given password. It forgets logins after a day, and the oldest
/// first when it is full.
#[derive(Clone, Debug)]
pub struct Retroaction {
    recent: VecDeque<Unfamiliar>,
    most: usize,
}

impl Retroaction {
    /// Creates a list with room for `most` logins, of about 64 bytes each.
    pub fn new(most: usize) -> Self {
        Self {
            recent: VecDeque::new(),
            most,
        }
    }

    /// Records a successful login from an unfamiliar place.
    pub fn note(&mut self, account: AccountKey, source: SourceKey, marks: Marks, now: Timestamp) {
        self.forget(now);
        if self.recent.len() >= self.most {
            self.recent.pop_front();
        }
        self.recent.push_back(Unfamiliar {
            at: now,
            account,
            source,
            marks,
        });
    }

    /// Removes and returns the logins with a password that has turned hot, to be stepped up or revoked.
    pub fn turned_hot(&mut self, marks: Marks, now: Timestamp) -> Vec<Unfamiliar> {
        self.forget(now);
        let shared = |login: &Unfamiliar| {
            let mut own = login.marks.iter();
            own.any(|mark: Mark| marks.iter().any(|hot| hot == mark))
        };
        let caught = self.recent.iter().filter(|login| shared(login)).copied();
        let caught: Vec<Unfamiliar> = caught.collect();
        if !caught.is_empty() {
            self.recent.retain(|login| !shared(login));
        }
        caught
    }

    fn forget(&mut self, now: Timestamp) {
        let old = |login: &Unfamiliar| login.at.as_millis() + LOOK_BACK < now.as_millis();
        while self.recent.front().is_some_and(old) {
            self.recent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn marks(password: u32) -> Marks {
        Marks {
            current: Some(Mark::from_parts(1, password)),
            previous: None,
            exact: None,
        }
    }

    fn note(retroaction: &mut Retroaction, account: u64, password: u32) {
        let source = SourceKey::new([192, 0, 2, 1].into());
        retroaction.note(AccountKey::from_u64(account), source, marks(password), NOW);
    }

    #[test]
    fn logins_with_a_hot_password_come_back_once() {
        let mut retroaction = Retroaction::new(10);
        for account in 0..4 {
            note(&mut retroaction, account, account as u32 % 2);
        }
        let caught = retroaction.turned_hot(marks(1), NOW);
        let accounts: Vec<u64> = caught.iter().map(|login| login.account.as_u64()).collect();
        assert_eq!(accounts, [1, 3]);
        assert!(retroaction.turned_hot(marks(1), NOW).is_empty());
        assert!(retroaction.turned_hot(Marks::default(), NOW).is_empty());
    }

    #[test]
    fn it_forgets_after_a_day_and_stays_in_bounds() {
        let mut retroaction = Retroaction::new(10);
        for account in 0..100 {
            note(&mut retroaction, account, 1);
        }
        let later = NOW.plus(Duration::from_secs(86_401));
        assert_eq!(retroaction.clone().turned_hot(marks(1), NOW).len(), 10);
        assert!(retroaction.turned_hot(marks(1), later).is_empty());
    }
}
