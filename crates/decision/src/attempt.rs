//! One login attempt and how it ended.

use crate::{AccountKey, Marks, OwnerKey, SourceKey, device::DeviceId};

/// What is known of a login attempt before its password is verified. Holds neither the name nor
/// the password.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attempt {
    /// Whose login it says it is.
    pub account: AccountKey,
    /// The same by the name's exact spelling.
    pub owner: OwnerKey,
    /// Where it comes from.
    pub source: SourceKey,
    /// The autonomous system of its address, where a table of them is configured.
    pub asn: Option<u32>,
    /// A device on which this account has logged in before, by a token that was verified.
    pub device: Option<DeviceId>,
    /// Marks of the password that it tries.
    pub marks: Marks,
    /// How popular that password is: its place in a public list, from 1. `None`: in none.
    pub rank: Option<u32>,
    /// Whether exactly this name and password are known to have leaked.
    pub breached: bool,
    /// The share of the places for verifying that are taken, 0 to 1.
    pub load: f32,
    /// Whether a device's attempt is weighed as if it had no token, to calibrate. The shell draws
    /// one in [`Calibration::SAMPLE`](crate::Calibration::SAMPLE).
    pub sampled: bool,
}

impl Attempt {
    /// An attempt of which nothing more is known; the account's key stands for its owner's too.
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
    /// The password was right.
    Success,
    /// The password was wrong, or nobody found out in time: the attacker may have.
    Failure,
    /// The password was never compared: a refusal of ours, or a fault of the application.
    Unverified,
}
