//! DPoP (RFC 9449): tokens that only the holder of a key can use.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use http::HeaderMap;
use serde_json::Value;

use crate::{
    App,
    jwt::{self, Algorithm, Expected, Jwks},
    store::{Connection, Queried, StoreError, params},
    tokens::sha256,
};

/// The maximum age of a proof, in seconds (RFC 9449 §11.1: "a relatively brief period").
const OLDEST: i64 = 60;

/// The maximum clock difference of two nodes, in seconds: one does not forget a proof that the other still
/// accepts.
const SKEW: i64 = 60;

/// The supported algorithms of proofs.
pub(crate) const ALGORITHMS: [Algorithm; 5] = [
    Algorithm::ES256,
    Algorithm::EdDSA,
    Algorithm::RS256,
    Algorithm::PS256,
    Algorithm::ES384,
];

/// Why a proof is rejected; the error code is `invalid_dpop_proof`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoProof {
    #[error("missing DPoP header; this server requires proofs (RFC 9449)")]
    Missing,
    #[error("duplicate DPoP header")]
    Several,
    #[error("invalid proof: {0}")]
    Invalid(String),
    #[error("the proof was used before")]
    Replayed,
}

/// A valid proof. It is consumed once everything else is verified.
pub(crate) struct Proof {
    pub(crate) thumbprint: String,
    id: Vec<u8>,
    ends: i64,
}

/// The request that a proof is for.
pub(crate) struct Use<'a> {
    pub(crate) method: &'a str,
    /// The URL without query and fragment.
    pub(crate) url: &'a str,
    /// The access token that it comes with.
    pub(crate) token: Option<&'a str>,
    pub(crate) now: i64,
}

/// Verifies the proof of a request, if it has one.
pub(crate) fn proof(headers: &HeaderMap, used: &Use<'_>) -> Result<Option<Proof>, NoProof> {
    let mut proofs = headers.get_all("dpop").iter();
    let Some(proof) = proofs.next() else {
        return Ok(None);
    };
    if proofs.next().is_some() {
        return Err(NoProof::Several);
    }
    let invalid = |reason: &str| NoProof::Invalid(reason.to_owned());
    let proof = proof.to_str().map_err(|_| invalid("not ASCII"))?;
    let header = jwt::header(proof).ok_or_else(|| invalid("not a JWT"))?;
    let algorithm: Option<Algorithm> = header
        .get("alg")
        .and_then(Value::as_str)
        .and_then(|name| name.parse().ok());
    let algorithm = algorithm.filter(|one| ALGORITHMS.contains(one));
    let algorithm = algorithm
        .ok_or_else(|| invalid("unsupported `alg`; see dpop_signing_alg_values_supported"))?;
    let key = header.get("jwk").ok_or_else(|| invalid("missing `jwk`"))?;
    if ["d", "p", "q", "dp", "dq", "qi", "k"]
        .iter()
        .any(|private| key.get(private).is_some())
    {
        return Err(invalid("`jwk` is a private key"));
    }
    // Other members are ignored: the key that verifies is the one of the thumbprint.
    let members =
        jwt::public_members(key).ok_or_else(|| invalid("unsupported or malformed `jwk`"))?;
    let thumbprint = jwt::thumbprint(&members);
    let keys = Jwks::of(members);
    let expected = Expected {
        algorithm,
        audience: None,
        issuer: None,
        typ: Some("dpop+jwt"),
        now: used.now.max(0) as u64,
    };
    let verified =
        jwt::verify(proof, &keys, &expected).map_err(|error| invalid(&error.to_string()))?;
    let claims = verified.claims.unwrap_or_default();
    let text = |claim: &str| claims.get(claim).and_then(Value::as_str);
    if text("htm") != Some(used.method) {
        return Err(invalid("`htm` is not the request's method"));
    }
    let url = text("htu").and_then(|url| url.split(['?', '#']).next());
    if !url.is_some_and(|url| same_url(url, used.url)) {
        return Err(invalid("`htu` is not the request's URL"));
    }
    let issued = claims
        .get("iat")
        .and_then(Value::as_f64)
        .ok_or_else(|| invalid("missing `iat`"))?;
    if issued < (used.now - OLDEST) as f64 {
        return Err(invalid("expired (`iat`)"));
    }
    if let Some(token) = used.token
        && text("ath") != Some(BASE64.encode(sha256(token)).as_str())
    {
        return Err(invalid("`ath` is not the hash of the access token"));
    }
    let id = text("jti")
        .filter(|id| !id.is_empty())
        .ok_or_else(|| invalid("missing `jti`"))?;
    Ok(Some(Proof {
        id: sha256(&format!("{thumbprint} {id}")),
        ends: issued as i64 + OLDEST + 1,
        thumbprint,
    }))
}

impl App {
    /// Consumes a proof. Called when everything else is verified, so that others can't fill the table.
    pub(crate) async fn use_up(&self, proof: &Proof) -> Result<Result<(), NoProof>, StoreError> {
        let first = self.take_once(proof.id.clone(), proof.ends).await?;
        Ok(first.then_some(()).ok_or(NoProof::Replayed))
    }

    /// Accepts an id once until `ends`; returns false if any node accepted it before.
    pub(crate) async fn take_once(&self, id: Vec<u8>, ends: i64) -> Result<bool, StoreError> {
        let now = self.now();
        self.store
            .write(move |connection| take_once(connection, &id, ends, now))
            .await
    }
}

pub(crate) fn take_once(connection: &Connection, id: &[u8], ends: i64, now: i64) -> Queried<bool> {
    let old = "DELETE FROM once WHERE expires < ?1";
    connection.execute(old, params![now - SKEW])?;
    let take = "INSERT INTO once (id, expires) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    Ok(connection.execute(take, params![id, ends])? == 1)
}

/// Compares two URLs, normalized (RFC 9449 §4.3 note).
fn same_url(one: &str, other: &str) -> bool {
    let parse = |url: &str| url::Url::parse(url).ok();
    parse(one).is_some_and(|one| Some(one) == parse(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9449 §4.1 (figure 2) and §6.1 (the key's thumbprint), typed in.
    const PROOF: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
    const ISSUED: i64 = 1_562_262_616;

    fn check(url: &str, now: i64) -> Result<Option<Proof>, NoProof> {
        let headers = [(
            http::HeaderName::from_static("dpop"),
            http::HeaderValue::from_static(PROOF),
        )];
        let used = Use {
            method: "POST",
            url,
            token: None,
            now,
        };
        proof(&headers.into_iter().collect(), &used)
    }

    #[test]
    fn the_proof_of_rfc_9449_is_taken_in_its_time() {
        let url = "https://server.example.com/token";
        let proof = check(url, ISSUED).unwrap().unwrap();
        assert_eq!(
            proof.thumbprint,
            "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
        );
        // For as long as it would be taken for young enough, it is remembered.
        let last = ISSUED + OLDEST;
        let again = check(url, last).unwrap().unwrap();
        assert!(again.id == proof.id && again.ends > last, "{}", again.ends);
        assert!(check(url, last + 1).is_err());
        assert!(check(url, ISSUED - 1 - jwt::LEEWAY as i64).is_err());
        assert!(check("https://server.example.com:443/token", ISSUED).is_ok());
        assert!(check("https://server.example.com/other", ISSUED).is_err());
    }
}
