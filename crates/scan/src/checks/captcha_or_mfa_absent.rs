//! Logins that never ask for more than the password.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    limits::{self, LimitFacts},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "captcha-or-mfa-absent",
    title: "The login never asks for more than the password",
    severity: Severity::Info,
    what: "Checks whether any response, to successful logins from new IP addresses or to failed \
           ones, asks for a second factor, a code or a CAPTCHA.",
    why: "A guessed or leaked password is enough to take over an account that asks for nothing \
           else.",
    sends: "It evaluates the responses that the other checks received.",
    max_requests: 0,
    measures_limits: true,
    side_by_side: false,
    evidence: "A successful login from a new IP address returns the token immediately, and no \
           rejection mentions a challenge.",
    false_alarms: "Accounts may have a second factor that the test accounts are not enrolled in, \
           and some challenges appear only at a higher level of suspicion than a scan raises.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.3.3"],
        cwe: &[308],
        nist: &["2.2.1"],
        pci_dss: &["8.4.2"],
        soc2: &["CC6.1"],
    },
    fix: "Offer passkeys or one-time codes (SP 800-63B-4 section 2.2 requires offering a \
           phishing-resistant option at AAL2), and ask for them when an attempt is suspicious.",
    recipes: &recipes::FACTORS,
    policy: "",
    run,
};

/// Phrases that name a challenge, in lower case.
const CHALLENGES: [&str; 10] = [
    "captcha",
    "challenge",
    "turnstile",
    "mfa",
    "2fa",
    "totp",
    "one-time",
    "second factor",
    "verification code",
    "step-up",
];

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let facts = limits::facts(session).await?;
        let spray = session
            .spray
            .as_ref()
            .and_then(|spray| spray.reaction.clone());
        Ok(judge(&facts, spray.as_ref()))
    })
}

fn judge(facts: &LimitFacts, spray: Option<&(u32, String)>) -> Verdict {
    if facts.bystander_refused {
        return Verdict::inconclusive("all logins were rejected; see limit-global");
    }
    if let Some(reason) = facts.blind {
        return Verdict::inconclusive(reason);
    }
    let arms = [&facts.account, &facts.pair, &facts.address]
        .into_iter()
        .flatten();
    let reactions = arms.filter_map(|arm| arm.reaction.as_ref()).chain(spray);
    let challenges = |how: &&(u32, String)| {
        let how = how.1.to_lowercase();
        CHALLENGES.iter().any(|challenge| how.contains(challenge))
    };
    match reactions.into_iter().find(challenges) {
        Some((at, how)) => Verdict::pass(format!("Attempt {at} received {how}")),
        None => Verdict::find(
            Severity::Info,
            Confidence::Medium,
            Evidence::of(
                "Successful logins from new IP addresses needed only the password, and no rejection asked for more.",
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::limits::tests::facts;

    #[test]
    fn a_riddle_is_something_else() {
        let told = |words: &str| judge(&facts(None, None, None), Some(&(3, words.to_owned())));
        assert!(matches!(
            told("401 {\"detail\":\"Captcha required\"}"),
            Verdict::Pass(_)
        ));
        assert!(matches!(told("403 second factor"), Verdict::Pass(_)));
        assert!(matches!(told("429 slow down"), Verdict::Find(_)));
        assert!(matches!(
            judge(&facts(Some(11), None, None), None),
            Verdict::Find(_)
        ));
    }
}
