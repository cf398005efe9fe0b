//! Defences: Doorwarden by the code that ships, and its rivals, each with its source and constants.
//!
//! A rival is as simple here as its algorithm: what it counts, by what, and when it refuses. Where
//! a product checks first and counts after the password was verified, so does its file: that is a
//! race ([`Parallel`](crate::attackers::Parallel)).

mod account_lockout;
mod address_window;
mod articles;
mod authelia;
mod crowdsec;
mod dalock;
mod doorwarden;
mod entra;
mod kanidm;
mod keycloak;
mod none;
mod plain;
mod rauthy;
mod step_up_unfamiliar;
mod stop_guessing;

use std::net::IpAddr;

use doorwarden_decision::SignalId;

use crate::passwords::Password;

pub use plain::{PlainLimit, PlainLimits};

/// An attempt as a login service sees it, and the truth beside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Try {
    /// The account; those of users are numbered from 0.
    pub(crate) name: u64,
    /// Whether the account exists.
    pub(crate) exists: bool,
    pub(crate) password: Password,
    /// Whether the password is correct.
    pub(crate) right: bool,
    pub(crate) address: IpAddr,
    /// A cookie that this account's device got at an earlier login.
    pub(crate) device: Option<u64>,
    /// Whether an attacker makes it. No defence may use this.
    pub(crate) hostile: bool,
    /// Whether the pair has leaked; a defence knows only what its list has.
    pub(crate) leaked: bool,
    /// The share of places for verifying that are taken.
    pub(crate) load: f32,
}

impl Try {
    /// The whole address, as most rivals count it.
    fn address_key(&self) -> u128 {
        match self.address {
            IpAddr::V4(v4) => v4.to_bits().into(),
            IpAddr::V6(v6) => v6.to_bits(),
        }
    }
}

/// What a defence does with an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Allow,
    /// Allows after a wait, in milliseconds.
    Delay {
        wait: u64,
    },
    /// Asks for a second factor, which users have and attackers don't.
    StepUp,
    /// Verifies, and treats a correct password as if it were incorrect.
    Silent,
    /// Denies; `retry` is the time until a retry is worthwhile, in milliseconds.
    Deny {
        retry: u64,
    },
}

/// What a defence answers, with a score for its ROC curve: the higher, the more it would refuse.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) action: Action,
    pub(crate) score: f64,
    /// For the defence's own use until the end.
    pub(crate) handle: usize,
}

impl Answer {
    fn new(action: Action, score: f64) -> Self {
        Self {
            action,
            score,
            handle: 0,
        }
    }

    /// Refuses until a moment, or allows where it has passed.
    fn until(locked: u64, now: u64, score: f64) -> Self {
        let left = locked.saturating_sub(now);
        let action = if left > 0 {
            Action::Deny { retry: left }
        } else {
            Action::Allow
        };
        Self::new(action, score)
    }
}

impl Action {
    /// Whether the attempt does not get in for the defence's sake.
    pub(crate) fn refuses(self) -> bool {
        matches!(self, Self::Deny { .. } | Self::Silent)
    }
}

/// A login that turns out to be doubtful: account, and the address as `SourceKey` counts it.
pub(crate) type Doubtful = (u64, u64);

/// A defence under test.
pub(crate) trait Defence {
    /// Before the password is verified.
    fn begin(&mut self, attempt: &Try, now: u64) -> Answer;

    /// Returns whether it sees the result of the second factor, which users pass and attackers don't. A
    /// guard in front of an application does not.
    fn sees_second_factor(&self) -> bool {
        false
    }

    /// After the verification: whether the password was correct, or `None` if it was never compared.
    /// Returns accounts whose earlier logins have become doubtful.
    fn end(
        &mut self,
        attempt: &Try,
        answer: &Answer,
        verified: Option<bool>,
        now: u64,
    ) -> Vec<Doubtful>;
}

