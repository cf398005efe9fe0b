//! The checks, one file each.
//!
//! A check's file states what it decides, why that matters, what it sends and how many requests at
//! most, what its evidence is and what could cause a false positive. It measures in `run` and decides
//! in `judge`, which is pure and tested with a table of cases. Its page in `docs/checks/` and the
//! output of `doorwarden explain` are generated from the same text.
//!
//! To add one: `cargo xtask new-check ID`, then a line in [`ALL`]. Checks run in the order of that
//! list, except that neighbours marked `side_by_side` run concurrently: checks that use the first
//! token come before those that log in again, and checks that compare responses and times before
//! those that exhaust limits.

use futures_util::future::BoxFuture;

pub use recipes::Recipes;

use crate::{Severity, Verdict, probe::Stop, scan::Session};

mod admin_function_open;
mod captcha_or_mfa_absent;
mod cookie_flags;
mod cors_credentials;
mod enumeration_by_answer;
mod enumeration_by_registration;
mod enumeration_by_reset;
mod enumeration_by_time;
pub(crate) mod evalue;
mod hsts_missing;
mod introspection_open;
mod jwt_algorithm_confusion;
mod jwt_claims_unchecked;
mod jwt_expired_accepted;
mod jwt_key_injection;
mod jwt_long_lived;
mod jwt_no_expiry;
mod jwt_no_id;
mod jwt_sensitive_claims;
mod jwt_symmetric;
mod jwt_unsigned_accepted;
pub(crate) mod jwt_weak_secret;
mod limit_batched_guesses;
mod limit_forwarded_spoof;
mod limit_global;
mod limit_ignores_account;
mod limit_ignores_address;
mod limit_name_variants;
mod limit_per_pair;
mod limit_race;
mod limit_reset_by_success;
mod limit_route_variants;
pub(crate) mod limits;
mod lockout_denies_owner;
mod lockout_reveals_account;
pub(crate) mod locks;
mod login_input_errors;
mod login_unlimited;
pub(crate) mod long_passwords;
mod other_users_object;
mod password_grant;
mod password_length_capped;
mod password_truncated;
mod plain_http;
pub(crate) mod recipes;
mod refresh_token_reuse;
mod retry_after_missing;
mod revocation_open;
mod signature_not_checked;
mod signature_replay;
mod signature_stale;
mod signature_unbound;
pub(crate) mod signing;
pub(crate) mod spray_unseen;
mod token_in_url;
mod token_not_checked;
mod token_outlives_logout;
mod token_outlives_password_change;
mod token_predictable;
mod token_response_cacheable;
mod token_unbound;
mod weak_password_accepted;

/// All checks, in the order in which they run.
pub static ALL: &[&Check] = &[
    &token_not_checked::CHECK,
    &token_unbound::CHECK,
    &admin_function_open::CHECK,
    &other_users_object::CHECK,
    &jwt_unsigned_accepted::CHECK,
    &jwt_weak_secret::CHECK,
    &jwt_algorithm_confusion::CHECK,
    &jwt_key_injection::CHECK,
    &jwt_expired_accepted::CHECK,
    &jwt_claims_unchecked::CHECK,
    &jwt_no_expiry::CHECK,
    &jwt_long_lived::CHECK,
    &jwt_no_id::CHECK,
    &jwt_sensitive_claims::CHECK,
    &jwt_symmetric::CHECK,
    &token_in_url::CHECK,
    &token_response_cacheable::CHECK,
    &cookie_flags::CHECK,
    &cors_credentials::CHECK,
    &introspection_open::CHECK,
    &password_grant::CHECK,
    &plain_http::CHECK,
    &hsts_missing::CHECK,
    &refresh_token_reuse::CHECK,
    &token_predictable::CHECK,
    &revocation_open::CHECK,
    &token_outlives_logout::CHECK,
    &token_outlives_password_change::CHECK,
    &signature_not_checked::CHECK,
    &signature_replay::CHECK,
    &signature_stale::CHECK,
    &signature_unbound::CHECK,
    &enumeration_by_answer::CHECK,
    &enumeration_by_time::CHECK,
    &enumeration_by_registration::CHECK,
    &enumeration_by_reset::CHECK,
    &weak_password_accepted::CHECK,
    &password_truncated::CHECK,
    &password_length_capped::CHECK,
    &limit_batched_guesses::CHECK,
    &spray_unseen::CHECK,
    &login_unlimited::CHECK,
    &limit_ignores_account::CHECK,
    &limit_ignores_address::CHECK,
    &limit_per_pair::CHECK,
    &limit_global::CHECK,
    &limit_forwarded_spoof::CHECK,
    &limit_name_variants::CHECK,
    &limit_route_variants::CHECK,
    &limit_race::CHECK,
    &lockout_reveals_account::CHECK,
    &limit_reset_by_success::CHECK,
    &retry_after_missing::CHECK,
    &lockout_denies_owner::CHECK,
    &captcha_or_mfa_absent::CHECK,
    &login_input_errors::CHECK,
];

