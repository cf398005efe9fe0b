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

/// Successful logins from unfamiliar places that are kept for a day, 64 bytes each.
const REMEMBERED_LOGINS: usize = 1 << 16;

/// The number of successful logins after which the thresholds are recomputed.
const RECALIBRATE: u32 = 256;

/// The counters, keys and calibration of a gate.
pub struct Counters {
    /// The counter store.
    pub store: Store,
    /// The keys for names, passwords and device tokens.
    pub keyring: Keyring,
    /// The calibration on the site's own users so far.
    pub calibration: Calibration,
}

impl Counters {
    /// Creates empty counters in the memory of this process, of at most `bytes`.
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

/// The parts of a gate.
pub struct Parts {
    /// The policy.
    pub policy: Policy,
    /// The counters.
    pub counters: Counters,
    /// The verification capacity in concurrent attempts; strangers are shed before it is used up, see
    /// [`Attempt::load`].
    pub capacity: usize,
    /// Shadow mode: everything is computed, counted and reported, and nothing is denied.
    pub shadow: bool,
    /// Receives the audit trail.
    pub sink: EventSink,
}

/// Decides on login attempts, with counters, keys and an audit trail.
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

/// A login attempt as received.
#[derive(Debug)]
pub struct Asked {
    /// The method and path of the login, as configured.
    pub route: String,
    /// The submitted name and password.
    pub credentials: Credentials,
    /// The client address.
    pub client: IpAddr,
    /// The autonomous system of that address, where a table is configured.
    pub asn: Option<u32>,
    /// The device tokens of the request, of any account.
    pub tokens: Vec<String>,
}

/// Whether an attempt is admitted.
#[must_use]
pub enum Admission {
    /// The password may be verified.
    Allow(Ticket),
    /// The password must not be verified.
    Deny(Denial),
}

/// A denial, with all that the client may learn about it.
#[derive(Clone, Copy, Debug)]
pub struct Denial {
    /// The time to wait before trying again.
    pub retry_after: Duration,
}

/// The right to verify one password. Settle it with the outcome; if dropped, it counts as a failure,
/// because the attacker may have learned the result.
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
    /// Creates a gate.
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

    /// Creates a gate with counters in memory and fresh keys. With `shadow` it denies nothing.
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

    /// Unlocks an account, as if no attempt had failed on it.
    pub async fn unlock(&self, name: &str, now: Timestamp) -> Result<(), InvalidAccount> {
        let charges = unlock(self.keyring.account(name)?, &self.policy);
        self.store.charge(&charges, now).await;
        Ok(())
    }

    /// Returns whether shadow mode is on.
    pub fn is_shadow(&self) -> bool {
        self.shadow
    }

    /// Returns metrics in the text format of Prometheus.
    pub fn metrics(&self) -> String {
        self.metrics.text(self.store.is_away())
    }

    /// Returns the latest successful logins whose password later turned hot, the newest last.
    pub fn retroacted(&self) -> Vec<Caught> {
        self.metrics.caught()
    }

    /// Returns the counters, if they are in the memory of this process.
    pub fn memory(&self) -> Option<&MemoryStore> {
        match &self.store {
            Store::Memory(memory) => Some(memory),
            Store::Shared(_) => None,
        }
    }

    /// Returns the calibration, to keep it over a restart.
    pub fn calibration(&self) -> Calibration {
        self.calibrating().calibration.clone()
    }

    /// Charges an attempt and decides on it. The credentials are dropped here; only a keyed hash of the
    /// name, and the marks and the popularity rank of the password, are kept.
    ///
    /// Fails only for an invalid account name; then nothing is charged.
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
        // In an outage no device or network is known, and thresholds of a site that knows its users don't fit.
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
                self.report(pending.event.ended(Ended::Denied));
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

    /// Reports the recent logins with a password that has just turned hot.
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

    /// Logs an attempt that has ended, and writes it to the audit trail.
    fn report(&self, event: AttemptEvent) {
        event.trace();
        (self.sink)(&Event::Attempt(event));
    }

    fn tell_turn(&self, turned: Option<Result<(), Away>>, now: Timestamp) {
        if let Some(turned) = turned {
            self.metrics.turned(turned.is_err());
            (self.sink)(&Event::store(turned, now));
        }
    }

