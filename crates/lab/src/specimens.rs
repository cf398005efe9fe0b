//! Which logins there are, and which check each of them is for.

use crate::{
    limits::Limits,
    passwords::{self, Passwords},
    signed::Signatures,
    tokens::{self, Checks, Claims, Form, TokenRules},
};

/// One login of the lab.
#[derive(Clone, Debug)]
pub struct Specimen {
    /// Its name.
    pub id: &'static str,
    /// What is wrong with it, or which trap it sets for a scanner.
    pub about: &'static str,
    /// The checks that must find something here, beside what [`Specimen::fires`] derives.
    fires: &'static [&'static str],
    pub(crate) limits: Limits,
    pub(crate) believes_forwarded: bool,
    /// Looks at its limits only when the password was wrong.
    pub(crate) verifies_first: bool,
    pub(crate) unknown: Unknown,
    pub(crate) refusal: Refusal,
    pub(crate) failure: Failure,
    pub(crate) tokens: TokenRules,
    /// Whether a refusal has a Retry-After.
    pub(crate) says_when: bool,
    /// Whether its cookie has no flags.
    pub(crate) bare_cookie: bool,
    /// Whether any origin may ask with credentials.
    pub(crate) trusts_origins: bool,
    /// Whether input of the wrong type ends in a stack trace.
    pub(crate) stumbles: bool,
    /// Whether anybody may introspect tokens.
    pub(crate) introspects: bool,
    /// Whether it calls its login OAuth's password grant.
    pub(crate) password_grant: bool,
    /// Whether names may be spelled otherwise.
    pub(crate) spelling: Spelling,
    /// Whether the login has a second route that its limits don't know.
    pub(crate) second_route: bool,
    /// Whether a right login gives its address all its failures back.
    pub(crate) resets: bool,
    /// Whether one request may bring several passwords, which count as one.
    pub(crate) batches: bool,
    /// Whether its limits are read before the password is verified, and moved after.
    pub(crate) races: bool,
    /// Whether only names that exist are limited.
    pub(crate) locks_existing: bool,
    /// Whether registration says which names are taken.
    pub(crate) tells_at_registration: bool,
    /// Whether the reset says which names exist.
    pub(crate) tells_at_reset: bool,
    pub(crate) passwords: Passwords,
    /// Whether anybody may end tokens.
    pub(crate) revokes: bool,
    /// Whether a token opens what is another's.
    pub(crate) opens_others: bool,
    /// Whether a token opens what is an administrator's.
    pub(crate) opens_admin: bool,
    pub(crate) signatures: Signatures,
    /// Whether its hash takes no time to speak of, and how much longer, in microseconds, a name that
    /// exists is answered: for runs of thousands.
    pub(crate) quick: Option<u64>,
}

/// Whether a name in capitals or with spaces around is the same account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Spelling {
    Exact,
    /// It is, for the accounts and for the limits.
    Folded,
    /// It is for the accounts, and another name for the limits.
    FoldedTooLate,
}

impl Specimen {
    /// Whether a check must find something here.
    pub fn fires(&self, check: &str) -> bool {
        // Every limit by account that holds can be turned on the account's owner.
        let holds = self.limits.account.is_some() && self.limits.global.is_none();
        let locks = holds && !self.verifies_first && check == "lockout-denies-owner";
        // No login here knows a second factor, and but for one none asks for anything else.
        let asks_nothing = self.refusal != Refusal::Challenge
            && self.limits.global.is_none()
            && check == "captcha-or-mfa-absent";
        let discerns = matches!(self.tokens.checks, Checks::Presence | Checks::Nothing);
        let carried = !self.tokens.bound && !discerns && check == "token-unbound";
        self.fires.contains(&check) || locks || asks_nothing || carried
    }

    /// Whether it is one of those whose signed requests are worth trying.
    pub fn is_about_signatures(&self) -> bool {
        self.signatures != Signatures::Sound || self.id == SOUND.id
    }
}

