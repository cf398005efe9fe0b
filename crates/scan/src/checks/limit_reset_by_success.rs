//! A right login gives its address all failures back.

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
    title: "A right login of one's own resets the limit of an address",
    severity: Severity::High,
    what: "An address fails once less often than its limit allows, logs in rightly \
           with the scanner's own account, and goes on failing with other names: is \
           it still answered as if it had not failed before?",
    why: "Whoever has one account of their own logs in between guesses and is never \
          limited.",
    sends: "From a fresh address: as many wrong logins of invented names as the limit \
            allows but one, one right login, and up to three more wrong ones; where \
            the address is refused before, the same at most twice more with the smaller \
            limit, and then the failures alone. Only where the limit that was \
            measured is 22 or less.",
    max_requests: 96,
    measures_limits: true,
    side_by_side: false,
    evidence: "The same failures without a right login between are refused (positive \
               control, from the measurement of the limits, or from a fresh address \
               where the limit shrank); with one between, three more are not.",
    false_alarms: "A window that ends in between would look alike; it would have to \
                   end within the seconds that the check takes.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.3.1"],
        cwe: &[841, 307],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Let a right login take back its own charge and nothing else. An \
             account's failures in a row may end with its own right login; an \
             address's may not.",
    recipes: &recipes::LIMITS,
    policy: "",
    run,
};

/// Limits above this take too many requests.
const LARGEST: u32 = 22;

/// Failures after the right login: one reaches the limit, two go beyond it.
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
            return Ok(Verdict::not_applicable("addresses are not limited"));
        };
        if !(2..=LARGEST).contains(&most) {
            let reason =
                format!("a limit of {most} an address is not one that is tried (2 to {LARGEST})");
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
    /// The address was refused at this failure, before its limit was reached.
    Early(u32),
    /// The right login was refused.
    NotRight,
    /// The limit grew between two series.
    Grown,
    /// With a limit of so many, so many failures after the right login were answered as usual.
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
            // A limit that shrank may have grown back: without a right login it must still hold.
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

/// Whether a fresh address is refused within so many failures.
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
            Verdict::inconclusive("the address was refused before its limit was reached")
        }
        Met::NotRight => Verdict::inconclusive("a right login from the address was refused"),
        Met::Grown => {
            Verdict::inconclusive("the limit of an address changed while it was looked at")
        }
        Met::After {
            most,
            answered: AFTER,
        } => {
            let failures = most - 1 + AFTER;
            let evidence = Evidence::of(format!(
                "An address that may fail {most} times fails {failures} times with a right login of its own in between, and is not refused."
            ))
            .exhibit(format!("{} wrong logins from one address", most + 1), "refused")
            .exhibit(
                format!("{} wrong logins, a right one, {AFTER} wrong ones", most - 1),
                "none refused",
            );
            Verdict::find(Severity::High, Confidence::High, evidence)
        }
        Met::After { most, answered } => Verdict::pass(format!(
            "After a right login the address was refused at failure {}.",
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
            assert!(matches!(
                judge(&met),
                Verdict::Skip {
                    inconclusive: true,
                    ..
                }
            ));
        }
    }
}
