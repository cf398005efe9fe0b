//! The logins of the lab, and the check that each of them is for.

use std::time::Duration;

use crate::{
    limits::Limits,
    passwords::{self, PasswordRules},
    signatures::SignatureRules,
    specimen::{Failure, Refusal, SOUND, SOUND_LIMITS, Specimen, Spelling, Unknown},
    tokens::{self, Checks, Claims, Form, TokenRules},
};

/// Sound, with self-contained tokens. That the key that verifies them can also sign them is
/// informational.
const JWT: Specimen = Specimen {
    id: "sound-jwt",
    about: "sound; its tokens are JWTs",
    fires: &["jwt-symmetric"],
    tokens: tokens::SOUND_JWT,
    ..SOUND
};

/// Returns the sound login: a scan has no findings here.
pub fn sound() -> Specimen {
    SOUND
}

/// Returns a login without limits whose hash takes negligible time, and whose response for an
/// existing name is delayed by this many microseconds: it shows how often a measurement of response
/// times is wrong.
pub fn timed(delay_us: u64) -> Specimen {
    Specimen {
        id: "timed",
        about: "no limit, a hash that takes negligible time, and a known difference",
        fires: &[],
        fast_hash: Some(Duration::from_micros(delay_us)),
        ..remove_limits(SOUND)
    }
}

fn remove_limits(specimen: Specimen) -> Specimen {
    Specimen {
        limits: Limits {
            account: None,
            address: None,
            heat: None,
            ..SOUND_LIMITS
        },
        ..specimen
    }
}

/// Returns a login written without a thought of abuse: no limit at all, and another message and no
/// hash for unknown names.
pub fn naive() -> Specimen {
    Specimen {
        id: "naive",
        about: "no limit, and unknown names get another message at once",
        fires: &[
            "login-unlimited",
            "spray-unseen",
            "enumeration-by-answer",
            "enumeration-by-time",
        ],
        unknown: Unknown::OtherMessageAtOnce,
        ..remove_limits(SOUND)
    }
}

