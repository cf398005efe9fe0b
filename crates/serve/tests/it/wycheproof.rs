//! Vectors of the Wycheproof project for signatures and keys in JOSE.

use doorwarden_serve::jwt::{Algorithm, Expected, Jwks, verify};
use serde_json::Value;
use wycheproof_ng_kdf_jose::json_web::TestName;

/// Faults of the file: keys whose `alg` is not the token's (`PS256` for PS384, `ES521`), cases named
/// for characters that their tokens do not have, and ones that have them and count as valid.
const FAULTS: [u64; 8] = [346, 347, 350, 351, 367, 370, 372, 373];

fn verifies(token: &str, key: &Value, algorithm: Algorithm) -> bool {
    let expected = Expected {
        algorithm,
        audience: None,
        issuer: None,
        typ: None,
        now: 0,
    };
    Jwks::parse(&key.to_string()).is_ok_and(|keys| verify(token, &keys, &expected).is_ok())
}

#[test]
fn signatures_are_right_and_wrong_as_wycheproof_says() {
    let set: Value = serde_json::from_str(TestName::JsonWebSignature.json_data()).unwrap();
    let (mut ran, mut valid) = (0, 0);
    for group in set["testGroups"].as_array().unwrap() {
        let key = group.get("public").unwrap_or(&group["private"]);
        for case in group["tests"].as_array().unwrap() {
            let (id, token) = (
                case["tcId"].as_u64().unwrap(),
                case["jws"].as_str().unwrap(),
            );
            if FAULTS.contains(&id) {
                continue;
            }
            // Four groups' keys (353 to 356) name no algorithm; they are for encryption.
            let algorithm = key["alg"].as_str().unwrap_or(match key["kty"].as_str() {
                Some("RSA") => "RS256",
                _ => "ES256",
            });
            let right = verifies(token, key, algorithm.parse().unwrap());
            assert_eq!(
                right,
                case["result"] == "valid",
                "{id}: {}",
                case["comment"]
            );
            ran += 1;
            valid += usize::from(right);
        }
    }
    assert_eq!((ran, valid), (393, 40));
}

/// A set with keys for signatures and for tags (case 1) is taken, since each key is used for what it says
/// alone; a key whose primes can be guessed (7) is not told from others.
const NOT_TOLD: [u64; 2] = [1, 7];

#[test]
fn keys_that_are_not_to_be_trusted_verify_nothing() {
    let set: Value = serde_json::from_str(TestName::JsonWebKey.json_data()).unwrap();
    let mut ran = 0;
    for group in set["testGroups"].as_array().unwrap() {
        let key = group.get("public").unwrap_or(&group["private"]);
        for case in group["tests"].as_array().unwrap() {
            let (id, token) = (case["tcId"].as_u64().unwrap(), case["jws"].as_str());
            let Some(token) = token.filter(|_| !NOT_TOLD.contains(&id)) else {
                continue;
            };
            let header = doorwarden_serve::jwt::header(token).unwrap_or_default();
            let algorithm = header
                .get("alg")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let Ok(algorithm) = algorithm.parse() else {
                assert_ne!(case["result"], "valid", "{id}");
                continue;
            };
            let right = verifies(token, key, algorithm);
            assert_eq!(
                right,
                case["result"] == "valid",
                "{id}: {}",
                case["comment"]
            );
            ran += 1;
        }
    }
    assert!(ran > 10, "{ran}");
}
