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
