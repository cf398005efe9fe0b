//! The audit trail: one event for each attempt, and for what an operator must know.

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

/// Something for the audit trail, without name, password or any other secret. Serialises to one
/// JSON object.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// An attempt ended.
    Attempt(AttemptEvent),
    /// A password turned hot, and these had logged in with it.
    Retroaction(Retroacted),
    /// The shared counters went away or came back.
    Store(Turned),
}

/// One attempt.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptEvent {
    /// When it was admitted or denied, RFC 3339 in UTC with milliseconds.
    time: String,
    /// 128 random bits in hexadecimal.
    id: String,
    /// The login's method and path, as configured.
    route: String,
    /// A keyed hash of the account's name; the same name has the same hash under the same secret.
    account: String,
    /// The client address that was counted.
    client: IpAddr,
    /// How it ended.
    outcome: Ended,
    /// What was decided: allow, challenge, delay, step_up or deny.
    decision: &'static str,
    /// Whether nothing is enforced.
    shadow: bool,
    /// Whether it was let through only because nothing is enforced.
    would_deny: bool,
    /// Where it was counted, while shared counters are away: own, danger_open or closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    outage: Option<&'static str>,
    /// How well the account knows where it comes from: device, address, network, asn or none.
    familiarity: &'static str,
    /// How suspicious it is, in nats: the sum of what the reasons weigh.
    suspicion: f64,
    /// The suspicion from which on it would be delayed, and stepped up.
    steps: [f64; 2],
    /// The odds that an attempt without a device is an attacker's.
    odds: f64,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    counter: Option<&'static str>,
    count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<String>,
    /// The share of the limit that is used; over 1 denies.
    share: f64,
    /// How suspicious it makes the attempt, in nats.
    suspicion: f64,
}

/// Successful logins whose password turned hot afterwards: to be stepped up or revoked.
#[derive(Clone, Debug, Serialize)]
pub struct Retroacted {
    /// When it turned hot.
    time: String,
    /// Who had logged in with it.
    pub(crate) logins: Vec<Caught>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Caught {
    /// When it logged in.
    pub time: String,
    /// The account, as in its attempt's event.
    pub account: String,
    /// From where; an IPv6 address is its /64.
    pub client: IpAddr,
}

/// The shared counters went away or came back.
#[derive(Clone, Debug, Serialize)]
pub struct Turned {
    time: String,
    away: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Event {
    pub(crate) fn store(turned: Result<(), Away>, now: Timestamp) -> Self {
        Self::Store(Turned {
            time: rfc3339(now),
            away: turned.is_err(),
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
            steps: [verdict.steps.delay, verdict.steps.step_up].map(rounded),
            odds: rounded(verdict.odds),
            reasons: reasons.iter().map(Said::from).collect(),
        }
    }

    pub(crate) fn in_mode(self, shadow: bool, place: Place) -> Self {
        let outage = match place {
            Place::Normal => None,
            Place::Own => Some("own"),
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
