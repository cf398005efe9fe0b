//! Decides on one login attempt.
//!
//! Everything here is a pure function over values: time and keys come in as arguments, nothing
//! sleeps, reads a clock, rolls a die or touches a socket. The same code therefore runs behind
//! `doorwarden guard` and in a simulation on a virtual clock.
//!
//! ```text
//! plan(attempt, policy)   -> [Charge]   which counters this attempt moves
//! Counter::apply(charge)  -> Count      in a store of the caller's, one independent key at a time
//! decide(counts)          -> Verdict    Allow, Challenge, Delay, StepUp or Deny; with its reasons
//!   … the password is verified only now …
//! settle(counts, outcome) -> [Charge]   what goes back, and what stays
//! ```
//!
//! Charging comes first and refunds come after, so that parallel guesses cannot all read "no
//! failures yet".

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
