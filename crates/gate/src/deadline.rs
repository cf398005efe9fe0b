//! One deadline for all failed logins, so that response times do not reveal which accounts exist.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use doorwarden_decision::Outcome;

/// Successful logins whose times are remembered, however long ago: each has hashed a password, which is
/// the slow path, and guessing makes none.
const SUCCESSES: usize = 32;

/// How long the slowest failure is remembered: for one to two of these. Attackers make failures,
/// so one that was made slow must not delay all clients for long.
const MEMORY: Duration = Duration::from_secs(300);

/// Room above the slowest answer: a slow path that wanders a little must not cross a deadline.
const MARGIN: f64 = 1.25;

/// What the slow path is taken for until a successful login has shown it: over the usual cost of a
/// password hash (OWASP's parameters take 50 to 300 ms).
const UNKNOWN: Duration = Duration::from_millis(400);

/// No failed login waits longer than this for others that are slow.
const LONGEST: Duration = Duration::from_secs(5);

/// The time at which responses to failed logins are sent: a multiple of a quantum that follows the slow
/// path, which is hashing the password of an existing account. A fast response waits for it. Random
/// padding would average out; a deadline does not.
pub struct Deadline {
    quantum: Duration,
    seen: Mutex<Seen>,
}

/// The observed times of the application.
struct Seen {
    since: Instant,
    /// The slowest failure of this span and of the one before.
    recent: Duration,
    before: Duration,
    successes: VecDeque<Duration>,
    /// Verifications under way: of names tried side by side, the fast ones wait for the slow ones.
    under_way: BTreeMap<u64, Instant>,
    next: u64,
}

/// A verification in progress; ends when dropped.
pub struct UnderWay<'a> {
    deadline: &'a Deadline,
    id: u64,
    started: Instant,
}

impl Deadline {
    /// Creates a deadline with this quantum, without any observations.
    pub fn new(quantum: Duration, now: Instant) -> Self {
        Self {
            quantum,
            seen: Mutex::new(Seen {
                since: now,
                recent: Duration::ZERO,
                before: Duration::ZERO,
                successes: VecDeque::new(),
                under_way: BTreeMap::new(),
                next: 0,
            }),
        }
    }

    /// Records that a password is about to be verified.
    pub fn begin(&self, now: Instant) -> UnderWay<'_> {
        let mut seen = self.seen();
        let id = seen.next;
        seen.next += 1;
        seen.under_way.insert(id, now);
        UnderWay {
            deadline: self,
            id,
            started: now,
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long after its start a failed answer leaves at the earliest, when the application took
    /// `elapsed`. It grows while slower ones are under way.
    fn after(&self, elapsed: Duration, now: Instant) -> Duration {
        let slow = self.seen().slow_path(now).mul_f64(MARGIN);
        let longest = LONGEST.max(self.quantum);
        let step = multiple_of(self.quantum, slow).min(longest);
        multiple_of(step, elapsed)
    }
}

impl UnderWay<'_> {
    /// Records that the verification has ended.
    pub fn answered(&self, outcome: Outcome, now: Instant) {
        let elapsed = now.saturating_duration_since(self.started).min(LONGEST);
        let mut seen = self.deadline.seen();
        seen.under_way.remove(&self.id);
        match outcome {
            Outcome::Success => {
                seen.successes.truncate(SUCCESSES - 1);
                seen.successes.push_front(elapsed);
            }
            Outcome::Failure => seen.note_failure(elapsed, now),
            Outcome::Unverified => {}
        }
    }

    /// Waits until the response to a failed login may be sent.
    pub async fn hold(&self, elapsed: Duration) {
        loop {
            let leaves = self.started + self.deadline.after(elapsed, Instant::now());
            if leaves <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(leaves.into()).await;
        }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.deadline.seen().under_way.remove(&self.id);
    }
}

impl Seen {
    fn note_failure(&mut self, elapsed: Duration, now: Instant) {
        self.age(now);
        self.recent = self.recent.max(elapsed);
    }

    fn age(&mut self, now: Instant) {
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
    }

