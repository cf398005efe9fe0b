//! Rejections lack Retry-After.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    limits::{self, LimitFacts},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "retry-after-missing",
    title: "Rejections lack Retry-After",
    severity: Severity::Info,
    what: "If a limit rejects visibly, by a message or a status of its own, checks whether the \
           response has a Retry-After header (RFC 9110 section 10.2.3).",
    why: "Users and well-behaved clients that don't know when to come back retry at once and are \
          rejected for longer.",
    sends: "It evaluates the limit measurement.",
    max_requests: 0,
    measures_limits: true,
    side_by_side: false,
    evidence: "The responses of the series that reached a limit.",
    false_alarms: "A limit that rejects silently omits Retry-After on purpose and is not counted.",
    standards: Standards {
        owasp_api: &["API4:2023"],
        asvs: &["2.4.1"],
        cwe: &[799],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Return 429 with Retry-After in whole seconds. slowapi and Flask-Limiter: enable headers \
          (RATELIMIT_HEADERS_ENABLED = True). nginx: error_page 429 with add_header Retry-After.",
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
    let rejections: Vec<_> = refusing
        .filter_map(|arm| Some((arm.reaction.as_ref()?, arm.retry_after)))
        .collect();
    match rejections
        .iter()
        .find(|(_, retry_after)| retry_after.is_none())
    {
        Some(((at, how), _)) => {
            let summary = format!("Attempt {at} was rejected ({how}) without Retry-After.");
            Verdict::find(Severity::Info, Confidence::High, Evidence::of(summary))
        }
        None if rejections.is_empty() => {
            Verdict::not_applicable("no limit rejected a login visibly")
        }
        None => Verdict::pass("Rejections state when to retry."),
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
        assert!(matches!(
            judge(&facts(None, None)),
            Verdict::NotApplicable(_)
        ));
    }
}
