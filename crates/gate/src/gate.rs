//! Admits attempts and settles them.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use doorwarden_decision::{
    Attempt, Calibration, Counts, Decision, DeviceId, Familiarity, InvalidAccount, Outcome, Policy,
    Retroaction, SHED_STRANGERS, SourceKey, Thresholds, Timestamp, Verdict, decide, plan, reasons,
    settle, unlock,
};

use futures_util::FutureExt;

use crate::{
    AttemptEvent, Ended, Event, EventSink, Keyring, MemoryStore, Metrics, NoRandomness, Secret,
    events::{Caught, Retroacted},
    http::credentials::Credentials,
    keyring::random,
    popularity,
    store::{Away, Outage, Place, Store},
    sync::{Mutex, PoisonError},
};

/// Right logins from unfamiliar places that are kept for a day, of 64 bytes each.
const REMEMBERED_LOGINS: usize = 1 << 16;

/// The calibration's thresholds are read anew after so many right logins.
const RECALIBRATE: u32 = 256;

/// What a gate counts with.
pub struct Counters {
    /// Where the counters are.
    pub store: Store,
    /// The keys that they are named by.
    pub keyring: Keyring,
    /// What was learned of the site's own people before.
    pub calibration: Calibration,
}

impl Counters {
    /// In this process's memory, of at most so many bytes, which nothing is known in yet.
    pub fn in_memory(
        policy: &Policy,
        bytes: usize,
        secret: &Secret,
        now: Timestamp,
    ) -> Result<Self, NoRandomness> {
        Ok(Self {
            store: MemoryStore::new(policy, bytes, secret.table_seed()).into(),
            keyring: Keyring::own(secret, now)?,
            calibration: Calibration::default(),
        })
    }
}

/// What a gate is made of.
pub struct Parts {
    /// How much is allowed.
    pub policy: Policy,
    /// What is counted with.
    pub counters: Counters,
    /// Attempts that may be verified at once before strangers are shed; see
    /// [`Attempt::load`].
    pub capacity: usize,
    /// Compute, charge and tell, and deny nothing.
    pub shadow: bool,
    /// Receives the audit trail.
    pub sink: EventSink,
}

/// Decides on attempts, with counters, keys and an audit trail.
pub struct Gate {
    policy: Policy,
    store: Store,
    keyring: Keyring,
    calibration: Mutex<Calibrating>,
    retroaction: Mutex<Retroaction>,
    in_flight: AtomicUsize,
    capacity: usize,
    shadow: bool,
    sink: EventSink,
    metrics: Metrics,
}

struct Calibrating {
    calibration: Calibration,
    thresholds: Thresholds,
    since: u32,
}

/// An attempt as it comes in.
#[derive(Debug)]
pub struct Asked {
    /// The login's method and path, as configured.
    pub route: String,
    /// Name and password.
    pub credentials: Credentials,
    /// The client's address.
    pub client: IpAddr,
    /// The autonomous system of that address, where a table is configured.
    pub asn: Option<u32>,
    /// Device tokens that came with it, of whatever account.
    pub tokens: Vec<String>,
}

/// What became of an attempt.
#[must_use]
pub enum Admission {
    /// The password may be verified.
    Allow(Ticket),
    /// It may not.
    Deny(Denial),
}

/// A refusal: all that its receiver may be told.
#[derive(Clone, Copy, Debug)]
pub struct Denial {
    /// When to come back.
    pub retry_after: Duration,
}

/// The right to verify one password. Settle it with what came out; dropped, it counts as a
/// failure, since the attacker may have learned the answer.
#[must_use = "an attempt that is not settled counts as a failure"]
pub struct Ticket(Option<Box<Pending>>);

struct Pending {
    gate: Arc<Gate>,
    attempt: Attempt,
    counts: Counts,
    place: Place,
    verdict: Verdict,
    event: AttemptEvent,
    admitted: Timestamp,
    verifying: Verifying,
}

