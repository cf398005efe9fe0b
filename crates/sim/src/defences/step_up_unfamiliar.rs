//! D9b: a step-up whenever device *and* network are unfamiliar, and nothing else: a simple rule for any site
//! with a second factor. A network is the /24 or /48 of an earlier successful login.
//!
//! Source: the rule by itself, as adaptive authentication is commonly described.

use std::collections::HashSet;

use doorwarden_decision::SourceKey;

use super::{Action, Answer, Defence, Doubtful, Try};

#[derive(Default)]
pub(super) struct StepUpUnfamiliar(HashSet<(u64, u64)>);

fn place(attempt: &Try) -> (u64, u64) {
    (attempt.name, SourceKey::new(attempt.address).network())
}

impl Defence for StepUpUnfamiliar {
    fn sees_second_factor(&self) -> bool {
        true
    }

    fn begin(&mut self, attempt: &Try, _: u64) -> Answer {
        let known = attempt.device.is_some() || self.0.contains(&place(attempt));
        let action = if known { Action::Allow } else { Action::StepUp };
        Answer::new(action, f64::from(u8::from(!known)))
    }

    fn end(
        &mut self,
        attempt: &Try,
        answer: &Answer,
        verified: Option<bool>,
        _: u64,
    ) -> Vec<Doubtful> {
        let _ = answer;
        if verified == Some(true) {
            self.0.insert(place(attempt));
        }
        Vec::new()
    }
}
