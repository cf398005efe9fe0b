//! D3: what the articles on FastAPI and Flask advise together: five requests per minute for each
//! address, five failures in 15 minutes for each account, and a limit for the whole login, here
//! 1,000 requests per minute.

use super::{
    Action, Answer, Defence, Doubtful, FixedWindow, Try, account_lockout::AccountLockout,
    address_window::AddressWindow,
};
use crate::MINUTE;

const SITE: u32 = 1_000;

#[derive(Default)]
pub(super) struct Articles {
    address: AddressWindow,
    account: AccountLockout,
    site: FixedWindow<()>,
}

impl Defence for Articles {
    fn begin(&mut self, attempt: &Try, now: u64) -> Answer {
        let site = self.site.add((), 1, MINUTE, now);
        let address = self.address.begin(attempt, now);
        let account = self.account.begin(attempt, now);
        let score = address.score.max(account.score);
        let over = (site > SITE).then(|| Action::Deny {
            retry: FixedWindow::<()>::left(MINUTE, now),
        });
        let refused = [over, Some(address.action), Some(account.action)];
        let refused = refused
            .into_iter()
            .flatten()
            .find(|action| *action != Action::Allow);
        Answer::new(refused.unwrap_or(Action::Allow), score)
    }

    fn end(
        &mut self,
        attempt: &Try,
        answer: &Answer,
        verified: Option<bool>,
        now: u64,
    ) -> Vec<Doubtful> {
        self.account.end(attempt, answer, verified, now)
    }
}
