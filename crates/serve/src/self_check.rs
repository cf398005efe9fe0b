//! What of OWASP's ASVS 5.0 (chapters V6, V7, V9 and V10, 109 requirements) a server meets, each with the
//! test that shows it, the document that says it, or the reason why not.
//!
//! The ids and levels are the standard's, the words are ours. A check of our own is no certificate.

use std::fmt;

use crate::{Config, Profile};

/// What stands behind a row.
#[derive(Clone, Copy)]
enum Ground {
    /// A test that fails when it is not so.
    Test(&'static str),
    /// A document.
    Document(&'static str),
    /// It is not so, and why.
    Not(&'static str),
    /// There is nothing that it could be about.
    Nothing(&'static str),
    /// So in the profile `strict`, by this test.
    Strict(&'static str),
    /// So where leaked passwords are known, by this test.
    Breaches(&'static str),
}

use Ground::{Breaches, Document, Not, Nothing, Strict, Test};

/// Whether a requirement is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It is met.
    Met,
    /// It is not met.
    NotMet,
    /// It is about something that is not there.
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

/// One requirement.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Requirement {
    /// Its id in ASVS 5.0.
    pub id: &'static str,
    /// Its level, 1 to 3.
    pub level: u8,
    /// What it is about, in our words.
    pub about: &'static str,
    /// Whether it is met.
    pub status: Status,
    /// The test, the document or the reason.
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
const DECISION: Ground = Document("docs/decisions/0018-a-service-in-one-file.md");
const NO_BAND: Ground = Nothing("nothing is sent out of band to log in with");
const NO_PROVIDER: Ground = Nothing("nobody logs in by another identity provider");
const PASSKEYS: Ground = Test("authenticators_of_python_are_content");
const NO_CODE: Ground = Nothing("there is no authorization endpoint, so no code and no redirect");
const NO_OIDC: Ground = Nothing("it is no OpenID provider");
const NO_CLIENT: Ground = Nothing("it is no OAuth client");
const NO_CONSENT: Ground = Nothing("clients get tokens of their own, and none on a user's behalf");
const NO_SCOPES: Ground = Nothing("there are no scopes");

type Row = (&'static str, u8, &'static str, Ground);

const ROWS: [Row; 109] = [
    (
        "6.1.1",
        1,
        "it is written how guessing is stopped without locking owners out",
        README,
    ),
    (
        "6.1.2",
        2,
        "words of the context that passwords may not hold are listed",
        Not("only the account's own name is such a word"),
    ),
    (
        "6.1.3",
        2,
        "all ways to log in are written down, with what protects them",
        DECISION,
    ),
    ("6.2.1", 1, "passwords have 8 characters at least", FIT),
    ("6.2.2", 1, "users can change their password", LIFE),
    (
        "6.2.3",
        1,
        "the old password is asked for with the new one",
        LIFE,
    ),
    ("6.2.4", 1, "common passwords are refused", FIT),
    (
        "6.2.5",
        1,
        "no rules say what characters a password has",
        FIT,
    ),
    (
        "6.2.6",
        1,
        "passwords are not shown as they are typed",
        PAGES,
    ),
    ("6.2.7", 1, "pasting and password managers work", PAGES),
    (
        "6.2.8",
        1,
        "passwords are verified as they came",
        Not("they are brought into one Unicode form first (NFKC); nothing is cut off"),
    ),
    (
        "6.2.9",
        2,
        "64 characters may be used",
        Test("a_scan_finds_nothing_in_any_profile"),
    ),
    ("6.2.10", 2, "passwords do not expire", LIFE),
    (
        "6.2.11",
        2,
        "passwords may not hold words of the context",
        Not("only the account's own name is refused"),
    ),
    (
        "6.2.12",
        2,
        "leaked passwords are refused",
        Breaches("leaked_passwords_are_refused_by_a_range_api"),
    ),
    ("6.3.1", 1, "guessing is stopped as it is written", LOCKED),
    (
        "6.3.2",
        1,
        "there are no accounts that nobody made",
        Test("administration_is_for_administrators"),
    ),
    (
        "6.3.3",
        2,
        "more than one factor is required, at level 3 one in hardware that no phishing gets",
        Not(
            "everybody may have a passkey or a second factor, and nobody has to; a password alone takes 15 characters",
        ),
    ),
    (
        "6.3.4",
        2,
        "there are no other ways in, and all are protected alike",
        Test("a_scan_finds_nothing_in_any_profile"),
    ),
    (
        "6.3.5",
        3,
        "users hear of suspicious logins",
        Not("they are audit events; users are not told"),
    ),
    (
        "6.3.6",
        3,
        "mail is no factor",
        Test("a_reset_leaves_the_second_factor"),
    ),
    (
        "6.3.7",
        3,
        "users hear of changes of their credentials",
        Test("users_hear_of_a_new_password"),
    ),
    ("6.3.8", 3, "nothing tells which accounts exist", EQUAL),
    (
        "6.4.1",
        1,
        "first passwords are random and used once",
        Nothing("nobody is given a first password"),
    ),
    ("6.4.2", 1, "there are no secret questions", LIFE),
    (
        "6.4.3",
        2,
        "a reset does not go around the second factor",
        Test("a_reset_leaves_the_second_factor"),
    ),
    (
        "6.4.4",
        2,
        "a lost factor is replaced only with proof",
        FACTOR,
    ),
    (
        "6.4.5",
        3,
        "what expires is announced",
        Nothing("no factor expires"),
    ),
    (
        "6.4.6",
        3,
        "administrators start resets and choose no passwords",
        Not("they choose none, and can't start a reset for others but as anybody can"),
    ),
    ("6.5.1", 2, "each code works once", FACTOR),
    (
        "6.5.2",
        2,
        "recovery codes are hashed as their length asks",
        Test("recovery_codes_are_read_with_and_without_dashes"),
    ),
    ("6.5.3", 2, "codes and seeds are random", FACTOR),
    (
        "6.5.4",
        2,
        "recovery codes have 20 bits at least",
        Test("recovery_codes_are_read_with_and_without_dashes"),
    ),
    (
        "6.5.5",
        2,
        "a code by time lives 30 seconds",
        Not("the step before and after are taken too (RFC 6238 section 5.2)"),
    ),
    ("6.5.6", 3, "a factor can be revoked", PASSKEYS),
    ("6.5.7", 3, "biometrics are a second factor only", PASSKEYS),
    ("6.5.8", 3, "the server's clock decides on codes", FACTOR),
    (
        "6.6.1",
        2,
        "no codes by telephone",
        Nothing("there are none"),
    ),
    (
        "6.6.2",
        2,
        "requests out of band are bound to the login",
        NO_BAND,
    ),
    ("6.6.3", 2, "codes out of band can't be guessed", NO_BAND),
    ("6.6.4", 3, "nobody is flooded with prompts", NO_BAND),
    (
        "6.7.1",
        3,
        "what verifies keys and certificates can't be changed",
        Test("a_passkey_that_is_given_to_another_account_opens_nothing"),
    ),
    (
        "6.7.2",
        3,
        "challenges are long and used once",
        Test("a_login_is_asked_for_anew_each_time"),
    ),
    (
        "6.8.1",
        2,
        "providers can't take over each other's users",
        NO_PROVIDER,
    ),
    ("6.8.2", 2, "assertions are verified", NO_PROVIDER),
    ("6.8.3", 2, "assertions are used once", NO_PROVIDER),
    (
        "6.8.4",
        2,
        "the strength of a provider's login is checked",
        NO_PROVIDER,
    ),
    ("7.1.1", 2, "it is written how long sessions live", README),
    (
        "7.1.2",
        2,
        "it is written how many sessions an account has",
        DECISION,
    ),
    (
        "7.1.3",
        2,
        "federated sessions are written down",
        NO_PROVIDER,
    ),
    (
        "7.2.1",
        1,
        "the server verifies sessions",
        Test("pages_work_without_scripts_and_refuse_other_sites"),
    ),
    ("7.2.2", 1, "sessions are made anew", LIFE),
    (
        "7.2.3",
        1,
        "session tokens have 128 random bits",
        Test("a_scan_finds_nothing_in_any_profile"),
    ),
    (
        "7.2.4",
        1,
        "a login makes a new session and ends the one before",
        Test("pages_work_without_scripts_and_refuse_other_sites"),
    ),
    (
        "7.3.1",
        2,
        "idle sessions end",
        Test("sessions_end_unused_and_however_often_they_are_refreshed"),
    ),
    (
        "7.3.2",
        2,
        "sessions end at some time",
        Test("sessions_end_unused_and_however_often_they_are_refreshed"),
    ),
    ("7.4.1", 1, "a logout ends the session", LIFE),
    (
        "7.4.2",
        1,
        "disabling an account ends its sessions",
        Test("administration_is_for_administrators"),
    ),
    (
        "7.4.3",
        2,
        "other sessions can be ended after a change",
        PAGES,
    ),
    ("7.4.4", 2, "the logout is on each page", PAGES),
    (
        "7.4.5",
        2,
        "administrators end sessions",
        Test("an_operator_adds_disables_and_imports"),
    ),
    (
        "7.5.1",
        2,
        "the password is asked for again before credentials change",
        FACTOR,
    ),
    (
        "7.5.2",
        2,
        "users see their sessions and end them, after a login",
        Not("they see and end them without being asked for the password again"),
    ),
    ("7.5.3", 3, "what is most sensitive asks again", FACTOR),
    (
        "7.6.1",
        2,
        "federated sessions end as it is written",
        NO_PROVIDER,
    ),
    ("7.6.2", 2, "no session begins without the user", PAGES),
    (
        "9.1.1",
        1,
        "tokens are taken only with their signature",
        SIGNED,
    ),
    ("9.1.2", 1, "one algorithm is taken, and never none", SIGNED),
    (
        "9.1.3",
        1,
        "keys that a token names are not believed",
        Test("a_scan_finds_nothing_in_any_profile"),
    ),
    ("9.2.1", 1, "the times of tokens are kept", SIGNED),
    ("9.2.2", 2, "the type of a token is checked", SIGNED),
    ("9.2.3", 2, "the audience of a token is checked", SIGNED),
    (
        "9.2.4",
        2,
        "tokens name the audience that they are for",
        SIGNED,
    ),
    (
        "10.1.1",
        2,
        "tokens go only where they are needed",
        Test("pages_work_without_scripts_and_refuse_other_sites"),
    ),
    (
        "10.1.2",
        2,
        "clients take only what they asked for",
        NO_CLIENT,
    ),
    (
        "10.2.1",
        2,
        "clients refuse forged authorization answers",
        NO_CLIENT,
    ),
    ("10.2.2", 2, "clients tell servers apart", NO_CLIENT),
    (
        "10.2.3",
        3,
        "clients ask for no more than they need",
        NO_CLIENT,
    ),
    ("10.3.1", 2, "routes take tokens for them alone", SIGNED),
    ("10.3.2", 2, "claims decide what is allowed", CLIENTS),
    (
        "10.3.3",
        2,
        "users are known by what is never given to others",
        SIGNED,
    ),
    (
        "10.3.4",
        2,
        "the strength of a login is checked where it matters",
        FACTOR,
    ),
    ("10.3.5", 3, "stolen tokens are of no use", Strict(BOUND)),
    ("10.4.1", 1, "redirects are compared exactly", NO_CODE),
    ("10.4.2", 1, "codes work once", NO_CODE),
    ("10.4.3", 1, "codes live briefly", NO_CODE),
    (
        "10.4.4",
        1,
        "clients have the grants that they need; no implicit, no password grant",
        CLIENTS,
    ),
    (
        "10.4.5",
        1,
        "refresh tokens that come twice end the session",
        REUSE,
    ),
    ("10.4.6", 2, "codes need PKCE", NO_CODE),
    (
        "10.4.7",
        2,
        "clients that register themselves are distrusted",
        Nothing("only operators add clients"),
    ),
    (
        "10.4.8",
        2,
        "refresh tokens end at some time",
        Test("sessions_end_unused_and_however_often_they_are_refreshed"),
    ),
    ("10.4.9", 2, "users can revoke tokens", PAGES),
    ("10.4.10", 2, "clients authenticate", CLIENTS),
    (
        "10.4.11",
        2,
        "clients have the scopes that they need",
        NO_SCOPES,
    ),
    ("10.4.12", 3, "response modes are limited", NO_CODE),
    ("10.4.13", 3, "authorization requests are pushed", NO_CODE),
    (
        "10.4.14",
        3,
        "access tokens are bound to a key",
        Strict(BOUND),
    ),
    (
        "10.4.15",
        3,
        "authorization details can't be changed",
        NO_CODE,
    ),
    (
        "10.4.16",
        3,
        "clients authenticate by keys",
        Not("they have secrets; a token of theirs can be bound by DPoP"),
    ),
    ("10.5.1", 2, "ID tokens are used once", NO_CLIENT),
    (
        "10.5.2",
        2,
        "users are known by the token's subject",
        NO_CLIENT,
    ),
    (
        "10.5.3",
        2,
        "metadata of another issuer is refused",
        NO_CLIENT,
    ),
    ("10.5.4", 2, "ID tokens are for this client", NO_CLIENT),
    ("10.5.5", 2, "logout tokens are checked", NO_CLIENT),
    ("10.6.1", 2, "response types are limited", NO_OIDC),
    ("10.6.2", 2, "nobody is logged out by others", NO_OIDC),
    ("10.7.1", 2, "users consent", NO_CONSENT),
    (
        "10.7.2",
        2,
        "users are told what they consent to",
        NO_CONSENT,
    ),
    ("10.7.3", 2, "users can take consent back", NO_CONSENT),
];

/// All requirements, for a configuration.
pub fn requirements(config: &Config) -> Vec<Requirement> {
    let knows_breaches = config.breach_filter.is_some() || config.breach_range.is_some();
    let strict = config.profile == Profile::Strict;
    let judged = |ground: Ground| match ground {
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
        for (id, level, about, ground) in ROWS {
            assert!((1..=3).contains(&level) && !about.is_empty(), "{id}");
            match ground {
                Test(test) | Strict(test) | Breaches(test) => {
                    assert!(
                        sources.contains(&format!("fn {test}(")),
                        "{id}: there is no test {test}"
                    );
                }
                Document(path) => assert!(root.join("../..").join(path).exists(), "{id}: {path}"),
                Not(reason) | Nothing(reason) => assert!(!reason.is_empty(), "{id}"),
            }
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
}
