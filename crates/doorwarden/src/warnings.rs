//! The service's warnings, on their way to the log. Clients can cause some of them as often as they like, so
//! each kind is logged once a minute.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use doorwarden_serve::Complain;

/// How long a kind of warning is counted instead of logged after it was logged.
const PAUSE: Duration = Duration::from_secs(60);

/// The number of kinds that are remembered.
const MOST_KINDS: usize = 256;

/// Returns a receiver of warnings that logs them.
pub(crate) fn log() -> Complain {
    let recent = Mutex::new(Recent::default());
    Arc::new(move |line: &str| {
        let mut recent = recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(suppressed) = recent.admit(line, Instant::now()) {
            tracing::warn!(target: "doorwarden_serve", suppressed, "{line}");
        }
    })
}

/// When each kind of warning was logged, and how many were not since.
#[derive(Default)]
struct Recent(HashMap<String, (Instant, u64)>);

impl Recent {
    /// Returns how many of the kind were suppressed before this one, or `None` if it is suppressed too. The
    /// kind is the text up to the first colon, which is the service's own.
    fn admit(&mut self, line: &str, now: Instant) -> Option<u64> {
        let kind = line.split(':').next().unwrap_or_default();
        match self.0.get_mut(kind) {
            Some((logged, suppressed)) if now.duration_since(*logged) < PAUSE => {
                *suppressed += 1;
                None
            }
            Some((logged, suppressed)) => {
                *logged = now;
                Some(std::mem::take(suppressed))
            }
            None => {
                // There are a few dozen kinds; should a text vary before its colon, memory stays bounded.
                if self.0.len() >= MOST_KINDS {
                    self.0.clear();
                }
                self.0.insert(kind.to_owned(), (now, 0));
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_kind_is_one_line_per_minute_and_hides_no_other() {
        let (mut recent, start) = (Recent::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(recent.admit("failed to send an email: 550", at(0)), Some(0));
        for second in 1..60 {
            let line = format!("failed to send an email: {second}");
            assert_eq!(recent.admit(&line, at(second)), None);
        }
        assert_eq!(recent.admit("failed to write: full", at(30)), Some(0));
        assert_eq!(
            recent.admit("failed to send an email: 550", at(60)),
            Some(59)
        );
        assert_eq!(recent.admit("failed to send an email: 550", at(61)), None);
    }
}
