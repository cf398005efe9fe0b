//! The audit trail: one event per attempt, and events that an operator should act on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use doorwarden_decision::{
    AccountKey, Decision, Outcome, Reason, SourceKey, Timestamp, Unfamiliar, Verdict,
};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{
    keyring::random,
    store::{Away, Outage, Place},
};

/// Receives events. Called on the thread that settles the attempt; it should not block.
pub type EventSink = Box<dyn Fn(&Event) + Send + Sync>;

/// An audit event, without names, passwords or other secrets. Serialises to one JSON object.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// An attempt ended.
    Attempt(AttemptEvent),
    /// A password turned hot, and these logins had used it.
    Retroaction(Retroacted),
    /// The shared counter store became unavailable or available again.
    Store(Turned),
}

/// One login attempt.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptEvent {
    /// When it was admitted or denied: RFC 3339, in UTC, with milliseconds.
    time: String,
    /// 128 random bits in hexadecimal.
    id: String,
    /// The method and path of the login, as configured.
    route: String,
    /// A keyed hash of the account name; under the same secret, the same name has the same hash.
    account: String,
    /// The client address that was counted.
    client: IpAddr,
    /// How it ended.
    outcome: Ended,
    /// The decision: allow, delay, step_up or deny.
    decision: &'static str,
    /// Whether shadow mode is on, in which nothing is enforced.
    shadow: bool,
    /// Whether it was allowed only because of shadow mode.
    would_deny: bool,
    /// The outage mode that applied, if the shared counter store was unavailable: local, danger_open or
    /// closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    outage: Option<&'static str>,
    /// What the account knows about the client: its device, address, network, asn, or none of them.
    familiarity: &'static str,
    /// The suspicion in nats: the sum over the reasons.
    suspicion: f64,
    /// The suspicion from which attempts are delayed or stepped up.
    thresholds: Thresholds,
    /// The odds that an attempt from an unknown device is hostile.
    odds: f64,
    /// The contribution of each counter, the most significant first.
    reasons: Vec<Said>,
}

/// The suspicion from which attempts are delayed or stepped up; null if there is not enough data.
#[derive(Clone, Copy, Debug, Serialize)]
struct Thresholds {
    delay: f64,
    step_up: f64,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Denied before anything was verified.
    Denied,
    /// The login succeeded.
    Success,
    /// The login failed.
    Failure,
    /// The application did not report a result.
    Unverified,
    /// The client or the application disconnected; counted as a failure.
    Abandoned,
}

impl Ended {
    /// Returns its name in audit events.
    const fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Unverified => "unverified",
            Self::Abandoned => "abandoned",
        }
    }
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
    #[serde(skip_serializing_if = "Option::is_none")]
    counter: Option<&'static str>,
    count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<String>,
    /// The used share of the limit; above 1 denies.
    share: f64,
    /// Its contribution to the suspicion, in nats.
    suspicion: f64,
}

/// Successful logins whose password later turned hot, to be stepped up or revoked.
#[derive(Clone, Debug, Serialize)]
pub struct Retroacted {
    /// When it turned hot.
    time: String,
    /// The logins that had used it.
    pub(crate) logins: Vec<Caught>,
}

/// A successful login whose password later turned hot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Caught {
    /// The time of the login.
    pub time: String,
    /// The account, as in the event of the attempt.
    pub account: String,
    /// The client address; for IPv6, its /64.
    pub client: IpAddr,
}

/// The shared counter store became unavailable or available again.
#[derive(Clone, Debug, Serialize)]
pub struct Turned {
    time: String,
    available: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Event {
    pub(crate) fn store(turned: Result<(), Away>, now: Timestamp) -> Self {
        Self::Store(Turned {
            time: rfc3339(now),
            available: turned.is_ok(),
            reason: turned.err().map(|away| away.to_string()),
        })
    }
}

impl Retroacted {
    pub(crate) fn new(logins: &[Unfamiliar], now: Timestamp) -> Self {
        let caught = |login: &Unfamiliar| Caught {
            time: rfc3339(login.at),
            account: hex(login.account),
            client: address(login.source),
        };
        Self {
            time: rfc3339(now),
            logins: logins.iter().map(caught).collect(),
        }
    }
}

impl AttemptEvent {
    pub(crate) fn new(
        route: &str,
        account: AccountKey,
        client: IpAddr,
        verdict: &Verdict,
        reasons: &[Reason],
        now: Timestamp,
    ) -> Self {
        // Without randomness the id is zero: it names the event, nothing rests on it.
        let id = random().map_or(0, u128::from_be_bytes);
        Self {
            time: rfc3339(now),
            id: format!("{id:032x}"),
            route: route.to_owned(),
            account: hex(account),
            client,
            outcome: Ended::Abandoned,
            decision: verdict.decision.name(),
            shadow: false,
            would_deny: false,
            outage: None,
            familiarity: verdict.familiarity.name(),
            suspicion: rounded(verdict.suspicion),
            thresholds: Thresholds {
                delay: rounded(verdict.steps.delay),
                step_up: rounded(verdict.steps.step_up),
            },
            odds: rounded(verdict.odds),
            reasons: reasons.iter().map(Said::from).collect(),
        }
    }

    pub(crate) fn in_mode(self, shadow: bool, place: Place) -> Self {
        let outage = match place {
            Place::Normal => None,
            Place::Own => Some("local"),
            Place::Nowhere(Outage::DangerOpen) => Some("danger_open"),
            Place::Nowhere(_) => Some("closed"),
        };
        let denies = Decision::Deny {
            retry_after: Default::default(),
        }
        .name();
        Self {
            shadow,
            would_deny: shadow && self.decision == denies,
            outage,
            ..self
        }
    }

    pub(crate) fn ended(&self, outcome: Ended) -> Self {
        Self {
            outcome,
            ..self.clone()
        }
    }

    /// Logs the attempt. Never logs the account, the client or the reasons.
    pub(crate) fn trace(&self) {
        let _attempt = tracing::debug_span!("attempt", id = self.id, route = self.route).entered();
        tracing::debug!(
            decision = self.decision,
            outcome = self.outcome.name(),
            suspicion = self.suspicion,
            shadow = self.shadow,
            "attempt ended"
        );
    }
}

impl From<&Reason> for Said {
    fn from(reason: &Reason) -> Self {
        Self {
            signal: reason.signal.name(),
            counter: reason.ledger.map(|ledger| ledger.name()),
            count: reason.count,
            limit: reason.limit.map(|limit| limit.to_string()),
            share: rounded(reason.share),
            suspicion: rounded(reason.suspicion),
        }
    }
}

fn hex(account: AccountKey) -> String {
    format!("{:016x}", account.as_u64())
}

fn address(source: SourceKey) -> IpAddr {
    let bits = source.as_u64();
    match u32::try_from(bits) {
        Ok(v4) => Ipv4Addr::from_bits(v4).into(),
        Err(_) => Ipv6Addr::from_bits(u128::from(bits) << 64).into(),
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn rfc3339(now: Timestamp) -> String {
    let nanos = i128::from(now.as_millis()) * 1_000_000;
    OffsetDateTime::from_unix_timestamp_nanos(nanos)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_default()
}
