//! Who attacks whom, how, and for how long. Numbers of guesses follow the number of accounts, so
//! that shares hold at any size.

use crate::{
    DAY, HOUR, MINUTE, SECOND,
    attackers::{
        Addresses, Attacker, Flood, Knowing, Lockout, Order, Parallel, REGIONAL, Spray, Stuffing,
        Tweaks,
    },
    passwords::Choice,
    people::CAMPUS,
};

/// A situation that defences are put in.
pub struct Scenario {
    /// S0 to S16.
    pub id: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// What happens, with its numbers.
    pub what: &'static str,
    /// How long the attack goes on, in milliseconds.
    pub length: u64,
    pub(crate) setup: fn(accounts: u32, seed: u64) -> Cast,
}

/// The world around the attack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) choice: Choice,
    /// Of people, how many chose one of twenty passwords that no list has.
    pub(crate) private: f64,
    /// Of people, how many have a robot with a stale password.
    pub(crate) robots: f64,
    /// Of people, how many are at a campus with one address.
    pub(crate) campus: f64,
    /// How long verifying takes, in milliseconds, and how many can be at once; `None` for any.
    pub(crate) latency: u64,
    pub(crate) slots: Option<usize>,
    /// Of people, how many still use a pair that has leaked.
    pub(crate) leaked: f64,
    /// Accounts that are the attacker's own.
    pub(crate) own_accounts: u32,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            choice: Choice { banned: 0 },
            private: 0.0,
            robots: 0.003,
            campus: 0.0,
            latency: 0,
            slots: None,
            leaked: 0.015,
            own_accounts: 0,
        }
    }
}

/// The world and who attacks in it.
pub(crate) type Cast = (Setup, Vec<Box<dyn Attacker>>);

/// One guess an address, mostly: a botnet.
const ONE_GUESS: Addresses = Addresses::Botnet {
    guesses: 1,
    churn: 0.0,
    regional: REGIONAL,
};

/// One or two guesses an address, three in ten given up early.
const TWO_GUESSES: Addresses = Addresses::Botnet {
    guesses: 2,
    churn: 0.3,
    regional: REGIONAL,
};

fn alone(attacker: impl Attacker + 'static) -> Cast {
    (Setup::default(), vec![Box::new(attacker)])
}

/// So many guesses spread evenly over a time.
fn pace(guesses: u64, over: u64) -> u64 {
    (over / guesses.max(1)).max(1)
}

/// Guesses that stand beside a week's honest logins as in StopGuessing's experiment: half of all.
fn weekly(accounts: u32) -> u64 {
    u64::from(accounts) * 20
}

