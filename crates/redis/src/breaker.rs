//! While a store is away it is not asked at every login: each would wait for its time-out.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long nobody asks after a failure; then one asks, and the others wait for what it finds.
const PAUSE: Duration = Duration::from_secs(1);

/// Open while the store is away.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<Option<Instant>>);

impl Breaker {
    /// Whether the store may be asked now. After the pause one caller may, and the pause begins
    /// anew for the others.
    pub(crate) fn may_ask(&self, now: Instant) -> bool {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *asked {
            None => true,
            Some(since) if now.duration_since(since) < PAUSE => false,
            Some(_) => {
                *asked = Some(now);
                true
            }
        }
    }

    pub(crate) fn answered(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn failed(&self, now: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_asks_after_the_pause() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        assert!(breaker.may_ask(start));
        breaker.failed(start);
        assert!(!breaker.may_ask(start + PAUSE / 2));
        assert!(breaker.may_ask(start + PAUSE));
        assert!(!breaker.may_ask(start + PAUSE));
        breaker.answered();
        assert!(breaker.may_ask(start + PAUSE));
    }
}