/// The checks that need no account: they use the OpenAPI document and the responses to nonexistent
/// account names and to requests without a token.
pub(crate) const WITHOUT_ACCOUNT: [&str; 5] = [
    "token-not-checked",
    "cors-credentials",
    "password-grant",
    "plain-http",
    "login-input-errors",
];

/// Why a check of registrations does not apply.
const NEEDS_REGISTRATION: &str = "this scan does not register accounts; allow it with --register";

/// Returns the check with this id.
pub fn find(id: &str) -> Option<&'static Check> {
    ALL.iter().copied().find(|check| check.id == id)
}

/// One check: its text and its code.
pub struct Check {
    /// The id: the name of its file, with dashes.
    pub id: &'static str,
    /// The finding, in a few words.
    pub title: &'static str,
    /// The highest severity of its finding.
    pub severity: Severity,
    /// What it decides, and how.
    pub what: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// The requests that it sends; if `max_requests` is 0, the data that it evaluates instead.
    pub sends: &'static str,
    /// Maximum number of requests, apart from the measurement that it shares.
    pub max_requests: u32,
    /// Whether it judges the limit measurement, which is made once for all checks that do.
    pub measures_limits: bool,
    /// Whether it may run concurrently with neighbours that may too: it uses the existing token, causes
    /// no failed login, and compares no times.
    pub side_by_side: bool,
    /// The evidence that a finding rests on, and its controls.
    pub evidence: &'static str,
    /// What could cause a false positive.
    pub false_alarms: &'static str,
    /// The standards for which it provides evidence.
    pub standards: Standards,
    /// How to fix the application.
    pub fix: &'static str,
    /// How to do that in common frameworks.
    pub recipes: &'static Recipes,
    /// The `doorwarden guard` policy that prevents the attack; empty if only the application can.
    pub policy: &'static str,
    /// Measures and judges.
    pub(crate) run: Run,
}

/// A check's code.
pub(crate) type Run = for<'a> fn(&'a mut Session) -> BoxFuture<'a, Result<Verdict, Stop>>;

/// Ids of requirements for which a check provides evidence. Evidence relevant to them, not a claim of
/// compliance.
#[derive(Clone, Copy, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct Standards {
    /// OWASP API Security Top 10, 2023.
    pub owasp_api: &'static [&'static str],
    /// OWASP ASVS 5.0.
    pub asvs: &'static [&'static str],
    /// CWE.
    pub cwe: &'static [u32],
    /// NIST SP 800-63B-4.
    pub nist: &'static [&'static str],
    /// PCI DSS 4.0.1.
    pub pci_dss: &'static [&'static str],
    /// SOC 2, by the Trust Services Criteria of 2017 (points of focus of 2022).
    pub soc2: &'static [&'static str],
}

impl Standards {
    /// Returns all of them in one line.
    pub fn words(&self) -> String {
        let cwe: Vec<String> = self.cwe.iter().map(|id| format!("CWE-{id}")).collect();
        let of = |standard: &str, ids: &[&str]| format!("{standard} {}", ids.join(", "));
        [
            of("OWASP API 2023", self.owasp_api),
            of("ASVS 5.0", self.asvs),
            cwe.join(", "),
            of("NIST SP 800-63B-4", self.nist),
            of("PCI DSS 4.0.1", self.pci_dss),
            of("SOC 2", self.soc2),
        ]
        .join("; ")
    }
}

