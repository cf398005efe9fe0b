//! Admits attempts and settles them.

use std::{net::IpAddr, sync::Arc, time::Duration};

use doorwarden_decision::{
    AccountKey, Attempt, Count, Decision, InvalidAccount, Outcome, Policy, Reason, SourceKey,
    Timestamp, decide, plan, settle,
};

use crate::{
    Ended, Event, EventSink, Keyring, MemoryStore, NoRandomness, http::credentials::Credentials,
};

/// Decides on attempts, with counters, keys and an audit trail.
pub struct Gate {
    policy: Policy,
    store: MemoryStore,
    keyring: Keyring,
    shadow: bool,
    sink: EventSink,
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
    counts: Vec<Count>,
    event: Event,
    admitted: Timestamp,
}

impl Gate {
    /// A gate with fresh keys. With `shadow` it computes, charges and tells, and denies nothing.
    pub fn new(
        policy: Policy,
        store: MemoryStore,
        shadow: bool,
        sink: EventSink,
        now: Timestamp,
    ) -> Result<Arc<Self>, NoRandomness> {
        let keyring = Keyring::generate(now)?;
        Ok(Arc::new(Self {
            policy,
            store,
            keyring,
            shadow,
            sink,
        }))
    }

    /// Whether it only watches.
    pub fn is_shadow(&self) -> bool {
        self.shadow
    }

    /// Charges an attempt and decides on it. The credentials end here: of the name a keyed hash
    /// goes on, of the password its marks.
    ///
    /// Fails only for a name that can't be an account's; nothing is charged then.
    pub fn admit(
        self: &Arc<Self>,
        route: &str,
        credentials: Credentials,
        client: IpAddr,
        now: Timestamp,
    ) -> Result<Admission, InvalidAccount> {
        let attempt = Attempt {
            account: self.keyring.account(&credentials.account)?,
            source: SourceKey::new(client),
            marks: self.keyring.marks(credentials.password.expose(), now),
        };
        drop(credentials);
        let counts = self.store.charge(&plan(&attempt, &self.policy), now);
        let verdict = decide(&counts);
        let event = self.event(route, attempt.account, client, &verdict.reasons, now);
        Ok(match verdict.decision {
            Decision::Deny { retry_after } if !self.shadow => {
                self.finish(&attempt, &counts, Outcome::Unverified, now);
                (self.sink)(&event.ended(Ended::Denied));
                Admission::Deny(Denial { retry_after })
            }
            decision => Admission::Allow(Ticket(Some(Box::new(Pending {
                gate: Arc::clone(self),
                attempt,
                counts,
                event: event.would_deny(matches!(decision, Decision::Deny { .. })),
                admitted: now,
            })))),
        })
    }

    fn finish(&self, attempt: &Attempt, counts: &[Count], outcome: Outcome, now: Timestamp) {
        self.store.charge(&settle(counts, attempt, outcome), now);
    }

    fn event(
        &self,
        route: &str,
        account: AccountKey,
        client: IpAddr,
        reasons: &[Reason],
        now: Timestamp,
    ) -> Event {
        Event::new(route, account, client, reasons, self.shadow, now)
    }
}

impl Ticket {
    /// Ends the attempt.
    pub fn settle(mut self, outcome: Outcome, now: Timestamp) {
        if let Some(pending) = self.0.take() {
            pending.settle(outcome, Ended::from(outcome), now);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(pending) = self.0.take() {
            let admitted = pending.admitted;
            pending.settle(Outcome::Failure, Ended::Abandoned, admitted);
        }
    }
}

impl Pending {
    fn settle(self, outcome: Outcome, ended: Ended, now: Timestamp) {
        self.gate.finish(&self.attempt, &self.counts, outcome, now);
        (self.gate.sink)(&self.event.ended(ended));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::http::credentials::Password;

    fn gate(shadow: bool) -> (Arc<Gate>, Arc<Mutex<Vec<String>>>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&told);
        let sink = move |event: &Event| {
            lines
                .lock()
                .unwrap()
                .push(serde_json::to_string(event).unwrap());
        };
        let store = MemoryStore::new(10_000);
        let gate = Gate::new(Policy::default(), store, shadow, Box::new(sink), at(0)).unwrap();
        (gate, told)
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000_000 + seconds * 1000)
    }

    fn admit(gate: &Arc<Gate>, name: &str, password: &str, from: [u8; 4]) -> Admission {
        let credentials = Credentials {
            account: name.to_owned(),
            password: Password::new(password.to_owned()),
        };
        gate.admit("POST /login", credentials, from.into(), at(0))
            .unwrap()
    }

    #[test]
    fn a_dropped_ticket_is_a_failure() {
        let (gate, told) = gate(false);
        for i in 0..10 {
            let admission = admit(&gate, "alice", &format!("wrong{i}"), [10, 0, 0, i]);
            assert!(matches!(admission, Admission::Allow(_)));
        }
        let Admission::Deny(denial) = admit(&gate, "Alice", "right", [10, 0, 1, 1]) else {
            panic!("the eleventh is allowed");
        };
        assert!(denial.retry_after > Duration::from_secs(600));
        let told = told.lock().unwrap();
        assert!(told[0].contains("\"abandoned\""), "{}", told[0]);
        assert!(told[10].contains("\"denied\""), "{}", told[10]);
    }

    #[test]
    fn shadow_denies_nothing_and_says_what_it_would() {
        let (gate, told) = gate(true);
        for i in 0..12 {
            let Admission::Allow(ticket) =
                admit(&gate, "alice", &format!("wrong{i}"), [10, 0, 0, i])
            else {
                panic!("denied in shadow");
            };
            ticket.settle(Outcome::Failure, at(0));
        }
        let told = told.lock().unwrap();
        assert!(told[9].contains("\"would_deny\":false"), "{}", told[9]);
        assert!(told[10].contains("\"would_deny\":true"), "{}", told[10]);
    }

    #[test]
    fn no_secret_and_no_name_reaches_an_event() {
        let (gate, told) = gate(false);
        for _ in 0..30 {
            let _ = admit(&gate, "canary-name", "canary-password", [10, 0, 0, 1]);
        }
        let told = told.lock().unwrap().join("\n");
        assert!(told.contains("10.0.0.1"));
        assert!(!told.contains("canary"), "{told}");
    }
}