/// What happens for a name that doesn't exist.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unknown {
    /// The same work and the same words.
    LikeAny,
    /// Other words, after the same work.
    OtherWords,
    /// The same words, at once.
    SkipsHash,
    /// The same words after a dummy hash that is invalid, so: at once.
    InvalidDummy,
    /// Other words, at once.
    OtherWordsAtOnce,
}

/// How a limit refuses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Refusal {
    TooMany,
    /// With a riddle for people.
    Challenge,
    Forbidden,
    /// As nginx's `limit_req` does where nobody says otherwise.
    Unavailable,
    UnauthorizedInOtherWords,
    /// As if the password were wrong, right or not.
    Silent,
}

/// How a wrong password is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    Unauthorized,
    OkWithFail,
    Html,
}

const SOUND_LIMITS: Limits = Limits {
    account: Some(10),
    address: Some(12),
    pair: None,
    global: None,
    heat: Some(5),
};

const SOUND: Specimen = Specimen {
    id: "sound",
    about: "limits by account (10) and address (12), sees a spray, tells nothing",
    fires: &[],
    limits: SOUND_LIMITS,
    believes_forwarded: false,
    verifies_first: false,
    unknown: Unknown::LikeAny,
    refusal: Refusal::TooMany,
    failure: Failure::Unauthorized,
    tokens: tokens::SOUND,
    says_when: true,
    bare_cookie: false,
    trusts_origins: false,
    stumbles: false,
    introspects: false,
    password_grant: false,
    spelling: Spelling::Exact,
    second_route: false,
    resets: false,
    batches: false,
    races: false,
    locks_existing: false,
    tells_at_registration: false,
    tells_at_reset: false,
    passwords: passwords::SOUND,
    revokes: false,
    opens_others: false,
    opens_admin: false,
    signatures: Signatures::Sound,
    quick: None,
};

/// Sound, with tokens that say themselves whose they are. That their key can also make them is
/// told, and no fault.
const JWT: Specimen = Specimen {
    id: "sound-jwt",
    about: "sound; its tokens are JWTs",
    fires: &["jwt-symmetric"],
    tokens: tokens::SOUND_JWT,
    ..SOUND
};

/// The sound login: nothing is to be found here.
pub fn sound() -> Specimen {
    SOUND
}

/// A login without limits whose hash takes no time, where a name that exists is answered so many
/// microseconds later than one that doesn't: to see how often a measurement of times is wrong.
pub fn timed(later: u64) -> Specimen {
    Specimen {
        id: "timed",
        about: "no limit, a hash that takes no time, and a known difference",
        fires: &[],
        quick: Some(later),
        ..naive_limits(SOUND)
    }
}

