//! A refusal does not say for how long.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    limits::{self, LimitFacts},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "retry-after-missing",
    title: "A refusal does not say for how long",
    severity: Severity::Info,
    what: "Where a limit refuses in words or by a status of its own: does the answer \
           have a Retry-After (RFC 9110 section 10.2.3)?",
    why: "People and honest clients who are not told when to come back try again at \
          once, and are refused for longer.",
    sends: "Nothing of its own: it judges the measurement of the limits.",
    max_requests: 0,
    measures_limits: true,
    side_by_side: false,
    evidence: "The answers of the arms that met a limit.",
    false_alarms: "A limit that refuses in silence has no Retry-After by intent, and \
                   is not counted.",
    standards: Standards {
        owasp_api: &["API4:2023"],
        asvs: &["2.4.1"],
        cwe: &[799],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Answer 429 with Retry-After in whole seconds. slowapi and Flask-Limiter: \
             headers enabled (RATELIMIT_HEADERS_ENABLED = True). nginx: error_page \
             429 with add_header Retry-After.",
    recipes: &recipes::LIMITS,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async { Ok(judge(&limits::facts(session).await?)) })
}

fn judge(facts: &LimitFacts) -> Verdict {
    let arms = [&facts.account, &facts.pair, &facts.address];
    let refusing = arms.into_iter().flatten().filter(|arm| arm.limited());
    let told: Vec<_> = refusing
        .filter_map(|arm| Some((arm.reaction.as_ref()?, arm.retry_after)))
        .collect();
    match told.iter().find(|(_, retry_after)| retry_after.is_none()) {
        Some(((at, how), _)) => {
            let summary = format!("Try {at} was refused ({how}), without a Retry-After.");
            Verdict::find(Severity::Info, Confidence::High, Evidence::of(summary))
        }
        None if told.is_empty() => Verdict::not_applicable("no limit refused in the open"),
        None => Verdict::pass("Refusals say when to come back."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::limits::Arm;

    #[test]
    fn an_open_refusal_says_when() {
        let facts = |reaction: Option<(u32, String)>, retry_after| LimitFacts {
            account: Some(Arm {
                tried: 11,
                reaction,
                retry_after,
                ..Arm::default()
            }),
            ..LimitFacts::default()
        };
        let refused = || Some((11, "429".to_owned()));
        assert!(matches!(
            judge(&facts(refused(), Some(60))),
            Verdict::Pass(_)
        ));
        assert!(matches!(judge(&facts(refused(), None)), Verdict::Find(_)));
        assert!(matches!(judge(&facts(None, None)), Verdict::Skip { .. }));
    }
}