/// All scenarios, in the board's order.
pub static SCENARIOS: [Scenario; 18] = [
    Scenario {
        id: "S0",
        title: "a quiet week",
        what: "Nobody attacks. What is measured is harm alone.",
        length: 7 * DAY,
        setup: |_, _| (Setup::default(), Vec::new()),
    },
    Scenario {
        id: "S1",
        title: "StopGuessing's setting",
        what: "A week of 20 guesses an account from addresses of 100 guesses each. Each seed plays one of \
               18 configurations: breadth first, by popularity, or 25 accounts a password; the top 0, 100 or \
               10,000 passwords banned; one in twenty or one in five addresses in people's networks. The code of \
               StopGuessing that could be read has 8 of them; the other combinations of its values are ours.",
        length: 7 * DAY,
        setup: |accounts, seed| stop_guessing(accounts, seed, 100, 0.0),
    },
    Scenario {
        id: "S2",
        title: "one or two guesses an address",
        what: "The same 18 configurations with two guesses an address, 30 % of addresses given up after one.",
        length: 7 * DAY,
        setup: |accounts, seed| stop_guessing(accounts, seed, 2, 0.3),
    },
    Scenario {
        id: "S3",
        title: "low and slow",
        what: "One password a day over all accounts, every guess from another address, for 30 days.",
        length: 30 * DAY,
        setup: |accounts, _| {
            let guesses = u64::from(accounts) * 30;
            let choice = Choice { banned: 0 };
            let spray = Spray::new(
                Order::BreadthFirst,
                choice,
                ONE_GUESS,
                guesses,
                pace(guesses, 30 * DAY),
            );
            alone(spray)
        },
    },
    Scenario {
        id: "S4",
        title: "below every threshold",
        what: "Four accounts a password and day, one guess an address, down the list of popular passwords.",
        length: 7 * DAY,
        setup: |accounts, _| {
            let (order, choice) = (Order::Under { accounts: 4 }, Choice { banned: 0 });
            let guesses = weekly(accounts);
            alone(Spray::new(
                order,
                choice,
                ONE_GUESS,
                guesses,
                pace(guesses, 7 * DAY),
            ))
        },
    },
    Scenario {
        id: "S5",
        title: "company and season",
        what: "One in a hundred people has one of twenty passwords that no list has; the attacker tries those, \
               one over all accounts, one guess an address.",
        length: 7 * DAY,
        setup: |accounts, _| {
            let (order, choice) = (Order::Private { passwords: 20 }, Choice { banned: 100 });
            let guesses = weekly(accounts);
            let spray = Spray::new(order, choice, ONE_GUESS, guesses, pace(guesses, 7 * DAY));
            let setup = Setup {
                choice,
                private: 0.01,
                ..Setup::default()
            };
            (setup, vec![Box::new(spray)])
        },
    },
    Scenario {
        id: "S6",
        title: "credential stuffing",
        what: "Leaked pairs, one an address, 60 % of names unknown. Each seed plays one of six: 34 or 80 % of \
               traffic, 0.1, 0.5 or 2 % of pairs right, of the three people in ten whose pair has leaked. No defence but the \
               one that says so has a list of leaked pairs.",
        length: 7 * DAY,
        setup: |accounts, seed| {
            // People make about 0.9 attempts a day; 34 and 80 % of traffic are half and four times that.
            let week = u64::from(accounts) * 63 / 10;
            let pairs = if seed.is_multiple_of(2) {
                week / 2
            } else {
                week * 4
            };
            let valid = [0.001, 0.005, 0.02][(seed / 2 % 3) as usize];
            let stuffing = Stuffing::new(ONE_GUESS, pairs, pace(pairs, 7 * DAY), valid, 0.6);
            let setup = Setup {
                leaked: 0.3,
                ..Setup::default()
            };
            (setup, vec![Box::new(stuffing)])
        },
    },
    Scenario {
        id: "S7",
        title: "tweaked passwords",
        what: "Ten variants of each account's leaked password, one an address; for six in a hundred accounts \
               one of them is right.",
        length: 7 * DAY,
        setup: |accounts, _| {
            let guesses = u64::from(accounts) * 10;
            alone(Tweaks::new(ONE_GUESS, pace(guesses, 7 * DAY)))
        },
    },
    Scenario {
        id: "S8",
        title: "lockout as denial of service",
        what: "Wrong guesses on every account, 24 an hour each, for six hours, one an address.",
        length: 6 * HOUR,
        setup: |accounts, _| {
            let guesses = u64::from(accounts) * 24 * 6;
            alone(Lockout::new(
                ONE_GUESS,
                accounts,
                guesses,
                pace(guesses, 6 * HOUR),
            ))
        },
    },
    Scenario {
        id: "S9",
        title: "one host with a prefix",
        what: "One host sprays and takes a new IPv6 address for each guess: from its /64, or its /48, by seed.",
        length: 7 * DAY,
        setup: |accounts, seed| {
            let addresses = Addresses::Prefix {
                bits: if seed.is_multiple_of(2) { 64 } else { 48 },
            };
            let guesses = weekly(accounts);
            let choice = Choice { banned: 0 };
            alone(Spray::new(
                Order::BreadthFirst,
                choice,
                addresses,
                guesses,
                pace(guesses, 7 * DAY),
            ))
        },
    },
    Scenario {
        id: "S10",
        title: "a robot on the campus",
        what: "Half of the people are at a campus with one address; a machine there sprays one guess a minute.",
        length: 7 * DAY,
        setup: |_, _| {
            let addresses = Addresses::Fixed(CAMPUS);
            let guesses = 7 * DAY / MINUTE;
            let choice = Choice { banned: 0 };
            let spray = Spray::new(Order::BreadthFirst, choice, addresses, guesses, MINUTE);
            (
                Setup {
                    campus: 0.5,
                    ..Setup::default()
                },
                vec![Box::new(spray)],
            )
        },
    },
    Scenario {
        id: "S10-control",
        title: "the campus without its robot",
        what: "The same people, nobody attacks: what the robot's harm is compared with.",
        length: 7 * DAY,
        setup: |_, _| {
            (
                Setup {
                    campus: 0.5,
                    ..Setup::default()
                },
                Vec::new(),
            )
        },
    },
    Scenario {
        id: "S11",
        title: "washing",
        what: "A spray of 20 guesses an address that logs in to one of twenty own accounts after every third.",
        length: 7 * DAY,
        setup: |accounts, _| {
            let addresses = Addresses::Botnet {
                guesses: 20,
                churn: 0.0,
                regional: REGIONAL,
            };
            let (guesses, choice) = (weekly(accounts), Choice { banned: 0 });
            let mut spray = Spray::new(
                Order::BreadthFirst,
                choice,
                addresses,
                guesses,
                pace(guesses, 7 * DAY),
            );
            spray.own_accounts = 20;
            (
                Setup {
                    own_accounts: 20,
                    ..Setup::default()
                },
                vec![Box::new(spray)],
            )
        },
    },
    Scenario {
        id: "S12",
        title: "robots with stale passwords",
        what: "One in twenty people has a program that tries an old password every half hour; beside it, the \
               spray of S2.",
        length: 7 * DAY,
        setup: |accounts, _| {
            let (guesses, choice) = (weekly(accounts), Choice { banned: 0 });
            let spray = Spray::new(
                Order::BreadthFirst,
                choice,
                TWO_GUESSES,
                guesses,
                pace(guesses, 7 * DAY),
            );
            (
                Setup {
                    robots: 0.05,
                    ..Setup::default()
                },
                vec![Box::new(spray)],
            )
        },
    },
    Scenario {
        id: "S13",
        title: "two hundred at once",
        what: "200 parallel guesses at an account, before the first is answered, at one account a minute in ten; \
               one guess an address, 100 ms for each verification.",
        length: DAY,
        setup: |accounts, _| {
            let setup = Setup {
                latency: 100,
                ..Setup::default()
            };
            (
                setup,
                vec![Box::new(Parallel::new(ONE_GUESS, u64::from(accounts) / 10))],
            )
        },
    },
    Scenario {
        id: "S14",
        title: "a flood to exhaust hashing",
        what: "500 attempts a second at invented names, where four can be verified at once and each takes \
               100 ms: twelve times the capacity, for ten minutes, one guess an address.",
        length: 10 * MINUTE,
        setup: |_, _| {
            let setup = Setup {
                latency: 100,
                slots: Some(4),
                ..Setup::default()
            };
            (
                setup,
                vec![Box::new(Flood::new(ONE_GUESS, 600 * 500, SECOND / 500))],
            )
        },
    },
    Scenario {
        id: "S15",
        title: "the store away",
        what: "The burst of S13 at an account every minute, while the store that four nodes share is away for \
               the first six hours. Only Doorwarden is told of it; for the rivals it is S13.",
        length: 12 * HOUR,
        setup: |accounts, _| {
            let setup = Setup {
                latency: 100,
                ..Setup::default()
            };
            (
                setup,
                vec![Box::new(Parallel::new(ONE_GUESS, u64::from(accounts)))],
            )
        },
    },
    Scenario {
        id: "S16",
        title: "an attacker who has read this",
        what: "Guesses from the people's own networks only, vouches for each with three logins to fifty own \
               accounts, stays at five accounts a password and day, and heats the passwords from place 200 to 219 \
               to hurt those who have them.",
        length: 7 * DAY,
        setup: |accounts, _| {
            let guesses = weekly(accounts);
            let choice = Choice { banned: 0 };
            let knowing = Knowing::new(choice, guesses, pace(guesses, 7 * DAY), 50);
            (
                Setup {
                    own_accounts: 50,
                    ..Setup::default()
                },
                vec![Box::new(knowing)],
            )
        },
    },
];

impl Scenario {
    /// The scenario with this id.
    pub fn named(id: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.id == id)
    }
}

fn stop_guessing(accounts: u32, seed: u64, guesses_an_address: u32, churn: f64) -> Cast {
    let order = match seed % 3 {
        0 => Order::BreadthFirst,
        1 => Order::Weighted,
        _ => Order::Under { accounts: 25 },
    };
    let banned = [0, 100, 10_000][(seed / 3 % 3) as usize];
    let choice = Choice { banned };
    let regional = if (seed / 9).is_multiple_of(2) {
        0.05
    } else {
        0.2
    };
    let addresses = Addresses::Botnet {
        guesses: guesses_an_address,
        churn,
        regional,
    };
    let guesses = weekly(accounts);
    let spray = Spray::new(order, choice, addresses, guesses, pace(guesses, 7 * DAY));
    (
        Setup {
            choice,
            ..Setup::default()
        },
        vec![Box::new(spray)],
    )
}
