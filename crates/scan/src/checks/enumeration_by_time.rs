//! Login response times that reveal which accounts exist.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    evalue::{detectable, e_value, median, shift},
    recipes,
};
use crate::{
    Account, Confidence, Evidence, Severity, Times, Verdict,
    answer::{Answer, Signature},
    learn::Class,
    probe::{Source, Stop},
    scan::{Invented, Session, Who},
};

pub(super) static CHECK: Check = Check {
    id: "enumeration-by-time",
    title: "Login response times reveal which accounts exist",
    severity: Severity::Medium,
    what: "Tries pairs of a test account and an invented name, in random order, with the same \
           incorrect password, back to back on one warm connection. Checks whether one of them is \
           answered faster more often than chance allows.",
    why: "A login that hashes passwords only for existing accounts reveals them within \
           milliseconds, whatever its responses say.",
    sends: "Up to 20 pairs of a test account and an invented name, 10 control pairs of a used and \
           a new invented name, a first request on each new connection, and a successful login \
           whenever an account's series of failures would get long. If it is the only check that \
           runs, up to 72 pairs and 24 control pairs, and more requests accordingly.",
    max_requests: 76,
    measures_limits: false,
    side_by_side: false,
    evidence: "If existence does not matter, the sign of each difference is a fair coin, whatever \
           the network's drift and spikes. The e-value of the signs bounds false positives at any \
           stopping time (Ville); at 1,000 the odds are 1 in 1,000. A finding also needs an \
           estimated shift (Hodges-Lehmann) of at least 0.5 ms and three times the control's. \
           Otherwise the check reports the shift that these pairs would have detected; that does \
           not prove that there is no difference.",
    false_alarms: "At most 1 in 1,000 from the signs alone. Limits shift response times, so an \
           unusual response ends the check as inconclusive; nonexistent names fail as often as \
           the accounts that they are compared with.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.3.8", "11.2.4"],
        cwe: &[208],
        nist: &["3.2.2"],
        pci_dss: &["6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "If the account is unknown, verify a dummy hash with the current parameters, and test \
           that it takes as long. Django does this; the FastAPI and Flask tutorials return early.",
    recipes: &recipes::UNIFORM,
    policy: r#"[guard.failure]
quantum_ms = 100   # responses to failed logins leave at a multiple of this that follows the slow path"#,
    run,
};

/// 1/α: the e-value that a finding needs.
const THRESHOLD: f64 = 1000.0;
/// Maximum number of pairs.
const PAIRS: u32 = 20;
/// Like [`PAIRS`], if this check has the whole budget: with `--check enumeration-by-time`.
const PAIRS_ALONE: u32 = 72;
/// A control pair follows every second pair, or every third if there are many.
const CONTROL_EVERY: u32 = 2;
const CONTROL_EVERY_ALONE: u32 = 3;
/// E-value from which the check does not pass if the difference matters; reached by chance at most
/// once in ten (Ville).
const LEANS: f64 = 10.0;
/// Pairs per address, each address with one connection; few enough not to reach a per-address limit.
const PAIRS_PER_SOURCE: u32 = 2;
const PAIRS_PER_SOURCE_ALONE: u32 = 3;
/// Shifts below this are not reported, however certain. Half of what must be found, since half of
/// all estimates of a one-millisecond shift are below one millisecond.
const LEAST_SHIFT_MS: f64 = 0.5;
/// E-value of the control up to which its difference is taken for chance.
const CONTROL_LIMIT: f64 = 20.0;
/// Consecutive failures of an account, after which it logs in and gets a new twin.
const RUN: u32 = 8;
/// Control pairs that share a used name.
const CONTROLS_PER_NAME: usize = 6;

