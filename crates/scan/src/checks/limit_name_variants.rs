//! Another spelling of a name has its own limit.

use futures_util::future::BoxFuture;

use super::{Check, Standards, limits, recipes};
use crate::{Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "limit-name-variants",
    title: "Another spelling of a name gets around the limit",
    severity: Severity::High,
    what: "Once an account is refused, its right password is sent under other \
           spellings of its name: in capitals, with a space before or behind, in \
           full-width letters (which NFKC folds). Does one of them log in?",
    why: "A limit that counts spellings and a login that folds them gives each \
          account as many limits as its name has spellings.",
    sends: "For the refused account: a right login, up to four spellings of its name \
            with its right password, and a right login again.",
    max_requests: 8,
    measures_limits: true,
    side_by_side: false,
    evidence: "The right login under the exact name is refused before (positive \
               control) and after it (negative control), while the other spelling \
               logs in.",
    false_alarms: "Where spellings are other accounts, they are refused like any \
                   wrong login, and the check passes.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["6.3.4"],
        cwe: &[178, 180],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Fold a name once, at the door, and use the folded one for the limit, the \
             look-up and the log alike.",
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
            let reason = "another spelling of a name that was given could be somebody else's; use --register";
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

/// Other spellings of a name, each with what is done to it.
fn spellings(name: &str) -> Vec<(String, String)> {
    let wide = |c: char| match c {
        '!'..='~' => char::from_u32(u32::from(c) + 0xFEE0).unwrap_or(c),
        _ => c,
    };
    let all = [
        ("in capitals", name.to_uppercase()),
        ("with a space behind", format!("{name} ")),
        ("with a space before", format!(" {name}")),
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
