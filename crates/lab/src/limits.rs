//! The limiter of the specimens: fixed windows, and as simple as a limiter gets.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    net::IpAddr,
    time::{Duration, Instant},
};

/// The maximum of failures per key within the window; `None` is no limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) account: Option<u32>,
    pub(crate) address: Option<u32>,
    pub(crate) pair: Option<u32>,
    pub(crate) global: Option<u32>,
    /// The maximum of distinct accounts that one password fails on.
    pub(crate) heat: Option<usize>,
}

const WINDOW: Duration = Duration::from_secs(900);
/// How long a sprayed password is refused. The lab doesn't run long enough to expire one.
const HEAT_WINDOW: Duration = Duration::from_secs(86_400);

/// The failures within the window.
#[derive(Default)]
pub(crate) struct Failures {
    account: Counts<String>,
    address: Counts<IpAddr>,
    pair: Counts<(String, IpAddr)>,
    global: Counts<()>,
    heat: HashMap<String, HashSet<String>>,
}

impl Failures {
    /// Returns how long an attempt has to wait, or `None` if it is within the limits.
    pub(crate) fn wait(
        &self,
        limits: &Limits,
        account: &str,
        address: IpAddr,
        password: &str,
    ) -> Option<Duration> {
        let pair = (account.to_owned(), address);
        let is_sprayed = limits.heat.filter(|max| {
            let failed_on = self.heat.get(password);
            failed_on.is_some_and(|accounts| accounts.len() >= *max)
        });
        [
            self.account.wait(&account.to_owned(), limits.account),
            self.address.wait(&address, limits.address),
            self.pair.wait(&pair, limits.pair),
            self.global.wait(&(), limits.global),
            is_sprayed.map(|_| HEAT_WINDOW),
        ]
        .into_iter()
        .flatten()
        .max()
    }

    /// Removes the failure that was recorded before a correct password was verified.
    pub(crate) fn refund(&mut self, account: &str, address: IpAddr, password: &str) {
        self.account.refund(&account.to_owned());
        self.address.refund(&address);
        self.pair.refund(&(account.to_owned(), address));
        self.global.refund(&());
        if let Some(failed_on) = self.heat.get_mut(password) {
            failed_on.remove(account);
        }
    }

    /// Removes an address's failures, which is a fault: an attacker can log in to an own account.
    pub(crate) fn reset(&mut self, address: IpAddr) {
        self.address.0.remove(&address);
    }

    /// Records a failure of an address only.
    pub(crate) fn record_address(&mut self, address: IpAddr) {
        self.address.add(address);
    }

    /// Records a failure.
    pub(crate) fn record(&mut self, account: &str, address: IpAddr, password: &str) {
        self.account.add(account.to_owned());
        self.address.add(address);
        self.pair.add((account.to_owned(), address));
        self.global.add(());
        let failed_on = self.heat.entry(password.to_owned()).or_default();
        failed_on.insert(account.to_owned());
    }
}

struct Counts<K>(HashMap<K, (u32, Instant)>);

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Counts<K> {
    fn add(&mut self, key: K) {
        let entry = self.0.entry(key).or_insert((0, Instant::now()));
        if entry.1.elapsed() > WINDOW {
            *entry = (0, Instant::now());
        }
        entry.0 += 1;
    }

    fn refund(&mut self, key: &K) {
        if let Some((count, _)) = self.0.get_mut(key) {
            *count = count.saturating_sub(1);
        }
    }

    fn wait(&self, key: &K, max: Option<u32>) -> Option<Duration> {
        let (count, since) = self.0.get(key)?;
        let left = WINDOW.checked_sub(since.elapsed())?;
        (*count >= max?).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Limits = Limits {
        account: None,
        address: None,
        pair: None,
        global: None,
        heat: None,
    };

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    /// Records three failures of ann from .1 with the password p, and returns whether an attempt is
    /// within limits of three.
    fn is_within(limits: Limits, account: &str, from: u8, password: &str) -> bool {
        let mut failures = Failures::default();
        for _ in 0..3 {
            failures.record("ann", address(1), "p");
        }
        let wait = failures.wait(&limits, account, address(from), password);
        wait.is_none()
    }

    #[test]
    fn each_limit_counts_its_own_key() {
        let three = Some(3);
        let account = Limits {
            account: three,
            ..NONE
        };
        assert!(!is_within(account, "ann", 9, "q") && is_within(account, "bob", 1, "p"));
        let by_address = Limits {
            address: three,
            ..NONE
        };
        assert!(!is_within(by_address, "bob", 1, "q") && is_within(by_address, "ann", 9, "p"));
        let pair = Limits {
            pair: three,
            ..NONE
        };
        assert!(!is_within(pair, "ann", 1, "q"));
        assert!(is_within(pair, "ann", 9, "p") && is_within(pair, "bob", 1, "p"));
        let global = Limits {
            global: three,
            ..NONE
        };
        assert!(!is_within(global, "bob", 9, "q"));
        assert!(is_within(NONE, "ann", 1, "p"));
    }

    #[test]
    fn a_limit_is_a_maximum() {
        let limits = Limits {
            account: Some(4),
            ..NONE
        };
        assert!(is_within(limits, "ann", 1, "p"), "three of four");
    }

    #[test]
    fn heat_counts_distinct_accounts_per_password() {
        let limits = Limits {
            heat: Some(2),
            ..NONE
        };
        let mut failures = Failures::default();
        let wait =
            |failures: &Failures, password| failures.wait(&limits, "cid", address(9), password);
        for _ in 0..5 {
            failures.record("ann", address(1), "p");
        }
        assert_eq!(wait(&failures, "p"), None);
        failures.record("bob", address(2), "p");
        assert_eq!(wait(&failures, "p"), Some(HEAT_WINDOW));
        assert_eq!(wait(&failures, "q"), None);
    }

    #[test]
    fn the_longest_wait_counts() {
        let limits = Limits {
            account: Some(1),
            heat: Some(1),
            ..NONE
        };
        let mut failures = Failures::default();
        failures.record("ann", address(1), "p");
        let wait = |password| failures.wait(&limits, "ann", address(1), password);
        assert_eq!(wait("p"), Some(HEAT_WINDOW));
        assert!(wait("q").is_some_and(|wait| wait <= WINDOW));
    }

    #[test]
    fn a_refund_removes_one_failure_and_a_reset_those_of_an_address() {
        let limits = Limits {
            account: Some(2),
            address: Some(2),
            heat: Some(1),
            ..NONE
        };
        let mut failures = Failures::default();
        let is_limited = |failures: &Failures, account, from| {
            failures
                .wait(&limits, account, address(from), "q")
                .is_some()
        };
        for _ in 0..2 {
            failures.record("ann", address(1), "p");
        }
        failures.reset(address(1));
        assert!(is_limited(&failures, "ann", 9) && !is_limited(&failures, "bob", 1));
        failures.refund("ann", address(1), "p");
        assert!(!is_limited(&failures, "ann", 9));
        assert_eq!(failures.wait(&limits, "bob", address(9), "p"), None);
    }

    #[test]
    fn an_unknown_name_counts_for_its_address_only() {
        let limits = Limits {
            account: Some(1),
            address: Some(1),
            ..NONE
        };
        let mut failures = Failures::default();
        failures.record_address(address(1));
        assert!(failures.wait(&limits, "x", address(1), "p").is_some());
        assert!(failures.wait(&limits, "x", address(2), "p").is_none());
    }
}
