//! The clock: users and attackers act, see the result, and act again.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
};

use doorwarden_decision::SourceKey;
use rand::{RngExt, SeedableRng};

use crate::{
    DAY, DefenceId, EPOCH, MINUTE, Measured, Rng, Scenario,
    attackers::{Attacker, Victims},
    defences::{Action, Answer, Defence, Try},
    passwords::Password,
    people::Person,
    scenarios::Setup,
};

/// How long users log in before anything is measured, so that defences know them.
const WARM_UP: u64 = 10 * DAY;

/// How often a program with an old password tries.
const ROBOT_EVERY: u64 = 30 * MINUTE;

/// Runs one world and returns its results. The same arguments give the same result.
pub fn play(scenario: &Scenario, defence: DefenceId, accounts: u32, seed: u64) -> Measured {
    let attack = EPOCH + WARM_UP;
    let end = attack + scenario.length;
    let mut world = World::new(scenario, defence, accounts, seed, attack);
    while let Some(Reverse((now, _, event))) = world.events.pop() {
        if now >= end {
            break;
        }
        world.now = now;
        match event {
            Event::Person(person) => world.person(person),
            Event::Robot(person) => world.robot(person),
            Event::Attacker(attacker) => world.attacker(attacker),
            Event::End(pending) => world.ended(pending),
        }
    }
    world.measured.end();
    world.measured
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Person(u32),
    Robot(u32),
    Attacker(usize),
    End(usize),
}

/// Who made an attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Person(u32),
    Robot,
    Attacker(usize),
}

struct World {
    now: u64,
    attack: u64,
    sequence: u64,
    events: BinaryHeap<Reverse<(u64, u64, Event)>>,
    people: Vec<Person>,
    taken: Vec<bool>,
    /// From where an attacker got into an account.
    taken_from: HashMap<u64, u64>,
    attackers: Vec<Box<dyn Attacker>>,
    defence: Box<dyn Defence>,
    setup: Setup,
    pending: Vec<Option<(Try, Answer, By)>>,
    in_flight: usize,
    addresses: HashSet<std::net::IpAddr>,
    measured: Measured,
    /// Users and attackers have separate generators, so that the users of two defences act alike for as
    /// long as they are treated alike.
    people_rng: Rng,
    attackers_rng: Rng,
}

impl World {
    fn new(scenario: &Scenario, defence: DefenceId, accounts: u32, seed: u64, attack: u64) -> Self {
        let (mut setup, attackers) = (scenario.setup)(accounts, seed);
        let mut rng = Rng::seed_from_u64(seed ^ 0x70656f706c65);
        let mut people: Vec<Person> = (0..accounts)
            .map(|_| Person::new(setup.choice, &mut rng))
            .collect();
        for (number, person) in people.iter_mut().enumerate() {
            if rng.random_bool(setup.private) {
                // A company's name and the season: the first are chosen most.
                let place = (rng.random::<f64>().powi(2) * 20.0) as u64;
                person.password = Password::private((1 << 36) + place);
            }
            if (number as f64) < setup.campus * f64::from(accounts) {
                person.on_campus = 0.6;
            }
        }
        for person in &mut people {
            person.leaked = rng.random_bool(setup.leaked);
        }
        setup.own_accounts = setup.own_accounts.min(accounts / 2);
        let honest = accounts - setup.own_accounts;
        let rates: Vec<f64> = people[..honest as usize]
            .iter()
            .map(|person| person.rate)
            .collect();
        let mut world = Self {
            now: EPOCH,
            attack,
            sequence: 0,
            events: BinaryHeap::new(),
            taken: vec![false; people.len()],
            people,
            taken_from: HashMap::new(),
            attackers,
            defence: defence.build(seed, attack),
            setup,
            pending: Vec::new(),
            in_flight: 0,
            addresses: HashSet::new(),
            measured: Measured::new(&rates, scenario.length),
            people_rng: rng,
            attackers_rng: Rng::seed_from_u64(seed ^ 0x61747461636b),
        };
        for person in 0..honest {
            // Nine in ten sign up on the first day, the others at any time.
            let span = if world.people_rng.random_bool(0.9) {
                DAY
            } else {
                WARM_UP + scenario.length
            };
            let first = EPOCH + world.people_rng.random_range(0..span);
            world.at(first, Event::Person(person));
            if world.people_rng.random_bool(world.setup.robots) {
                let first = EPOCH + world.people_rng.random_range(0..ROBOT_EVERY);
                world.at(first, Event::Robot(person));
            }
        }
        for attacker in 0..world.attackers.len() {
            world.at(attack, Event::Attacker(attacker));
        }
        world
    }

    fn at(&mut self, time: u64, event: Event) {
        self.sequence += 1;
        self.events.push(Reverse((time, self.sequence, event)));
    }

    fn person(&mut self, person: u32) {
        let attempt = self.people[person as usize].attempt(person, &mut self.people_rng);
        self.begin(attempt, By::Person(person));
    }

