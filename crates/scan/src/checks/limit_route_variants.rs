//! Another spelling of the route bypasses the limit.

use futures_util::future::BoxFuture;

use super::{Check, Standards, limits, recipes};
use crate::{Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "limit-route-variants",
    title: "Another spelling of the route bypasses the limit",
    severity: Severity::High,
    what: "Once a login is rejected, sends the same login with the correct password to other \
           spellings of its route: with a trailing slash, with two leading slashes, in capitals, \
           with a path parameter; and, if it accepts JSON, as a form. Checks whether one of them \
           logs in.",
    why: "A limit attached to one route, in the application or in the proxy in front of it, does \
          not cover other routes that lead to the same code.",
    sends: "For the rejected login: the correct password, up to five other routes or forms, and \
            the correct password again.",
    max_requests: 9,
    measures_limits: true,
    side_by_side: false,
    evidence: "The correct password at the route itself is rejected before (positive control) and \
               after (negative control), while the variant logs in.",
    false_alarms: "None known: a login that succeeds at the variant has bypassed the limit.",
    standards: Standards {
        owasp_api: &["API2:2023", "API9:2023"],
        asvs: &["6.1.3"],
        cwe: &[288, 178],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Limit the act of logging in, in the code that verifies the password, not a path. If a \
          proxy limits paths, let it normalise them first and reject what the application does not \
          serve.",
    recipes: &recipes::LIMITS,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let facts = limits::facts(session).await?;
        let of_address = facts
            .shut
            .clone()
            .map(|(account, source)| (account, Some(source)));
        let refused = facts.locked.clone().or(of_address);
        let Some((account, source)) = refused.filter(|_| !facts.bystander_refused) else {
            return Ok(limits::nothing_locked(&facts));
        };
        let usual = session.spelled(&account, &account.name);
        let mut logins: Vec<_> = routes(&usual.path)
            .into_iter()
            .map(|path| (format!("the route {path}"), usual.clone().at(&path)))
            .collect();
        let as_form = session.as_form(&account);
        logins.extend(as_form.map(|request| ("a form instead of JSON".to_owned(), request)));
        let detours = limits::detours(session, &account, source, logins).await?;
        Ok(detours.judge("the route"))
    })
}

/// Returns other spellings of a path.
fn routes(path: &str) -> Vec<String> {
    let slash = match path.strip_suffix('/') {
        Some(without) => without.to_owned(),
        None => format!("{path}/"),
    };
    let mut all = vec![
        slash,
        format!("/{path}"),
        path.to_uppercase(),
        format!("{path};x=1"),
    ];
    all.retain(|other| other != path && other.starts_with('/'));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_can_be_written_otherwise() {
        assert_eq!(
            routes("/login"),
            ["/login/", "//login", "/LOGIN", "/login;x=1"]
        );
        assert_eq!(routes("/a/"), ["/a", "//a/", "/A/", "/a/;x=1"]);
        assert_eq!(routes("/"), ["//", "/;x=1"]);
    }
}
