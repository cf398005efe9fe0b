//! Password popularity: the share of accounts that guessing in order of popularity compromises.

/// The empirical head: the share of accounts whose password is among the `rank` most popular.
/// Leaked corpora, cumulative.
const HEAD: [(f64, f64); 7] = [
    (1.0, 0.0089),
    (2.0, 0.0113),
    (5.0, 0.017),
    (10.0, 0.0205),
    (100.0, 0.046),
    (1_000.0, 0.113),
    (10_000.0, 0.21),
];

/// The tail, F(r) = C'·r^s': the CDF-Zipf law of Wang et al., *Zipf's Law in Passwords* (IEEE
/// TIFS 2017). Alone it overstates the head four times, so it starts where the head ends.
const ZIPF_C: f64 = 0.0374;
const ZIPF_S: f64 = 0.187;

/// The length of the public list of passwords by popularity: that of zxcvbn.
pub const LISTED: u32 = 30_000;

/// Returns the share of accounts (0 to 1) whose password is among the `guesses` most popular ones.
/// `guesses` may be a fraction; 0 and less give 0. The result never falls as `guesses` grows.
pub fn taken_by(guesses: f64) -> f64 {
    if guesses.is_nan() || guesses <= 0.0 {
        return 0.0;
    }
    if guesses < 1.0 {
        return guesses * HEAD[0].1;
    }
    let above = HEAD.iter().position(|(rank, _)| guesses < *rank);
    match above {
        Some(above) => {
            // Straight between two points of the table, on a logarithmic axis of ranks.
            let ((r0, f0), (r1, f1)) = (HEAD[above - 1], HEAD[above]);
            f0 + (f1 - f0) * (guesses / r0).ln() / (r1 / r0).ln()
        }
        None => {
            let last = HEAD[HEAD.len() - 1].1;
            (ZIPF_C * guesses.powf(ZIPF_S)).clamp(last, 1.0)
        }
    }
}

/// Returns the share of users (0 to 1) who have the password at this rank, from 1.
pub fn share_of(rank: u32) -> f64 {
    let rank = f64::from(rank.max(1));
    taken_by(rank) - taken_by(rank - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_met_and_the_curve_never_falls() {
        for (rank, share) in HEAD {
            assert!((taken_by(rank) - share).abs() < 0.001, "{rank}");
        }
        assert_eq!(taken_by(0.0), 0.0);
        assert_eq!(taken_by(f64::NAN), 0.0);
        assert_eq!(taken_by(1e300), 1.0);
        let mut last = 0.0;
        for step in 0..400 {
            let share = taken_by(10f64.powf(f64::from(step) / 25.0 - 1.0));
            assert!(share >= last, "falls at step {step}");
            last = share;
        }
    }
}
