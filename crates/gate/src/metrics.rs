//! Metrics for Prometheus: decisions, outcomes, and the state of the shared counter store.

use std::{
    collections::VecDeque,
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
};

use doorwarden_decision::{Decision, Outcome};

use crate::{
    events::{Caught, Retroacted},
    sync::{Mutex, PoisonError},
};

/// Retroactive hits that the list holds.
const CAUGHT: usize = 1_000;

const DECISIONS: [&str; 4] = ["allow", "delay", "step_up", "deny"];
const OUTCOMES: [&str; 3] = ["success", "failure", "unverified"];

/// Counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    decisions: [AtomicU64; DECISIONS.len()],
    outcomes: [AtomicU64; OUTCOMES.len()],
    outages: AtomicU64,
    retroacted: AtomicU64,
    caught: Mutex<VecDeque<Caught>>,
}

impl Metrics {
    pub(crate) fn decided(&self, decision: Decision) {
        count(&self.decisions, DECISIONS, decision.name());
    }

    pub(crate) fn ended(&self, outcome: Outcome) {
        let name = match outcome {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
            Outcome::Unverified => "unverified",
        };
        count(&self.outcomes, OUTCOMES, name);
    }

    pub(crate) fn turned(&self, away: bool) {
        self.outages.fetch_add(u64::from(away), Ordering::Relaxed);
    }

    pub(crate) fn retroacted(&self, told: &Retroacted) {
        self.retroacted
            .fetch_add(told.logins.len() as u64, Ordering::Relaxed);
        let mut caught = self.caught.lock().unwrap_or_else(PoisonError::into_inner);
        caught.extend(told.logins.iter().cloned());
        while caught.len() > CAUGHT {
            caught.pop_front();
        }
    }

    pub(crate) fn caught(&self) -> Vec<Caught> {
        let caught = self.caught.lock().unwrap_or_else(PoisonError::into_inner);
        caught.iter().cloned().collect()
    }

    /// In the text format of Prometheus, version 0.0.4.
    pub(crate) fn text(&self, away: bool) -> String {
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, rows: &[(String, u64)]| {
            // Writing into a string does not fail.
            let _ = writeln!(
                text,
                "# HELP doorwarden_{name} {help}\n# TYPE doorwarden_{name} {kind}"
            );
            for (labels, value) in rows {
                let _ = writeln!(text, "doorwarden_{name}{labels} {value}");
            }
        };
        let rows = |label: &str, names: &[&str], counts: &[AtomicU64]| -> Vec<(String, u64)> {
            let row = |(name, count): (&&str, &AtomicU64)| {
                (
                    format!("{{{label}=\"{name}\"}}"),
                    count.load(Ordering::Relaxed),
                )
            };
            names.iter().zip(counts).map(row).collect()
        };
        let one = |value: u64| [(String::new(), value)];
        let decisions = rows("decision", &DECISIONS, &self.decisions);
        family(
            "decisions_total",
            "counter",
            "Login attempts by decision.",
            &decisions,
        );
        let outcomes = rows("outcome", &OUTCOMES, &self.outcomes);
        family(
            "outcomes_total",
            "counter",
            "Admitted login attempts by outcome.",
            &outcomes,
        );
        let outages = one(self.outages.load(Ordering::Relaxed));
        family(
            "store_outages_total",
            "counter",
            "Times the shared counter store became unavailable.",
            &outages,
        );
        let help = "1 while the shared counter store is unavailable and the outage mode applies.";
        family("store_unavailable", "gauge", help, &one(away.into()));
        let retroacted = one(self.retroacted.load(Ordering::Relaxed));
        let help = "Successful logins whose password later turned hot.";
        family("retroactive_hits_total", "counter", help, &retroacted);
        text
    }
}

fn count<const N: usize>(counts: &[AtomicU64; N], names: [&str; N], name: &str) {
    if let Some(place) = names.iter().position(|known| *known == name) {
        counts[place].fetch_add(1, Ordering::Relaxed);
    }
}
