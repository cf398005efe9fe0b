//! A clock that ignores changes of the system time.

use std::{
    sync::LazyLock,
    time::{Instant, SystemTime},
};

use doorwarden_decision::Timestamp;

/// Returns the milliseconds since the Unix epoch: the system time at the start of the process plus the
/// time that it has run, so that a step of the system clock moves no window.
pub fn now() -> Timestamp {
    static START: LazyLock<(Instant, Timestamp)> = LazyLock::new(|| {
        let unix = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let millis = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX);
        (Instant::now(), Timestamp::from_millis(millis))
    });
    START.1.plus(START.0.elapsed())
}
