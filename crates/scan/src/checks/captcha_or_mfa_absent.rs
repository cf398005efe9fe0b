//! Nothing but the password was ever asked for.

use futures_util::future::BoxFuture;

use super::{
    Check, Standards,
    limits::{self, LimitFacts},
    recipes,
};
use crate::{Confidence, Evidence, Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "captcha-or-mfa-absent",
    title: "Nothing but a password was ever asked for",
    severity: Severity::Info,
    what: "Did any answer, to right logins from new addresses or to failures, ask for \
           a second factor, a code or a riddle?",
    why: "A password that was guessed or leaked opens an account that asks for \
          nothing else.",
    sends: "Nothing of its own: it reads what the other checks were answered.",
    max_requests: 0,
    measures_limits: true,
    side_by_side: false,
    evidence: "A right login from an address that was never used hands out the token \
               at once, and no refusal names a challenge.",
    false_alarms: "Accounts may have a second factor that the test accounts did not \
                   enrol, and some challenges are shown to people only after more \
                   suspicion than a scan raises.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.3.3"],
        cwe: &[308],
        nist: &["2.2.1"],
        pci_dss: &["8.4.2"],
        soc2: &["CC6.1"],
    },
    fix: "Offer passkeys or one-time codes (SP 800-63B-4 section 2.2 requires \
             offering a phishing-resistant one at AAL2), and ask for them where an \
             attempt is suspicious.",
    recipes: &recipes::FACTORS,
    policy: "",
    run,
};

/// Words of challenges, in small letters.
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
        return Verdict::inconclusive("everybody was refused; see limit-global");
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
        Some((at, how)) => Verdict::pass(format!("Try {at} was answered {how}")),
        None => Verdict::find(
            Severity::Info,
            Confidence::Medium,
            Evidence::of(
                "Right logins from new addresses were let in by their password alone, and no refusal asked for more.",
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
