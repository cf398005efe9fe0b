//! Session cookies that scripts or other sites can use.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict,
    access::{self, Credential},
    probe::Stop,
    scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "cookie-flags",
    title: "The session cookie lacks HttpOnly, SameSite or Secure",
    severity: Severity::Medium,
    what: "Checks whether the session cookie has HttpOnly and SameSite and, over HTTPS, Secure.",
    why: "Without HttpOnly, scripts can read the session; without SameSite, another site's form \
           can use it; without Secure, it is also sent over plain HTTP.",
    sends: "It evaluates the response to the scanner's login.",
    max_requests: 0,
    measures_limits: false,
    side_by_side: true,
    evidence: "The attributes of the cookie that a successful login sets and a failed one does \
           not.",
    false_alarms: "Most browsers treat a missing SameSite as Lax. Secure is not required over \
           plain HTTP, so not on loopback.",
    standards: Standards {
        owasp_api: &["API8:2023"],
        asvs: &["3.3.1", "3.3.2", "3.3.4"],
        cwe: &[1004, 1275, 614],
        nist: &["5.1.1"],
        pci_dss: &["4.2.1", "6.2.4"],
        soc2: &["CC6.7"],
    },
    fix: "Django: SESSION_COOKIE_SECURE = True (HttpOnly and SameSite are set). \
             Flask: SESSION_COOKIE_SAMESITE = \"Lax\", SESSION_COOKIE_SECURE = True. \
             Express: cookie: { httpOnly: true, sameSite: \"lax\", secure: true }.",
    recipes: &recipes::TRANSPORT,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let access = access::access(session).await?;
        let Some(issued) = &access.issued else {
            return Ok(Verdict::not_applicable(
                "a successful login sets no session cookie",
            ));
        };
        let Credential::Cookie { name, .. } = &issued.credential else {
            return Ok(Verdict::not_applicable("the token is not in a cookie"));
        };
        let all = issued.answer.headers.get_all("set-cookie").iter();
        let mut all = all.filter_map(|value| value.to_str().ok());
        let own = all.find(|cookie| cookie.trim_start().starts_with(&format!("{name}=")));
        Ok(judge(own.unwrap_or_default(), session.probe.is_https()))
    })
}

fn judge(cookie: &str, https: bool) -> Verdict {
    let flags: Vec<String> = cookie
        .split(';')
        .skip(1)
        .map(|flag| {
            flag.trim()
                .split('=')
                .next()
                .unwrap_or_default()
                .to_lowercase()
        })
        .collect();
    let wanted = ["HttpOnly", "SameSite", "Secure"];
    let asked = wanted.into_iter().filter(|flag| https || *flag != "Secure");
    let missing: Vec<&str> = asked
        .filter(|flag| !flags.contains(&flag.to_lowercase()))
        .collect();
    if missing.is_empty() {
        return Verdict::pass("The session cookie has the required attributes.");
    }
    // Browsers make up only for a missing SameSite.
    let severity = if missing == ["SameSite"] {
        Severity::Low
    } else {
        Severity::Medium
    };
    let summary = format!("The session cookie lacks {}.", missing.join(", "));
    Verdict::find(severity, Confidence::High, Evidence::of(summary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flag_is_asked_for() {
        let all = "sid=x; Path=/; httponly; SameSite=Lax; Secure";
        assert!(matches!(judge(all, true), Verdict::Pass(_)));
        assert!(matches!(
            judge("sid=x; HttpOnly; SameSite=Strict", false),
            Verdict::Pass(_)
        ));
        for (cookie, https, severity) in [
            ("sid=x", false, Severity::Medium),
            ("sid=x; HttpOnly", false, Severity::Low),
            ("sid=x; HttpOnly; SameSite=Lax", true, Severity::Medium),
        ] {
            let Verdict::Find(found) = judge(cookie, https) else {
                panic!("{cookie}");
            };
            assert_eq!(found.severity, severity, "{cookie}");
        }
    }
}
