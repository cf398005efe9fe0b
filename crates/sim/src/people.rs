//! Legitimate users: what they have, and how they log in.
//!
//! Parameters, with where they come from: 10 to 30 % of logins come from a new address (carrier
//! NAT), 5 to 10 % of device tokens are lost, 3 to 5 % of passwords are mistyped; a few robots
//! keep an old password. How often users log in is log-normal, as in StopGuessing's simulator.

use std::net::{IpAddr, Ipv4Addr};

use rand::RngExt;
use rand_distr::{Distribution, LogNormal};

use crate::{
    DAY, Rng, SECOND,
    defences::{Action, Try},
    passwords::{Choice, Password},
};

/// Logins per day of the median user, the spread, and the range.
const MEDIAN_RATE: f64 = 0.5;
const SPREAD: f64 = 1.0;
const RATES: std::ops::RangeInclusive<f64> = 0.03..=12.0;

/// The places from which users log in; the rest is at home.
const FROM_CARRIER: f64 = 0.17;
const FROM_WORK: f64 = 0.06;
const FROM_NEW: f64 = 0.03;

/// How often a device's token is lost before a login.
const TOKEN_LOST: f64 = 0.06;

/// A laptop at home and on the campus, a telephone, a machine at work.
const DEVICES: usize = 3;
const LAPTOP: usize = 0;
const PHONE: usize = 1;
const OFFICE: usize = 2;

/// How often a password is wrong at first, and again after it was; how often it is another of the
/// person's own passwords instead of a typo.
const WRONG: f64 = 0.04;
const WRONG_AGAIN: f64 = 0.25;
const OTHER_PASSWORD: f64 = 0.3;

/// The attempts before a user gives up, and the pause between two.
const TRIES: u8 = 5;
const THINKS: u64 = 8 * SECOND;

/// Denied users come back half of the time, if the wait is not longer than this.
const PATIENCE: u64 = 20 * 60 * SECOND;

/// The /24 networks of the homes, about one for each of a thousand users; colleagues share an office,
/// and carriers put all their users behind a few addresses.
const REGION: u32 = 1_024;

/// How often a home's provider has given it another address since the last login.
const NEW_HOME_ADDRESS: f64 = 0.02;
const COLLEAGUES: u32 = 25;
const CARRIERS: u32 = 3;
const CARRIER_NETWORKS: u32 = 8;
const CARRIER_ADDRESSES: u32 = 16;

/// Parts of the address space: 16 /8 networks that nothing else uses.
const REGION_BASE: u32 = 20 << 24;
const OFFICE_BASE: u32 = 40 << 24;
const CARRIER_BASE: u32 = 60 << 24;

/// A legitimate user with an account.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) password: Password,
    other: Password,
    /// Logins per day.
    pub(crate) rate: f64,
    home: u32,
    /// Whether each of the person's devices has the token of this account.
    tokens: [bool; DEVICES],
    /// Whether this name and password have leaked.
    pub(crate) leaked: bool,
    /// Of logins, how many come from a campus's one address.
    pub(crate) on_campus: f64,
    session: Option<Session>,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    address: IpAddr,
    device: usize,
    tries: u8,
    wrong: bool,
    /// The device has the token of this account.
    token: Option<u64>,
}

/// The one address of a campus.
pub(crate) const CAMPUS: IpAddr = IpAddr::V4(Ipv4Addr::new(50, 0, 0, 1));

/// The time of the next attempt.
pub(crate) type Later = u64;

impl Person {
    pub(crate) fn new(choice: Choice, rng: &mut Rng) -> Self {
        let rates = LogNormal::new(MEDIAN_RATE.ln(), SPREAD);
        let rate = rates.map_or(MEDIAN_RATE, |rates| rates.sample(rng));
        Self {
            password: choice.draw(rng),
            other: choice.draw(rng),
            rate: rate.clamp(*RATES.start(), *RATES.end()),
            home: REGION_BASE + rng.random_range(0..REGION * 256),
            tokens: [false; DEVICES],
            leaked: false,
            on_campus: 0.0,
            session: None,
        }
    }

    /// The next attempt: a new login, or another try.
    pub(crate) fn attempt(&mut self, account: u32, rng: &mut Rng) -> Try {
        let mut session = match self.session {
            Some(session) => session,
            None => self.begin(account, rng),
        };
        let wrong = if session.wrong { WRONG_AGAIN } else { WRONG };
        session.wrong = rng.random_bool(wrong);
        session.tries += 1;
        self.session = Some(session);
        let password = match (session.wrong, rng.random_bool(OTHER_PASSWORD)) {
            (false, _) => self.password,
            (true, true) if self.other != self.password => self.other,
            // Three typos for each person.
            (true, _) => Password::private(u64::from(account) * 4 + rng.random_range(0..3)),
        };
        Try {
            name: account.into(),
            exists: true,
            password,
            right: password == self.password,
            address: session.address,
            device: session.token,
            hostile: false,
            leaked: self.leaked && password == self.password,
            load: 0.0,
        }
    }

