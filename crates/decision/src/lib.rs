//! Decides on one login attempt.
//!
//! Everything here is a pure function over values: time and keys come in as arguments, nothing
//! sleeps, reads a clock, rolls a die or touches a socket. The same code therefore runs behind
//! `doorwarden guard` and in a simulation on a virtual clock.
//!
//! ```text
//! plan(attempt, policy)   -> [Charge]   which counters this attempt moves
//! Counter::apply(charge)  -> Count      in a store of the caller's, one independent key at a time
//! decide(counts)          -> Verdict    Allow, or Deny with Retry-After; with its reasons
//!   … the password is verified only now …
//! settle(counts, outcome) -> [Charge]   what goes back, and what stays
//! ```
//!
//! Charging comes first and refunds come after, so that parallel guesses cannot all read "no
//! failures yet".

mod account;
mod attempt;
mod charge;
mod counter;
mod decide;
mod limit;
mod login;
mod mark;
mod policy;
pub mod popularity;
pub mod signals;
mod source;
mod timestamp;

pub use account::{AccountKey, AccountKeyer, InvalidAccount, MAX_ACCOUNT_BYTES};
pub use attempt::{Attempt, Outcome};
pub use charge::{Charge, Count, CounterKey, Movement};
pub use counter::Counter;
pub use decide::{Decision, Reason, Verdict, decide, plan, settle};
pub use limit::{InvalidLimit, Limit, Limits};
pub use login::{ACCOUNT, InvalidLogin, Login, PASSWORD, Shape};
pub use mark::{Mark, MarkKey, Marks};
pub use policy::Policy;
pub use signals::SignalId;
pub use source::SourceKey;
pub use timestamp::Timestamp;
