//! Time as a value.

use std::time::Duration;

/// Milliseconds since an epoch of the caller's choice, the same for all calls on one store.
///
/// The shell passes the Unix epoch, a simulation passes its virtual clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Creates the moment `milliseconds` after the epoch.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(milliseconds)
    }

    /// Returns the milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns this moment plus `duration`, saturating.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

/// A duration in whole milliseconds, saturating.
pub(crate) fn millis(duration: Duration) -> u64 {
    // Not `as_millis`, whose 128 bits are slow to divide.
    let whole = duration.as_secs().saturating_mul(1000);
    whole.saturating_add(duration.subsec_millis().into())
}