/// Paired times in milliseconds.
#[derive(Clone, Debug, Default, PartialEq)]
struct Facts {
    existing: Vec<f64>,
    absent: Vec<f64>,
    /// Differences between a used and a new name, neither of which exists.
    control: Vec<f64>,
    /// Maximum number of pairs.
    planned: u32,
    /// Why the measurement ended early, if it did.
    disturbed: Option<String>,
}

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let mut facts = Facts {
            planned: if session.is_alone { PAIRS_ALONE } else { PAIRS },
            ..Facts::default()
        };
        match measure(session, &mut facts).await {
            Ok(()) => {}
            Err(Stop::Check(reason)) => facts.disturbed = Some(reason),
            Err(stop) => return Err(stop),
        }
        Ok(judge(&facts))
    })
}

async fn measure(session: &mut Session, facts: &mut Facts) -> Result<(), Stop> {
    let pool = session.pool();
    // Each account has a nonexistent twin that fails as often: what slows down with the failures of
    // a name must slow down both.
    let mut twins: Vec<Invented> = pool.iter().map(|_| session.nobody()).collect();
    let mut used = session.nobody();
    let mut line: Option<(Source, Signature)> = None;
    let (every, per_source) = if session.is_alone {
        (CONTROL_EVERY_ALONE, PAIRS_PER_SOURCE_ALONE)
    } else {
        (CONTROL_EVERY, PAIRS_PER_SOURCE)
    };
    for pair in 0..facts.planned {
        if facts.found() || facts.is_hopeless() {
            break;
        }
        if line.is_none() || (pair % per_source == 0 && session.probe.has_sources()) {
            line = Some(warm_up(session).await?);
        }
        let Some((source, usual)) = line.clone() else {
            break;
        };
        let place = pair as usize % pool.len();
        let account = &pool[place];
        // The account starts without failures, as its twin does, and its series of failures end.
        let allowed = if (pair as usize) < pool.len() {
            0
        } else {
            RUN - 1
        };
        if session.failures_of(&account.name) > allowed {
            session.right(source, account).await?;
            twins[place] = session.nobody();
        }
        let [existing, absent] = pair_of(session, source, account, &twins[place], &usual).await?;
        facts.existing.push(existing);
        facts.absent.push(absent);
        if pair % every == 1 {
            if facts.control.len() % CONTROLS_PER_NAME == CONTROLS_PER_NAME - 1 {
                used = session.nobody();
            }
            facts
                .control
                .push(control_pair(session, source, &used, &usual).await?);
        }
    }
    Ok(())
}

/// Opens a connection from a new address; the response to a nonexistent name there is the usual one.
async fn warm_up(session: &mut Session) -> Result<(Source, Signature), Stop> {
    let source = session.need_source()?;
    let nobody = session.nobody();
    let password = session.wrong_password();
    let who = Who::Nobody(&nobody);
    let (answer, _) = session.wrong(source, who, &password).await?;
    let usual = session.learned.signature(&answer);
    undisturbed(&answer)?;
    Ok((source, usual))
}

async fn pair_of(
    session: &mut Session,
    source: Source,
    account: &Account,
    twin: &Invented,
    usual: &Signature,
) -> Result<[f64; 2], Stop> {
    let (existing, absent) = (Who::Own(account), Who::Nobody(twin));
    let [(one, class), (other, _)] = in_any_order(session, source, [existing, absent]).await?;
    if &session.learned.signature(&other) != usual || class != Class::Wrong {
        return Err(throttled());
    }
    Ok([millis(&one), millis(&other)])
}

/// Returns the difference between a name used before and a new one; neither exists.
async fn control_pair(
    session: &mut Session,
    source: Source,
    used: &Invented,
    usual: &Signature,
) -> Result<f64, Stop> {
    let fresh = session.nobody();
    let pair = [Who::Nobody(used), Who::Nobody(&fresh)];
    let answers = in_any_order(session, source, pair).await?;
    let mut signatures = answers
        .iter()
        .map(|(answer, _)| session.learned.signature(answer));
    if signatures.any(|signature| &signature != usual) {
        return Err(throttled());
    }
    let [(used, _), (fresh, _)] = answers;
    Ok(millis(&used) - millis(&fresh))
}