/// Returns all logins of the oracle: one fault for each check, and sound ones with properties that
/// mislead scanners.
pub fn specimens() -> Vec<Specimen> {
    let limits = |account, address, pair, global, heat| Limits {
        account,
        address,
        pair,
        global,
        heat,
    };
    vec![
        SOUND,
        Specimen {
            id: "sound-refuses-403",
            about: "sound; its limit responds with 403",
            refusal: Refusal::Forbidden,
            ..SOUND
        },
        Specimen {
            id: "sound-refuses-503",
            about: "sound; its limit responds with 503, as nginx does",
            refusal: Refusal::Unavailable,
            ..SOUND
        },
        Specimen {
            id: "sound-refuses-401",
            about: "sound; its limit responds with 401 and another message",
            refusal: Refusal::UnauthorizedWithMessage,
            ..SOUND
        },
        Specimen {
            id: "sound-refuses-silently",
            about: "sound; its limit responds as to an incorrect password",
            refusal: Refusal::Silent,
            ..SOUND
        },
        Specimen {
            id: "sound-fails-with-200",
            about: "sound; the response to an incorrect password is 200 {\"status\":\"fail\"}",
            failure: Failure::OkWithFail,
            ..SOUND
        },
        Specimen {
            id: "sound-html",
            about: "sound; a page: HTML, a redirect and a cookie",
            failure: Failure::Html,
            ..SOUND
        },
        Specimen {
            id: "sound-challenges",
            about: "sound; repeated failures lead to a captcha",
            refusal: Refusal::Challenge,
            ..SOUND
        },
        Specimen {
            id: "sound-folds-names",
            about: "sound; names in upper case or with surrounding spaces are the same, for its limits too",
            spelling: Spelling::Folded,
            ..SOUND
        },
        Specimen {
            id: "folds-names-too-late",
            about: "names in upper case log in, and are other names for its limits",
            fires: &["limit-name-variants"],
            spelling: Spelling::FoldedTooLate,
            ..SOUND
        },
        Specimen {
            id: "second-route",
            about: "the same login under /login/, without limits",
            fires: &["limit-route-variants"],
            has_unlimited_route: true,
            ..SOUND
        },
        Specimen {
            id: "resets",
            about: "a successful login resets the failures of its address",
            fires: &["limit-reset-by-success"],
            resets_on_success: true,
            ..SOUND
        },
        Specimen {
            id: "batches",
            about: "accepts a list of passwords and tries them all",
            fires: &["limit-batched-guesses"],
            accepts_password_list: true,
            ..SOUND
        },
        Specimen {
            id: "races",
            about: "reads its counters before the hash and increments them after",
            fires: &["limit-race"],
            counts_after_hash: true,
            ..SOUND
        },
        Specimen {
            id: "locks-existing",
            about: "only existing names are locked",
            fires: &["lockout-reveals-account"],
            limits_existing_only: true,
            ..SOUND
        },
        Specimen {
            id: "tells-at-registration",
            about: "registration reveals which names are taken",
            fires: &["enumeration-by-registration"],
            reveals_names_at_registration: true,
            ..SOUND
        },
        Specimen {
            id: "tells-at-reset",
            about: "the password reset reveals which names exist",
            fires: &["enumeration-by-reset"],
            reveals_names_at_reset: true,
            ..SOUND
        },
        Specimen {
            id: "takes-common-passwords",
            about: "accepts common passwords",
            fires: &["weak-password-accepted"],
            passwords: PasswordRules {
                common: true,
                ..passwords::SOUND
            },
            ..SOUND
        },
        Specimen {
            id: "truncates",
            about: "compares only the first 72 characters of a password, as bcrypt does",
            fires: &["password-truncated"],
            passwords: PasswordRules {
                compared: Some(72),
                ..passwords::SOUND
            },
            ..SOUND
        },
        Specimen {
            id: "caps",
            about: "accepts passwords of at most 32 characters",
            fires: &["password-length-capped"],
            passwords: PasswordRules {
                max: 32,
                ..passwords::SOUND
            },
            ..SOUND
        },
        Specimen {
            id: "revokes",
            about: "revokes tokens without authentication",
            fires: &["revocation-open"],
            revokes_for_anyone: true,
            ..SOUND
        },
        Specimen {
            id: "opens-others",
            about: "a token grants access to other users' objects",
            fires: &["other-users-object"],
            exposes_other_users: true,
            ..SOUND
        },
        Specimen {
            id: "opens-admin",
            about: "a user's token grants access to an administrator's function",
            fires: &["admin-function-open"],
            exposes_admin: true,
            ..SOUND
        },
        Specimen {
            id: "signatures-unchecked",
            about: "does not verify the signature",
            fires: &["signature-not-checked"],
            signatures: SignatureRules::Unchecked,
            ..SOUND
        },
        Specimen {
            id: "signatures-replayed",
            about: "accepts a replayed signed request",
            fires: &["signature-replay"],
            signatures: SignatureRules::Replayed,
            ..SOUND
        },
        Specimen {
            id: "signatures-stale",
            about: "accepts an old signed request",
            fires: &["signature-stale"],
            signatures: SignatureRules::Stale,
            ..SOUND
        },
        Specimen {
            id: "signatures-unbound",
            about: "what is signed can be taken for another request",
            fires: &["signature-unbound"],
            signatures: SignatureRules::Unbound,
            ..SOUND
        },
        Specimen {
            id: "no-limit",
            about: "no limit per account or address",
            fires: &["login-unlimited"],
            limits: limits(None, None, None, None, Some(5)),
            ..SOUND
        },
        Specimen {
            id: "refuses-wrong-only",
            about: "its limits refuse incorrect passwords only; a correct guess still logs in",
            fires: &["login-unlimited"],
            verifies_first: true,
            ..SOUND
        },
        Specimen {
            id: "address-only",
            about: "limits per address only",
            fires: &["limit-ignores-account"],
            limits: limits(None, Some(10), None, None, Some(5)),
            ..SOUND
        },
        Specimen {
            id: "account-only",
            about: "limits per account only",
            fires: &["limit-ignores-address"],
            limits: limits(Some(10), None, None, None, Some(5)),
            ..SOUND
        },
        Specimen {
            id: "pair-only",
            about: "limits per account and address together",
            fires: &["limit-per-pair"],
            limits: limits(None, None, Some(10), None, Some(5)),
            ..SOUND
        },
        Specimen {
            id: "global",
            about: "one global limit",
            fires: &["limit-global"],
            limits: limits(None, None, None, Some(10), Some(5)),
            ..SOUND
        },
        Specimen {
            id: "no-heat",
            about: "does not detect one password on many accounts",
            fires: &["spray-unseen"],
            limits: limits(Some(10), Some(12), None, None, None),
            ..SOUND
        },
        Specimen {
            id: "believes-forwarded",
            about: "takes the client address from X-Forwarded-For, regardless of who sent it",
            fires: &["limit-forwarded-spoof"],
            trusts_forwarded: true,
            ..SOUND
        },
        Specimen {
            id: "tells-by-words",
            about: "an unknown name gets another message",
            fires: &["enumeration-by-answer"],
            unknown: Unknown::OtherMessage,
            ..SOUND
        },
        Specimen {
            id: "tells-by-time",
            about: "an unknown name gets a response without hashing",
            fires: &["enumeration-by-time"],
            unknown: Unknown::SkipsHash,
            ..SOUND
        },
        Specimen {
            id: "tells-by-invalid-dummy",
            about: "an unknown name is compared with an invalid dummy hash, which returns at once",
            fires: &["enumeration-by-time"],
            unknown: Unknown::InvalidDummy,
            ..SOUND
        },
        Specimen {
            id: "no-retry-after",
            about: "refuses without Retry-After",
            fires: &["retry-after-missing"],
            sends_retry_after: false,
            ..SOUND
        },
        Specimen {
            id: "bare-cookie",
            about: "a session cookie available to scripts and other sites",
            fires: &["cookie-flags"],
            failure: Failure::Html,
            has_bare_cookie: true,
            ..SOUND
        },
        Specimen {
            id: "trusts-origins",
            about: "allows any origin to send requests with the user's credentials",
            fires: &["cors-credentials"],
            trusts_any_origin: true,
            ..SOUND
        },
        Specimen {
            id: "stumbles",
            about: "input of an unexpected type results in a stack trace",
            fires: &["login-input-errors"],
            leaks_stack_trace: true,
            ..SOUND
        },
        Specimen {
            id: "introspects",
            about: "introspects tokens without authentication",
            fires: &["introspection-open"],
            introspects_for_anyone: true,
            ..SOUND
        },
        Specimen {
            id: "password-grant",
            about: "sound; it declares its login as OAuth's password grant",
            fires: &["password-grant"],
            declares_password_grant: true,
            ..SOUND
        },
        JWT,
        with_tokens(
            "answers-anybody",
            "a route that is declared protected requires no token",
            &["token-not-checked"],
            TokenRules {
                checks: Checks::Nothing,
                ..tokens::SOUND
            },
        ),
        with_tokens(
            "takes-any-token",
            "any token is accepted",
            &["token-not-checked"],
            TokenRules {
                checks: Checks::Presence,
                ..tokens::SOUND
            },
        ),
        with_tokens(
            "believes-none",
            "a JWT with the algorithm `none` is accepted",
            &["jwt-symmetric", "jwt-unsigned-accepted"],
            TokenRules {
                checks: Checks::AcceptsUnsigned,
                ..tokens::SOUND_JWT
            },
        ),
        with_tokens(
            "weak-secret",
            "JWTs signed with a secret from a tutorial",
            &["jwt-symmetric", "jwt-weak-secret"],
            TokenRules {
                key: Some("your-256-bit-secret"),
                ..tokens::SOUND_JWT
            },
        ),
        with_tokens(
            "never-expires",
            "JWTs without an expiry",
            &["jwt-symmetric", "jwt-no-expiry"],
            TokenRules {
                lifetime: None,
                ..tokens::SOUND_JWT
            },
        ),
        with_tokens(
            "lives-long",
            "access tokens that are valid for a week",
            &["jwt-symmetric", "jwt-long-lived"],
            TokenRules {
                lifetime: Some(7 * 86_400),
                ..tokens::SOUND_JWT
            },
        ),
        with_tokens(
            "no-id",
            "JWTs without an id, so that they can't be revoked one by one",
            &["jwt-symmetric", "jwt-no-id"],
            TokenRules {
                has_id: false,
                ..tokens::SOUND_JWT
            },
        ),
        with_tokens(
            "tells-in-claims",
            "JWTs that contain the password's hash",
            &["jwt-symmetric", "jwt-sensitive-claims"],
            TokenRules {
                leaks_password_hash: true,
                ..tokens::SOUND_JWT
            },
        ),
        with_tokens(
            "forgets-the-end",
            "JWTs whose expiry is not checked",
            &["jwt-symmetric", "jwt-expired-accepted"],
            TokenRules {
                claims: Claims::IgnoresExpiry,
                ..tokens::SOUND_JWT
            },
        ),
        with_tokens(
            "forgets-the-claims",
            "JWTs whose issuer, audience and start of validity are not checked",
            &["jwt-symmetric", "jwt-claims-unchecked"],
            TokenRules {
                claims: Claims::OnlyExpiry,
                ..tokens::SOUND_JWT
            },
        ),
        with_tokens(
            "sound-rsa",
            "sound; its tokens are JWTs signed with a private key",
            &[],
            tokens::SOUND_RSA,
        ),
        with_tokens(
            "confuses-algorithms",
            "uses its public key as a secret if the JWT's header says so",
            &["jwt-algorithm-confusion"],
            TokenRules {
                checks: Checks::AcceptsPublicKeyAsSecret,
                ..tokens::SOUND_RSA
            },
        ),
        with_tokens(
            "believes-keys",
            "verifies a JWT with the key in its own header",
            &["jwt-key-injection"],
            TokenRules {
                checks: Checks::AcceptsEmbeddedKey,
                ..tokens::SOUND_RSA
            },
        ),
        with_tokens(
            "outlives-change",
            "a password change revokes no token",
            &["token-outlives-password-change"],
            TokenRules {
                revoked_at_password_change: false,
                ..tokens::SOUND
            },
        ),
        with_tokens(
            "sound-bound",
            "sound; a token is valid only from the address it was issued to",
            &[],
            TokenRules {
                bound_to_address: true,
                ..tokens::SOUND
            },
        ),
        with_tokens(
            "counts-tokens",
            "tokens are consecutive numbers",
            &["token-predictable"],
            TokenRules {
                form: Form::Counted,
                ..tokens::SOUND
            },
        ),
        with_tokens(
            "outlives-logout",
            "logout revokes nothing",
            &["token-outlives-logout"],
            TokenRules {
                revoked_at_logout: false,
                ..tokens::SOUND
            },
        ),
        with_tokens(
            "refreshes-again",
            "a refresh token can be used twice",
            &["refresh-token-reuse"],
            TokenRules {
                refresh_reusable: true,
                ..tokens::SOUND
            },
        ),
        with_tokens(
            "token-in-url",
            "a token in the URL is accepted",
            &["token-in-url"],
            TokenRules {
                accepted_in_url: true,
                ..tokens::SOUND
            },
        ),
        with_tokens(
            "cacheable",
            "caches may store the response that contains the tokens",
            &["token-response-cacheable"],
            TokenRules {
                cacheable: true,
                ..tokens::SOUND
            },
        ),
        naive(),
    ]
}

fn with_tokens(
    id: &'static str,
    about: &'static str,
    fires: &'static [&'static str],
    tokens: TokenRules,
) -> Specimen {
    Specimen {
        id,
        about,
        fires,
        tokens,
        ..SOUND
    }
}
