//! JWTs without an id.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes};
use crate::{
    Confidence, Evidence, Severity, Verdict, access, jwt::Jwt, probe::Stop, scan::Session,
};

pub(super) static CHECK: Check = Check {
    id: "jwt-no-id",
    title: "JWTs have no id",
    severity: Severity::Low,
    what: "Does the own token have the claim jti (RFC 7519 section 4.1.7)?",
    why: "A token without an id can't be named in a list of ended ones, so logout can \
          only end all or none.",
    sends: "Nothing: it reads the token of the scanner's own login.",
    max_requests: 0,
    measures_limits: false,
    side_by_side: true,
    evidence: "The claims of the own token.",
    false_alarms: "An application may end tokens by their hash, or by the user's last \
                   logout.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["7.4.1"],
        cwe: &[613],
        nist: &["5.1"],
        pci_dss: &["6.2.4", "8.3.2"],
        soc2: &["CC6.1"],
    },
    fix: "Give each token a random jti of 128 bits and keep those that were ended \
             until their exp.",
    recipes: &recipes::JWT,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(access::judge_jwt(session, judge))
}

fn judge(jwt: &Jwt) -> Verdict {
    let names = ["jti", "sid", "session_id", "session_state"];
    match names.iter().find(|name| !jwt.claims[**name].is_null()) {
        Some(name) => Verdict::pass(format!("The own token can be named by its {name}.")),
        None => Verdict::find(
            Severity::Low,
            Confidence::High,
            Evidence::of("The own token has no id (jti or sid), so it can't be ended alone."),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jwt::tests::signed;

    #[test]
    fn an_id_of_the_token_or_its_session_will_do() {
        assert!(matches!(
            judge(&signed(json!({"jti": "x"}), "k")),
            Verdict::Pass(_)
        ));
        assert!(matches!(
            judge(&signed(json!({"sid": 7}), "k")),
            Verdict::Pass(_)
        ));
        assert!(matches!(
            judge(&signed(json!({"sub": "a"}), "k")),
            Verdict::Find(_)
        ));
    }
}
