//! Tests logins that their operator owns, and estimates how many accounts an attacker could take
//! per day.
//!
//! ```text
//! options.rs   the options of a scan
//! accounts.rs  test accounts, and generated names that do not exist
//! secret.rs    secrets, which are never shown
//! scan.rs      a scan from the proof of ownership to the report; its plan
//! target.rs    proof of ownership: loopback, a well-known file or a DNS record
//! discover.rs  OpenAPI -> the login and other routes
//! habits.rs    logins without OpenAPI: OAuth and OIDC metadata, GraphQL, usual paths
//! page.rs      hidden fields and cookies that a login's page expects back
//! probe.rs     the only way to the network: budget, pace, addresses, kill switch
//! request.rs   requests, and logins in the shape of a login
//! answer.rs    responses, and which of them are alike
//! learn.rs     what a successful and a failed login of a test account look like
//! access.rs    the token that a login returns, and a route that requires it
//! jwt.rs       reads and forges JSON Web Tokens
//! signed.rs    signed requests
//! checks/      one file each: run() measures, judge() is pure
//! finding.rs   verdicts and evidence
//! score.rs     measured limits -> accounts per day -> score and grade
//! report/      text, JSON, HTML, SARIF, JUnit, Markdown; the exit status
//! baseline.rs  findings accepted for now, and the differences from them
//! ```
//!
//! A scan never guesses at an account that it was not given and did not register itself. It takes
//! no list of names or passwords; incorrect passwords are random.

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
