//! A signature is valid for a different request.

use futures_util::future::BoxFuture;

use super::{Check, Standards, recipes, signing};
use crate::{
    Confidence, Evidence, Severity, Verdict,
    probe::Stop,
    request::Request,
    scan::Session,
    signed::{Said, Scheme, Signed},
};

pub(super) static CHECK: Check = Check {
    id: "signature-unbound",
    title: "A signature is valid for a different request",
    severity: Severity::High,
    what: "Sends the signature of one request with another: with an added query, for another user, \
           and, if the timestamp and the nonce are signed without a separator, with the first \
           character of the nonce moved to the end of the timestamp. Checks whether any of them is \
           accepted.",
    why: "Anything that is not signed can be changed in transit: the path, the amount, the owner.",
    sends: "The operator names the route (--signed), describes how it is signed (--signing) and \
            supplies the key in DOORWARDEN_SIGNING_KEY. Up to three requests.",
    max_requests: 3,
    measures_limits: false,
    side_by_side: false,
    evidence: "Correctly signed requests succeed (positive control, twice); requests without a \
               signature and with an invalid one are rejected (negative controls); a valid \
               signature on different content gets the same response as a correctly signed \
               request.",
    false_alarms: "Plain schemes sign neither path nor query by design, so the added query is \
                   tried only with RFC 9421. If the route ignores queries, the finding is about \
                   the scheme.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["4.1.5"],
        cwe: &[347, 345],
        nist: &["3.1.3"],
        pci_dss: &["6.2.4"],
        soc2: &["CC6.1", "CC6.7"],
    },
    fix: "Sign everything that matters: method, path, query, the digest of the body (RFC 9530), \
          user, time, and a nonce, each on its own line or with its length (RFC 9421 does).",
    recipes: &recipes::SIGNATURES,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let door = signing::discerning(session).await?;
        let (door, signed) = match &door {
            Ok(found) => found,
            Err(verdict) => return Ok(*verdict.clone()),
        };
        let mut answers = Vec::new();
        for how in swaps(signed) {
            let said = signing::said(session, signed, 0);
            let nobody = session.random_word();
            let request = how.swap(signed, said, &nobody);
            let answer = session.ask(request).await?;
            answers.push((how.words(), door.opens(&answer)));
        }
        Ok(judge(&answers))
    })
}

/// What is changed under a signature.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Swap {
    Query,
    User,
    Cut,
}

fn swaps(signed: &Signed) -> Vec<Swap> {
    match signed.scheme {
        Scheme::Rfc9421 => vec![Swap::Query, Swap::User],
        // A plain scheme signs no path by design; what it does sign must hold.
        Scheme::Plain { .. } if signed.runs_together() => vec![Swap::User, Swap::Cut],
        Scheme::Plain { .. } => vec![Swap::User],
    }
}

impl Swap {
    fn words(self) -> &'static str {
        match self {
            Self::Query => "a query that was not signed",
            Self::User => "another user",
            Self::Cut => "the nonce's first character moved to the end of the timestamp",
        }
    }

    fn swap(self, signed: &Signed, mut said: Said, nobody: &str) -> Request {
        if self == Self::Cut {
            // A digit, so that what comes out is a time too.
            said.nonce.insert(0, '7');
        }
        let tag = signed.tag(&said);
        match self {
            Self::Query => {
                let request = signed.with_tag(&said, &tag);
                let mark = if request.path.contains('?') { '&' } else { '?' };
                let path = format!("{}{mark}unsigned=1", request.path);
                return request.at(&path);
            }
            // An invented name: a real user's order would be carried out.
            Self::User => said.user.push_str(nobody),
            Self::Cut => {
                said.nonce.remove(0);
                said.created = said.created * 10 + 7;
            }
        }
        signed.with_tag(&said, &tag)
    }
}

fn judge(answers: &[(&str, Option<bool>)]) -> Verdict {
    let with = |wanted: Option<bool>| -> Vec<&str> {
        let of = answers.iter().filter(|(_, opens)| *opens == wanted);
        of.map(|(how, _)| *how).collect()
    };
    let accepted = with(Some(true));
    if !accepted.is_empty() {
        let summary = format!("A signature is accepted with {}.", accepted.join(", "));
        return Verdict::find(Severity::High, Confidence::High, Evidence::of(summary));
    }
    if !with(None).is_empty() {
        return Verdict::inconclusive(
            "the response to a request with another request's signature matches neither control",
        );
    }
    Verdict::pass(format!(
        "Rejected with another request's signature: {}.",
        with(Some(false)).join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signed::tests::signed;

    #[test]
    fn what_was_not_signed_and_is_answered_is_found() {
        assert!(matches!(
            judge(&[("a", Some(false)), ("b", Some(true))]),
            Verdict::Find(_)
        ));
        assert!(matches!(judge(&[("a", Some(false))]), Verdict::Pass(_)));
        assert!(judge(&[("a", None)]).is_inconclusive());
    }

    #[test]
    fn the_tag_stays_and_the_words_change() {
        let together = "{user}{timestamp}{nonce}; X-U: {user}; X-T: {timestamp}; X-N: {nonce}; X-S: {signature}";
        let plain = signed(together);
        let said = plain.said(17, "abc".into());
        let header = |request: &Request, name: &str| {
            request
                .headers
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, value)| value.clone())
        };
        let cut = Swap::Cut.swap(&plain, said.clone(), "n");
        assert_eq!(header(&cut, "x-t").as_deref(), Some("177"));
        assert_eq!(header(&cut, "x-n").as_deref(), Some("abc"));
        assert_eq!(swaps(&plain), [Swap::User, Swap::Cut]);
        let query = Swap::Query.swap(&signed("rfc9421"), said, "n");
        assert_eq!(query.path, "/signed?a=1&unsigned=1");
    }
}
