//! Tokens are predictable.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{Confidence, Evidence, Severity, Verdict, access, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "token-predictable",
    title: "Tokens are predictable",
    severity: Severity::High,
    what: "Compares two consecutive tokens of the scanner's account: in how many characters they \
           differ, how many bits those can hold, and whether the tokens are only counted up.",
    why: "A token is a password that its owner did not choose. Guessing one bypasses the login.",
    sends: "One successful login in addition to that of the controls.",
    max_requests: 1,
    measures_limits: false,
    side_by_side: false,
    evidence: "The positions in which two tokens differ, each worth the bits of the observed \
               alphabet; under 64 bits is a finding. OWASP asks for at least 64 bits of entropy.",
    false_alarms: "Two tokens show how much can differ, not how well it was generated: a poor \
                   generator whose tokens look random is not detected.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["7.2.3"],
        cwe: &[330, 340, 331],
        nist: &["5.1"],
        pci_dss: &["6.2.4", "8.2.8"],
        soc2: &["CC6.1"],
    },
    fix: "Generate tokens from the system's random number generator, 128 bits or more: \
          secrets.token_urlsafe(32), crypto.randomBytes(32). Better, let the framework generate \
          them.",
    recipes: &recipes::TOKENS,
    policy: "",
    run,
};

/// Bits that a token's differing part must be able to hold (OWASP Session Management).
const LEAST_BITS: f64 = 64.0;

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let access = access::access(session).await?;
        let Some(first) = &access.issued else {
            return Ok(Verdict::not_applicable(
                "the response to a successful login contains no token",
            ));
        };
        if first.jwt().is_some() {
            return Ok(Verdict::not_applicable(
                "the token is a JWT; its signature is checked instead",
            ));
        }
        let Some(issued) = access::log_in(session).await? else {
            return Ok(Verdict::inconclusive("a later login returned no token"));
        };
        let second = issued.credential.token().to_owned();
        Ok(judge([first.credential.token().to_owned(), second]))
    })
}

fn judge(tokens: [String; 2]) -> Verdict {
    if tokens[0] == tokens[1] {
        return Verdict::not_applicable(
            "every login returns the same token, so there is nothing to compare",
        );
    }
    let bits = bits(&tokens);
    let summary = format!("Two consecutive tokens differ in characters that hold {bits:.0} bits.");
    if bits >= LEAST_BITS {
        return Verdict::pass(summary);
    }
    let counted = counted(&tokens).map(|step| format!(" They are sequential, {step} apart."));
    let summary = format!("{summary}{}", counted.unwrap_or_default());
    Verdict::find(Severity::High, Confidence::High, Evidence::of(summary))
}

/// Returns the bits that the positions in which the tokens differ can hold; all of it if the lengths
/// differ.
fn bits(tokens: &[String; 2]) -> f64 {
    let characters = tokens
        .each_ref()
        .map(|token| token.chars().collect::<Vec<_>>());
    let seen = characters.iter().flatten();
    let digits = seen.clone().all(char::is_ascii_digit);
    let hexadecimal = seen.clone().all(|c| c.is_ascii_hexdigit() || *c == '-');
    let each: f64 = if digits {
        10.0
    } else if hexadecimal {
        16.0
    } else {
        64.0
    };
    let longest = characters[0].len().max(characters[1].len());
    let differs = |at: &usize| characters[0].get(*at) != characters[1].get(*at);
    (0..longest).filter(differs).count() as f64 * each.log2()
}

/// Returns the step if the tokens' differing digits are numbers not far apart.
fn counted(tokens: &[String; 2]) -> Option<u64> {
    let number = |token: &String| -> Option<u64> {
        let digits = token
            .rfind(|c: char| !c.is_ascii_digit())
            .map_or(0, |at| at + 1);
        token[digits..].parse().ok()
    };
    let step = number(&tokens[1])?.checked_sub(number(&tokens[0])?)?;
    (1..1_000).contains(&step).then_some(step)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(tokens: [&str; 2]) -> Verdict {
        judge(tokens.map(str::to_owned))
    }

    #[test]
    fn what_counts_is_found_and_what_is_drawn_is_not() {
        let found = judged(["lab-00000007", "lab-00000008"]);
        let Verdict::Find(finding) = found else {
            panic!("{found:?}");
        };
        assert!(finding.evidence.summary.contains("They are sequential"));
        let uuids = [
            "9f1c2a5e-3d4b-4c6d-8e7f-0a1b2c3d4e5f",
            "2b8e7d6c-5a49-4382-9716-f5e4d3c2b1a0",
        ];
        assert!(matches!(judged(uuids), Verdict::Pass(_)));
        assert!(matches!(judged(["0001", "8311"]), Verdict::Find(_)));
        assert!(matches!(
            judged(["same", "same"]),
            Verdict::NotApplicable(_)
        ));
    }
}
