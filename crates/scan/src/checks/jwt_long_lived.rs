//! JWTs that are valid for a long time.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access, jwt::Jwt, probe::Stop, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "jwt-long-lived",
    title: "Access tokens are valid for more than an hour",
    severity: Severity::Low,
    what: "Checks how long the scanner's access token is valid, from its iat to its exp.",
    why: "A JWT is usually not looked up when it is used: until it expires, it works for anyone \
           who has it, even after logout.",
    sends: "It evaluates the token from the scanner's login.",
    max_requests: 0,
    measures_limits: false,
    side_by_side: true,
    evidence: "The claims iat and exp of the scanner's token.",
    false_alarms: "A token that is looked up on each request, and can therefore be revoked early, \
           may live longer.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["9.2.1"],
        cwe: &[613],
        nist: &["5.2"],
        pci_dss: &["6.2.4", "8.3.2"],
        soc2: &["CC6.1"],
    },
    fix: "Let access tokens expire after 5 to 60 minutes and renew them with a refresh token that \
           is rotated.",
    recipes: &recipes::JWT,
    policy: "",
    run,
};

/// ASVS 5.0 leaves the figure to the application; an hour is the default of most issuers.
const MOST_MINUTES: f64 = 60.0;

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(access::judge_jwt(session, judge))
}

fn judge(jwt: &Jwt) -> Verdict {
    let (Some(issued), Some(ends)) = (jwt.seconds("iat"), jwt.seconds("exp")) else {
        return Verdict::not_applicable("the scanner's token has no iat or no exp");
    };
    let minutes = (ends - issued) / 60.0;
    if minutes <= MOST_MINUTES {
        return Verdict::pass(format!(
            "The scanner's token is valid for {minutes:.0} minutes."
        ));
    }
    let summary = format!("The scanner's token is valid for {minutes:.0} minutes.");
    Verdict::find(Severity::Low, Confidence::High, Evidence::of(summary))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jwt::tests::signed;

    #[test]
    fn an_hour_is_the_most() {
        let lives =
            |seconds: u64| judge(&signed(json!({"iat": 1_000, "exp": 1_000 + seconds}), "k"));
        assert!(matches!(lives(3_600), Verdict::Pass(_)));
        assert!(matches!(lives(3_700), Verdict::Find(_)));
        assert!(matches!(
            judge(&signed(json!({"exp": 9}), "k")),
            Verdict::NotApplicable(_)
        ));
    }
}
