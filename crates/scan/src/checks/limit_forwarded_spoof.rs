//! A forged forwarding header bypasses the per-IP limit.

use futures_util::future::BoxFuture;

use super::{Check, Standards, limits, recipes};
use crate::{
    Account, Confidence, Evidence, Severity, Verdict,
    learn::Class,
    probe::{Source, Stop},
    scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "limit-forwarded-spoof",
    title: "A forged forwarding header bypasses the per-IP limit",
    severity: Severity::High,
    what: "Once an IP address is rejected, checks whether the same login with the correct password \
           succeeds if the request claims another address in X-Forwarded-For or a similar header.",
    why: "A limiter that takes the client address from a header that the client controls limits no \
          one: each guess can carry another address.",
    sends: "Logins with the correct password of a test account from the exhausted address: one \
            without a header, one for each of four ways to write X-Forwarded-For, one with five \
            similar headers together, and each of those alone if that succeeds. The claimed \
            addresses are from the documentation range 203.0.113.0/24.",
    max_requests: 14,
    measures_limits: true,
    side_by_side: false,
    evidence: "The login is rejected without the header, before and after (the negative controls), \
               and succeeds with it. Only correct passwords are sent, so no further failures are \
               counted.",
    false_alarms: "A rejection that ends on its own between the two requests; the control \
                   afterwards detects this.",
    standards: Standards {
        owasp_api: &["API2:2023", "API8:2023"],
        asvs: &["4.1.3", "15.3.4"],
        cwe: &[348, 290],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Read forwarding headers only from configured proxies, and use the right-most address \
          that is not one of them. uvicorn: --forwarded-allow-ips with the proxy's address. Flask: \
          ProxyFix with the exact number of proxies. nginx: set_real_ip_from.",
    recipes: &recipes::LIMITS,
    policy: r#"[guard]
trusted_proxies = []      # only the networks of your own proxies"#,
    run,
};

/// The header family, each with a way of writing it; `|` parts two lines of one header. Addresses
/// from RFC 5737's documentation range.
const SPELLINGS: [Spelling; 9] = [
    ("x-forwarded-for", "203.0.113.{n}"),
    ("x-forwarded-for", "203.0.113.{n}, 127.0.0.1"),
    ("x-forwarded-for", "127.0.0.1, 203.0.113.{n}"),
    ("x-forwarded-for", "203.0.113.{n}|127.0.0.1"),
    ("forwarded", "for=203.0.113.{n}"),
    ("x-real-ip", "203.0.113.{n}"),
    ("x-client-ip", "203.0.113.{n}"),
    ("true-client-ip", "203.0.113.{n}"),
    ("cf-connecting-ip", "203.0.113.{n}"),
];

type Spelling = (&'static str, &'static str);

/// The first ones are of one header, so each is sent by itself.
const LISTED: usize = 4;

/// What the spellings met.
#[derive(Clone, Debug, Default, PartialEq)]
struct Facts {
    /// Whether the login was refused without a header.
    shut_before: bool,
    /// The spellings that let it in, each with whether it was refused again without.
    freed_by: Vec<(&'static str, &'static str, bool)>,
}

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let limits = limits::facts(session).await?;
        let Some((account, source)) = limits.shut.clone().filter(|_| !limits.bystander_refused)
        else {
            return Ok(limits.untold().unwrap_or_else(|| {
                Verdict::not_applicable("no per-IP limit was found that a header could bypass")
            }));
        };
        session.probe.expect_limits(true);
        let facts = measure(session, source, &account).await;
        session.probe.expect_limits(false);
        Ok(judge(&facts?))
    })
}

async fn measure(session: &mut Session, source: Source, account: &Account) -> Result<Facts, Stop> {
    let mut facts = Facts {
        shut_before: session.right(source, account).await?.1 != Class::Right,
        ..Facts::default()
    };
    if !facts.shut_before {
        return Ok(facts);
    }
    // A target that trusts one of the single headers trusts it next to the others too.
    let (listed, alone) = SPELLINGS.split_at(LISTED);
    let mut rounds: Vec<&[Spelling]> = listed.chunks(1).collect();
    if frees(session, source, account, alone).await? {
        rounds.extend(alone.chunks(1));
    }
    for spelling in rounds {
        if frees(session, source, account, spelling).await? {
            let refused = session.right(source, account).await?.1 != Class::Right;
            // Twice: a bucket lets one through now and then by itself.
            let again = refused
                && frees(session, source, account, spelling).await?
                && session.right(source, account).await?.1 != Class::Right;
            let (name, pattern) = spelling[0];
            facts.freed_by.push((name, pattern, again));
            break;
        }
    }
    Ok(facts)
}

/// Whether the login gets in with these headers.
async fn frees(
    session: &mut Session,
    source: Source,
    account: &Account,
    spellings: &[Spelling],
) -> Result<bool, Stop> {
    let lines = spellings.iter().flat_map(|(name, pattern)| {
        let lines = pattern.split('|');
        lines.map(|line| (*name, line.replace("{n}", "17")))
    });
    let headers = lines.collect();
    Ok(session.right_with(source, account, headers).await?.1 == Class::Right)
}

fn judge(facts: &Facts) -> Verdict {
    if !facts.shut_before {
        return Verdict::inconclusive("the rejection ended before a header could be tried");
    }
    match facts.freed_by.first() {
        None => Verdict::pass(format!(
            "The exhausted IP address stayed rejected with {} variants of forwarding headers.",
            SPELLINGS.len()
        )),
        Some((name, _, false)) => Verdict::inconclusive(format!(
            "the rejection ended while {name} was being tried, with or without the header"
        )),
        Some((name, pattern, true)) => {
            let evidence = Evidence::of(format!(
                "The header {name} lets an exhausted IP address log in again."
            ))
            .exhibit(
                "the correct password from the exhausted IP address",
                "rejected",
            )
            .exhibit(
                format!("the same with {name}: {}", pattern.replace("{n}", "17")),
                "logged in",
            )
            .exhibit("the same again without the header", "rejected");
            Verdict::find(Severity::High, Confidence::High, evidence)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_needs_both_controls() {
        let facts = |shut_before, freed: Option<bool>| Facts {
            shut_before,
            freed_by: freed
                .map(|again| ("x-real-ip", "203.0.113.{n}", again))
                .into_iter()
                .collect(),
        };
        assert!(matches!(judge(&facts(true, Some(true))), Verdict::Find(_)));
        assert!(judge(&facts(true, Some(false))).is_inconclusive());
        assert!(judge(&facts(false, None)).is_inconclusive());
        assert!(matches!(judge(&facts(true, None)), Verdict::Pass(_)));
    }
}