    /// Notes a successful login for the thresholds, and one that nothing but its password spoke for.
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

/// The time to wait when every login is denied because the counter store is unavailable.
const CLOSED: Duration = Duration::from_secs(30);

impl Ticket {
    /// Returns what the verifier has to do: nothing, wait first, or ask for a second factor. In shadow
    /// mode, nothing.
    pub fn decision(&self) -> Decision {
        let shadow = self.0.as_ref().is_none_or(|pending| pending.gate.shadow);
        match &self.0 {
            Some(pending) if !shadow => pending.verdict.decision,
            _ => Decision::Allow,
        }
    }

    /// Releases the verification slot while the attempt waits for its delay, or takes one again.
    pub fn hold(&mut self, held: bool) {
        if let Some(pending) = &mut self.0 {
            pending.verifying.hold(held);
        }
    }

    /// Returns the suspicion of the attempt, in nats.
    pub fn suspicion(&self) -> f64 {
        self.0
            .as_ref()
            .map_or(0.0, |pending| pending.verdict.suspicion)
    }

    /// Returns whether the attempt comes from a known device of its account.
    pub fn is_known(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|pending| pending.attempt.device.is_some())
    }

    /// Settles the attempt. After a successful login that was not stepped up, returns a token for the
    /// device.
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
        gate.report(pending.event.ended(Ended::from(outcome)));
        token
    }
}

impl Drop for Ticket {
    /// Leaves the charges in place, as for a failure. In memory the password is also recorded as tried,
    /// so that the same one again is a repeat; a shared store can't be awaited here.
    fn drop(&mut self) {
        if let Some(pending) = self.0.take() {
            let gate = Arc::clone(&pending.gate);
            if gate.memory().is_some() {
                let admitted = pending.admitted;
                let _ = pending.finish(Outcome::Failure, admitted).now_or_never();
            }
            gate.metrics.ended(Outcome::Failure);
            gate.report(pending.event.ended(Ended::Abandoned));
        }
    }
}

impl Pending {
    async fn finish(&self, outcome: Outcome, now: Timestamp) {
        let policy = self.gate.store.policy(&self.gate.policy, self.place);
        // In shadow mode no login is stepped up, so a successful one needs no second factor to count.
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

    /// Records the fields of all log events.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<String>>);

    impl Log {
        fn note(&self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
            let mut log = self.0.lock().unwrap();
            log.push_str(&format!("{field}={value:?} "));
        }
    }

    impl tracing::Subscriber for Log {
        fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, span: &tracing::span::Attributes<'_>) -> tracing::span::Id {
            span.record(
                &mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
                    self.note(field, value);
                },
            );
            tracing::span::Id::from_u64(1)
        }

        fn event(&self, event: &tracing::Event<'_>) {
            event.record(
                &mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
                    self.note(field, value);
                },
            );
        }

        fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
        fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
        fn enter(&self, _: &tracing::span::Id) {}
        fn exit(&self, _: &tracing::span::Id) {}
    }

    #[test]
    fn an_attempt_is_logged_without_its_account() {
        let (gate, told) = gate(false);
        let log = Log::default();
        // A call site that another test is just registering, without a subscriber, may stay silent once.
        for _ in 0..100 {
            tracing::subscriber::with_default(log.clone(), || {
                let admission = admit(&gate, "canary-name", "canary-password", [10, 0, 0, 1]);
                end(admission, Outcome::Success);
            });
            let is_whole =
                ["route=", "outcome="].map(|field| log.0.lock().unwrap().contains(field));
            if is_whole == [true; 2] {
                break;
            }
        }
        let log = log.0.lock().unwrap();
        for field in [
            "route=\"POST /login\"",
            "decision=\"allow\"",
            "outcome=\"success\"",
            "suspicion=",
        ] {
            assert!(log.contains(field), "{log}");
        }
        let told = told.lock().unwrap();
        let event: serde_json::Value = serde_json::from_str(told.last().unwrap()).unwrap();
        assert!(log.contains(event["id"].as_str().unwrap()), "{log}");
        for secret in ["canary", "10.0.0.1", event["account"].as_str().unwrap()] {
            assert!(!log.contains(secret), "{log}");
        }
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
