//! Spares logins the time-out of a store that is known to be unavailable.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long the store is not contacted after a failure; then one caller tries it again.
const PAUSE: Duration = Duration::from_secs(1);

/// A circuit breaker: open, with the time of the last failure or trial, while the store is unavailable.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<Option<Instant>>);

impl Breaker {
    /// Returns whether the caller may contact the store now. While it is unavailable, one caller per
    /// pause may.
    pub(crate) fn may_ask(&self, now: Instant) -> bool {
        let mut open_since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *open_since {
            None => true,
            Some(since) if now.duration_since(since) < PAUSE => false,
            Some(_) => {
                *open_since = Some(now);
                true
            }
        }
    }

    /// Closes the breaker, if the request began after the last failure or is the trial; returns whether it
    /// was open. The late response to an earlier request proves nothing: under load a slow store would else
    /// be away and back with every request.
    pub(crate) fn record_success(&self, began: Instant) -> bool {
        let mut open_since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *open_since {
            Some(since) if began >= since => {
                *open_since = None;
                true
            }
            _ => false,
        }
    }

    /// Opens the breaker; returns whether it was closed.
    pub(crate) fn record_failure(&self, now: Instant) -> bool {
        let mut open_since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open_since.replace(now).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_tries_again_after_the_pause() {
        let (breaker, start) = (Breaker::default(), Instant::now());
        assert!(breaker.may_ask(start));
        breaker.record_failure(start);
        assert!(!breaker.may_ask(start + PAUSE / 2));
        assert!(breaker.may_ask(start + PAUSE));
        assert!(!breaker.may_ask(start + PAUSE));
        assert!(breaker.record_success(start + PAUSE));
        assert!(breaker.may_ask(start + PAUSE));
    }

    #[test]
    fn each_transition_is_reported_once() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        assert!(!breaker.record_success(now));
        assert!(breaker.record_failure(now));
        assert!(!breaker.record_failure(now));
        assert!(breaker.record_success(now));
        assert!(!breaker.record_success(now));
    }

    #[test]
    fn a_late_response_to_an_earlier_request_closes_nothing() {
        let (breaker, began) = (Breaker::default(), Instant::now());
        let failed = began + Duration::from_millis(100);
        assert!(breaker.record_failure(failed));
        assert!(!breaker.record_success(began));
        assert!(!breaker.may_ask(failed));
        let trial = failed + PAUSE;
        assert!(breaker.may_ask(trial));
        assert!(breaker.record_success(trial));
    }
}
