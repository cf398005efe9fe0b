//! Probes logins that its operator owns, and says what they cost.
//!
//! ```text
//! target.rs    is it the operator's? loopback, a well-known file or a DNS record
//! discover.rs  OpenAPI -> the login, where none was named
//! habits.rs    where logins are without one: OAuth and OIDC metadata, GraphQL, usual paths
//! page.rs      hidden fields and cookies that a login's page wants back
//! probe.rs     the only door to the network: budget, pace, addresses, kill switch
//! learn.rs     what a right and a wrong login of an own account look like
//! access.rs    the token that a login hands out, and a route that asks for it
//! checks/      one file each: run() measures, judge() is pure
//! score.rs     measured limits -> accounts a day -> score and grade
//! report/      text, JSON, HTML, SARIF, JUnit, Markdown
//! baseline.rs  what is accepted for now, and what is new against it
//! ```
//!
//! It never guesses at an account that it was not given or did not register itself, takes no list
//! of names or passwords, and wrong passwords are random.

mod access;
mod accounts;
mod answer;
mod baseline;
pub mod checks;
mod discover;
mod finding;
mod habits;
mod jwt;
mod learn;
mod options;
mod page;
mod probe;
pub mod report;
mod request;
mod scan;
mod score;
mod secret;
mod signed;
mod target;

pub use accounts::{Account, InvalidAccounts};
pub use baseline::{Accepted, Baseline, Difference, InvalidBaseline};
pub use finding::{Confidence, Evidence, Exhibit, Finding, Severity, Times, Verdict};
pub use options::{
    Fields, InvalidFields, InvalidRoute, InvalidTokenPlace, Options, Registration, Route,
    TokenFrom, TokenPlace,
};
pub use probe::Progress;
pub use report::{Endpoint, ExitStatus, Judgement, Report, VerdictKind};
pub use scan::{Plan, PlannedCheck, ScanError, plan, scan, understand};
pub use score::{Limited, Score, Yield, predicted};
pub use secret::Secret;
pub use signed::{InvalidSigned, Scheme, Signed};
pub use target::{InvalidTarget, OperatorKey, Ownership, Target};