/// A place among the attempts that are being verified.
struct Verifying {
    gate: Arc<Gate>,
    held: bool,
}

impl Verifying {
    fn begin(gate: &Arc<Gate>) -> Self {
        gate.in_flight.fetch_add(1, Ordering::Relaxed);
        Self {
            gate: Arc::clone(gate),
            held: true,
        }
    }

    /// Gives the place up, for as long as the attempt only waits, or takes one again.
    fn hold(&mut self, held: bool) {
        if held && !self.held {
            self.gate.in_flight.fetch_add(1, Ordering::Relaxed);
        } else if !held && self.held {
            self.gate.in_flight.fetch_sub(1, Ordering::Relaxed);
        }
        self.held = held;
    }
}

impl Drop for Verifying {
    fn drop(&mut self) {
        self.hold(false);
    }
}

impl Gate {
    /// A gate of these parts.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Counters {
            store,
            keyring,
            calibration,
        } = parts.counters;
        let thresholds = calibration.thresholds(&parts.policy);
        Arc::new(Self {
            policy: parts.policy,
            store,
            keyring,
            calibration: Mutex::new(Calibrating {
                calibration,
                thresholds,
                since: 0,
            }),
            retroaction: Mutex::new(Retroaction::new(REMEMBERED_LOGINS)),
            in_flight: AtomicUsize::new(0),
            capacity: parts.capacity.max(1),
            shadow: parts.shadow,
            sink: parts.sink,
            metrics: Metrics::default(),
        })
    }

    /// A gate with counters in memory and fresh keys. With `shadow` it denies nothing.
    pub fn in_memory(
        policy: Policy,
        bytes: usize,
        shadow: bool,
        sink: EventSink,
        now: Timestamp,
    ) -> Result<Arc<Self>, NoRandomness> {
        let secret = Secret::generate()?;
        Ok(Self::new(Parts {
            counters: Counters::in_memory(&policy, bytes, &secret, now)?,
            capacity: usize::MAX,
            shadow,
            policy,
            sink,
        }))
    }

    /// Lets an account be tried again, as if nobody had failed on it.
    pub async fn unlock(&self, name: &str, now: Timestamp) -> Result<(), InvalidAccount> {
        let charges = unlock(self.keyring.account(name)?, &self.policy);
        self.store.charge(&charges, now).await;
        Ok(())
    }

    /// Whether it only watches.
    pub fn is_shadow(&self) -> bool {
        self.shadow
    }

    /// Figures for Prometheus.
    pub fn metrics(&self) -> String {
        self.metrics.text(self.store.is_away())
    }

    /// The last right logins whose password turned hot afterwards, the newest last.
    pub fn retroacted(&self) -> Vec<Caught> {
        self.metrics.caught()
    }

    /// The counters, where they are in this process's memory.
    pub fn memory(&self) -> Option<&MemoryStore> {
        match &self.store {
            Store::Memory(memory) => Some(memory),
            Store::Shared(_) => None,
        }
    }

    /// What was learned of the site's own people, to keep it.
    pub fn calibration(&self) -> Calibration {
        self.calibrating().calibration.clone()
    }

    /// Charges an attempt and decides on it. The credentials end here: of the name a keyed hash
    /// goes on, of the password its marks and its place in a public list.
    ///
    /// Fails only for a name that can't be an account's; nothing is charged then.
    pub async fn admit(
        self: &Arc<Self>,
        asked: Asked,
        now: Timestamp,
    ) -> Result<Admission, InvalidAccount> {
        let attempt = self.attempt(&asked, now)?;
        // Before anything is awaited, so that a burst sees itself.
        let verifying = Verifying::begin(self);
        let Asked {
            route,
            credentials,
            client,
            ..
        } = asked;
        drop(credentials);
        let charges = plan(&attempt, &self.policy);
        let charged = self.store.charge(&charges, now).await;
        self.tell_turn(charged.turned, now);
        let policy = self.store.policy(&self.policy, charged.place);
        let (counts, place) = (charged.counts, charged.place);
        // In an outage nobody is known, and thresholds for a site that knows its people don't fit.
        let thresholds = match place {
            Place::Normal => self.calibrating().thresholds,
            Place::Own | Place::Nowhere(_) => Thresholds::default(),
        };
        let mut verdict = decide(&attempt, policy, &thresholds, &counts);
        match place {
            Place::Nowhere(Outage::Closed) => {
                verdict.decision = Decision::Deny {
                    retry_after: CLOSED,
                };
            }
            Place::Nowhere(_) => verdict.decision = Decision::Allow,
            Place::Normal | Place::Own => {}
        }
        if verdict.hot {
            self.tell_heat(&attempt, now);
        }
        let said = reasons(&attempt, policy, &counts);
        let event = AttemptEvent::new(&route, attempt.account, client, &verdict, &said, now);
        let event = event.in_mode(self.shadow, place);
        self.metrics.decided(verdict.decision);
        let pending = Box::new(Pending {
            gate: Arc::clone(self),
            attempt,
            counts,
            place,
            verdict,
            event,
            admitted: now,
            verifying,
        });
        Ok(match verdict.decision {
            Decision::Deny { retry_after } if !self.shadow => {
                pending.finish(Outcome::Unverified, now).await;
                (self.sink)(&Event::Attempt(pending.event.ended(Ended::Denied)));
                Admission::Deny(Denial { retry_after })
            }
            _ => Admission::Allow(Ticket(Some(pending))),
        })
    }

    fn attempt(&self, asked: &Asked, now: Timestamp) -> Result<Attempt, InvalidAccount> {
        let account = self.keyring.account(&asked.credentials.account)?;
        let owner = self.keyring.owner(&asked.credentials.account);
        let password = &asked.credentials.password;
        let marks = self.keyring.marks(password.expose(), now);
        let load = self.in_flight.load(Ordering::Relaxed) as f32 / self.capacity as f32;
        // Where strangers are shed, looking their passwords up would be most of what they cost.
        let rank = (load < SHED_STRANGERS).then(|| popularity::rank(password));
        // Without randomness nothing is drawn, and the thresholds stay as they are.
        let drawn = random::<1>().map_or(1, |[byte]| u32::from(byte));
        Ok(Attempt {
            asn: asked.asn,
            owner,
            device: self.keyring.device(&asked.tokens, owner, now),
            rank: rank.flatten(),
            load,
            sampled: drawn.is_multiple_of(Calibration::SAMPLE),
            ..Attempt::new(account, SourceKey::new(asked.client), marks)
        })
    }

    /// When a password turns hot, whoever has just logged in with it comes back as a list.
    fn tell_heat(&self, attempt: &Attempt, now: Timestamp) {
        let mut retroaction = self
            .retroaction
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let caught = retroaction.turned_hot(attempt.marks, now);
        drop(retroaction);
        if !caught.is_empty() {
            let told = Retroacted::new(&caught, now);
            self.metrics.retroacted(&told);
            (self.sink)(&Event::Retroaction(told));
        }
    }

    fn tell_turn(&self, turned: Option<Result<(), Away>>, now: Timestamp) {
        if let Some(turned) = turned {
            self.metrics.turned(turned.is_err());
            (self.sink)(&Event::store(turned, now));
        }
    }

    /// Notes a right login for the thresholds, and one that nothing but its password spoke for.
    fn learn(&self, pending: &Pending, now: Timestamp) {
        if pending.place != Place::Normal || !pending.verdict.credited {
            return;
        }
        let device = pending.attempt.device.is_some();
        let drawn = (device && pending.attempt.sampled).then_some(pending.verdict.suspicion);
        let mut calibrating = self.calibrating();
        let odds = pending.verdict.odds;
        calibrating.calibration.note(device, drawn, odds);
        calibrating.since += 1;
        if calibrating.since >= RECALIBRATE {
            calibrating.since = 0;
            calibrating.thresholds = calibrating.calibration.thresholds(&self.policy);
        }
        drop(calibrating);
        if pending.verdict.familiarity < Familiarity::Network {
            let mut retroaction = self
                .retroaction
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let attempt = &pending.attempt;
            retroaction.note(attempt.account, attempt.source, attempt.marks, now);
        }
    }

    /// The device's token, renewed. Each new device has a budget of failures of its own, so without
    /// credit they are all one.
    fn token(&self, pending: &Pending, now: Timestamp) -> Option<String> {
        let attempt = &pending.attempt;
        let spare = || DeviceId::from_u64(attempt.owner.as_u64());
        let device = attempt.device;
        let device = device.or_else(|| (!pending.verdict.credited).then(spare));
        self.keyring.token(attempt.owner, device, now)
    }

    fn calibrating(&self) -> impl std::ops::DerefMut<Target = Calibrating> + '_ {
        self.calibration
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// When to come back, where everything is refused because the counters are away.
const CLOSED: Duration = Duration::from_secs(30);

