//! An attacker's own successful login resets the per-IP limit.

use futures_util::future::BoxFuture;

use super::{Check, Standards, limits, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict,
    answer::Signature,
    learn::Class,
    probe::{Source, Stop},
    scan::{Session, Who},
};

pub(super) static CHECK: Check = Check {
    id: "limit-reset-by-success",
    title: "An attacker's own successful login resets the per-IP limit",
    severity: Severity::High,
    what: "From one IP address, fails one time fewer than the limit allows, logs in successfully \
           with the scanner's own account, and keeps failing on other account names. Checks \
           whether the address is still treated as if it had not failed before.",
    why: "An attacker with one account of their own logs in between guesses and is never limited.",
    sends: "From a new IP address: failed logins for invented account names, one fewer than the \
            limit allows, one successful login, and up to three more failed ones; if the address \
            is rejected earlier, the same at most twice more with the smaller limit, and then the \
            failures alone. Only if the measured limit is 22 or less.",
    max_requests: 96,
    measures_limits: true,
    side_by_side: false,
    evidence: "The same failures without a successful login in between are rejected (positive \
               control, from the limit measurement, or from a new IP address where the limit \
               shrank); with one in between, three more are not.",
    false_alarms: "A window that expires in between would look the same; it would have to expire \
                   within the seconds that the check takes.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.3.1"],
        cwe: &[841, 307],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Let a successful login refund its own charge and nothing else. A successful login may \
          reset the consecutive failures of its own account, but not those of its IP address.",
    recipes: &recipes::LIMITS,
    policy: "",
    run,
};

/// Limits above this take too many requests.
const LARGEST: u32 = 22;

/// Failures after the successful login: one reaches the limit, two go beyond it.
const AFTER: u32 = 3;

/// How often it is tried, with a smaller limit each time.
const TRIES: u32 = 3;

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let facts = limits::facts(session).await?;
        if let Some(untold) = facts.untold() {
            return Ok(untold);
        }
        let arm = facts.address.as_ref().filter(|arm| arm.limited());
        let Some(most) = arm.and_then(|arm| arm.most()) else {
            return Ok(Verdict::not_applicable("IP addresses are not limited"));
        };
        if !(2..=LARGEST).contains(&most) {
            let reason = format!(
                "the limit of {most} per IP address is outside the tested range (2 to {LARGEST})"
            );
            return Ok(Verdict::inconclusive(reason));
        }
        session.probe.expect_limits(true);
        let met = measure_again(session, most).await;
        session.probe.expect_limits(false);
        Ok(judge(&met?))
    })
}

/// What the failures met.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Met {
    /// The address was rejected at this failure, before its limit was reached.
    Early(u32),
    /// The correct password was rejected.
    NotRight,
    /// The limit grew between two series.
    Grown,
    /// With a limit of `most`, `answered` failures after the successful login got the usual response.
    After { most: u32, answered: u32 },
}

/// Once more with a smaller limit where the first was refused before it was reached: some limits
/// shrink while a site is under pressure, as it is by then.
async fn measure_again(session: &mut Session, measured: u32) -> Result<Met, Stop> {
    let mut most = measured;
    let mut tries = 1;
    loop {
        let met = measure(session, most).await?;
        let now = match met {
            Met::Early(at) => at - 1,
            Met::NotRight => most - 1,
            // A limit that shrank may have grown back: without a successful login it must still hold.
            Met::After {
                answered: AFTER, ..
            } if most < measured && !is_refused_after(session, most - 1 + AFTER).await? => {
                return Ok(Met::Grown);
            }
            Met::After { .. } | Met::Grown => return Ok(met),
        };
        if tries == TRIES || now < 3 {
            return Ok(met);
        }
        (most, tries) = (now - 1, tries + 1);
    }
}

/// Returns true if a new address is rejected within `failures` failures.
async fn is_refused_after(session: &mut Session, failures: u32) -> Result<bool, Stop> {
    let source = session.need_source()?;
    let usual = fail(session, source).await?;
    for _ in 1..failures {
        if fail(session, source).await? != usual {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn measure(session: &mut Session, most: u32) -> Result<Met, Stop> {
    let source = session.need_source()?;
    let mut usual = None;
    for failure in 1..most {
        let signature = fail(session, source).await?;
        if *usual.get_or_insert_with(|| signature.clone()) != signature {
            return Ok(Met::Early(failure));
        }
    }
    let own = session.own();
    if session.right(source, &own).await?.1 != Class::Right {
        return Ok(Met::NotRight);
    }
    for answered in 0..AFTER {
        if usual != Some(fail(session, source).await?) {
            return Ok(Met::After { most, answered });
        }
    }
    Ok(Met::After {
        most,
        answered: AFTER,
    })
}

async fn fail(session: &mut Session, source: Source) -> Result<Signature, Stop> {
    let (nobody, password) = (session.nobody(), session.wrong_password());
    let (answer, _) = session
        .wrong(source, Who::Nobody(&nobody), &password)
        .await?;
    Ok(session.learned.signature(&answer))
}

fn judge(met: &Met) -> Verdict {
    match *met {
        Met::Early(_) => {
            Verdict::inconclusive("the IP address was rejected before its limit was reached")
        }
        Met::NotRight => {
            Verdict::inconclusive("the correct password was rejected from the IP address")
        }
        Met::Grown => Verdict::inconclusive("the per-IP limit changed during the check"),
        Met::After {
            most,
            answered: AFTER,
        } => {
            let failures = most - 1 + AFTER;
            let evidence = Evidence::of(format!(
                "An IP address limited to {most} failures failed {failures} times with one successful login in between and was not rejected."
            ))
            .exhibit(format!("{} failed logins from one IP address", most + 1), "rejected")
            .exhibit(
                format!("{} failed logins, a successful one, {AFTER} failed ones", most - 1),
                "none rejected",
            );
            Verdict::find(Severity::High, Confidence::High, evidence)
        }
        Met::After { most, answered } => Verdict::pass(format!(
            "After a successful login the IP address was rejected at failure {}.",
            most + answered
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_on_as_before_is_found() {
        let after = |answered| judge(&Met::After { most: 10, answered });
        assert!(matches!(after(3), Verdict::Find(_)));
        assert!(matches!(after(1), Verdict::Pass(_)));
        assert!(matches!(after(0), Verdict::Pass(_)));
        for met in [Met::Early(4), Met::NotRight, Met::Grown] {
            assert!(judge(&met).is_inconclusive());
        }
    }
}
