//! One form and one deadline for every failed login, so that neither the answer nor its time
//! tells which accounts exist.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::Response;

use crate::{Body, FailureForm, full};

/// How long the slowest answer is remembered: for one to two of these.
const MEMORY: Duration = Duration::from_secs(300);

/// Room above the slowest answer, in quarters of it: a slow path that wanders a little must not
/// cross a deadline.
const MARGIN: f64 = 1.25;

/// No failed login waits longer than this for others that were slow.
const LONGEST: Duration = Duration::from_secs(5);

impl FailureForm {
    /// The answer itself.
    pub(crate) fn response(&self) -> Response<Body> {
        let mut response = Response::new(full(self.body.clone()));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers.clone();
        response
    }
}

/// When failed answers leave: at a multiple of a quantum that follows the slow path, which is the
/// password hash of an account that exists. A fast answer waits for it. Random padding would
/// average out; a deadline does not.
pub(crate) struct Deadline {
    quantum: Duration,
    slowest: Mutex<Slowest>,
}

struct Slowest {
    since: Instant,
    recent: Duration,
    before: Duration,
}

impl Deadline {
    pub(crate) fn new(quantum: Duration, now: Instant) -> Self {
        Self {
            quantum,
            slowest: Mutex::new(Slowest {
                since: now,
                recent: Duration::ZERO,
                before: Duration::ZERO,
            }),
        }
    }

    /// How long after its start a failed answer leaves, when the application took `elapsed`.
    pub(crate) fn after(&self, elapsed: Duration, now: Instant) -> Duration {
        let mut slowest = self.slowest.lock().unwrap_or_else(PoisonError::into_inner);
        let step = slowest.step(self.quantum, elapsed, now);
        multiple_of(step, elapsed)
    }
}

impl Slowest {
    /// The length of one step: the least multiple of the quantum that has room for the slowest.
    fn step(&mut self, quantum: Duration, elapsed: Duration, now: Instant) -> Duration {
        let age = now.saturating_duration_since(self.since);
        if age >= MEMORY {
            let recent = std::mem::take(&mut self.recent);
            self.before = if age < MEMORY * 2 {
                recent
            } else {
                Duration::ZERO
            };
            self.since = now;
        }
        self.recent = self.recent.max(elapsed.min(LONGEST));
        multiple_of(quantum, self.recent.max(self.before).mul_f64(MARGIN)).min(LONGEST.max(quantum))
    }
}

/// The least positive multiple of `step` that is at least `time`.
fn multiple_of(step: Duration, time: Duration) -> Duration {
    let steps = time.as_nanos().div_ceil(step.as_nanos().max(1)).max(1);
    step.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn fast_answers_wait_for_the_slow_path() {
        let start = Instant::now();
        let deadline = Deadline::new(ms(100), start);
        assert_eq!(deadline.after(ms(2), start), ms(100));
        assert_eq!(deadline.after(ms(240), start), ms(300));
        assert_eq!(deadline.after(ms(2), start), ms(300));
        assert_eq!(deadline.after(ms(299), start), ms(400));
        assert_eq!(deadline.after(ms(0), start), ms(400));
    }

    #[test]
    fn the_slow_path_is_forgotten_in_time_and_bounded() {
        let start = Instant::now();
        let deadline = Deadline::new(ms(100), start);
        deadline.after(ms(240), start);
        let later = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(deadline.after(ms(2), later(301)), ms(300));
        assert_eq!(deadline.after(ms(2), later(602)), ms(100));
        assert_eq!(deadline.after(ms(29_000), later(603)), ms(30_000));
        assert_eq!(deadline.after(ms(2), later(604)), ms(5_000));
    }

    #[test]
    fn existing_and_absent_share_a_deadline_whatever_their_times() {
        let start = Instant::now();
        for hash in [1, 30, 79, 81, 120, 250, 700] {
            let deadline = Deadline::new(ms(100), start);
            // The slow path has been seen: its slowest, whatever comes first.
            deadline.after(ms(hash + 4), start);
            let existing: Vec<_> = (0..20)
                .map(|i| deadline.after(ms(hash + i % 5), start))
                .collect();
            let absent: Vec<_> = (0..20)
                .map(|i| deadline.after(ms(1 + i % 5), start))
                .collect();
            assert_eq!(existing, absent, "hash takes {hash} ms");
        }
    }
}
