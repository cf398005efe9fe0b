//! Signals: the evidence for and against an attempt, one file each.
//!
//! To add one: write `signals/<name>.rs` with a unit struct that implements [`Signal`] (or run
//! `cargo xtask new-signal NAME`), add a variant to [`SignalId`], its counters to [`Ledger`], and
//! add its limits to [`Policy`]. Then show with `doorwarden sim --ablations` that it earns its
//! place.

mod account;
mod breach;
mod device;
mod familiarity;
mod forgiveness;
mod heat;
mod pressure;
mod source;
mod standing;

pub use familiarity::Familiarity;
pub(crate) use pressure::odds;

use crate::{
    Attempt, Case, Charge, Charges, Count, CounterKey, Ended, Limits, Movement, Policy, Window,
    counter::Kind,
};

/// The signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignalId {
    /// Failures of one account on unknown devices.
    Account,
    /// Failures on one known device of an account.
    Device,
    /// Failures from one address, network or autonomous system.
    Source,
    /// Distinct accounts on which one password failed.
    Heat,
    /// Whether the account knows the network.
    Familiarity,
    /// Whether the site knows the network.
    Standing,
    /// How few logins from unknown devices succeed site-wide.
    Pressure,
    /// Whether the pair has leaked. Only the simulator supplies this.
    Breach,
    /// Repeats and typos, which cost nothing.
    Forgiveness,
}

impl SignalId {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Account,
        Self::Device,
        Self::Source,
        Self::Heat,
        Self::Familiarity,
        Self::Standing,
        Self::Pressure,
        Self::Breach,
        Self::Forgiveness,
    ];

    /// Returns its name in policies and audit events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Device => "device",
            Self::Source => "source",
            Self::Heat => "heat",
            Self::Familiarity => "familiarity",
            Self::Standing => "standing",
            Self::Pressure => "pressure",
            Self::Breach => "breach",
            Self::Forgiveness => "forgiveness",
        }
    }

    /// Returns its implementation.
    pub fn signal(self) -> &'static dyn Signal {
        match self {
            Self::Account => &account::Account,
            Self::Device => &device::Device,
            Self::Source => &source::Source,
            Self::Heat => &heat::Heat,
            Self::Familiarity => &familiarity::Networks,
            Self::Standing => &standing::Standing,
            Self::Pressure => &pressure::Pressure,
            Self::Breach => &breach::Breach,
            Self::Forgiveness => &forgiveness::Forgiveness,
        }
    }
}

/// A kind of counter: what it counts, and per what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ledger {
    /// Failures per account.
    Strikes,
    /// Failures per device.
    Device,
    /// Failures per address.
    Address,
    /// Failures per network.
    Network,
    /// Failures per autonomous system.
    Asn,
    /// Accounts on which a password failed, per mark.
    Heat,
    /// Networks from which an account has logged in.
    Networks,
    /// Autonomous systems from which an account has logged in.
    Asns,
    /// Successful logins that vouch for a network.
    Standing,
    /// Successful logins of an account that have vouched for something.
    Credit,
    /// Failures from unknown devices, site-wide.
    Failures,
    /// Successes from unknown devices, site-wide.
    Successes,
    /// Incorrect passwords already tried on an account.
    Tried,
    /// Failures per account and address.
    Typos,
}

impl Ledger {
    /// All ledgers; the position of a ledger is its number.
    pub const ALL: [Self; 14] = [
        Self::Strikes,
        Self::Device,
        Self::Address,
        Self::Network,
        Self::Asn,
        Self::Heat,
        Self::Networks,
        Self::Asns,
        Self::Standing,
        Self::Credit,
        Self::Failures,
        Self::Successes,
        Self::Tried,
        Self::Typos,
    ];

    /// Returns its name in audit events.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Strikes => "account",
            Self::Device => "device",
            Self::Address => "address",
            Self::Network => "network",
            Self::Asn => "asn",
            Self::Heat => "heat",
            Self::Networks => "known_networks",
            Self::Asns => "known_asns",
            Self::Standing => "standing",
            Self::Credit => "credit",
            Self::Failures => "failures",
            Self::Successes => "successes",
            Self::Tried => "tried_passwords",
            Self::Typos => "typos",
        }
    }

    /// Returns what its counters hold.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Networks | Self::Asns | Self::Tried => Kind::Members,
            _ => Kind::Events,
        }
    }

    /// Returns whether it has one counter for the whole site.
    pub const fn is_sitewide(self) -> bool {
        matches!(self, Self::Failures | Self::Successes)
    }

    /// Returns the signal that it belongs to.
    pub const fn signal(self) -> SignalId {
        match self {
            Self::Strikes => SignalId::Account,
            Self::Device => SignalId::Device,
            Self::Address | Self::Network | Self::Asn => SignalId::Source,
            Self::Heat => SignalId::Heat,
            Self::Networks | Self::Asns => SignalId::Familiarity,
            Self::Standing | Self::Credit => SignalId::Standing,
            Self::Failures | Self::Successes => SignalId::Pressure,
            Self::Tried | Self::Typos => SignalId::Forgiveness,
        }
    }

    /// Returns its limits. The counters of a ledger without configurable limits never deny.
    pub fn limits(self, policy: &Policy) -> &Limits {
        match self {
            Self::Strikes => &policy.account,
            Self::Device => &policy.device,
            Self::Address => &policy.address,
            Self::Network => &policy.network,
            Self::Heat => &policy.heat,
            Self::Asn => &source::ASN,
            Self::Networks | Self::Asns => &familiarity::KNOWN,
            Self::Standing => &standing::STANDING,
            Self::Credit => &standing::CREDIT,
            Self::Failures | Self::Successes => &pressure::WINDOWS,
            Self::Tried => &forgiveness::TRIED,
            Self::Typos => &forgiveness::TYPOS,
        }
    }

    /// One charge for each of its limits.
    pub(crate) fn charge(
        self,
        id: u64,
        policy: &Policy,
        movement: Movement,
        charges: &mut Charges,
    ) {
        for (position, limit) in self.limits(policy).iter().enumerate() {
            let key = CounterKey {
                ledger: self,
                limit: position as u8,
                id,
            };
            // There is room for every ledger with as many limits as may be written.
            let _ = charges.try_push(Charge {
                key,
                window: Window::of(limit),
                movement,
            });
        }
    }
}

