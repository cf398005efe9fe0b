//! The state of a running login, which all routes share.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use axum::{
    Json,
    http::header,
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    limits::Failures,
    passwords::{Cost, Hash},
    specimen::{Specimen, Unknown},
    tokens::{TokenPair, Tokens, random_token},
};

pub(crate) struct Site {
    pub(crate) specimen: Specimen,
    pub(crate) accounts: Mutex<HashMap<String, Hash>>,
    pub(crate) tokens: Mutex<Tokens>,
    pub(crate) failures: Mutex<Failures>,
    pub(crate) signing_key: String,
    /// The nonces of accepted signed requests.
    pub(crate) nonces: Mutex<HashSet<String>>,
    /// The login attempts so far.
    pub(crate) attempts: AtomicU64,
    /// What the password for an unknown name is compared with.
    dummy: Hash,
    /// The next salt.
    serial: AtomicU64,
}

impl Site {
    pub(crate) fn new(specimen: Specimen) -> Self {
        let dummy = match specimen.unknown {
            Unknown::InvalidDummy => Hash::invalid_dummy(),
            _ => Hash::dummy(cost(&specimen)),
        };
        let tokens = specimen.tokens;
        Self {
            specimen,
            accounts: Mutex::default(),
            tokens: Mutex::new(Tokens::new(tokens)),
            failures: Mutex::default(),
            signing_key: random_token(),
            nonces: Mutex::default(),
            attempts: AtomicU64::new(0),
            dummy,
            serial: AtomicU64::new(1),
        }
    }

    /// Adds an account and returns true, or returns false if the name is taken. Blocks for a hash.
    pub(crate) fn add_account(&self, name: String, password: &str) -> bool {
        let is_new = !lock(&self.accounts).contains_key(&name);
        if is_new {
            self.set_password(name, password);
        }
        is_new
    }

    /// Sets an account's password. Blocks for a hash.
    pub(crate) fn set_password(&self, name: String, password: &str) {
        let salt = self.serial.fetch_add(1, Ordering::Relaxed);
        let compared = self.specimen.passwords.truncate(password);
        let hash = Hash::new(compared, salt, cost(&self.specimen));
        lock(&self.accounts).insert(name, hash);
    }

    /// Returns whether the account exists and whether the password is correct. Blocks for a hash.
    pub(crate) fn verify(&self, name: &str, password: &str) -> (bool, bool) {
        let password = self.specimen.passwords.truncate(password);
        let stored = lock(&self.accounts).get(name).cloned();
        match stored {
            Some(hash) => {
                let started = Instant::now();
                let delay = self.specimen.fast_hash.unwrap_or_default();
                let is_correct = hash.verify(password);
                // Keeps a core busy, as a hash would.
                while started.elapsed() < delay {
                    std::hint::spin_loop();
                }
                (true, is_correct)
            }
            None => {
                let at_once = [Unknown::SkipsHash, Unknown::OtherMessageAtOnce];
                if !at_once.contains(&self.specimen.unknown) {
                    self.dummy.verify(password);
                }
                (false, false)
            }
        }
    }

    /// Returns the response that contains a pair of tokens.
    pub(crate) fn token_response(&self, pair: &TokenPair) -> Response {
        let body = json!({
            "access_token": pair.access, "refresh_token": pair.refresh, "token_type": "bearer"
        });
        if self.specimen.tokens.cacheable {
            return Json(body).into_response();
        }
        ([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
    }
}

fn cost(specimen: &Specimen) -> Cost {
    if specimen.fast_hash.is_some() {
        Cost::Least
    } else {
        Cost::Usual
    }
}

/// Locks a mutex, even if a thread that held it panicked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