    fn slow_path(&mut self, now: Instant) -> Duration {
        self.age(now);
        // The third slowest: a cold start or two are no slow path, and no reason to wait for days.
        let mut shown: Vec<Duration> = self.successes.iter().copied().collect();
        shown.sort_unstable_by(|a, b| b.cmp(a));
        let shown = shown.get(2).or(shown.last()).copied().unwrap_or(UNKNOWN);
        let oldest = self.under_way.values().min();
        let waiting = oldest.map_or(Duration::ZERO, |begun| {
            now.saturating_duration_since(*begun)
        });
        shown.max(self.recent).max(self.before).max(waiting)
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

    /// A deadline to which this has been shown.
    fn shown(outcome: Outcome, elapsed: Duration, start: Instant) -> Deadline {
        let deadline = Deadline::new(ms(100), start);
        show(&deadline, outcome, elapsed, start);
        deadline
    }

    fn show(deadline: &Deadline, outcome: Outcome, elapsed: Duration, start: Instant) {
        deadline.begin(start).answered(outcome, start + elapsed);
    }

    #[test]
    fn until_a_right_login_has_shown_it_the_slow_path_is_supposed_slow() {
        let start = Instant::now();
        let deadline = Deadline::new(ms(100), start);
        assert_eq!(deadline.after(ms(2), start), ms(500));
        show(&deadline, Outcome::Success, ms(30), start);
        assert_eq!(deadline.after(ms(2), start), ms(100));
    }

    #[test]
    fn fast_answers_wait_for_the_slow_path() {
        let start = Instant::now();
        let deadline = shown(Outcome::Success, ms(240), start);
        assert_eq!(deadline.after(ms(2), start), ms(300));
        show(&deadline, Outcome::Failure, ms(299), start);
        assert_eq!(deadline.after(ms(2), start), ms(400));
        assert_eq!(deadline.after(ms(399), start), ms(400));
    }

    #[test]
    fn right_logins_are_remembered_however_long_ago_and_failures_are_not() {
        let start = Instant::now();
        let deadline = shown(Outcome::Success, ms(240), start);
        show(&deadline, Outcome::Failure, ms(29_000), start);
        let later = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(deadline.after(ms(2), later(1)), ms(5_000));
        assert_eq!(deadline.after(ms(2), later(301)), ms(5_000));
        assert_eq!(deadline.after(ms(2), later(700)), ms(300));
        assert_eq!(deadline.after(ms(2), later(1_000_000)), ms(300));
        // One cold start among successful logins is forgotten with the third that is fast.
        for _ in 0..2 {
            show(&deadline, Outcome::Success, ms(50), later(1_000_000));
        }
        assert_eq!(deadline.after(ms(2), later(1_000_001)), ms(100));
    }

    #[test]
    fn of_names_tried_side_by_side_the_fast_ones_wait_for_the_slow_ones() {
        let start = Instant::now();
        let deadline = shown(Outcome::Success, ms(30), start);
        let slow = deadline.begin(start);
        assert_eq!(deadline.after(ms(2), start + ms(100)), ms(200));
        assert_eq!(deadline.after(ms(2), start + ms(200)), ms(300));
        slow.answered(Outcome::Unverified, start + ms(250));
        assert_eq!(deadline.after(ms(2), start + ms(300)), ms(100));
        drop(deadline.begin(start));
        assert_eq!(deadline.after(ms(2), start + ms(900)), ms(100));
    }

    #[test]
    fn existing_and_absent_share_a_deadline_whatever_their_times() {
        let start = Instant::now();
        for hash in [1, 30, 79, 81, 120, 250, 700] {
            // The slow path has been seen: its slowest, whatever comes first.
            let deadline = shown(Outcome::Success, ms(hash + 4), start);
            let leave = |elapsed: u64| deadline.after(ms(elapsed), start);
            let existing: Vec<_> = (0..20).map(|i| leave(hash + i % 5)).collect();
            let absent: Vec<_> = (0..20).map(|i| leave(1 + i % 5)).collect();
            assert_eq!(existing, absent, "hash takes {hash} ms");
        }
    }
}
