//! Another spelling of the account name bypasses the limit.

use futures_util::future::BoxFuture;

use super::{Check, Standards, limits, recipes};
use crate::{Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "limit-name-variants",
    title: "Another spelling of the account name bypasses the limit",
    severity: Severity::High,
    what: "Once an account is rejected, sends its correct password with other spellings of its \
           name: in capitals, with a leading or trailing space, in full-width letters (which NFKC \
           folds). Checks whether one of them logs in.",
    why: "If the limit counts spellings and the login folds them, each account has as many limits \
          as its name has spellings.",
    sends: "For the rejected account: a login with the correct password, up to four spellings of \
            its name with the correct password, and the first login again.",
    max_requests: 8,
    measures_limits: true,
    side_by_side: false,
    evidence: "The correct password with the exact name is rejected before (positive control) and \
               after (negative control), while the other spelling logs in.",
    false_alarms: "If the spellings are different accounts, they are rejected like any failed \
                   login, and the check passes.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.3.4"],
        cwe: &[178, 180],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Fold the account name once, on input, and use the folded name for the limit, the lookup \
          and the log.",
    recipes: &recipes::LIMITS,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let facts = limits::facts(session).await?;
        let Some((account, source)) = facts.locked.clone().filter(|_| !facts.bystander_refused)
        else {
            return Ok(limits::nothing_locked(&facts));
        };
        if !session.is_ours(&account) {
            let reason = "another spelling of a supplied account name could be another user's account; use --register";
            return Ok(Verdict::inconclusive(reason));
        }
        let logins = spellings(&account.name)
            .into_iter()
            .map(|(how, spelling)| (how, session.spelled(&account, &spelling)))
            .collect();
        let detours = limits::detours(session, &account, source, logins).await?;
        Ok(detours.judge("the name"))
    })
}

/// Returns other spellings of a name, each with a description.
fn spellings(name: &str) -> Vec<(String, String)> {
    let wide = |c: char| match c {
        '!'..='~' => char::from_u32(u32::from(c) + 0xFEE0).unwrap_or(c),
        _ => c,
    };
    let all = [
        ("in capitals", name.to_uppercase()),
        ("with a trailing space", format!("{name} ")),
        ("with a leading space", format!(" {name}")),
        ("in full-width letters", name.chars().map(wide).collect()),
    ];
    let other = all.into_iter().filter(|(_, spelling)| spelling != name);
    other
        .map(|(how, spelling)| (format!("its name {how}"), spelling))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_other_spellings() {
        let all: Vec<String> = spellings("ab-1")
            .into_iter()
            .map(|(_, name)| name)
            .collect();
        assert_eq!(
            all,
            ["AB-1", "ab-1 ", " ab-1", "\u{ff41}\u{ff42}\u{ff0d}\u{ff11}"]
        );
    }
}