    fn begin(&mut self, account: u32, rng: &mut Rng) -> Session {
        let (address, device) = self.place(account, rng);
        if rng.random_bool(TOKEN_LOST) {
            self.tokens[device] = false;
        }
        Session {
            address,
            device,
            tries: 0,
            wrong: false,
            token: self.tokens[device].then_some((u64::from(account) << 8) | (device as u64 + 1)),
        }
    }

    /// From where, and on which device.
    fn place(&mut self, account: u32, rng: &mut Rng) -> (IpAddr, usize) {
        if rng.random_bool(self.on_campus) {
            return (CAMPUS, LAPTOP);
        }
        if rng.random_bool(NEW_HOME_ADDRESS) {
            self.home = REGION_BASE + rng.random_range(0..REGION * 256);
        }
        let drawn: f64 = rng.random();
        let (address, device) = if drawn < FROM_CARRIER {
            let carrier = account % CARRIERS;
            let network = carrier * CARRIER_NETWORKS + rng.random_range(0..CARRIER_NETWORKS);
            let host = rng.random_range(0..CARRIER_ADDRESSES);
            (CARRIER_BASE + network * 256 + host, PHONE)
        } else if drawn < FROM_CARRIER + FROM_WORK {
            (OFFICE_BASE + account / COLLEAGUES * 256, OFFICE)
        } else if drawn < FROM_CARRIER + FROM_WORK + FROM_NEW {
            (anywhere(0.5, rng), [LAPTOP, PHONE][rng.random_range(0..2)])
        } else {
            (self.home, LAPTOP)
        };
        (IpAddr::V4(Ipv4Addr::from_bits(address)), device)
    }

    /// Reacts to a response; returns the time of the next attempt.
    pub(crate) fn told(&mut self, right: bool, action: Action, now: u64, rng: &mut Rng) -> Later {
        let tries = self.session.map_or(0, |session| session.tries);
        let again = match action {
            Action::Deny { retry }
                if tries < TRIES && retry <= PATIENCE && rng.random_bool(0.5) =>
            {
                Some(retry.max(THINKS))
            }
            Action::Deny { .. } => None,
            // They see a failed login, and try again until they give up.
            Action::Silent if tries < TRIES => Some(THINKS),
            Action::Silent => None,
            Action::Allow | Action::Delay { .. } if right => {
                if let Some(session) = self.session {
                    self.tokens[session.device] = true;
                }
                None
            }
            Action::StepUp if right => None,
            _ if tries < TRIES => Some(THINKS),
            _ => None,
        };
        match again {
            Some(wait) => now + wait,
            None => {
                self.session = None;
                self.next_login(now, rng)
            }
        }
    }

    /// The moment of the next login: logins come independently of each other.
    pub(crate) fn next_login(&self, now: u64, rng: &mut Rng) -> Later {
        let days = -(1.0 - rng.random::<f64>()).ln() / self.rate;
        now + ((days * DAY as f64) as u64).max(1)
    }

    /// The next attempt of a program with this user's old password.
    pub(crate) fn robot(&self, account: u32) -> Try {
        Try {
            name: account.into(),
            exists: true,
            password: Password::private(u64::from(account) * 4 + 3),
            right: false,
            address: IpAddr::V4(Ipv4Addr::from_bits(self.home)),
            device: None,
            hostile: false,
            leaked: false,
            load: 0.0,
        }
    }
}

/// Draws an IPv4 address: with odds of `regional` in users' networks, two thirds of those in home
/// networks and the rest behind carriers. Such proxies cost extra.
pub(crate) fn anywhere(regional: f64, rng: &mut Rng) -> u32 {
    if rng.random_bool(regional) {
        if rng.random_ratio(2, 3) {
            REGION_BASE + rng.random_range(0..REGION * 256)
        } else {
            let network = rng.random_range(0..CARRIERS * CARRIER_NETWORKS);
            CARRIER_BASE + network * 256 + rng.random_range(0..CARRIER_ADDRESSES)
        }
    } else {
        // 100.0.0.0 to 219.255.255.255: outside of all users' networks.
        (100 << 24) + rng.random_range(0..120 << 24)
    }
}
