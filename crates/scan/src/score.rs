//! From measured limits to accounts a day, by arithmetic that a reader can redo. Pure.

use doorwarden_decision::popularity::taken_by;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    Severity,
    checks::{limits::LimitFacts, spray_unseen},
};

/// Accounts that the arithmetic supposes the site to have.
const ACCOUNTS: f64 = 10_000.0;
/// Addresses of the attacker that the score is for; a day's rent of residential proxies.
const ADDRESSES: f64 = 1_000.0;
/// Guesses a second that one address makes where nothing limits it.
const GUESSES_A_SECOND: f64 = 10.0;
/// A limit's window where Retry-After doesn't tell it. Common defaults are 1 to 15 minutes; the
/// longest of them gives the login the benefit of the doubt.
const WINDOW_SECONDS: f64 = 900.0;
const DAY: f64 = 86_400.0;

/// What an attacker gets in a day who guesses passwords in the order of their popularity.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Yield {
    /// Accounts of 10,000 that one address takes in a day.
    pub one_address: f64,
    /// Accounts of 10,000 that 1,000 addresses take in a day.
    pub thousand_addresses: f64,
    /// The calculation, one step per line.
    pub calculation: Vec<String>,
}

/// The score of a login.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Score {
    /// From 0 (a tenth of all accounts a day and more) to 100.
    pub score: u32,
    /// A to F.
    pub grade: char,
    /// What it rests on.
    #[serde(rename = "accounts_per_day")]
    pub accounts: Yield,
    /// Why the grade is lower than the score's band, if it is.
    #[serde(rename = "grade_cap", skip_serializing_if = "Option::is_none")]
    pub cap: Option<String>,
}

/// A limit that was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// Failures that get through.
    pub most: u32,
    /// Seconds until it opens again, where the target says it.
    pub retry_after: Option<u64>,
}

/// The yield of a login with these limits; `None` is no limit. `password` is on how many accounts one
/// password can fail.
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

/// Failures a day; without end where nothing limits them.
fn a_day(limit: Option<Limited>) -> f64 {
    let Some(Limited { most, retry_after }) = limit else {
        return f64::INFINITY;
    };
    let window = retry_after.map_or(WINDOW_SECONDS, |seconds| seconds.max(1) as f64);
    f64::from(most) * DAY / window
}

/// Guesses that get through in a day, for each key; infinite where nothing limits them.
struct Rates {
    account: f64,
    address: f64,
    /// Accounts on which one password can fail.
    password: f64,
}

/// Limits that were measured and can be got around, so that they are none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bypasses {
    account: bool,
    address: bool,
}

impl Bypasses {
    /// From what was found. Guesses in a batch and guesses that race count as none for the limits;
    /// so does another route.
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

/// The score of what was measured; `None` when the limits were not. A limit that can be got around
/// counts as none; a spray that was not judged counts as unseen.
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
        // A limit for everybody leaves nothing to guess with; its cost is another.
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
        let an_address = self.address.min(GUESSES_A_SECOND * DAY);
        (addresses * an_address).min(ACCOUNTS * self.account)
    }

    fn accounts_taken(&self, addresses: f64) -> f64 {
        let guesses = self.guesses(addresses);
        if self.password >= ACCOUNTS {
            return ACCOUNTS * taken_by(guesses / ACCOUNTS);
        }
        // Each password is worth only so many accounts, so it is tried on them and then the next.
        self.password * taken_by(guesses / self.password)
    }

    fn calculation(&self, taken: f64, score: u32) -> Vec<String> {
        let rate = |rate: f64, unlimited: &str| {
            if rate.is_finite() {
                format!("{rate:.0} guesses a day")
            } else {
                unlimited.to_owned()
            }
        };
        let guesses = self.guesses(ADDRESSES);
        let hold = if self.password >= ACCOUNTS {
            format!(
                "each of 10,000 accounts is tried with its {:.0} most popular passwords: 10,000 × F({:.0}) = {taken:.1} accounts a day",
                guesses / ACCOUNTS,
                guesses / ACCOUNTS
            )
        } else {
            format!(
                "each password on {:.0} accounts until it is noticed, so {:.0} passwords: {:.0} × F({:.0}) = {taken:.1} accounts a day",
                self.password,
                guesses / self.password,
                self.password,
                guesses / self.password
            )
        };
        vec![
            format!("one address: {}", rate(self.address, "no limit; 10 guesses a second are assumed, 864000 a day")),
            format!("one account: {}", rate(self.account, "no limit")),
            format!("1,000 addresses on 10,000 accounts: {guesses:.0} guesses a day"),
            hold,
            format!("score = 100 × (1 − log10(1 + {taken:.1}) ÷ 3), at least 0 = {score}"),
            "F is the share of accounts whose password is among so many most popular ones. A window that Retry-After does not tell is taken as 15 minutes.".into(),
        ]
    }
}

/// 100 at nothing, 0 at 1,000 of 10,000 accounts a day and more, on a logarithmic scale.
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

/// A finding holds the grade down, whatever the arithmetic says.
fn capped(grade: char, worst: Option<Severity>) -> (char, Option<String>) {
    let (cap, what) = match worst {
        None | Some(Severity::Info) => return (grade, None),
        Some(Severity::High) => ('D', "a finding of high severity"),
        Some(Severity::Medium) => ('C', "a finding of medium severity"),
        Some(Severity::Low) => ('B', "a finding of low severity"),
    };
    if grade < cap {
        (cap, Some(format!("{what} holds it at {cap}")))
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
    fn what_can_be_got_around_is_no_limit() {
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
