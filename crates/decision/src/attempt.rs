//! One login attempt and how it ended.

use crate::{AccountKey, Marks, SourceKey};

/// What is known of a login attempt before its password is verified. Holds neither the name nor
/// the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Whose login it says it is.
    pub account: AccountKey,
    /// Where it comes from.
    pub source: SourceKey,
    /// Marks of the password that it tries.
    pub marks: Marks,
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
