//! Calculates accounts per day and the score from measured limits, in steps that a reader can
//! reproduce. Pure.

use doorwarden_decision::popularity::taken_by;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    Severity,
    checks::{limits::LimitFacts, spray_unseen},
};

/// The number of accounts that the calculation assumes.
const ACCOUNTS: f64 = 10_000.0;
/// The number of IP addresses of the attacker that the score assumes: residential proxies rented
/// for a day.
const ADDRESSES: f64 = 1_000.0;
/// Guesses per second from one address without a limit.
const GUESSES_PER_SECOND: f64 = 10.0;
/// The window of a limit that sends no Retry-After. Common defaults are 1 to 15 minutes; the
/// longest gives the login the benefit of the doubt.
const WINDOW_SECONDS: f64 = 900.0;
const DAY: f64 = 86_400.0;

/// Accounts per day that an attacker takes by guessing passwords in order of popularity.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Yield {
    /// Accounts of 10,000 that an attacker with one IP address takes per day.
    pub one_address: f64,
    /// Accounts of 10,000 that an attacker with 1,000 IP addresses takes per day.
    pub thousand_addresses: f64,
    /// The calculation, one step per line.
    pub calculation: Vec<String>,
}

/// The score of a login.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Score {
    /// From 0 (a tenth of all accounts per day, or more) to 100.
    pub score: u32,
    /// The grade, from A to F.
    pub grade: char,
    /// The accounts per day that the score is based on.
    #[serde(rename = "accounts_per_day")]
    pub accounts: Yield,
    /// Why the grade is lower than the score alone would give, if it is.
    #[serde(rename = "grade_cap", skip_serializing_if = "Option::is_none")]
    pub cap: Option<String>,
}

/// A measured limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// The number of failures that it lets through.
    pub most: u32,
    /// Seconds until it allows more, if the target reports them.
    pub retry_after: Option<u64>,
}

/// Predicts the accounts per day of a login with these limits; `None` is no limit. `password`
/// limits the number of accounts on which one password can fail.
pub fn predicted(
    account: Option<Limited>,
    address: Option<Limited>,
    password: Option<Limited>,
) -> Yield {
    let rates = Rates {
        account: a_day(account),
        address: a_day(address),
        password: a_day(password),
    };
    rates.yielded()
}

/// Returns the failures per day, infinite without a limit.
fn a_day(limit: Option<Limited>) -> f64 {
    let Some(Limited { most, retry_after }) = limit else {
        return f64::INFINITY;
    };
    let window = retry_after.map_or(WINDOW_SECONDS, |seconds| seconds.max(1) as f64);
    f64::from(most) * DAY / window
}

/// Guesses per day that the limit of each key lets through; infinite without a limit.
struct Rates {
    account: f64,
    address: f64,
    /// Accounts on which one password can fail.
    password: f64,
}

/// Measured limits that can be bypassed, and thus do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bypasses {
    account: bool,
    address: bool,
}

impl Bypasses {
    /// Derives the bypasses from the findings. Batched guesses, racing guesses and another route
    /// bypass both limits.
    pub(crate) fn of(found: impl Fn(&str) -> bool) -> Self {
        let both = [
            "limit-route-variants",
            "limit-batched-guesses",
            "limit-race",
        ];
        let either = both.into_iter().any(&found);
        Self {
            account: either || found("limit-name-variants"),
            address: either || found("limit-forwarded-spoof") || found("limit-reset-by-success"),
        }
    }
}

/// Returns the score; `None` if the limits were not measured. A limit that can be bypassed counts
/// as no limit; a spray that was not judged counts as undetected.
pub(crate) fn score(
    limits: Option<&LimitFacts>,
    spray: Option<&spray_unseen::Facts>,
    bypasses: Bypasses,
    worst: Option<Severity>,
) -> Option<Score> {
    let mut rates = Rates::of(limits?, spray)?;
    if bypasses.address {
        rates.address = f64::INFINITY;
    }
    if bypasses.account {
        rates.account = f64::INFINITY;
    }
    let accounts = rates.yielded();
    let score = points(accounts.thousand_addresses);
    let (grade, cap) = capped(band(score), worst);
    Some(Score {
        score,
        grade,
        accounts,
        cap,
    })
}

impl Rates {
    fn of(limits: &LimitFacts, spray: Option<&spray_unseen::Facts>) -> Option<Self> {
        let limit = |most: Option<u32>, retry_after| most.map(|most| Limited { most, retry_after });
        let arm = |arm: &crate::checks::limits::Arm| a_day(limit(arm.most(), arm.retry_after));
        // A global limit stops all guesses, at a different cost.
        if limits.bystander_refused {
            return None;
        }
        let account = limits.account.as_ref()?;
        let address = limits.address.as_ref()?;
        Some(Self {
            account: arm(account),
            address: arm(address),
            password: a_day(spray.and_then(|spray| limit(spray.most(), spray.retry_after))),
        })
    }

    fn yielded(&self) -> Yield {
        let thousand_addresses = self.accounts_taken(ADDRESSES);
        Yield {
            one_address: self.accounts_taken(1.0),
            thousand_addresses,
            calculation: self.calculation(thousand_addresses, points(thousand_addresses)),
        }
    }

    fn guesses(&self, addresses: f64) -> f64 {
        let an_address = self.address.min(GUESSES_PER_SECOND * DAY);
        (addresses * an_address).min(ACCOUNTS * self.account)
    }

