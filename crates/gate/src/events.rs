//! The audit trail: one event for each attempt.

use std::net::IpAddr;

use doorwarden_decision::{AccountKey, Outcome, Reason, Timestamp};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Receives events. Called on the thread that settles the attempt; it should not block.
pub type EventSink = Box<dyn Fn(&Event) + Send + Sync>;

/// One attempt, without name, password or any other secret. Serialises to one JSON object.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// When it was admitted or denied, RFC 3339 in UTC with milliseconds.
    time: String,
    /// 128 random bits in hexadecimal.
    id: String,
    /// The login's method and path, as configured.
    route: String,
    /// A keyed hash of the account's name; the same name has the same hash until a restart.
    account: String,
    /// The client address that was counted.
    client: IpAddr,
    /// How it ended.
    outcome: Ended,
    /// Whether nothing is enforced.
    shadow: bool,
    /// Whether it was let through only because nothing is enforced.
    would_deny: bool,
    /// What each counter said, the heaviest first.
    reasons: Vec<Said>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Refused before anything was verified.
    Denied,
    /// Verified: right.
    Success,
    /// Verified: wrong.
    Failure,
    /// The application could not say.
    Unverified,
    /// The client or the application went away; counted as a failure.
    Abandoned,
}

impl From<Outcome> for Ended {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Success => Self::Success,
            Outcome::Failure => Self::Failure,
            Outcome::Unverified => Self::Unverified,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct Said {
    signal: &'static str,
    count: u32,
    limit: String,
    weight: f64,
}

impl Event {
    pub(crate) fn new(
        route: &str,
        account: AccountKey,
        client: IpAddr,
        reasons: &[Reason],
        shadow: bool,
        now: Timestamp,
    ) -> Self {
        let mut id = [0; 16];
        // Without randomness the id is zero: it names the event, nothing rests on it.
        let _ = getrandom::fill(&mut id);
        Self {
            time: rfc3339(now),
            id: format!("{:032x}", u128::from_be_bytes(id)),
            route: route.to_owned(),
            account: format!("{:016x}", account.as_u64()),
            client,
            outcome: Ended::Abandoned,
            shadow,
            would_deny: false,
            reasons: reasons.iter().map(Said::from).collect(),
        }
    }

    pub(crate) fn would_deny(self, would_deny: bool) -> Self {
        Self { would_deny, ..self }
    }

    pub(crate) fn ended(self, outcome: Ended) -> Self {
        Self { outcome, ..self }
    }
}

impl From<&Reason> for Said {
    fn from(reason: &Reason) -> Self {
        Self {
            signal: reason.signal.name(),
            count: reason.count,
            limit: reason.limit.to_string(),
            weight: (reason.weight * 1000.0).round() / 1000.0,
        }
    }
}

fn rfc3339(now: Timestamp) -> String {
    let nanos = i128::from(now.as_millis()) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_default()
}
