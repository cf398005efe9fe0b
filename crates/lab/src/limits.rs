//! The limiter of the specimens: as plain as a limiter gets.

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
    net::IpAddr,
    time::{Duration, Instant},
};

/// What a specimen limits; `None` is the fault.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) account: Option<u32>,
    pub(crate) address: Option<u32>,
    pub(crate) pair: Option<u32>,
    pub(crate) global: Option<u32>,
    /// Distinct accounts that one password may fail on.
    pub(crate) heat: Option<usize>,
}

const WINDOW: Duration = Duration::from_secs(900);
/// A hot password stays so for the day; the lab doesn't run long enough to forget one.
const HEAT_WINDOW: Duration = Duration::from_secs(86_400);

/// Failures within a fixed window.
#[derive(Default)]
pub(crate) struct Failures {
    account: Counts<String>,
    address: Counts<IpAddr>,
    pair: Counts<(String, IpAddr)>,
    global: Counts<()>,
    heat: HashMap<String, HashSet<String>>,
}

impl Failures {
    /// How long an attempt has to wait, if it has to.
    pub(crate) fn wait(
        &self,
        limits: &Limits,
        account: &str,
        address: IpAddr,
        password: &str,
    ) -> Option<Duration> {
        let pair = (account.to_owned(), address);
        let hot = limits.heat.filter(|most| {
            let failed_on = self.heat.get(password);
            failed_on.is_some_and(|accounts| accounts.len() >= *most)
        });
        [
            self.account.wait(&account.to_owned(), limits.account),
            self.address.wait(&address, limits.address),
            self.pair.wait(&pair, limits.pair),
            self.global.wait(&(), limits.global),
            hot.map(|_| HEAT_WINDOW),
        ]
        .into_iter()
        .flatten()
        .max()
    }

    /// A right password takes back what its attempt was charged with.
    pub(crate) fn take_back(&mut self, account: &str, address: IpAddr, password: &str) {
        self.account.take_back(&account.to_owned());
        self.address.take_back(&address);
        self.pair.take_back(&(account.to_owned(), address));
        self.global.take_back(&());
        if let Some(failed_on) = self.heat.get_mut(password) {
            failed_on.remove(account);
        }
    }

    /// A fault: who logs in rightly may fail as often as before.
    pub(crate) fn reset(&mut self, address: IpAddr) {
        self.address.0.remove(&address);
    }

    /// Counts a failure for a name that nobody has where only those that exist are limited.
    pub(crate) fn record_stranger(&mut self, address: IpAddr) {
        self.address.add(address);
    }

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

    fn take_back(&mut self, key: &K) {
        if let Some((count, _)) = self.0.get_mut(key) {
            *count = count.saturating_sub(1);
        }
    }

    fn wait(&self, key: &K, most: Option<u32>) -> Option<Duration> {
        let (count, since) = self.0.get(key)?;
        let left = WINDOW.checked_sub(since.elapsed())?;
        (*count >= most?).then_some(left)
    }
}