impl Check {
    /// Renders the check's page, in Markdown.
    pub fn page(&self) -> String {
        format!(
            "# {id}\n\n{title}. Severity: {severity:?}.\n\n\
             ## What it decides\n\n{what}\n\n\
             ## Why it matters\n\n{why}\n\n\
             ## What it sends\n\n{sends}\n\n\
             ## Evidence and controls\n\n{evidence}\n\n\
             ## False positives\n\n{false_alarms}\n\n\
             ## Fix\n\n{fix}\n\n{recipes}\
             {policy}\
             ## Standards\n\n\
             Evidence relevant to these standards, not a claim of compliance: {standards}.\n",
            id = self.id,
            title = self.title,
            severity = self.severity,
            what = self.what,
            why = self.why,
            sends = self.requests(),
            evidence = self.evidence,
            false_alarms = self.false_alarms,
            fix = self.fix,
            policy = match self.policy {
                "" => String::new(),
                policy => format!("## Guard policy\n\n```toml\n{policy}\n```\n\n"),
            },
            recipes = self.recipe_list(),
            standards = self.standards.words(),
        )
    }

    /// Describes the requests that the check sends, with their maximum number.
    fn requests(&self) -> String {
        let own = match self.max_requests {
            0 => format!("Sends no requests of its own. {}", self.sends),
            max => format!("At most {max} requests. {}", self.sends),
        };
        if !self.measures_limits {
            return own;
        }
        format!(
            "{own} The limit measurement, which all limit checks share, sends at most {} requests.",
            limits::MAX_REQUESTS
        )
    }

    /// Renders the fixes for the frameworks as a Markdown list; empty if there are none.
    fn recipe_list(&self) -> String {
        let recipes = self.recipes.all();
        let mut list: String = recipes
            .map(|(framework, how)| format!("- {framework}: {how}\n"))
            .collect();
        if !list.is_empty() {
            list.push('\n');
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn each_file_is_a_listed_check_with_all_its_words() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/checks");
        // Shared by several checks, and not checks themselves.
        let shared = [
            "mod",
            "limits",
            "evalue",
            "locks",
            "long_passwords",
            "signing",
            "recipes",
        ];
        let files: BTreeSet<String> = fs::read_dir(here)
            .unwrap()
            .map(|entry| {
                entry
                    .unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .filter(|name| !shared.contains(&name.as_str()))
            .collect();
        let listed: BTreeSet<String> = ALL.iter().map(|check| check.id.replace('-', "_")).collect();
        assert_eq!(files, listed);
        assert_eq!(listed.len(), ALL.len(), "duplicate id");
        for check in ALL {
            let words = [
                check.title,
                check.what,
                check.why,
                check.sends,
                check.evidence,
                check.false_alarms,
                check.fix,
            ];
            assert!(words.iter().all(|words| !words.is_empty()), "{}", check.id);
            // The page says so itself.
            let repeats = check.max_requests == 0 && check.sends.starts_with("Nothing");
            assert!(!repeats, "{}", check.id);
            assert!(
                !(check.side_by_side && check.measures_limits),
                "{}",
                check.id
            );
            assert!(!check.standards.cwe.is_empty(), "{}", check.id);
        }
    }

    /// Run with `DOORWARDEN_BLESS=1` (or `cargo xtask docs`) to regenerate the pages.
    #[test]
    fn the_pages_are_not_stale() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/checks");
        let mut index = String::from(
            "# Checks\n\nGenerated from the source of the checks by `cargo xtask docs`.\n\n| check | finding |\n|---|---|\n",
        );
        for check in ALL {
            index.push_str(&format!("| [{0}]({0}.md) | {1} |\n", check.id, check.title));
            same_or_bless(&docs.join(format!("{}.md", check.id)), &check.page());
        }
        same_or_bless(&docs.join("README.md"), &index);
    }

    /// Returns the numbers from 10 to 99 in these texts, in digits or spelled out.
    pub(super) fn numbers(texts: &[&str]) -> BTreeSet<u32> {
        const SPELLED: [&str; 11] = [
            "ten",
            "eleven",
            "twelve",
            "thirteen",
            "fourteen",
            "fifteen",
            "sixteen",
            "seventeen",
            "eighteen",
            "nineteen",
            "twenty",
        ];
        let words = texts
            .iter()
            .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
        let number = |word: &str| {
            let spelled = SPELLED.iter().zip(10..).find(|(name, _)| *name == &word);
            word.parse().ok().or(spelled.map(|(_, number)| number))
        };
        words
            .filter_map(number)
            .filter(|n| (10..100).contains(n))
            .collect()
    }

    fn same_or_bless(path: &Path, expected: &str) {
        if std::env::var_os("DOORWARDEN_BLESS").is_some() {
            fs::write(path, expected).unwrap();
        }
        let there = fs::read_to_string(path).unwrap_or_default();
        assert!(
            there == expected,
            "{} is stale; run `cargo xtask docs`",
            path.display()
        );
    }
}