impl Ticket {
    /// What is asked of whoever verifies: nothing, a delay before, or a step-up after. In shadow,
    /// nothing.
    pub fn decision(&self) -> Decision {
        let shadow = self.0.as_ref().is_none_or(|pending| pending.gate.shadow);
        match &self.0 {
            Some(pending) if !shadow => pending.verdict.decision,
            _ => Decision::Allow,
        }
    }

    /// Gives up the place among those that are verified while the attempt waits for its delay, or
    /// takes one again.
    pub fn hold(&mut self, held: bool) {
        if let Some(pending) = &mut self.0 {
            pending.verifying.hold(held);
        }
    }

    /// How suspicious the attempt is, in nats.
    pub fn suspicion(&self) -> f64 {
        self.0
            .as_ref()
            .map_or(0.0, |pending| pending.verdict.suspicion)
    }

    /// Whether the attempt comes from a device on which its account has logged in before.
    pub fn is_known(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|pending| pending.attempt.device.is_some())
    }

    /// Ends the attempt. After a right login that was not stepped up there is a token to give to
    /// the device.
    pub async fn settle(mut self, outcome: Outcome, now: Timestamp) -> Option<String> {
        let pending = self.0.take()?;
        let gate = Arc::clone(&pending.gate);
        pending.finish(outcome, now).await;
        gate.metrics.ended(outcome);
        let stepped_up = pending.verdict.decision == Decision::StepUp && !gate.shadow;
        let token = if outcome == Outcome::Success && !stepped_up {
            gate.learn(&pending, now);
            gate.token(&pending, now)
        } else {
            None
        };
        (gate.sink)(&Event::Attempt(pending.event.ended(Ended::from(outcome))));
        token
    }
}

