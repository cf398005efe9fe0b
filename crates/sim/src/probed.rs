//! What a scan would measure of a defence, with the scanner's three arms on a virtual clock; and how many
//! accounts the attacker of the score compromises behind the same defence, to compare the two.

use std::net::{IpAddr, Ipv4Addr};

use crate::{
    DAY, DefenceId, Scenario,
    attackers::Patient,
    defences::{Action, Try},
    passwords::{Choice, Password},
    scenarios::Setup,
    world::play,
};

/// A limit as a scan measures it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Met {
    /// The failures that get through.
    pub most: u32,
    /// The seconds until a retry is worthwhile, if the defence reports them.
    pub retry_after: Option<u64>,
}

/// The limits that a scan would measure; `None` without a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Probed {
    /// The limit of one account, from fresh addresses.
    pub account: Option<Met>,
    /// The limit of one address, with fresh names.
    pub address: Option<Met>,
    /// The limit of one password, on fresh accounts from fresh addresses.
    pub password: Option<Met>,
}

/// As many failures as the scanner makes in each arm, and 5 requests per second.
const ACCOUNT_FAILURES: u32 = 12;
const ADDRESS_FAILURES: u32 = 26;
const SPRAYED: u32 = 12;
const PAUSE: u64 = 200;

/// A wait that the scanner takes for a refusal, in milliseconds.
const LONG: u64 = 1_000;

const NOW: u64 = 1_700_006_400_000;

/// Probes a defence as a scan does.
pub fn probe(defence: DefenceId) -> Probed {
    let arm = |failures: u32, attempt: fn(u32) -> Try| {
        let mut defence = defence.build(0, NOW);
        let mut now = NOW;
        for number in 0..failures {
            now += PAUSE;
            let attempt = attempt(number);
            let answer = defence.begin(&attempt, now);
            let retry_after = match answer.action {
                Action::Deny { retry } => Some(retry.div_ceil(1_000)),
                Action::Delay { wait } if wait > LONG => Some(wait.div_ceil(1_000)),
                Action::Silent | Action::StepUp => None,
                Action::Allow | Action::Delay { .. } => {
                    defence.end(&attempt, &answer, Some(false), now);
                    continue;
                }
            };
            defence.end(&attempt, &answer, None, now);
            return Some(Met {
                most: number,
                retry_after,
            });
        }
        None
    };
    Probed {
        account: arm(ACCOUNT_FAILURES, |number| attempt(0, number, number)),
        address: arm(ADDRESS_FAILURES, |number| attempt(number, 0, number)),
        password: arm(SPRAYED, |number| attempt(number, number, 0)),
    }
}

/// An incorrect password of this number for an account of this number from an address of this number.
fn attempt(account: u32, address: u32, password: u32) -> Try {
    Try {
        name: account.into(),
        exists: true,
        // Far down the list, as the scanner's random ones are.
        password: Password::private((1 << 37) + u64::from(password)),
        right: false,
        address: IpAddr::V4(Ipv4Addr::from_bits(0xC612_0000 + (address << 8))),
        device: None,
        hostile: false,
        leaked: false,
        load: 0.0,
    }
}

/// Guesses per account that the attacker makes in its day, including denied ones.
const GUESSES: u64 = 1_500;

static DAY_OF_GUESSING: Scenario = Scenario {
    id: "score",
    title: "the attacker of the score",
    what: "One day, one address per ten accounts, at most 1,500 guesses per account, by popularity.",
    length: DAY,
    setup: |accounts, _| {
        let choice = Choice { banned: 0 };
        let pace = (DAY / (u64::from(accounts) * GUESSES)).max(1);
        let setup = Setup {
            choice,
            ..Setup::default()
        };
        (setup, vec![Box::new(Patient::new(choice, accounts, pace))])
    },
};

/// Returns how many of 10,000 accounts the attacker of the score compromises in a day behind a defence.
pub fn taken_in_a_day(defence: DefenceId, accounts: u32, seed: u64) -> f64 {
    play(&DAY_OF_GUESSING, defence, accounts, seed).taken_in(DAY)
}
