//! The one clock of the shell.

use std::{
    sync::LazyLock,
    time::{Instant, SystemTime},
};

use doorwarden_decision::Timestamp;

/// Milliseconds since the Unix epoch, as of the process's start plus the time that it has run:
/// a step of the system's clock moves no window.
pub fn now() -> Timestamp {
    static START: LazyLock<(Instant, Timestamp)> = LazyLock::new(|| {
        let unix = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let millis = u64::try_from(unix.as_millis()).unwrap_or(u64::MAX);
        (Instant::now(), Timestamp::from_millis(millis))
    });
    START.1.plus(START.0.elapsed())
}
