//! D4: CrowdSec's `http-generic-bf`: a leaky bucket of five for each address, one leaks in 10 s;
//! the sixth failure bans the address for four hours, and for a minute nothing more is poured.
//!
//! Source: crowdsecurity/hub `scenarios/crowdsecurity/http-generic-bf.yaml`, ban from crowdsec
//! `config/profiles.yaml`. Bouncers pull decisions every 10 s by default; so late is a ban here.

use std::collections::HashMap;

use super::{Action, Answer, Defence, Doubtful, Try};
use crate::{HOUR, MINUTE, SECOND};

const CAPACITY: f64 = 5.0;
const LEAK: f64 = 10.0 * SECOND as f64;
const BAN: u64 = 4 * HOUR;
const DEAF: u64 = MINUTE;
const PULLED: u64 = 10 * SECOND;

#[derive(Default)]
pub(super) struct CrowdSec(HashMap<u128, Bucket>);

#[derive(Default)]
struct Bucket {
    level: f64,
    at: u64,
    banned: Option<u64>,
}

impl Bucket {
    fn level(&self, now: u64) -> f64 {
        (self.level - (now - self.at) as f64 / LEAK).max(0.0)
    }
}

impl Defence for CrowdSec {
    fn begin(&mut self, attempt: &Try, now: u64) -> Answer {
        let bucket = self.0.entry(attempt.address_key()).or_default();
        let since = bucket.banned.map(|banned| now - banned);
        let action = match since {
            Some(since) if (PULLED..BAN).contains(&since) => Action::Deny { retry: BAN - since },
            _ => Action::Allow,
        };
        let score = bucket.level(now);
        Answer::new(action, score)
    }

    fn end(
        &mut self,
        attempt: &Try,
        _: &Answer,
        verified: Option<bool>,
        now: u64,
    ) -> Vec<Doubtful> {
        let bucket = self.0.entry(attempt.address_key()).or_default();
        let deaf = bucket.banned.is_some_and(|banned| now - banned < DEAF);
        if verified == Some(false) && !deaf {
            bucket.level = bucket.level(now) + 1.0;
            bucket.at = now;
            if bucket.level > CAPACITY {
                (bucket.level, bucket.banned) = (0.0, Some(now));
            }
        }
        Vec::new()
    }
}