    fn accounts_taken(&self, addresses: f64) -> f64 {
        let guesses = self.guesses(addresses);
        if self.password >= ACCOUNTS {
            return ACCOUNTS * taken_by(guesses / ACCOUNTS);
        }
        // Each password works on a limited number of accounts, so the next one follows after these.
        self.password * taken_by(guesses / self.password)
    }

    fn calculation(&self, taken: f64, score: u32) -> Vec<String> {
        let rate = |rate: f64, unlimited: &str| {
            if rate.is_finite() {
                format!("{rate:.0} guesses per day")
            } else {
                unlimited.to_owned()
            }
        };
        let guesses = self.guesses(ADDRESSES);
        let hold = if self.password >= ACCOUNTS {
            format!(
                "the {:.0} most popular passwords on each of 10,000 accounts: 10,000 × F({:.0}) = {taken:.1} accounts per day",
                guesses / ACCOUNTS,
                guesses / ACCOUNTS
            )
        } else {
            format!(
                "each password on {:.0} accounts before it is detected, so {:.0} passwords: {:.0} × F({:.0}) = {taken:.1} accounts per day",
                self.password,
                guesses / self.password,
                self.password,
                guesses / self.password
            )
        };
        vec![
            format!("one IP address: {}", rate(self.address, "no limit; 10 guesses per second are assumed, 864000 per day")),
            format!("one account: {}", rate(self.account, "no limit")),
            format!("1,000 IP addresses on 10,000 accounts: {guesses:.0} guesses per day"),
            hold,
            format!("score = max(0, 100 × (1 − log10(1 + {taken:.1}) ÷ 3)) = {score}"),
            "F(n) is the share of accounts whose password is among the n most popular ones. Without Retry-After, a window of 15 minutes is assumed.".into(),
        ]
    }
}

/// Returns 100 for no accounts and 0 for 1,000 of 10,000 accounts per day or more, on a logarithmic
/// scale.
fn points(taken: f64) -> u32 {
    let share = (1.0 + taken.max(0.0)).log10() / 3.0;
    (100.0 * (1.0 - share)).clamp(0.0, 100.0).round() as u32
}

fn band(score: u32) -> char {
    match score {
        80.. => 'A',
        65.. => 'B',
        50.. => 'C',
        35.. => 'D',
        20.. => 'E',
        _ => 'F',
    }
}

/// Caps the grade by the most severe finding.
fn capped(grade: char, worst: Option<Severity>) -> (char, Option<String>) {
    let (cap, what) = match worst {
        None | Some(Severity::Info) => return (grade, None),
        Some(Severity::High) => ('D', "a high-severity finding"),
        Some(Severity::Medium) => ('C', "a medium-severity finding"),
        Some(Severity::Low) => ('B', "a low-severity finding"),
    };
    if grade < cap {
        (cap, Some(format!("grade limited to {cap} by {what}")))
    } else {
        (grade, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::limits::Arm;

    fn arm(limited_at: Option<u32>) -> Arm {
        Arm {
            tried: 12,
            reaction: limited_at.map(|at| (at, "429".into())),
            retry_after: limited_at.map(|_| 900),
            right_gets_in: limited_at.is_none(),
            ..Arm::default()
        }
    }

    fn scored(account: Option<u32>, address: Option<u32>, heat: Option<u32>) -> Score {
        let limits = LimitFacts {
            account: Some(arm(account)),
            address: Some(arm(address)),
            ..LimitFacts::default()
        };
        let spray = spray_unseen::Facts {
            tried: 16,
            reaction: heat.map(|at| (at, "429".into())),
            retry_after: heat.map(|_| 86_400),
            right_before: true,
            right_after: heat.is_none(),
            bystander_refused: false,
            several_sources: true,
        };
        score(Some(&limits), Some(&spray), Bypasses::default(), None).unwrap()
    }

    #[test]
    fn each_limit_that_is_added_raises_the_score() {
        let none = scored(None, None, None);
        let account = scored(Some(11), None, None);
        let both = scored(Some(11), Some(21), None);
        let all = scored(Some(11), Some(21), Some(6));
        let scores = [&none, &account, &both, &all].map(|score| score.accounts.thousand_addresses);
        assert!(
            scores.windows(2).all(|pair| pair[0] >= pair[1]),
            "{scores:?}"
        );
        assert_eq!(none.grade, 'F');
        assert_eq!(all.grade, 'A');
        assert!(none.accounts.one_address <= none.accounts.thousand_addresses);
    }

    #[test]
    fn a_limit_with_a_bypass_is_no_limit() {
        let found = |id: &'static str| Bypasses::of(|check| check == id);
        let of = |account, address| Bypasses { account, address };
        assert_eq!(found("limit-name-variants"), of(true, false));
        assert_eq!(found("limit-reset-by-success"), of(false, true));
        assert_eq!(found("limit-race"), of(true, true));
        assert_eq!(found("cookie-flags"), Bypasses::default());
    }

    #[test]
    fn a_finding_caps_the_grade() {
        assert_eq!(capped('A', Some(Severity::High)).0, 'D');
        assert_eq!(capped('F', Some(Severity::Low)), ('F', None));
        assert_eq!(capped('A', None), ('A', None));
    }

    #[test]
    fn what_was_not_measured_is_not_scored() {
        assert_eq!(score(None, None, Bypasses::default(), None), None);
        assert_eq!(
            score(
                Some(&LimitFacts::default()),
                None,
                Bypasses::default(),
                None
            ),
            None
        );
    }
}