/// The defences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DefenceId {
    /// No defence.
    None,
    /// A fixed window for each address.
    AddressWindow,
    /// A lockout for each account.
    AccountLockout,
    /// Both, and a global limit.
    Articles,
    /// A leaky bucket for each address.
    CrowdSec,
    /// Growing waits after failures of an account.
    Keycloak,
    /// Short waits after failures of an account, then a lock for the day.
    Kanidm,
    /// Three failures of a user.
    AutheliaUser,
    /// Three failures of an address.
    AutheliaAddress,
    /// Growing delays for each address.
    Rauthy,
    /// Familiar and unfamiliar lanes.
    Entra,
    /// A step-up wherever device and network are unfamiliar.
    StepUpUnfamiliar,
    /// Guesses weighed by popularity.
    Dalock,
    /// StopGuessing as published.
    StopGuessing,
    /// StopGuessing with the faults of its code fixed.
    StopGuessingMended,
    /// The code that ships, in front of an application with a second factor.
    Doorwarden,
    /// In front of one without: a step-up becomes a denial.
    DoorwardenNoSecondFactor,
    /// Given a list with half of the leaked pairs that attackers have.
    DoorwardenWithLeaks,
    /// Without one signal.
    Without(SignalId),
    /// Without retroaction on logins whose password later turned hot.
    WithoutRetroaction,
    /// On four nodes whose store is unavailable during the attack: own counters, divided limits.
    OutageLocal,
    /// The same, without limits during the outage.
    OutageOpen,
    /// The same, with every login denied.
    OutageClosed,
    /// Limits as a scan measures them; not on the board.
    Plain(PlainLimits),
}

impl DefenceId {
    /// The defences of the board, in its order.
    pub const BOARD: [Self; 18] = [
        Self::None,
        Self::AddressWindow,
        Self::AccountLockout,
        Self::Articles,
        Self::CrowdSec,
        Self::Keycloak,
        Self::Kanidm,
        Self::AutheliaUser,
        Self::AutheliaAddress,
        Self::Rauthy,
        Self::Entra,
        Self::StepUpUnfamiliar,
        Self::Dalock,
        Self::StopGuessing,
        Self::StopGuessingMended,
        Self::Doorwarden,
        Self::DoorwardenNoSecondFactor,
        Self::DoorwardenWithLeaks,
    ];

    /// Doorwarden without one part each.
    pub const ABLATIONS: [Self; 9] = [
        Self::Without(SignalId::Account),
        Self::Without(SignalId::Source),
        Self::Without(SignalId::Heat),
        Self::Without(SignalId::Familiarity),
        Self::Without(SignalId::Standing),
        Self::Without(SignalId::Pressure),
        Self::Without(SignalId::Forgiveness),
        Self::Without(SignalId::Device),
        Self::WithoutRetroaction,
    ];

    /// Doorwarden while its store is unavailable.
    pub const OUTAGES: [Self; 3] = [Self::OutageLocal, Self::OutageOpen, Self::OutageClosed];

    /// Returns its name on the board and on the command line.
    pub fn name(self) -> String {
        match self {
            Self::None => "D0-none".into(),
            Self::AddressWindow => "D1-address-window".into(),
            Self::AccountLockout => "D2-account-lockout".into(),
            Self::Articles => "D3-articles".into(),
            Self::CrowdSec => "D4-crowdsec".into(),
            Self::Keycloak => "D5-keycloak".into(),
            Self::Kanidm => "D6-kanidm".into(),
            Self::AutheliaUser => "D7-authelia-user".into(),
            Self::AutheliaAddress => "D7-authelia-address".into(),
            Self::Rauthy => "D8-rauthy".into(),
            Self::Entra => "D9-two-lanes".into(),
            Self::StepUpUnfamiliar => "D9b-step-up-unfamiliar".into(),
            Self::Dalock => "D10-dalock".into(),
            Self::StopGuessing => "D11-stopguessing".into(),
            Self::StopGuessingMended => "D11-stopguessing-fixed".into(),
            Self::Doorwarden => "D12-doorwarden".into(),
            Self::DoorwardenNoSecondFactor => "D12-no-second-factor".into(),
            Self::DoorwardenWithLeaks => "D12-with-leaks".into(),
            Self::Without(signal) => format!("D12-without-{}", signal.name()),
            Self::WithoutRetroaction => "D12-without-retroaction".into(),
            Self::OutageLocal => "D12-outage-local".into(),
            Self::OutageOpen => "D12-outage-danger-open".into(),
            Self::OutageClosed => "D12-outage-closed".into(),
            Self::Plain(limits) => format!("plain {limits:?}"),
        }
    }

