//! The requirements of OWASP's ASVS 5.0 (chapters V6, V7, V9 and V10, 109 requirements) that a server meets,
//! each with a test or a document as evidence, or the reason why it is not met.
//!
//! The ids and levels are the standard's, the wording is ours. This is a self-assessment, not a certification.

use std::fmt;

use crate::{Config, Profile};

/// The evidence for a row.
#[derive(Clone, Copy)]
enum Ground {
    /// Met: a test that fails otherwise.
    Test(&'static str),
    /// Met: a document.
    Document(&'static str),
    /// Not met, and why.
    Not(&'static str),
    /// Not applicable, and why.
    Nothing(&'static str),
    /// Met in the profile `strict`, by this test.
    Strict(&'static str),
    /// Met if a source of leaked passwords is configured, by this test.
    Breaches(&'static str),
    /// The evidence with passkeys, and without.
    Passkeys(&'static Self, &'static Self),
}

use Ground::{Breaches, Document, Not, Nothing, Passkeys, Strict, Test};

/// Whether a requirement is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Met.
    Met,
    /// Not met.
    NotMet,
    /// About a feature that does not exist here.
    NotApplicable,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Met => "met",
            Self::NotMet => "NOT MET",
            Self::NotApplicable => "not applicable",
        })
    }
}

/// A requirement.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Requirement {
    /// Its id in ASVS 5.0.
    pub id: &'static str,
    /// Its level, 1 to 3.
    pub level: u8,
    /// The requirement, in our words.
    pub about: &'static str,
    /// Whether it is met.
    pub status: Status,
    /// The test or document that shows it, or the reason.
    pub ground: String,
}

const PAGES: Ground = Test("people_use_the_pages_in_a_browser");
const LIFE: Ground = Test("a_life_of_an_account");
const FACTOR: Ground = Test("a_second_factor_is_asked_for_each_code_once");
const FIT: Ground = Test("what_may_be_chosen");
const EQUAL: Ground = Test("unknown_wrong_and_disabled_are_answered_in_equal_bytes");
const LOCKED: Ground = Test("a_locked_account_is_refused_as_one_that_does_not_exist");
const SIGNED: Ground = Test("every_algorithm_signs_what_verifies_and_nothing_else");
const CLIENTS: Ground = Test("clients_authenticate_introspect_and_revoke");
const REUSE: Ground = Test("a_refresh_token_works_once_and_reuse_ends_the_family");
const BOUND: &str = "a_bound_token_opens_for_its_key_alone";
const README: Ground = Document("README.md");
const DECISION: Ground = Document("docs/decisions/0018-serve-on-sqlite.md");
const NO_BAND: Ground = Nothing("there are no out-of-band logins");
const NO_PROVIDER: Ground = Nothing("there are no logins with other identity providers");
const PASSKEYS: Ground = Test("authenticators_of_python_are_content");
const SEALED: Ground = Test("a_passkey_that_is_given_to_another_account_opens_nothing");
const CHALLENGE: Ground = Test("a_login_is_asked_for_anew_each_time");
const NO_PASSKEYS: Ground =
    Nothing("there are no passkeys: this build lacks them, or the issuer is an IP address");
const NO_CODE: Ground = Nothing("there is no authorization endpoint, so no codes and no redirects");
const NO_OIDC: Ground = Nothing("it is not an OpenID provider");
const NO_CLIENT: Ground = Nothing("it is not an OAuth client");
const NO_CONSENT: Ground = Nothing("clients get tokens for themselves, never on behalf of a user");
const NO_SCOPES: Ground = Nothing("there are no scopes");

type Row = (&'static str, u8, &'static str, Ground);

const ROWS: [Row; 109] = [
    (
        "6.1.1",
        1,
        "The documentation describes how guessing is stopped without locking owners out",
        README,
    ),
    (
        "6.1.2",
        2,
        "Context-specific words that passwords must not contain are documented",
        Not("only the account's own name is such a word"),
    ),
    (
        "6.1.3",
        2,
        "All login methods and their protection are documented",
        DECISION,
    ),
    ("6.2.1", 1, "Passwords have at least 8 characters", FIT),
    ("6.2.2", 1, "Users can change their password", LIFE),
    (
        "6.2.3",
        1,
        "Changing the password requires the old one",
        LIFE,
    ),
    ("6.2.4", 1, "Common passwords are rejected", FIT),
    (
        "6.2.5",
        1,
        "There are no composition rules for passwords",
        FIT,
    ),
    ("6.2.6", 1, "Password fields mask their input", PAGES),
    ("6.2.7", 1, "Pasting and password managers work", PAGES),
    (
        "6.2.8",
        1,
        "Passwords are verified exactly as received",
        Not("they are normalized first (Unicode NFKC); nothing is truncated"),
    ),
    (
        "6.2.9",
        2,
        "Passwords of at least 64 characters are allowed",
        Test("a_scan_finds_nothing_in_any_profile"),
    ),
    ("6.2.10", 2, "Passwords do not expire", LIFE),
    (
        "6.2.11",
        2,
        "Passwords must not contain context-specific words",
        Not("only the account's own name is rejected"),
    ),
    (
        "6.2.12",
        2,
        "Leaked passwords are rejected",
        Breaches("leaked_passwords_are_refused_by_a_range_api"),
    ),
    ("6.3.1", 1, "Guessing is stopped as documented", LOCKED),
    (
        "6.3.2",
        1,
        "There are no default accounts",
        Test("administration_is_for_administrators"),
    ),
    (
        "6.3.3",
        2,
        "More than one factor is required; at level 3, one of them is phishing-resistant hardware",
        Not(
            "second factors are optional; a password without one must have 15 characters (8 in the profile compat)",
        ),
    ),
    (
        "6.3.4",
        2,
        "There are no undocumented login methods, and all are protected consistently",
        Test("a_scan_finds_nothing_in_any_profile"),
    ),
    (
        "6.3.5",
        3,
        "Users are notified of suspicious logins",
        Not("they are audit events; users are not notified"),
    ),
    (
        "6.3.6",
        3,
        "Email is not used as a factor",
        Test("a_reset_leaves_the_second_factor"),
    ),
    (
        "6.3.7",
        3,
        "Users are notified of changes of their credentials",
        Test("users_hear_of_a_new_password"),
    ),
    ("6.3.8", 3, "Nothing reveals which accounts exist", EQUAL),
    (
        "6.4.1",
        1,
        "Generated initial passwords are random and used once",
        Nothing("no initial passwords are generated"),
    ),
    ("6.4.2", 1, "Secret questions are not used", LIFE),
    (
        "6.4.3",
        2,
        "A password reset does not bypass the second factor",
        Test("a_reset_leaves_the_second_factor"),
    ),
    (
        "6.4.4",
        2,
        "Replacing a lost factor requires proof of identity",
        FACTOR,
    ),
    (
        "6.4.5",
        3,
        "Users are notified before a factor expires",
        Nothing("no factor expires"),
    ),
    (
        "6.4.6",
        3,
        "Administrators can start a reset but not choose a password",
        Not(
            "they can't choose a password for an existing account, and can't start a reset except as anyone can",
        ),
    ),
    ("6.5.1", 2, "Each code is accepted once", FACTOR),
    (
        "6.5.2",
        2,
        "Recovery codes are hashed as their entropy requires",
        Test("recovery_codes_are_read_with_and_without_dashes"),
    ),
    ("6.5.3", 2, "Codes and seeds are random", FACTOR),
    (
        "6.5.4",
        2,
        "Recovery codes have at least 20 bits of entropy",
        Test("recovery_codes_are_read_with_and_without_dashes"),
    ),
    (
        "6.5.5",
        2,
        "Time-based codes are valid for at most 30 seconds",
        Not("the previous and the next code are accepted too (RFC 6238 section 5.2)"),
    ),
    (
        "6.5.6",
        3,
        "A factor can be revoked",
        Passkeys(&PASSKEYS, &FACTOR),
    ),
    (
        "6.5.7",
        3,
        "Biometrics are used only with another factor",
        Passkeys(&PASSKEYS, &NO_PASSKEYS),
    ),
    (
        "6.5.8",
        3,
        "Time-based codes are verified by the server's clock",
        FACTOR,
    ),
    (
        "6.6.1",
        2,
        "Codes are not sent by telephone",
        Nothing("no codes are sent"),
    ),
    (
        "6.6.2",
        2,
        "Out-of-band requests are bound to the login",
        NO_BAND,
    ),
    ("6.6.3", 2, "Out-of-band codes can't be guessed", NO_BAND),
    (
        "6.6.4",
        3,
        "Users can't be flooded with push notifications",
        NO_BAND,
    ),
    (
        "6.7.1",
        3,
        "Keys and certificates that verify logins are protected from modification",
        Passkeys(&SEALED, &NO_PASSKEYS),
    ),
    (
        "6.7.2",
        3,
        "Challenges have at least 64 bits and are used once",
        Passkeys(&CHALLENGE, &NO_PASSKEYS),
    ),
    (
        "6.8.1",
        2,
        "Identity providers can't impersonate each other's users",
        NO_PROVIDER,
    ),
    (
        "6.8.2",
        2,
        "The signatures of assertions are verified",
        NO_PROVIDER,
    ),
    ("6.8.3", 2, "Assertions are used once", NO_PROVIDER),
    (
        "6.8.4",
        2,
        "The strength of a provider's login is verified",
        NO_PROVIDER,
    ),
    ("7.1.1", 2, "Session lifetimes are documented", README),
    (
        "7.1.2",
        2,
        "The number of parallel sessions is documented",
        DECISION,
    ),
    ("7.1.3", 2, "Federated sessions are documented", NO_PROVIDER),
    (
        "7.2.1",
        1,
        "The server verifies sessions",
        Test("pages_work_without_scripts_and_refuse_other_sites"),
    ),
    ("7.2.2", 1, "Session tokens are generated, not static", LIFE),
    (
        "7.2.3",
        1,
        "Session tokens have 128 random bits",
        Test("a_scan_finds_nothing_in_any_profile"),
    ),
    (
        "7.2.4",
        1,
        "A login creates a new session and ends the previous one",
        Test("pages_work_without_scripts_and_refuse_other_sites"),
    ),
    (
        "7.3.1",
        2,
        "Idle sessions expire",
        Test("sessions_end_unused_and_however_often_they_are_refreshed"),
    ),
    (
        "7.3.2",
        2,
        "Sessions have a maximum lifetime",
        Test("sessions_end_unused_and_however_often_they_are_refreshed"),
    ),
    ("7.4.1", 1, "Logging out ends the session", LIFE),
    (
        "7.4.2",
        1,
        "Disabling an account ends its sessions",
        Test("administration_is_for_administrators"),
    ),
    (
        "7.4.3",
        2,
        "Other sessions can be ended after a factor changes",
        PAGES,
    ),
    (
        "7.4.4",
        2,
        "Pages that require a login have a logout button",
        PAGES,
    ),
    (
        "7.4.5",
        2,
        "Administrators can end sessions",
        Test("an_operator_adds_disables_and_imports"),
    ),
    (
        "7.5.1",
        2,
        "Changing credentials requires the password again",
        FACTOR,
    ),
    (
        "7.5.2",
        2,
        "Users can list and end their sessions, after authenticating again",
        Not("they list and end them without authenticating again"),
    ),
    (
        "7.5.3",
        3,
        "The most sensitive operations require authentication again",
        FACTOR,
    ),
    (
        "7.6.1",
        2,
        "Federated sessions end as documented",
        NO_PROVIDER,
    ),
    (
        "7.6.2",
        2,
        "No session begins without the user's action",
        PAGES,
    ),
    (
        "9.1.1",
        1,
        "Tokens are accepted only with a valid signature",
        SIGNED,
    ),
    (
        "9.1.2",
        1,
        "Only expected algorithms are accepted, and never `none`",
        SIGNED,
    ),
    (
        "9.1.3",
        1,
        "Keys in a token's header are not trusted",
        Test("a_scan_finds_nothing_in_any_profile"),
    ),
    ("9.2.1", 1, "The times of tokens are verified", SIGNED),
    ("9.2.2", 2, "The type of tokens is verified", SIGNED),
    ("9.2.3", 2, "The audience of tokens is verified", SIGNED),
    ("9.2.4", 2, "Tokens name their audience", SIGNED),
    (
        "10.1.1",
        2,
        "Tokens are sent only where they are needed",
        Test("pages_work_without_scripts_and_refuse_other_sites"),
    ),
    (
        "10.1.2",
        2,
        "Clients accept only responses to their own requests",
        NO_CLIENT,
    ),
    (
        "10.2.1",
        2,
        "Clients reject forged authorization responses",
        NO_CLIENT,
    ),
    (
        "10.2.2",
        2,
        "Clients tell authorization servers apart",
        NO_CLIENT,
    ),
    (
        "10.2.3",
        3,
        "Clients request only the scopes they need",
        NO_CLIENT,
    ),
    (
        "10.3.1",
        2,
        "Routes accept only tokens issued for them",
        SIGNED,
    ),
    (
        "10.3.2",
        2,
        "Authorization is based on the token's claims",
        CLIENTS,
    ),
    (
        "10.3.3",
        2,
        "Users are identified by claims that are never reassigned",
        SIGNED,
    ),
    (
        "10.3.4",
        2,
        "The strength of a login is verified where it matters",
        FACTOR,
    ),
    (
        "10.3.5",
        3,
        "Stolen access tokens can't be used",
        Strict(BOUND),
    ),
    ("10.4.1", 1, "Redirect URIs are compared exactly", NO_CODE),
    ("10.4.2", 1, "Authorization codes are used once", NO_CODE),
    ("10.4.3", 1, "Authorization codes are short-lived", NO_CODE),
    (
        "10.4.4",
        1,
        "Clients use only the grants they need, and not the implicit or password grant",
        CLIENTS,
    ),
    (
        "10.4.5",
        1,
        "Reuse of a refresh token ends the session",
        REUSE,
    ),
    ("10.4.6", 2, "Authorization codes require PKCE", NO_CODE),
    (
        "10.4.7",
        2,
        "Dynamically registered clients are restricted",
        Nothing("only operators add clients"),
    ),
    (
        "10.4.8",
        2,
        "Refresh tokens have a maximum lifetime",
        Test("sessions_end_unused_and_however_often_they_are_refreshed"),
    ),
    ("10.4.9", 2, "Users can revoke tokens", PAGES),
    ("10.4.10", 2, "Clients authenticate", CLIENTS),
    (
        "10.4.11",
        2,
        "Clients get only the scopes they need",
        NO_SCOPES,
    ),
    ("10.4.12", 3, "Response modes are restricted", NO_CODE),
    ("10.4.13", 3, "Authorization requests are pushed", NO_CODE),
    (
        "10.4.14",
        3,
        "Access tokens are sender-constrained",
        Strict(BOUND),
    ),
    (
        "10.4.15",
        3,
        "Authorization details can't be tampered with",
        NO_CODE,
    ),
    (
        "10.4.16",
        3,
        "Clients authenticate with keys",
        Not("they have secrets; their tokens can be bound with DPoP"),
    ),
    ("10.5.1", 2, "ID tokens are used once", NO_CLIENT),
    (
        "10.5.2",
        2,
        "Users are identified by the subject of the ID token",
        NO_CLIENT,
    ),
    (
        "10.5.3",
        2,
        "Metadata of another issuer is rejected",
        NO_CLIENT,
    ),
    (
        "10.5.4",
        2,
        "ID tokens are verified to be for this client",
        NO_CLIENT,
    ),
    ("10.5.5", 2, "Logout tokens are verified", NO_CLIENT),
    ("10.6.1", 2, "Response types are restricted", NO_OIDC),
    ("10.6.2", 2, "Users can't be logged out by others", NO_OIDC),
    ("10.7.1", 2, "Users consent", NO_CONSENT),
    (
        "10.7.2",
        2,
        "Users are informed of what they consent to",
        NO_CONSENT,
    ),
    ("10.7.3", 2, "Users can revoke their consent", NO_CONSENT),
];

/// Returns true if a server of this configuration has passkeys.
fn has_passkeys(config: &Config) -> bool {
    #[cfg(feature = "passkeys")]
    return crate::passkeys::are_available(&config.issuer(config.listen));
    #[cfg(not(feature = "passkeys"))]
    {
        let _ = config;
        false
    }
}

/// Returns all requirements, for a configuration.
pub fn requirements(config: &Config) -> Vec<Requirement> {
    let knows_breaches = config.breach_filter.is_some() || config.breach_range.is_some();
    let strict = config.profile == Profile::Strict;
    let has_passkeys = has_passkeys(config);
    let chosen = |ground: Ground| match ground {
        Passkeys(with, without) => *if has_passkeys { with } else { without },
        other => other,
    };
    let judged = |ground: Ground| match chosen(ground) {
        Test(test) => (Status::Met, format!("test {test}")),
        Document(path) => (Status::Met, path.to_owned()),
        Not(reason) => (Status::NotMet, reason.to_owned()),
        Nothing(reason) => (Status::NotApplicable, reason.to_owned()),
        Strict(test) if strict => (Status::Met, format!("test {test}")),
        Strict(_) => (Status::NotMet, "only in the profile strict".to_owned()),
        Breaches(test) if knows_breaches => (Status::Met, format!("test {test}")),
        Breaches(_) => (
            Status::NotMet,
            "neither breach_filter nor breach_range is configured".to_owned(),
        ),
        // Replaced above by what they choose between.
        Passkeys(..) => (Status::NotApplicable, String::new()),
    };
    let rows = ROWS.into_iter().map(|(id, level, about, ground)| {
        let (status, ground) = judged(ground);
        Requirement {
            id,
            level,
            about,
            status,
            ground,
        }
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn every_ground_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut sources = String::new();
        for folder in ["src", "src/routes", "tests/it", "../doorwarden/tests/it"] {
            for file in fs::read_dir(root.join(folder)).unwrap() {
                let path = file.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "rs") {
                    sources += &fs::read_to_string(path).unwrap();
                }
            }
        }
        let there = |id: &str, ground: Ground| match ground {
            Test(test) | Strict(test) | Breaches(test) => {
                assert!(
                    sources.contains(&format!("fn {test}(")),
                    "{id}: there is no test {test}"
                );
            }
            Document(path) => assert!(root.join("../..").join(path).exists(), "{id}: {path}"),
            Not(reason) | Nothing(reason) => assert!(!reason.is_empty(), "{id}"),
            Passkeys(..) => panic!("{id}: one choice within another"),
        };
        for (id, level, about, ground) in ROWS {
            assert!((1..=3).contains(&level) && !about.is_empty(), "{id}");
            match ground {
                Passkeys(with, without) => [with, without].map(|one| there(id, *one)),
                other => [there(id, other); 2],
            };
        }
        let ids: BTreeSet<&str> = ROWS.iter().map(|(id, ..)| *id).collect();
        assert_eq!(ids.len(), ROWS.len());
        let of_level = |wanted: u8| {
            ROWS.iter()
                .filter(|(_, level, ..)| *level == wanted)
                .count()
        };
        assert_eq!([of_level(1), of_level(2), of_level(3)], [28, 61, 20]);
        let of = |chapter: &str| ids.iter().filter(|id| id.starts_with(chapter)).count();
        assert_eq!([of("6."), of("7."), of("9."), of("10.")], [47, 19, 7, 36]);
    }

    #[test]
    fn what_is_configured_counts() {
        let status = |config: &Config, id: &str| {
            let rows = requirements(config);
            rows.into_iter().find(|row| row.id == id).unwrap().status
        };
        let mut config = Config::default();
        assert_eq!(status(&config, "10.4.14"), Status::NotMet);
        assert_eq!(status(&config, "6.2.12"), Status::NotMet);
        config.profile = Profile::Strict;
        config.breach_range = Some("https://range.example".into());
        assert_eq!(status(&config, "10.4.14"), Status::Met);
        assert_eq!(status(&config, "6.2.12"), Status::Met);
        assert_eq!(status(&config, "10.4.1"), Status::NotApplicable);
    }

    #[test]
    fn what_rests_on_passkeys_is_met_only_with_them() {
        let status = |issuer: Option<&str>, id: &str| {
            let config = Config {
                issuer: issuer.map(str::to_owned),
                ..Config::default()
            };
            let rows = requirements(&config);
            rows.into_iter().find(|row| row.id == id).unwrap().status
        };
        let with = match cfg!(feature = "passkeys") {
            true => Status::Met,
            false => Status::NotApplicable,
        };
        for id in ["6.5.7", "6.7.1", "6.7.2"] {
            assert_eq!(status(Some("https://login.example"), id), with, "{id}");
            assert_eq!(status(None, id), Status::NotApplicable, "{id}");
        }
        // An authenticator can be removed in every build.
        assert_eq!(status(None, "6.5.6"), Status::Met);
        let shown = |issuer: &str| {
            let config = Config {
                issuer: Some(issuer.to_owned()),
                ..Config::default()
            };
            let rows = requirements(&config);
            rows.iter().any(|row| row.ground.contains("of_python"))
        };
        assert_eq!(shown("https://login.example"), cfg!(feature = "passkeys"));
        assert!(!shown("http://127.0.0.1:8400"));
    }
}
