//! Logs when the application becomes unreachable.

use std::{
    fmt::Display,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

/// The least time between two warnings, so that requests can't flood the log.
const PAUSE: Duration = Duration::from_secs(60);

/// Whether the application can be reached.
#[derive(Debug, Default)]
pub(crate) struct Reachability {
    is_down: AtomicBool,
    warned: Mutex<Option<Instant>>,
}

impl Reachability {
    /// Records that a connection to the application failed.
    pub(crate) fn failed(&self, error: &dyn Display) {
        self.is_down.store(true, Ordering::Relaxed);
        if self.may_warn(Instant::now()) {
            tracing::warn!(%error, "the application is unreachable");
        } else {
            tracing::debug!(%error, "the application is unreachable");
        }
    }

    /// Records that the application responded.
    pub(crate) fn responded(&self) {
        if self.is_down.load(Ordering::Relaxed) && self.is_down.swap(false, Ordering::Relaxed) {
            tracing::info!("the application is reachable again");
        }
    }

    fn may_warn(&self, now: Instant) -> bool {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        let may = warned.is_none_or(|warned| now.duration_since(warned) >= PAUSE);
        if may {
            *warned = Some(now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_keep_their_distance() {
        let (reachability, start) = (Reachability::default(), Instant::now());
        assert!(reachability.may_warn(start));
        assert!(!reachability.may_warn(start + PAUSE / 2));
        assert!(reachability.may_warn(start + PAUSE));
        assert!(!reachability.may_warn(start + PAUSE));
    }
}
