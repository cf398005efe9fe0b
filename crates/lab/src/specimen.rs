//! What a login of the lab is made of: everything sound, and each fault that can take its place.

use std::time::Duration;

use crate::{
    limits::Limits,
    passwords::{self, PasswordRules},
    signatures::SignatureRules,
    tokens::{self, Checks, TokenRules},
};

/// One login of the lab.
#[derive(Clone, Debug)]
pub struct Specimen {
    /// The login's name.
    pub id: &'static str,
    /// The fault of the login, or the property that could mislead a scanner.
    pub about: &'static str,
    /// The checks with a finding here, besides those that [`Specimen::fires`] derives.
    pub(crate) fires: &'static [&'static str],
    pub(crate) limits: Limits,
    /// Whether it takes the client's address from `X-Forwarded-For`.
    pub(crate) trusts_forwarded: bool,
    /// Whether it enforces its limits only after an incorrect password.
    pub(crate) verifies_first: bool,
    pub(crate) unknown: Unknown,
    pub(crate) refusal: Refusal,
    pub(crate) failure: Failure,
    pub(crate) tokens: TokenRules,
    /// Whether a refusal has a `Retry-After`.
    pub(crate) sends_retry_after: bool,
    /// Whether its cookie has no flags.
    pub(crate) has_bare_cookie: bool,
    /// Whether it allows requests with credentials from any origin.
    pub(crate) trusts_any_origin: bool,
    /// Whether input of an unexpected type results in a stack trace.
    pub(crate) leaks_stack_trace: bool,
    /// Whether token introspection needs no authentication.
    pub(crate) introspects_for_anyone: bool,
    /// Whether it declares its login as OAuth's password grant.
    pub(crate) declares_password_grant: bool,
    pub(crate) spelling: Spelling,
    /// Whether the login has a second route without limits.
    pub(crate) has_unlimited_route: bool,
    /// Whether a successful login resets the failures of its address.
    pub(crate) resets_on_success: bool,
    /// Whether a request may contain several passwords, which count as one attempt.
    pub(crate) accepts_password_list: bool,
    /// Whether it reads its counters before the password is hashed and increments them after.
    pub(crate) counts_after_hash: bool,
    /// Whether it limits only accounts that exist.
    pub(crate) limits_existing_only: bool,
    /// Whether registration reveals which names are taken.
    pub(crate) reveals_names_at_registration: bool,
    /// Whether the password reset reveals which names exist.
    pub(crate) reveals_names_at_reset: bool,
    pub(crate) passwords: PasswordRules,
    /// Whether token revocation needs no authentication.
    pub(crate) revokes_for_anyone: bool,
    /// Whether a token grants access to other users' objects.
    pub(crate) exposes_other_users: bool,
    /// Whether a user's token grants access to an administrator's function.
    pub(crate) exposes_admin: bool,
    pub(crate) signatures: SignatureRules,
    /// If set, a hash takes negligible time, and the response for an existing name is delayed by
    /// this.
    pub(crate) fast_hash: Option<Duration>,
}

/// Whether a name in other case or with surrounding spaces is the same account.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Spelling {
    Exact,
    /// The same account, and the same name for the limits.
    Folded,
    /// The same account, and another name for the limits.
    FoldedTooLate,
}

/// The response to an unknown name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Unknown {
    /// The same work and the same message.
    Indistinguishable,
    /// Another message, after the same work.
    OtherMessage,
    /// The same message, without hashing.
    SkipsHash,
    /// The same message after verifying an invalid dummy hash, which takes no time.
    InvalidDummy,
    /// Another message, without hashing.
    OtherMessageAtOnce,
}

/// The response beyond a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Refusal {
    TooMany,
    /// A captcha.
    Challenge,
    Forbidden,
    /// The default of nginx's `limit_req`.
    Unavailable,
    UnauthorizedWithMessage,
    /// The response to an incorrect password, even if the password is correct.
    Silent,
}

/// The response to an incorrect password.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Failure {
    Unauthorized,
    OkWithFail,
    Html,
}

pub(crate) const SOUND_LIMITS: Limits = Limits {
    account: Some(10),
    address: Some(12),
    pair: None,
    global: None,
    heat: Some(5),
};

pub(crate) const SOUND: Specimen = Specimen {
    id: "sound",
    about: "limits per account (10) and address (12), detects a spray, reveals nothing",
    fires: &[],
    limits: SOUND_LIMITS,
    trusts_forwarded: false,
    verifies_first: false,
    unknown: Unknown::Indistinguishable,
    refusal: Refusal::TooMany,
    failure: Failure::Unauthorized,
    tokens: tokens::SOUND,
    sends_retry_after: true,
    has_bare_cookie: false,
    trusts_any_origin: false,
    leaks_stack_trace: false,
    introspects_for_anyone: false,
    declares_password_grant: false,
    spelling: Spelling::Exact,
    has_unlimited_route: false,
    resets_on_success: false,
    accepts_password_list: false,
    counts_after_hash: false,
    limits_existing_only: false,
    reveals_names_at_registration: false,
    reveals_names_at_reset: false,
    passwords: passwords::SOUND,
    revokes_for_anyone: false,
    exposes_other_users: false,
    exposes_admin: false,
    signatures: SignatureRules::Sound,
    fast_hash: None,
};

impl Specimen {
    /// Returns true if a check must have a finding here.
    pub fn fires(&self, check: &str) -> bool {
        self.fires.contains(&check)
            || match check {
                // An attacker can use every effective account limit against the account's owner.
                "lockout-denies-owner" => {
                    let is_limited = self.limits.account.is_some() && self.limits.global.is_none();
                    is_limited && !self.verifies_first
                }
                // No login here has a second factor, and only one asks for a captcha.
                "captcha-or-mfa-absent" => {
                    self.refusal != Refusal::Challenge && self.limits.global.is_none()
                }
                "token-unbound" => {
                    let ignores_token =
                        matches!(self.tokens.checks, Checks::Presence | Checks::Nothing);
                    !self.tokens.bound_to_address && !ignores_token
                }
                _ => false,
            }
    }

    /// Returns true if its signed requests are worth testing.
    pub fn is_about_signatures(&self) -> bool {
        self.signatures != SignatureRules::Sound || self.id == SOUND.id
    }
}