    fn robot(&mut self, person: u32) {
        let attempt = self.people[person as usize].robot(person);
        self.at(self.now + ROBOT_EVERY, Event::Robot(person));
        self.begin(attempt, By::Robot);
    }

    fn attacker(&mut self, attacker: usize) {
        let victims = Victims {
            people: &self.people,
            taken: &self.taken,
        };
        let next = self.attackers[attacker].next(&victims, self.now, &mut self.attackers_rng);
        if let Some((guess, wait)) = next {
            self.at(self.now + wait, Event::Attacker(attacker));
            self.begin(guess, By::Attacker(attacker));
        }
    }

    fn begin(&mut self, mut attempt: Try, by: By) {
        if let Some(slots) = self.setup.slots {
            attempt.load = self.in_flight as f32 / slots as f32;
        }
        let answer = self.defence.begin(&attempt, self.now);
        let place = self.pending.iter().position(Option::is_none);
        let pending = place.unwrap_or_else(|| {
            self.pending.push(None);
            self.pending.len() - 1
        });
        let full = self
            .setup
            .slots
            .is_some_and(|slots| self.in_flight >= slots);
        let denied = matches!(answer.action, Action::Deny { .. });
        let answer = if full && !denied {
            // There is no slot to verify it in: denied, whatever the defence decides.
            let action = Action::Deny {
                retry: 5 * crate::SECOND,
            };
            Answer { action, ..answer }
        } else {
            answer
        };
        // A denial is above every score, for users and attackers alike.
        let lift = if answer.action.refuses() { 1e6 } else { 0.0 };
        let answer = Answer {
            score: answer.score + lift,
            ..answer
        };
        self.measure(&attempt, &answer, by);
        self.pending[pending] = Some((attempt, answer, by));
        if matches!(answer.action, Action::Deny { .. }) {
            self.finish(pending, None);
        } else if self.setup.latency == 0 {
            self.finish(pending, self.compared(&attempt, answer.action));
        } else {
            self.in_flight += 1;
            self.at(self.now + self.setup.latency, Event::End(pending));
        }
    }

    fn ended(&mut self, pending: usize) {
        self.in_flight -= 1;
        let right = self.pending[pending]
            .as_ref()
            .and_then(|(attempt, answer, _)| self.compared(attempt, answer.action));
        self.finish(pending, right);
    }

    fn finish(&mut self, pending: usize, verified: Option<bool>) {
        let Some((attempt, answer, by)) = self.pending[pending].take() else {
            return;
        };
        let doubtful = self.defence.end(&attempt, &answer, verified, self.now);
        for (account, source) in doubtful {
            if self.taken_from.get(&account) == Some(&source) {
                self.measured.recovered(account);
            } else if (account as usize) < self.people.len() {
                // A user's own login: the user has to authenticate once more.
                self.measured.doubted(account);
            }
        }
        match by {
            By::Person(person) => {
                let people = &mut self.people[person as usize];
                let right = verified == Some(true);
                // A user whose second factor the defence verified is known from then on.
                let action = match answer.action {
                    Action::StepUp if right && self.defence.sees_second_factor() => Action::Allow,
                    action => action,
                };
                let next = people.told(right, action, self.now, &mut self.people_rng);
                self.at(next, Event::Person(person));
            }
            By::Attacker(attacker) => {
                self.attackers[attacker].told(&attempt, answer.action);
                let kept_out = answer.action.refuses() || answer.action == Action::StepUp;
                let in_it = verified == Some(true) && !kept_out;
                if attempt.hostile && in_it {
                    let account = attempt.name as usize;
                    if !std::mem::replace(&mut self.taken[account], true) {
                        let source = SourceKey::new(attempt.address).as_u64();
                        self.taken_from.insert(attempt.name, source);
                        self.measured.taken(self.now - self.attack);
                    }
                }
            }
            By::Robot => {}
        }
    }

    /// Returns what a defence learns of a verified attempt. Nothing, if it denied the attempt silently, or
    /// if the second factor failed and the defence sees that.
    fn compared(&self, attempt: &Try, action: Action) -> Option<bool> {
        let failed =
            attempt.hostile && action == Action::StepUp && self.defence.sees_second_factor();
        (action != Action::Silent && !failed).then_some(attempt.right)
    }

    fn measure(&mut self, attempt: &Try, answer: &Answer, by: By) {
        if self.now < self.attack {
            return;
        }
        match by {
            By::Person(person) if attempt.right => {
                let campus = self.people[person as usize].on_campus > 0.0;
                let device = attempt.device.is_some();
                self.measured.honest(person, device, campus, answer);
            }
            By::Attacker(_) if attempt.hostile => {
                let fresh = self.addresses.insert(attempt.address);
                let since = self.now - self.attack;
                self.measured.hostile(attempt, answer, fresh, since);
            }
            _ => {}
        }
    }
}