impl Drop for Ticket {
    /// What was charged stays: that is what a failure is. In memory it is also known as tried, so
    /// that the same again is a repeat; a shared store can't be waited for here.
    fn drop(&mut self) {
        if let Some(pending) = self.0.take() {
            let gate = Arc::clone(&pending.gate);
            if gate.memory().is_some() {
                let admitted = pending.admitted;
                let _ = pending.finish(Outcome::Failure, admitted).now_or_never();
            }
            gate.metrics.ended(Outcome::Failure);
            (gate.sink)(&Event::Attempt(pending.event.ended(Ended::Abandoned)));
        }
    }
}

impl Pending {
    async fn finish(&self, outcome: Outcome, now: Timestamp) {
        let policy = self.gate.store.policy(&self.gate.policy, self.place);
        // In shadow nobody steps up, so a right login is one.
        let decision = if self.gate.shadow {
            Decision::Allow
        } else {
            self.verdict.decision
        };
        let charges = settle(&self.attempt, policy, &self.counts, decision, outcome);
        if !charges.is_empty() {
            self.gate.store.settle(&charges, self.place, now).await;
        }
    }
}

#[cfg(not(feature = "shuttle"))]
#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::http::credentials::Password;

    fn gate(shadow: bool) -> (Arc<Gate>, Arc<Mutex<Vec<String>>>) {
        gate_with(shadow, |_| {})
    }

    fn gate_with(
        shadow: bool,
        change: impl FnOnce(&mut Parts),
    ) -> (Arc<Gate>, Arc<Mutex<Vec<String>>>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&told);
        let sink = move |event: &Event| {
            lines
                .lock()
                .unwrap()
                .push(serde_json::to_string(event).unwrap());
        };
        let policy = Policy::default();
        let mut parts = Parts {
            counters: Counters::in_memory(&policy, 1 << 20, &Secret::new([1; 32]), at(0)).unwrap(),
            capacity: 100,
            shadow,
            policy,
            sink: Box::new(sink),
        };
        change(&mut parts);
        (Gate::new(parts), told)
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000_000 + seconds * 1000)
    }

    fn admit_with(
        gate: &Arc<Gate>,
        name: &str,
        password: &str,
        from: [u8; 4],
        tokens: &[String],
    ) -> Admission {
        let credentials = Credentials {
            account: name.to_owned(),
            password: Password::new(password.to_owned()),
        };
        let asked = Asked {
            route: "POST /login".into(),
            credentials,
            client: from.into(),
            asn: None,
            tokens: tokens.to_vec(),
        };
        // Counters in memory never wait.
        gate.admit(asked, at(0)).now_or_never().unwrap().unwrap()
    }

    fn admit(gate: &Arc<Gate>, name: &str, password: &str, from: [u8; 4]) -> Admission {
        admit_with(gate, name, password, from, &[])
    }

    fn end(admission: Admission, outcome: Outcome) -> Option<String> {
        match admission {
            Admission::Allow(ticket) => ticket.settle(outcome, at(0)).now_or_never().unwrap(),
            Admission::Deny(_) => panic!("denied"),
        }
    }

    #[test]
    fn who_is_unlocked_is_let_in_and_nobody_else() {
        let (gate, _) = gate(false);
        for name in ["alice", "bob"] {
            for i in 0..10 {
                let wrong = format!("wrong of {name} {i}");
                end(admit(&gate, name, &wrong, [10, i, 1, 1]), Outcome::Failure);
            }
            let late = admit(&gate, name, "right", [10, 1, 1, 1]);
            assert!(matches!(late, Admission::Deny(_)), "{name}");
        }
        gate.unlock("Alice", at(0)).now_or_never().unwrap().unwrap();
        let admitted = admit(&gate, "alice", "right", [10, 1, 1, 1]);
        assert!(matches!(admitted, Admission::Allow(_)));
        end(admitted, Outcome::Success);
        let other = admit(&gate, "bob", "right", [10, 1, 1, 1]);
        assert!(matches!(other, Admission::Deny(_)));
    }

    #[test]
    fn a_dropped_ticket_is_a_failure() {
        let (gate, told) = gate(false);
        for i in 0..10 {
            let admission = admit(&gate, "alice", &format!("wrong{i}"), [10, 0, i, 1]);
            assert!(matches!(admission, Admission::Allow(_)));
        }
        let Admission::Deny(denial) = admit(&gate, "Alice", "right", [10, 1, 1, 1]) else {
            panic!("the eleventh is allowed");
        };
        assert!(denial.retry_after > Duration::from_secs(600));
        let told = told.lock().unwrap();
        assert!(told[0].contains("\"abandoned\""), "{}", told[0]);
        assert!(told[10].contains("\"denied\""), "{}", told[10]);
    }

    #[test]
    fn a_device_keeps_its_lane_while_strangers_guess() {
        let (gate, told) = gate(false);
        let token = end(
            admit(&gate, "alice", "right", [10, 9, 9, 9]),
            Outcome::Success,
        )
        .unwrap();
        for i in 0..30 {
            let _ = admit(&gate, "alice", &format!("wrong{i}"), [10, 0, i, 1]);
        }
        assert!(matches!(
            admit(&gate, "alice", "right", [10, 1, 1, 1]),
            Admission::Deny(_)
        ));
        let known = admit_with(
            &gate,
            "alice",
            "right",
            [10, 1, 1, 1],
            std::slice::from_ref(&token),
        );
        let rotated = end(known, Outcome::Success);
        assert!(rotated.is_some_and(|rotated| rotated.len() == token.len()));
        let stolen = admit_with(&gate, "bob", "right", [10, 1, 1, 1], &[token]);
        assert!(
            matches!(stolen, Admission::Allow(_)),
            "bob is not under attack"
        );
        let told = told.lock().unwrap().join("\n");
        assert!(told.contains("\"familiarity\":\"device\""), "{told}");
    }

    #[test]
    fn logins_before_a_password_turned_hot_come_back_as_a_list() {
        let (gate, told) = gate(false);
        end(
            admit(&gate, "victim", "Winter2026!", [10, 200, 0, 1]),
            Outcome::Success,
        );
        for i in 0..6 {
            let admission = admit(&gate, &format!("name{i}"), "Winter2026!", [10, 0, i, 1]);
            if let Admission::Allow(ticket) = admission {
                ticket
                    .settle(Outcome::Failure, at(0))
                    .now_or_never()
                    .unwrap();
            }
        }
        let caught = gate.retroacted();
        assert_eq!(caught.len(), 1);
        let told = told.lock().unwrap().join("\n");
        assert!(told.contains("\"kind\":\"retroaction\""), "{told}");
        assert!(told.contains("10.200.0.1"), "{told}");
    }

    #[test]
    fn strangers_are_shed_when_too_much_is_verified() {
        let (gate, _) = gate(false);
        let held: Vec<Admission> = (0..75)
            .map(|i| {
                admit(
                    &gate,
                    &format!("name{i}"),
                    &format!("wrong{i}"),
                    [10, i, 0, 1],
                )
            })
            .collect();
        let Admission::Deny(denial) = admit(&gate, "late", "right", [10, 200, 0, 1]) else {
            panic!("not shed");
        };
        assert!(denial.retry_after < Duration::from_secs(60));
        drop(held);
        assert!(matches!(
            admit(&gate, "late", "right", [10, 200, 0, 1]),
            Admission::Allow(_)
        ));
    }

    #[test]
    fn shadow_denies_nothing_and_says_what_it_would() {
        let (gate, told) = gate(true);
        for i in 0..12 {
            let admission = admit(&gate, "alice", &format!("wrong{i}"), [10, 0, i, 1]);
            end(admission, Outcome::Failure);
        }
        let told = told.lock().unwrap();
        assert!(told[9].contains("\"would_deny\":false"), "{}", told[9]);
        assert!(told[10].contains("\"would_deny\":true"), "{}", told[10]);
    }

    #[test]
    fn no_secret_and_no_name_reaches_an_event_or_a_metric() {
        let (gate, told) = gate(false);
        let token = end(
            admit(&gate, "canary-name", "canary-password", [10, 0, 0, 1]),
            Outcome::Success,
        );
        for _ in 0..30 {
            let _ = admit(&gate, "canary-name", "canary-password", [10, 0, 0, 1]);
        }
        let told = told.lock().unwrap().join("\n") + &gate.metrics();
        assert!(told.contains("10.0.0.1"));
        assert!(!told.contains("canary"), "{told}");
        assert!(!told.contains(&token.unwrap()), "{told}");
    }
}
