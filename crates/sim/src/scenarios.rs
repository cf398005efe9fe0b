//! The attacks. The number of guesses follows the number of accounts, so that shares hold at any size.

use crate::{
    DAY, HOUR, MINUTE, SECOND,
    attackers::{
        Addresses, Attacker, Flood, Knowing, Lockout, Order, Parallel, REGIONAL, Spray, Stuffing,
        Tweaks,
    },
    passwords::Choice,
    people::CAMPUS,
};

/// An attack, or a situation without one, that defences are tested in.
pub struct Scenario {
    /// S0 to S16.
    pub id: &'static str,
    /// A short title.
    pub title: &'static str,
    /// What happens, with the numbers.
    pub what: &'static str,
    /// The length of the attack in milliseconds.
    pub length: u64,
    pub(crate) setup: fn(accounts: u32, seed: u64) -> Cast,
}

/// The world around the attack.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) choice: Choice,
    /// The share of users who chose one of twenty passwords that are in no list.
    pub(crate) private: f64,
    /// The share of users with a program that has an old password.
    pub(crate) robots: f64,
    /// The share of users on a campus with a single address.
    pub(crate) campus: f64,
    /// How long a verification takes, in milliseconds, and how many can run at once; `None` for any.
    pub(crate) latency: u64,
    pub(crate) slots: Option<usize>,
    /// The share of users who still use a leaked pair.
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

/// One guess per address: a botnet.
const ONE_GUESS: Addresses = Addresses::Botnet {
    guesses: 1,
    churn: 0.0,
    regional: REGIONAL,
};

/// One or two guesses per address; three in ten are given up early.
const TWO_GUESSES: Addresses = Addresses::Botnet {
    guesses: 2,
    churn: 0.3,
    regional: REGIONAL,
};

fn alone(attacker: impl Attacker + 'static) -> Cast {
    (Setup::default(), vec![Box::new(attacker)])
}

/// Returns the pace that spreads `guesses` evenly over a time.
fn pace(guesses: u64, over: u64) -> u64 {
    (over / guesses.max(1)).max(1)
}

/// Returns the guesses of a week in the proportion of StopGuessing's experiment: half of all attempts.
fn weekly(accounts: u32) -> u64 {
    u64::from(accounts) * 20
}

/// All scenarios, in the board's order.
pub static SCENARIOS: [Scenario; 18] = [
    Scenario {
        id: "S0",
        title: "a quiet week",
        what: "No attack. Measures only how legitimate users are affected.",
        length: 7 * DAY,
        setup: |_, _| (Setup::default(), Vec::new()),
    },
    Scenario {
        id: "S1",
        title: "StopGuessing's setting",
        what: "A week with 20 guesses per account, from addresses that make 100 guesses each. Each seed plays \
               one of 18 configurations: breadth first, by popularity, or 25 accounts per password; the top 0, 100 \
               or 10,000 passwords banned; one in twenty or one in five addresses in users' networks. The available \
               code of StopGuessing has 8 of them; the other combinations of its values are ours.",
        length: 7 * DAY,
        setup: |accounts, seed| stop_guessing(accounts, seed, 100, 0.0),
    },
    Scenario {
        id: "S2",
        title: "one or two guesses per address",
        what: "The same 18 configurations with two guesses per address; 30 % of the addresses are given up after one.",
        length: 7 * DAY,
        setup: |accounts, seed| stop_guessing(accounts, seed, 2, 0.3),
    },
    Scenario {
        id: "S3",
        title: "low and slow",
        what: "One password per day over all accounts, each guess from a different address, for 30 days.",
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
        what: "Four accounts per password and day, one guess per address, down the list of popular passwords.",
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
        title: "company and season passwords",
        what: "One in a hundred users has one of twenty passwords that are in no list. The attacker tries them, one \
               after the other over all accounts, with one guess per address.",
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
        what: "Leaked pairs, one per address; 60 % of the names do not exist. Each seed plays one of six \
               configurations: 34 or 80 % of the traffic; 0.1, 0.5 or 2 % of the pairs valid, those of the three users \
               in ten whose pair has leaked. Only D12-with-leaks has a list of leaked pairs.",
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
        what: "Ten variants of each account's leaked password, one guess per address. For six in a hundred \
               accounts, one of the variants is correct.",
        length: 7 * DAY,
        setup: |accounts, _| {
            let guesses = u64::from(accounts) * 10;
            alone(Tweaks::new(ONE_GUESS, pace(guesses, 7 * DAY)))
        },
    },
    Scenario {
        id: "S8",
        title: "lockout as denial of service",
        what: "Incorrect guesses at every account, 24 per hour each, for six hours, one guess per address.",
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
        title: "one host with an IPv6 prefix",
        what: "One host sprays, with a new IPv6 address for each guess: from its /64 or its /48, depending on the seed.",
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
        title: "an attacker on the campus",
        what: "Half of the users are on a campus with a single address, from which a machine sprays one guess per minute.",
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
        title: "the campus without the attacker",
        what: "The same users without an attack, for comparison with S10.",
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
        title: "resetting counters with own accounts",
        what: "A spray with 20 guesses per address that logs in to one of twenty accounts of its own after every third \
               guess.",
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
        title: "programs with old passwords",
        what: "One in twenty users has a program that tries an old password every half hour; in addition, the spray \
               of S2.",
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
        title: "two hundred guesses at once",
        what: "200 parallel guesses at an account before the first response, at one account per minute, for a tenth of \
               the accounts; one guess per address, 100 ms per verification.",
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
        what: "500 attempts per second with invented names, where four can be verified at once and each takes \
               100 ms: twelve times the capacity, for ten minutes, one guess per address.",
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
        title: "the store unavailable",
        what: "The burst of S13 at one account per minute, while the store shared by four nodes is unavailable for the \
               first six hours. The outage affects only Doorwarden; for its rivals this is like S13.",
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
        title: "an attacker who knows the algorithm",
        what: "Guesses only from users' own networks, vouches for each network with three logins to fifty accounts of \
               its own, stays at five accounts per password and day, and makes the passwords ranked 200 to 219 hot to \
               affect the users who have them.",
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
    /// Returns the scenario with this id.
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