/// Tries one incorrect password on both, in random order; returns the answers in the order of the
/// names.
async fn in_any_order(
    session: &mut Session,
    source: Source,
    names: [Who<'_>; 2],
) -> Result<[(Answer, Class); 2], Stop> {
    let password = session.wrong_password();
    let reversed = session.coin();
    let order = if reversed {
        [names[1], names[0]]
    } else {
        names
    };
    let mut answers = session.wrong_pair(source, order, &password).await?;
    answers
        .iter()
        .try_for_each(|(answer, _)| undisturbed(answer))?;
    if reversed {
        answers.reverse();
    }
    Ok(answers)
}

/// Rejects a throttle or a challenge, which shifts times whether or not the account exists.
fn undisturbed(answer: &Answer) -> Result<(), Stop> {
    let throttles = matches!(answer.status, 403 | 429) || answer.status >= 500;
    if throttles || answer.retry_after().is_some() {
        Err(throttled())
    } else {
        Ok(())
    }
}

fn throttled() -> Stop {
    Stop::Check("a limit or an unusual response was met, which shifts response times".into())
}

fn millis(answer: &Answer) -> f64 {
    answer.elapsed.as_secs_f64() * 1000.0
}

impl Facts {
    fn differences(&self) -> Vec<f64> {
        self.existing
            .iter()
            .zip(&self.absent)
            .map(|(e, a)| e - a)
            .collect()
    }

    fn times(&self) -> Times {
        let differences = self.differences();
        let round = |ms: f64| (ms * 1000.0).round() / 1000.0;
        let rounded = |ms: &[f64]| ms.iter().map(|ms| round(*ms)).collect();
        Times {
            existing_ms: rounded(&self.existing),
            absent_ms: rounded(&self.absent),
            difference_ms: round(shift(&differences)),
            control_ms: round(shift(&self.control)),
            e_value: e_of(&differences),
        }
    }

    /// Returns true if no signs of the remaining pairs could still make a finding: then they are not
    /// sent. Nothing is lost by that, and a login without the fault costs half the requests.
    fn is_hopeless(&self) -> bool {
        let differences = self.differences();
        let count = |keep: fn(f64) -> bool| differences.iter().filter(|d| keep(**d)).count() as u32;
        let (slower, faster) = (count(|d| d > 0.0), count(|d| d < 0.0));
        let left = self.planned.saturating_sub(differences.len() as u32);
        let best = e_value(slower + left, faster).max(e_value(slower, faster + left));
        best < THRESHOLD
    }

    fn found(&self) -> bool {
        matches!(judge(self), Verdict::Find(_))
    }
}

fn e_of(differences: &[f64]) -> f64 {
    let count = |keep: fn(f64) -> bool| differences.iter().filter(|d| keep(**d)).count() as u32;
    e_value(count(|d| d > 0.0), count(|d| d < 0.0))
}

fn judge(facts: &Facts) -> Verdict {
    let times = facts.times();
    let pairs = facts.existing.len() as u32;
    if e_of(&facts.control) >= CONTROL_LIMIT {
        return Verdict::inconclusive(
            "the control differs too: names tried before take a different time than new ones",
        );
    }
    let least = LEAST_SHIFT_MS.max(3.0 * times.control_ms.abs());
    let (sure, shift) = (times.e_value >= THRESHOLD, times.difference_ms.abs());
    if sure && shift >= least {
        let slower = if times.difference_ms > 0.0 {
            "slower"
        } else {
            "faster"
        };
        let summary = format!(
            "Responses for existing accounts are {shift:.1} ms {slower} than for nonexistent names ({pairs} pairs, e-value {:.0}, control {:.2} ms).",
            times.e_value, times.control_ms
        );
        let evidence = Evidence {
            times: Some(times),
            ..Evidence::of(summary)
        };
        return Verdict::find(Severity::Medium, Confidence::High, evidence);
    }
    if let Some(reason) = &facts.disturbed {
        return Verdict::inconclusive(format!("after {pairs} pairs: {reason}"));
    }
    if sure && shift >= LEAST_SHIFT_MS {
        return Verdict::inconclusive(format!(
            "the difference of {shift:.1} ms is no more than three times the control's"
        ));
    }
    // Not enough for a finding, and too much to rule out a difference.
    if times.e_value >= LEANS && shift >= least {
        return Verdict::inconclusive(format!(
            "response times of existing accounts and nonexistent names differ by {shift:.1} ms, but not with enough certainty; scan again with --check enumeration-by-time, which uses more pairs"
        ));
    }
    // The power is that of all pairs: those that were not sent could have changed nothing.
    let detectable = detectable(&facts.differences(), facts.planned, THRESHOLD).max(least);
    let usual = median(facts.absent.clone()).max(median(facts.existing.clone()));
    if !detectable.is_finite() || detectable > usual.max(LEAST_SHIFT_MS) {
        return Verdict::inconclusive(format!(
            "{} pairs with this much noise would not have detected a difference as long as the whole response time",
            facts.planned
        ));
    }
    let summary = format!(
        "No difference of {detectable:.1} ms or more (power about 95 % with {} pairs, of which {pairs} were enough to decide; estimate {:.2} ms).",
        facts.planned, times.difference_ms
    );
    Verdict::Pass(Evidence {
        times: Some(times),
        ..Evidence::of(summary)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(pairs: usize, shift: f64, noise: fn(usize) -> f64) -> Facts {
        let base = |i: usize| 20.0 + noise(i);
        Facts {
            existing: (0..pairs).map(|i| base(i) + shift).collect(),
            absent: (0..pairs).map(|i| base(i + 1)).collect(),
            control: (0..pairs / 2).map(|i| noise(i) - noise(i + 1)).collect(),
            planned: PAIRS,
            disturbed: None,
        }
    }

    fn jitter(i: usize) -> f64 {
        (i * i * i * 5 % 13) as f64 / 26.0
    }

    #[test]
    fn a_clear_shift_is_found_with_thirteen_pairs() {
        assert!(matches!(judge(&facts(13, 30.0, jitter)), Verdict::Find(_)));
        assert!(matches!(judge(&facts(13, -30.0, jitter)), Verdict::Find(_)));
        assert!(!matches!(judge(&facts(12, 30.0, jitter)), Verdict::Find(_)));
    }

    #[test]
    fn no_shift_passes_and_says_what_it_could_have_found() {
        let Verdict::Pass(evidence) = judge(&facts(9, 0.0, jitter)) else {
            panic!()
        };
        assert!(
            evidence.summary.contains(
                "or more (power about 95 % with 20 pairs, of which 9 were enough to decide"
            ),
            "{}",
            evidence.summary
        );
    }

    #[test]
    fn what_leans_does_not_pass() {
        let mut leaning = facts(15, 18.0, jitter);
        for place in [3, 9] {
            leaning.existing[place] = leaning.absent[place] - 5.0;
        }
        assert!(leaning.is_hopeless());
        let judged = judge(&leaning);
        assert!(judged.is_inconclusive(), "{judged:?}");
    }

    #[test]
    fn it_ends_when_no_sign_could_matter_any_more() {
        assert!(!facts(9, 30.0, jitter).is_hopeless());
        let mixed = facts(12, 0.0, |i| f64::from(i as u32 % 2));
        assert!(mixed.is_hopeless() && !facts(3, 0.0, jitter).is_hopeless());
    }

    #[test]
    fn a_shift_below_what_matters_is_not_reported() {
        assert!(!matches!(judge(&facts(24, 0.4, |_| 0.0)), Verdict::Find(_)));
    }

    #[test]
    fn a_throttle_decides_nothing() {
        let stopped = Facts {
            disturbed: Some("a limit".into()),
            ..facts(9, 0.0, jitter)
        };
        assert!(judge(&stopped).is_inconclusive());
        assert!(judge(&Facts::default()).is_inconclusive());
        let drifting = Facts {
            control: vec![1.0; 24],
            ..facts(24, 30.0, jitter)
        };
        assert!(judge(&drifting).is_inconclusive());
    }
}
