//! Limits as a scan assumes them: failures of an account, an address and a password in fixed windows,
//! each charged before the password is verified and refunded if it is correct.

use super::{Action, Answer, Defence, Doubtful, FixedWindow, Try};
use crate::SECOND;

/// A limit on failures in a fixed window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PlainLimit {
    /// The most failures.
    pub most: u32,
    /// The length of the window in seconds.
    pub window: u64,
}

/// The limits; `None` means unlimited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PlainLimits {
    /// Failures of an account.
    pub account: Option<PlainLimit>,
    /// Failures of an address.
    pub address: Option<PlainLimit>,
    /// Failures of a password, over all accounts.
    pub password: Option<PlainLimit>,
}

pub(super) struct Plain {
    limits: PlainLimits,
    counts: [FixedWindow<u128>; 3],
}

impl Plain {
    pub(super) fn new(limits: PlainLimits) -> Self {
        Self {
            limits,
            counts: Default::default(),
        }
    }

    /// The limits, each with its key for this attempt.
    fn keyed(&self, attempt: &Try) -> [Option<(PlainLimit, u128)>; 3] {
        let PlainLimits {
            account,
            address,
            password,
        } = self.limits;
        [
            account.map(|limit| (limit, attempt.name.into())),
            address.map(|limit| (limit, attempt.address_key())),
            password.map(|limit| (limit, attempt.password.0.into())),
        ]
    }
}

impl Defence for Plain {
    fn begin(&mut self, attempt: &Try, now: u64) -> Answer {
        let mut retry = None;
        for (place, keyed) in self.keyed(attempt).into_iter().enumerate() {
            let Some((limit, key)) = keyed else {
                continue;
            };
            let window = limit.window * SECOND;
            if self.counts[place].count(&key, window, now) >= limit.most {
                retry = retry.max(Some(FixedWindow::<u128>::left(window, now)));
            }
        }
        let action = retry.map_or(Action::Allow, |retry| Action::Deny { retry });
        Answer::new(action, 0.0)
    }

    fn end(
        &mut self,
        attempt: &Try,
        _: &Answer,
        verified: Option<bool>,
        now: u64,
    ) -> Vec<Doubtful> {
        if verified == Some(false) {
            for (place, keyed) in self.keyed(attempt).into_iter().enumerate() {
                if let Some((limit, key)) = keyed {
                    self.counts[place].add(key, 1, limit.window * SECOND, now);
                }
            }
        }
        Vec::new()
    }
}