/// What one counter contributes to a verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weight {
    /// The used share of a limit; above 1.0 denies, whatever the other evidence.
    pub share: f64,
    /// Its contribution to the suspicion, in nats of evidence; negative if it speaks for the attempt.
    pub suspicion: f64,
}

impl Weight {
    fn suspicion(suspicion: f64) -> Self {
        Self {
            share: 0.0,
            suspicion,
        }
    }
}

/// One kind of evidence.
///
/// The file of a signal documents which attack it detects (with its MITRE ATT&CK id), how much
/// memory a key costs, how an attacker evades it, which legitimate users it affects when it is
/// wrong, and the source of its constants. All methods are pure.
///
/// Mistakes here affect users: a charge that [`settle`](Signal::settle) never refunds counts correct
/// passwords as guesses, and one that is refunded too freely gives attackers free guesses.
pub trait Signal: Sync {
    /// Adds the charges of this attempt, before anything is verified.
    fn charges(&self, attempt: &Attempt, policy: &Policy, charges: &mut Charges);

    /// Weighs a count. `count` is the result of one of this signal's own charges.
    fn weigh(&self, count: &Count, case: &Case) -> Weight {
        let _ = (count, case);
        Weight::default()
    }

    /// Returns the evidence of the attempt itself, without any counter, in nats.
    fn testify(&self, case: &Case) -> f64 {
        let _ = case;
        0.0
    }

    /// Adds the charges of the outcome, for one counter that was charged. By default a failure stays
    /// counted and everything else is refunded.
    fn settle(&self, count: &Count, case: &Case, ended: Ended, charges: &mut Charges) {
        let _ = case;
        if ended != Ended::Wrong {
            take_back(count, charges);
        }
    }
}

/// Undoes an addition.
fn take_back(count: &Count, charges: &mut Charges) {
    if count.charge.movement == Movement::Add {
        again(count, Movement::TakeBack { slot: count.slot }, charges);
    }
}

/// Moves the same counter once more.
fn again(count: &Count, movement: Movement, charges: &mut Charges) {
    let _ = charges.try_push(Charge {
        movement,
        ..count.charge
    });
}

/// How surprising `count` events are where `expected` would come by chance: −log₁₀ of the Chernoff
/// bound on P(Poisson(expected) ≥ count), and no more than `most`.
fn surprise(count: u32, expected: f64, most: f64) -> f64 {
    let count = f64::from(count);
    if count <= expected {
        return 0.0;
    }
    let nats = count * (count / expected).ln() - count + expected;
    (nats / std::f64::consts::LN_10).min(most)
}

/// A set member's 32 bits from what it is, under the account that remembers it: a group of 24
/// bits and a place of 8 in it. Never zero.
fn member(account: u64, group: u64, place: u64) -> u32 {
    let mixed = |bits: u64| crate::table::mix(account ^ bits.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let group = (mixed(group) as u32 & 0xffff_ff00).max(0x100);
    group | u32::from(mixed(place) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ledgers_stand_where_their_number_says() {
        for (position, ledger) in Ledger::ALL.into_iter().enumerate() {
            assert_eq!(ledger as usize, position, "{}", ledger.name());
            assert!(SignalId::ALL.contains(&ledger.signal()));
        }
    }

    #[test]
    fn surprise_is_a_bound_on_the_tail() {
        // P(Poisson(1) ≥ 5) = 0.00366, −log₁₀ of it 2.44: the bound is below, and not by much.
        let five = surprise(5, 1.0, 99.0);
        assert!((1.7..2.44).contains(&five), "{five}");
        assert_eq!(surprise(1, 3.0, 99.0), 0.0);
        assert_eq!(surprise(900, 1.0, 6.0), 6.0);
    }

    #[test]
    fn there_is_room_for_every_charge() {
        let three = "5 per minute; 9 per hour; 20 per day"
            .parse::<Limits>()
            .unwrap();
        let policy = Policy {
            account: three.clone(),
            device: three.clone(),
            address: three.clone(),
            network: three.clone(),
            heat: three,
            ..Policy::default()
        };
        let mark = |epoch| Some(crate::Mark::from_parts(epoch, 1));
        let marks = crate::Marks {
            current: mark(1),
            previous: mark(0),
            exact: Some(1),
        };
        let source = crate::SourceKey::new([192, 0, 2, 1].into());
        let mut attempt = Attempt::new(crate::AccountKey::from_u64(1), source, marks);
        attempt.asn = Some(1);
        for (device, sampled) in [(None, false), (Some(crate::DeviceId::from_u64(1)), true)] {
            attempt.device = device;
            attempt.sampled = sampled;
            let charges = crate::plan(&attempt, &policy);
            assert!(!charges.is_full(), "{}", charges.len());
        }
    }
}