    /// Returns the defence with this name.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::all();
        all.find(|id| id.name() == name)
    }

    /// Returns all named defences.
    pub fn all() -> impl Iterator<Item = Self> {
        let others = Self::ABLATIONS.into_iter().chain(Self::OUTAGES);
        Self::BOARD.into_iter().chain(others)
    }

    /// Returns whether it is a variant of Doorwarden.
    pub fn is_ours(self) -> bool {
        self.name().starts_with("D12")
    }

    /// `attack` is when the attack begins.
    pub(crate) fn build(self, seed: u64, attack: u64) -> Box<dyn Defence> {
        use doorwarden::{Away, Doorwarden};
        match self {
            Self::None => Box::new(none::None),
            Self::AddressWindow => Box::<address_window::AddressWindow>::default(),
            Self::AccountLockout => Box::<account_lockout::AccountLockout>::default(),
            Self::Articles => Box::<articles::Articles>::default(),
            Self::CrowdSec => Box::<crowdsec::CrowdSec>::default(),
            Self::Keycloak => Box::<keycloak::Keycloak>::default(),
            Self::Kanidm => Box::<kanidm::Kanidm>::default(),
            Self::AutheliaUser => Box::new(authelia::Authelia::by_user()),
            Self::AutheliaAddress => Box::new(authelia::Authelia::by_address()),
            Self::Rauthy => Box::<rauthy::Rauthy>::default(),
            Self::Entra => Box::<entra::Entra>::default(),
            Self::StepUpUnfamiliar => Box::<step_up_unfamiliar::StepUpUnfamiliar>::default(),
            Self::Dalock => Box::<dalock::Dalock>::default(),
            Self::StopGuessing => Box::new(stop_guessing::StopGuessing::as_coded(seed)),
            Self::StopGuessingMended => Box::new(stop_guessing::StopGuessing::mended(seed)),
            Self::Doorwarden => Box::new(Doorwarden::new(seed)),
            Self::DoorwardenNoSecondFactor => Box::new(Doorwarden::new(seed).no_second_factor()),
            Self::DoorwardenWithLeaks => Box::new(Doorwarden::new(seed).with_leaks()),
            Self::Without(signal) => Box::new(Doorwarden::new(seed).without(signal)),
            Self::WithoutRetroaction => Box::new(Doorwarden::new(seed).without_retroaction()),
            Self::OutageLocal => Box::new(Doorwarden::new(seed).away(attack, Away::Local)),
            Self::OutageOpen => Box::new(Doorwarden::new(seed).away(attack, Away::Open)),
            Self::OutageClosed => Box::new(Doorwarden::new(seed).away(attack, Away::Closed)),
            Self::Plain(limits) => Box::new(plain::Plain::new(limits)),
        }
    }
}

/// Counts in fixed windows: what most limiters are.
#[derive(Debug, Default)]
struct FixedWindow<K>(std::collections::HashMap<K, (u64, u32)>);

impl<K: std::hash::Hash + Eq> FixedWindow<K> {
    /// Adds to the count of the window that `now` is in, and gives it.
    fn add(&mut self, key: K, n: u32, window: u64, now: u64) -> u32 {
        let entry = self.0.entry(key).or_default();
        if entry.0 != now / window {
            *entry = (now / window, 0);
        }
        entry.1 += n;
        entry.1
    }

    /// The count of the window that `now` is in.
    fn count(&self, key: &K, window: u64, now: u64) -> u32 {
        let entry = self.0.get(key).filter(|(of, _)| *of == now / window);
        entry.map_or(0, |(_, count)| *count)
    }

    /// How long until the window ends.
    fn left(window: u64, now: u64) -> u64 {
        window - now % window
    }
}
