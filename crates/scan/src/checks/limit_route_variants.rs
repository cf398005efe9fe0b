//! Another way to write the route has its own limit, or none.

use futures_util::future::BoxFuture;

use super::{Check, Standards, limits, recipes};
use crate::{Severity, Verdict, probe::Stop, scan::Session};

pub(super) static CHECK: Check = Check {
    id: "limit-route-variants",
    title: "Another way to write the route gets around the limit",
    severity: Severity::High,
    what: "Once a login is refused, the same right login is sent to other spellings \
           of its route: with a slash at the end, with two in front, in capitals, \
           with a parameter; and where it takes JSON, as a form. Does one of them log \
           in?",
    why: "A limit that is mounted on one route, in the application or in the proxy \
          before it, does not know the others that lead to the same code.",
    sends: "For what is refused: a right login, up to five other routes or forms, and \
            a right login again.",
    max_requests: 9,
    measures_limits: true,
    side_by_side: false,
    evidence: "The right login at the route itself is refused before (positive \
               control) and after it (negative control), while the other one logs in.",
    false_alarms: "None is known: whoever logs in at the other route has got around \
                   the limit.",
    standards: Standards {
        owasp_api: &["API2:2023", "API9:2023"],
        asvs: &["6.1.3"],
        cwe: &[288, 178],
        nist: &["3.2.2"],
        pci_dss: &["8.3.4", "6.2.4"],
        soc2: &["CC6.1", "CC6.6"],
    },
    fix: "Limit the act of logging in, in the code that verifies the password, not \
             a path. Where a proxy limits paths, let it normalise them first and \
             refuse what the application does not serve.",
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

/// Other ways to write a path.
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
