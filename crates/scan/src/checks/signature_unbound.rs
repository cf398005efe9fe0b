//! A signature is good for another request.

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
    title: "A signature is good for another request",
    severity: Severity::High,
    what: "The signature of one request is sent with another: with a query that was \
           not there, for another user, and, where the time and the nonce are signed \
           without a mark between, with the first letter of the nonce at the end of \
           the time. Is one of them answered?",
    why: "What is not signed can be changed on the way: the path, the amount, whose \
          it is.",
    sends: "The operator names the route (--signed), says how it is signed \
            (--signing) and gives the key in DOORWARDEN_SIGNING_KEY. Up to three \
            requests.",
    max_requests: 3,
    measures_limits: false,
    side_by_side: false,
    evidence: "Rightly signed requests are answered (positive control, twice), and \
               without a signature and with a wrong one they are refused (negative \
               controls); a right signature under other words is answered alike.",
    false_alarms: "A plain scheme that signs neither path nor query is found by its \
                   words where the route looks at queries at all; where it ignores \
                   them, the finding is about the scheme.",
    standards: Standards {
        owasp_api: &["API2:2023"],
        asvs: &["4.1.5"],
        cwe: &[347, 345],
        nist: &["3.1.3"],
        pci_dss: &["6.2.4"],
        soc2: &["CC6.1", "CC6.7"],
    },
    fix: "Sign what is meant: method, path, query, the digest of the body (RFC \
             9530), who, when, and a nonce, each in its own line or with its length \
             (RFC 9421 does).",
    recipes: &recipes::SIGNATURES,
    policy: "",
    run,
};

fn run(session: &mut Session) -> BoxFuture<'_, Result<Verdict, Stop>> {
    Box::pin(async {
        let door = signing::discerning(session).await?;
        let (door, signed) = match &door {
            Ok(found) => found,
            Err(reason) => return Ok(signing::untold(reason)),
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
        // It signs no path by design; what it does sign must hold.
        Scheme::Plain { .. } if signed.runs_together() => vec![Swap::User, Swap::Cut],
        Scheme::Plain { .. } => vec![Swap::User],
    }
}

impl Swap {
    fn words(self) -> &'static str {
        match self {
            Self::Query => "a query that was not signed",
            Self::User => "another user",
            Self::Cut => "the nonce's first letter at the end of the time",
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
            // A name that nobody has: a real one's order would be carried out.
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
    let told = |wanted: Option<bool>| -> Vec<&str> {
        let of = answers.iter().filter(|(_, opens)| *opens == wanted);
        of.map(|(how, _)| *how).collect()
    };
    let accepted = told(Some(true));
    if !accepted.is_empty() {
        let summary = format!("A signature is accepted with {}.", accepted.join(", "));
        return Verdict::find(Severity::High, Confidence::High, Evidence::of(summary));
    }
    if !told(None).is_empty() {
        return Verdict::inconclusive(
            "a request under another's signature is answered like neither control",
        );
    }
    Verdict::pass(format!(
        "Refused under another's signature: {}.",
        told(Some(false)).join(", ")
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
        assert!(matches!(
            judge(&[("a", None)]),
            Verdict::Skip {
                inconclusive: true,
                ..
            }
        ));
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
