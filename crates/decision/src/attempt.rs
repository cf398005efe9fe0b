//! One login attempt and how it ended.

use crate::{AccountKey, Marks, OwnerKey, SourceKey, device::DeviceId};

/// A login attempt before its password is verified. Contains neither the name nor the password.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attempt {
    /// The account that it names.
    pub account: AccountKey,
    /// The same account, by the exact spelling of the name.
    pub owner: OwnerKey,
    /// The client address.
    pub source: SourceKey,
    /// The autonomous system of the client address, where a table is configured.
    pub asn: Option<u32>,
    /// A device on which this account has logged in before, proven by a verified token.
    pub device: Option<DeviceId>,
    /// Marks of the submitted password.
    pub marks: Marks,
    /// The rank of that password in a public list, from 1; `None` if it is not listed.
    pub rank: Option<u32>,
    /// Whether this pair of name and password is known to have leaked. Only the simulator sets it.
    pub breached: bool,
    /// The share of the verification capacity in use, 0 to 1.
    pub load: f32,
    /// Whether an attempt on a known device is weighed as if it had no token, for calibration. The
    /// shell draws one in [`Calibration::SAMPLE`](crate::Calibration::SAMPLE).
    pub sampled: bool,
}

impl Attempt {
    /// Returns an attempt about which nothing more is known; the account's key doubles as its owner's.
    pub fn new(account: AccountKey, source: SourceKey, marks: Marks) -> Self {
        Self {
            account,
            owner: OwnerKey::from_u64(account.as_u64()),
            source,
            asn: None,
            device: None,
            marks,
            rank: None,
            breached: false,
            load: 0.0,
            sampled: false,
        }
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The password was correct.
    Success,
    /// The password was incorrect, or the result is unknown and the attacker may have learned it.
    Failure,
    /// The password was never compared: the attempt was denied, or the application failed.
    Unverified,
}
