//! Does the account know the network?
//!
//! - **Sees** attackers who have a password and nothing else of its owner (ATT&CK T1078): they come
//!   from places where the account has never been.
//! - **Memory** 32 bytes for each account that has logged in: its last four addresses, each with
//!   its network (/24 or /48). As much again for autonomous systems, where a table is configured.
//! - **Evaded by** attackers on the user's own network: a flatmate, a colleague, malware.
//! - **Hurts** users in a new place on a new device: one or two in a hundred successful logins. They
//!   are stepped up only as far as the policy's budget allows.
//! - **Constants**: known for 60 days. Familiarity backs off from address to network to system;
//!   its nats are fitted on simulated traces (docs/scoreboard.md).

use super::{Ledger, Signal, Weight, again, member};
use crate::{Attempt, Case, Charges, Count, Ended, Limits, Movement, Policy, charge::Match};

/// How long a network stays known after a successful login.
pub(super) static KNOWN: Limits = Limits::fixed(4, 60 * 86_400);

/// How well an account knows the client of an attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Familiarity {
    /// Not at all.
    #[default]
    None,
    /// It has logged in from the same autonomous system.
    Asn,
    /// It has logged in from the same network.
    Network,
    /// It has logged in from the same address.
    Address,
    /// It has logged in on the same device.
    Device,
}

impl Familiarity {
    /// Returns its name in audit events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Asn => "asn",
            Self::Network => "network",
            Self::Address => "address",
            Self::Device => "device",
        }
    }

    /// Returns how much it speaks for the attempt, in nats.
    const fn nats(self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Asn => 1.0,
            Self::Network => 5.0,
            Self::Address | Self::Device => 7.0,
        }
    }

    /// What one counter of [`Networks`] tells.
    pub(crate) fn told(count: &Count) -> Self {
        match (count.charge.key.ledger, Match::of(count.count)) {
            (Ledger::Networks, Match::Same) => Self::Address,
            (Ledger::Networks, Match::Group) => Self::Network,
            (Ledger::Asns, Match::Same | Match::Group) => Self::Asn,
            _ => Self::None,
        }
    }
}

pub(super) struct Networks;

impl Signal for Networks {
    fn charges(&self, attempt: &Attempt, policy: &Policy, charges: &mut Charges) {
        let (owner, source) = (attempt.owner.as_u64(), attempt.source);
        let member_of = |group, place| Movement::Recall {
            member: member(owner, group, place),
        };
        let network = member_of(source.network(), source.as_u64());
        Ledger::Networks.charge(owner, policy, network, charges);
        if let Some(asn) = attempt.asn {
            let asn = u64::from(asn);
            Ledger::Asns.charge(owner, policy, member_of(asn, asn), charges);
        }
    }

    /// The best that is known counts, once.
    fn weigh(&self, count: &Count, case: &Case) -> Weight {
        let told = Familiarity::told(count);
        let best = told == case.familiarity && told != Familiarity::None;
        Weight::suspicion(if best { -told.nats() } else { 0.0 })
    }

    fn settle(&self, count: &Count, _: &Case, ended: Ended, charges: &mut Charges) {
        if let (Ended::Right, Movement::Recall { member }) = (ended, count.charge.movement) {
            again(count, Movement::Remember { member }, charges);
        }
    }
}
