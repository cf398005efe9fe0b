//! The passwords of users: ranks in a list by popularity, after `decision::popularity`.

use doorwarden_decision::{Mark, popularity};
use rand::RngExt;

use crate::Rng;

/// A password, as a number: its place in the list of all passwords by popularity, from 1. Numbers
/// from [`PRIVATE`] on are in no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Password(pub(crate) u64);

/// Where passwords begin that no list has: a company's name and the season, a typo, a random one.
const PRIVATE: u64 = 1 << 40;

impl Password {
    /// One that no list has.
    pub(crate) const fn private(number: u64) -> Self {
        Self(PRIVATE + number)
    }

    /// Its place in a public list, which ends at 30,000.
    pub(crate) fn listed(self) -> Option<u32> {
        let rank = u32::try_from(self.0).ok()?;
        (rank <= popularity::LISTED).then_some(rank)
    }

    /// Its mark: 22 bits under a key that changes daily. 64 bits of a finaliser stand for the HMAC.
    pub(crate) fn mark(self, day: u32) -> Mark {
        let mixed = mix(self.0 ^ u64::from(day) << 48);
        Mark::from_parts(day, (mixed >> 42) as u32)
    }
}

/// The passwords that users may choose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    /// The number of most popular passwords that are banned.
    pub(crate) banned: u32,
}

impl Choice {
    /// Draws a user's password.
    pub(crate) fn draw(self, rng: &mut Rng) -> Password {
        let banned = popularity::taken_by(f64::from(self.banned));
        let share = banned + rng.random::<f64>() * (1.0 - banned);
        Password(rank_at(share))
    }

    /// An attacker's guess at this place, from 0, of what is allowed.
    pub(crate) fn guess(self, place: u64) -> Password {
        Password(u64::from(self.banned) + place + 1)
    }
}

/// Returns the first rank at which this share of users is reached.
fn rank_at(share: f64) -> u64 {
    let (mut low, mut high) = (0.0f64, 18.0f64);
    for _ in 0..48 {
        let middle = f64::midpoint(low, high);
        if popularity::taken_by(middle.exp()) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    high.exp().round().max(1.0) as u64
}

/// The finaliser of SplitMix64.
pub(crate) fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn people_choose_as_the_shared_table_says() {
        let mut rng = Rng::seed_from_u64(1);
        let drawn: Vec<u64> = (0..50_000)
            .map(|_| Choice { banned: 0 }.draw(&mut rng).0)
            .collect();
        for (rank, share) in [(1, 0.0089), (100, 0.046), (10_000, 0.21)] {
            let within = drawn.iter().filter(|drawn| **drawn <= rank).count() as f64;
            let off = (within / 50_000.0 - share).abs();
            assert!(off < share * 0.15, "{rank}: {within}");
        }
        let banned = Choice { banned: 100 };
        assert!((0..1_000).all(|_| banned.draw(&mut rng).0 > 100));
    }
}
