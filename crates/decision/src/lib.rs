//! Decides on one login attempt.
//!
//! Everything here is a pure function over values: time and keys are arguments, and nothing sleeps,
//! reads a clock, draws random numbers or opens a socket. The same code therefore runs behind
//! `doorwarden guard` and in a simulation on a virtual clock.
//!
//! ```text
//! plan(attempt, policy)   -> [Charge]   which counters this attempt moves
//! Counter::apply(charge)  -> Count      in a store of the caller's, one independent key at a time
//! decide(counts)          -> Verdict    Allow, Delay, StepUp or Deny, with its reasons
//!   … the password is verified only now …
//! settle(counts, outcome) -> [Charge]   what is refunded, and what stays
//! ```
//!
//! Charging comes first and refunds come after, so that parallel guesses cannot all read "no
//! failures yet".
//!
//! ```text
//! attempt.rs      one login attempt, and how it ended
//! account.rs      keyed hashes of account names
//! source.rs       client addresses and networks as keys
//! device.rs       device tokens: signing and verification
//! mark.rs         password marks: a few keyed bits of a password
//! popularity.rs   how common passwords are
//! timestamp.rs    time as a value
//! limit.rs        the grammar of limits: "5 per minute; 100 per day"
//! login.rs        the grammar of logins: "POST /token form:username form:password"
//! policy.rs       the configured limits and budgets; presets
//! explain.rs      a policy as a Markdown document
//! decide.rs       plan, decide, settle
//! signals/        the evidence, one signal per file; which counters each one moves
//! calibration.rs  suspicion thresholds, from a budget of legitimate logins
//! retroaction.rs  earlier logins with a password that has since turned hot
//! charge.rs       what an attempt does to counters, and what they return
//! counter.rs      one counter: a sliding window, or the last few members
//! table.rs        counters in a fixed amount of memory
//! ```

mod account;
mod attempt;
mod calibration;
mod charge;
mod counter;
mod decide;
mod device;
mod explain;
mod limit;
mod login;
mod mark;
mod policy;
pub mod popularity;
mod retroaction;
pub mod signals;
mod source;
mod table;
mod timestamp;

pub use account::{AccountKey, AccountKeyer, InvalidAccount, MAX_ACCOUNT_BYTES, OwnerKey};
pub use attempt::{Attempt, Outcome};
pub use calibration::{Calibration, Thresholds};
pub use charge::{
    Charge, Charges, Count, CounterKey, Counts, MOST_CHARGES, Match, Movement, Window,
};
pub use counter::{Counter, Kind};
pub use decide::{
    Case, Decision, Ended, Reason, SHED_STRANGERS, Steps, Verdict, decide, plan, reasons, settle,
    unlock,
};
pub use device::{DeviceId, DeviceSigner, TOKEN_CHARS, TOKEN_SECONDS};
pub use limit::{InvalidLimit, Limit, Limits};
pub use login::{ACCOUNT, InvalidLogin, Login, PASSWORD, Shape};
pub use mark::{Mark, MarkKey, Marks};
pub use policy::{Policy, Preset};
pub use retroaction::{Retroaction, Unfamiliar};
pub use signals::{Familiarity, Ledger, SignalId};
pub use source::SourceKey;
pub use table::{Slot, Table};
pub use timestamp::Timestamp;