fn naive_limits(specimen: Specimen) -> Specimen {
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

/// A login as it is written without a thought of abuse: no limit at all, other words and no hash
/// for unknown names.
pub fn naive() -> Specimen {
    Specimen {
        id: "naive",
        about: "no limit, and unknown names answer in other words and at once",
        fires: &[
            "login-unlimited",
            "spray-unseen",
            "enumeration-by-answer",
            "enumeration-by-time",
        ],
        unknown: Unknown::OtherWordsAtOnce,
        ..naive_limits(SOUND)
    }
}

/// All logins of the oracle bench: one fault for each check, and sound ones in the shapes that
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
            about: "sound; its limit answers 403",
            refusal: Refusal::Forbidden,
            ..SOUND
        },
        Specimen {
            id: "sound-refuses-503",
            about: "sound; its limit answers 503, as nginx does",
            refusal: Refusal::Unavailable,
            ..SOUND
        },
        Specimen {
            id: "sound-refuses-401",
            about: "sound; its limit answers 401 in other words",
            refusal: Refusal::UnauthorizedInOtherWords,
            ..SOUND
        },
        Specimen {
            id: "sound-refuses-silently",
            about: "sound; its limit answers as to a wrong password",
            refusal: Refusal::Silent,
            ..SOUND
        },
        Specimen {
            id: "sound-fails-with-200",
            about: "sound; a wrong password answers 200 {\"status\":\"fail\"}",
            failure: Failure::OkWithFail,
            ..SOUND
        },
        Specimen {
            id: "sound-html",
            about: "sound; a page for people: HTML, a redirect and a cookie",
            failure: Failure::Html,
            ..SOUND
        },
        Specimen {
            id: "sound-challenges",
            about: "sound; who fails often is asked to solve a riddle",
            refusal: Refusal::Challenge,
            ..SOUND
        },
        Specimen {
            id: "sound-folds-names",
            about: "sound; names in capitals or with spaces around are the same, for its limits too",
            spelling: Spelling::Folded,
            ..SOUND
        },
        Specimen {
            id: "folds-names-too-late",
            about: "names in capitals log in, and are other names for its limits",
            fires: &["limit-name-variants"],
            spelling: Spelling::FoldedTooLate,
            ..SOUND
        },
        Specimen {
            id: "second-route",
            about: "the same login under /login/, which its limits don't know",
            fires: &["limit-route-variants"],
            second_route: true,
            ..SOUND
        },
        Specimen {
            id: "resets",
            about: "a right login gives its address all failures back",
            fires: &["limit-reset-by-success"],
            resets: true,
            ..SOUND
        },
        Specimen {
            id: "batches",
            about: "takes a list of passwords and tries them all",
            fires: &["limit-batched-guesses"],
            batches: true,
            ..SOUND
        },
        Specimen {
            id: "races",
            about: "reads its limits before the hash and moves them after",
            fires: &["limit-race"],
            races: true,
            ..SOUND
        },
        Specimen {
            id: "locks-existing",
            about: "only names that exist are locked",
            fires: &["lockout-reveals-account"],
            locks_existing: true,
            ..SOUND
        },
        Specimen {
            id: "tells-at-registration",
            about: "registration says which names are taken",
            fires: &["enumeration-by-registration"],
            tells_at_registration: true,
            ..SOUND
        },
        Specimen {
            id: "tells-at-reset",
            about: "the reset says which names exist",
            fires: &["enumeration-by-reset"],
            tells_at_reset: true,
            ..SOUND
        },
        Specimen {
            id: "takes-common-passwords",
            about: "registers accounts with passwords that everybody has",
            fires: &["weak-password-accepted"],
            passwords: Passwords {
                common: true,
                ..passwords::SOUND
            },
            ..SOUND
        },
        Specimen {
            id: "truncates",
            about: "looks at the first 72 characters of a password, as bcrypt does",
            fires: &["password-truncated"],
            passwords: Passwords {
                counted: Some(72),
                ..passwords::SOUND
            },
            ..SOUND
        },
        Specimen {
            id: "caps",
            about: "takes passwords of at most 32 characters",
            fires: &["password-length-capped"],
            passwords: Passwords {
                most: 32,
                ..passwords::SOUND
            },
            ..SOUND
        },
        Specimen {
            id: "revokes",
            about: "ends tokens for anybody",
            fires: &["revocation-open"],
            revokes: true,
            ..SOUND
        },
        Specimen {
            id: "opens-others",
            about: "a token opens what is another's",
            fires: &["other-users-object"],
            opens_others: true,
            ..SOUND
        },
        Specimen {
            id: "opens-admin",
            about: "an ordinary token opens what is an administrator's",
            fires: &["admin-function-open"],
            opens_admin: true,
            ..SOUND
        },
        Specimen {
            id: "signatures-unchecked",
            about: "nobody looks at the signature",
            fires: &["signature-not-checked"],
            signatures: Signatures::Unchecked,
            ..SOUND
        },
        Specimen {
            id: "signatures-replayed",
            about: "a signed request may come twice",
            fires: &["signature-replay"],
            signatures: Signatures::Replayed,
            ..SOUND
        },
        Specimen {
            id: "signatures-stale",
            about: "a signed request may be old",
            fires: &["signature-stale"],
            signatures: Signatures::Stale,
            ..SOUND
        },
        Specimen {
            id: "signatures-unbound",
            about: "what is signed can be taken for something else",
            fires: &["signature-unbound"],
            signatures: Signatures::Unbound,
            ..SOUND
        },
        Specimen {
            id: "no-limit",
            about: "no limit by account or address",
            fires: &["login-unlimited"],
            limits: limits(None, None, None, None, Some(5)),
            ..SOUND
        },
        Specimen {
            id: "refuses-wrong-only",
            about: "its limits refuse wrong passwords only; a right guess still gets in",
            fires: &["login-unlimited"],
            verifies_first: true,
            ..SOUND
        },
        Specimen {
            id: "address-only",
            about: "limits by address only",
            fires: &["limit-ignores-account"],
            limits: limits(None, Some(10), None, None, Some(5)),
            ..SOUND
        },
        Specimen {
            id: "account-only",
            about: "limits by account only",
            fires: &["limit-ignores-address"],
            limits: limits(Some(10), None, None, None, Some(5)),
            ..SOUND
        },
        Specimen {
            id: "pair-only",
            about: "limits by account and address together",
            fires: &["limit-per-pair"],
            limits: limits(None, None, Some(10), None, Some(5)),
            ..SOUND
        },
        Specimen {
            id: "global",
            about: "one limit for everybody",
            fires: &["limit-global"],
            limits: limits(None, None, None, Some(10), Some(5)),
            ..SOUND
        },
        Specimen {
            id: "no-heat",
            about: "does not see one password on many accounts",
            fires: &["spray-unseen"],
            limits: limits(Some(10), Some(12), None, None, None),
            ..SOUND
        },
        Specimen {
            id: "believes-forwarded",
            about: "takes the client address from X-Forwarded-For, whoever wrote it",
            fires: &["limit-forwarded-spoof"],
            believes_forwarded: true,
            ..SOUND
        },
        Specimen {
            id: "tells-by-words",
            about: "an unknown name answers in other words",
            fires: &["enumeration-by-answer"],
            unknown: Unknown::OtherWords,
            ..SOUND
        },
        Specimen {
            id: "tells-by-time",
            about: "an unknown name answers without hashing",
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
            about: "refuses without saying for how long",
            fires: &["retry-after-missing"],
            says_when: false,
            ..SOUND
        },
        Specimen {
            id: "bare-cookie",
            about: "a session cookie that scripts and other sites can use",
            fires: &["cookie-flags"],
            failure: Failure::Html,
            bare_cookie: true,
            ..SOUND
        },
        Specimen {
            id: "trusts-origins",
            about: "any origin may ask with the visitor's credentials",
            fires: &["cors-credentials"],
            trusts_origins: true,
            ..SOUND
        },
        Specimen {
            id: "stumbles",
            about: "input of the wrong type ends in a stack trace",
            fires: &["login-input-errors"],
            stumbles: true,
            ..SOUND
        },
        Specimen {
            id: "introspects",
            about: "tells anybody whose a token is",
            fires: &["introspection-open"],
            introspects: true,
            ..SOUND
        },
        Specimen {
            id: "password-grant",
            about: "sound; it calls its login OAuth's password grant",
            fires: &["password-grant"],
            password_grant: true,
            ..SOUND
        },
        JWT,
        with_tokens(
            "answers-anybody",
            "a route that is declared protected asks for no token",
            &["token-not-checked"],
            TokenRules {
                checks: Checks::Nothing,
                ..tokens::SOUND
            },
        ),
        with_tokens(
            "takes-any-token",
            "any token will do",
            &["token-not-checked"],
            TokenRules {
                checks: Checks::Presence,
                ..tokens::SOUND
            },
        ),
        with_tokens(
            "believes-none",
            "a JWT that says it is not signed is believed",
            &["jwt-symmetric", "jwt-unsigned-accepted"],
            TokenRules {
                checks: Checks::BelievesNone,
                ..tokens::SOUND_JWT
            },
        ),
        with_tokens(
            "weak-secret",
            "JWTs signed with a key out of a tutorial",
            &["jwt-symmetric", "jwt-weak-secret"],
            TokenRules {
                key: Some("your-256-bit-secret"),
                ..tokens::SOUND_JWT
            },
        ),
        with_tokens(
            "never-expires",
            "JWTs without an end",
            &["jwt-symmetric", "jwt-no-expiry"],
            TokenRules {
                lifetime: None,
                ..tokens::SOUND_JWT
            },
        ),
        with_tokens(
            "lives-long",
            "access tokens that are good for a week",
            &["jwt-symmetric", "jwt-long-lived"],
            TokenRules {
                lifetime: Some(7 * 86_400),
                ..tokens::SOUND_JWT
            },
        ),
        with_tokens(
            "no-id",
            "JWTs that can't be named, so not revoked one by one",
            &["jwt-symmetric", "jwt-no-id"],
            TokenRules {
                has_id: false,
                ..tokens::SOUND_JWT
            },
        ),
        with_tokens(
            "tells-in-claims",
            "JWTs that carry the password's hash",
            &["jwt-symmetric", "jwt-sensitive-claims"],
            TokenRules {
                tells: true,
                ..tokens::SOUND_JWT
            },
        ),
        with_tokens(
            "forgets-the-end",
            "JWTs whose end nobody looks at",
            &["jwt-symmetric", "jwt-expired-accepted"],
            TokenRules {
                claims: Claims::NotTheEnd,
                ..tokens::SOUND_JWT
            },
        ),
        with_tokens(
            "forgets-the-claims",
            "JWTs that may be anybody's, for anybody and of tomorrow",
            &["jwt-symmetric", "jwt-claims-unchecked"],
            TokenRules {
                claims: Claims::OnlyTheEnd,
                ..tokens::SOUND_JWT
            },
        ),
        with_tokens(
            "sound-rsa",
            "sound; its tokens are JWTs that a private key signs",
            &[],
            tokens::SOUND_RSA,
        ),
        with_tokens(
            "confuses-algorithms",
            "takes its public key for a secret where a JWT says so",
            &["jwt-algorithm-confusion"],
            TokenRules {
                checks: Checks::Confuses,
                ..tokens::SOUND_RSA
            },
        ),
        with_tokens(
            "believes-keys",
            "verifies a JWT with the key that it brings along",
            &["jwt-key-injection"],
            TokenRules {
                checks: Checks::BelievesItsKey,
                ..tokens::SOUND_RSA
            },
        ),
        with_tokens(
            "outlives-change",
            "a new password ends no token",
            &["token-outlives-password-change"],
            TokenRules {
                ends_at_change: false,
                ..tokens::SOUND
            },
        ),
        with_tokens(
            "sound-bound",
            "sound; a token is good only where it was given",
            &[],
            TokenRules {
                bound: true,
                ..tokens::SOUND
            },
        ),
        with_tokens(
            "counts-tokens",
            "tokens are numbered",
            &["token-predictable"],
            TokenRules {
                form: Form::Counted,
                ..tokens::SOUND
            },
        ),
        with_tokens(
            "outlives-logout",
            "logout ends nothing",
            &["token-outlives-logout"],
            TokenRules {
                ends_at_logout: false,
                ..tokens::SOUND
            },
        ),
        with_tokens(
            "refreshes-again",
            "a refresh token can be used twice",
            &["refresh-token-reuse"],
            TokenRules {
                refreshes_again: true,
                ..tokens::SOUND
            },
        ),
        with_tokens(
            "token-in-url",
            "a token in the URL will do",
            &["token-in-url"],
            TokenRules {
                in_url: true,
                ..tokens::SOUND
            },
        ),
        with_tokens(
            "cacheable",
            "caches may keep the answer that holds the tokens",
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
