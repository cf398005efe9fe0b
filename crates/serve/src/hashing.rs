//! Password hashing: a fixed number of threads, each with its own reusable memory, behind a bounded queue.
//!
//! A place in the queue is taken before anything else is done for an attempt, so that a flood is shed
//! cheaply. Known devices go first, and a share of the places is reserved for them.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use argon2::Block;
use doorwarden_gate::{Ticket, http::credentials::Password};
use tokio::sync::oneshot;

use crate::passwords::{self, Cost, Stored};

/// The number of places per thread: at 50 ms per hash, the last one waits 1.6 s.
const WAITING_PER_THREAD: usize = 32;

/// One in this many places is reserved for known devices.
const RESERVED: usize = 4;

/// The result of verifying a password.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) right: bool,
    /// The hash in the current format, if the password was correct and stored in another.
    pub(crate) renewed: Option<String>,
}

enum Work {
    Verify {
        stored: Option<Stored>,
        password: Password,
        done: oneshot::Sender<Verdict>,
    },
    Hash {
        password: Password,
        done: oneshot::Sender<Option<String>>,
    },
}

/// The threads and their queue.
pub(crate) struct Hashing {
    shared: Arc<Shared>,
    places: usize,
}

struct Shared {
    state: Mutex<State>,
    waits: Condvar,
    cost: Cost,
}

#[derive(Default)]
struct State {
    known: VecDeque<Work>,
    strangers: VecDeque<Work>,
    /// Places that are taken, queued or being hashed.
    taken: usize,
    ended: bool,
}

/// A place in the queue: the permission to hash once.
pub(crate) struct Place {
    shared: Arc<Shared>,
    known: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hashing {
    /// Starts the threads.
    pub(crate) fn start(threads: usize, cost: Cost) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            waits: Condvar::new(),
            cost,
        });
        for number in 0..threads {
            let shared = Arc::clone(&shared);
            let named = std::thread::Builder::new().name(format!("hash-{number}"));
            named.spawn(move || work(&shared))?;
        }
        Ok(Self {
            shared,
            places: threads * WAITING_PER_THREAD,
        })
    }

    /// Returns the number of places.
    pub(crate) fn places(&self) -> usize {
        self.places
    }

    /// Takes a place for an admitted attempt, if one is free.
    pub(crate) fn place_for(&self, ticket: &Ticket) -> Option<Place> {
        self.place(ticket.is_known())
    }

    fn place(&self, known: bool) -> Option<Place> {
        let mut state = self.shared.state();
        let open = if known {
            self.places
        } else {
            self.places - self.places / RESERVED
        };
        if state.taken >= open {
            tracing::debug!(taken = state.taken, known, "hashing queue is full");
            return None;
        }
        state.taken += 1;
        Some(Place {
            shared: Arc::clone(&self.shared),
            known,
        })
    }
}

impl Drop for Hashing {
    fn drop(&mut self) {
        self.shared.state().ended = true;
        self.shared.waits.notify_all();
    }
}

impl Place {
    /// Verifies a password; without a stored hash, against one that no password has, of the current cost.
    pub(crate) async fn verify(self, stored: Option<Stored>, password: Password) -> Verdict {
        let (done, verdict) = oneshot::channel();
        self.enter(Work::Verify {
            stored,
            password,
            done,
        });
        verdict.await.unwrap_or(Verdict {
            right: false,
            renewed: None,
        })
    }

    /// Hashes a new password. Returns `None` if the system has no randomness.
    pub(crate) async fn hash(self, password: Password) -> Option<String> {
        let (done, hashed) = oneshot::channel();
        self.enter(Work::Hash { password, done });
        hashed.await.ok().flatten()
    }

    fn enter(&self, work: Work) {
        let mut state = self.shared.state();
        if self.known {
            state.known.push_back(work);
        } else {
            state.strangers.push_back(work);
        }
        tracing::debug!(
            taken = state.taken,
            known = self.known,
            "hashing request queued"
        );
        drop(state);
        self.shared.waits.notify_one();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.shared.state().taken -= 1;
    }
}

/// Runs a thread.
fn work(shared: &Shared) {
    let mut arena: Vec<Block> = Vec::new();
    loop {
        let mut state = shared.state();
        let next = loop {
            if state.ended {
                return;
            }
            let next = state.known.pop_front();
            if let Some(next) = next.or_else(|| state.strangers.pop_front()) {
                break next;
            }
            state = shared
                .waits
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        };
        drop(state);
        match next {
            // The client has disconnected: nothing is spent on it.
            Work::Verify { done, .. } if done.is_closed() => {}
            Work::Hash { done, .. } if done.is_closed() => {}
            Work::Verify {
                stored,
                password,
                done,
            } => {
                let _ = done.send(verify(stored, &password, shared.cost, &mut arena));
            }
            Work::Hash { password, done } => {
                let _ = done.send(passwords::hash(&password, shared.cost, &mut arena));
            }
        }
        // An imported hash may have taken far more memory than ours.
        let usual = shared
            .cost
            .params()
            .map_or(0, |params| params.block_count());
        if arena.len() > usual * 2 {
            arena.truncate(usual);
            arena.shrink_to_fit();
        }
    }
}

fn verify(
    stored: Option<Stored>,
    password: &Password,
    cost: Cost,
    arena: &mut Vec<Block>,
) -> Verdict {
    let known = stored.is_some();
    let stored = stored.unwrap_or_else(|| passwords::dummy(cost));
    let right = stored.verify(password, arena) && known;
    let renews = right && !stored.is_current(cost);
    Verdict {
        right,
        renewed: renews
            .then(|| passwords::hash(password, cost, arena))
            .flatten(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost {
        memory_kib: 64,
        passes: 1,
        lanes: 1,
    };

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_place_hashes_once_and_a_share_is_for_known_devices() {
        let hashing = Hashing::start(1, CHEAP).unwrap();
        let strangers: Vec<Place> = std::iter::from_fn(|| hashing.place(false)).collect();
        assert_eq!(strangers.len(), 24);
        let known: Vec<Place> = std::iter::from_fn(|| hashing.place(true)).collect();
        assert_eq!(known.len(), 8);
        drop((strangers, known));
        let phc = hashing
            .place(false)
            .unwrap()
            .hash(password("right"))
            .await
            .unwrap();
        let stored = || Some(Stored::parse(&phc).unwrap());
        assert!(
            hashing
                .place(false)
                .unwrap()
                .verify(stored(), password("right"))
                .await
                .right
        );
        assert!(
            !hashing
                .place(false)
                .unwrap()
                .verify(stored(), password("wrong"))
                .await
                .right
        );
        assert!(
            !hashing
                .place(false)
                .unwrap()
                .verify(None, password(""))
                .await
                .right
        );
    }

    #[tokio::test]
    async fn another_form_is_renewed_when_the_password_is_right() {
        let hashing = Hashing::start(1, CHEAP).unwrap();
        let (_, foreign) = passwords_of_others();
        let verdict = |text| {
            hashing
                .place(true)
                .unwrap()
                .verify(Some(Stored::parse(foreign).unwrap()), password(text))
        };
        let right = verdict("correct horse battery").await;
        assert!(right.right);
        assert!(
            Stored::parse(&right.renewed.unwrap())
                .unwrap()
                .is_current(CHEAP)
        );
        assert!(verdict("wrong").await.renewed.is_none());
    }

    fn passwords_of_others() -> (&'static str, &'static str) {
        let all: &[(&str, &str)] = include!("foreign_hashes.in");
        all[0]
    }
}
