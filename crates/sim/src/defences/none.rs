//! D0: no defence. What the attack costs where nothing counts.

use super::{Action, Answer, Defence, Doubtful, Try};

pub(super) struct None;

impl Defence for None {
    fn begin(&mut self, _: &Try, _: u64) -> Answer {
        Answer::new(Action::Allow, 0.0)
    }

    fn end(&mut self, _: &Try, _: &Answer, _: Option<bool>, _: u64) -> Vec<Doubtful> {
        Vec::new()
    }
}
