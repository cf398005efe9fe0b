//! Signs, e-values and shifts: the statistics of paired times. Pure.

/// Returns the e-value against "each sign is a fair coin" after `wins` of `wins + losses` signs fell one
/// way: E = 2ⁿ·B(w+½, l+½)/π, the likelihood ratio of a Jeffreys mixture. Whenever one stops
/// looking, the odds that it ever passes 1/α by chance are at most α (Ville's inequality).
pub(crate) fn e_value(wins: u32, losses: u32) -> f64 {
    let half_product = |n: u32| (0..n).map(|i| (f64::from(i) + 0.5).ln()).sum::<f64>();
    let n = wins + losses;
    let factorial: f64 = (1..=n).map(|i| f64::from(i).ln()).sum();
    (f64::from(n) * 2f64.ln() + half_product(wins) + half_product(losses) - factorial).exp()
}

/// Returns the Hodges–Lehmann estimate of a shift: the median of all pairwise means.
pub(crate) fn shift(differences: &[f64]) -> f64 {
    let mut means = Vec::new();
    for (i, a) in differences.iter().enumerate() {
        means.extend(differences[i..].iter().map(|b| (a + b) / 2.0));
    }
    median(means)
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

/// Returns the smallest shift that `pairs` pairs would have detected with a power of about 95 %,
/// under the noise of these differences. Infinite if that many pairs cannot detect any.
pub(crate) fn detectable(differences: &[f64], pairs: u32, threshold: f64) -> f64 {
    let enough =
        (0..=pairs).find(|wins| *wins * 2 > pairs && e_value(*wins, pairs - wins) >= threshold);
    let Some(enough) = enough else {
        return f64::INFINITY;
    };
    // The chance that a sign must have to reach that with a power of 95 %.
    let mut chance = 0.5;
    while chance < 1.0 && upper_tail(pairs, enough, chance) < 0.95 {
        chance += 0.001;
    }
    let centre = shift(differences);
    let mut noise: Vec<f64> = differences.iter().map(|d| centre - d).collect();
    noise.sort_by(f64::total_cmp);
    // The next higher order statistic: the quantile of these few values is uncertain.
    let place = (chance.min(1.0) * noise.len() as f64).ceil() as usize;
    noise
        .get(place.min(noise.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::INFINITY)
        .max(0.0)
}

/// Returns P(Binomial(n, p) ≥ k).
fn upper_tail(n: u32, k: u32, p: f64) -> f64 {
    let mut term = (1.0 - p).powi(n as i32);
    let mut below = 0.0;
    for i in 0..k {
        below += term;
        term *= f64::from(n - i) / f64::from(i + 1) * p / (1.0 - p);
    }
    1.0 - below
}

#[cfg(test)]
mod tests {
    use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn thirteen_agreeing_pairs_pass_a_thousand() {
        assert!(e_value(12, 0) < 1000.0);
        assert!(e_value(13, 0) > 1000.0);
        assert!((e_value(0, 0) - 1.0).abs() < 1e-12);
        assert!((e_value(7, 3) - e_value(3, 7)).abs() < 1e-9);
        // 2²·B(3/2, 3/2)/π = 4·(π/8)/π
        assert!((e_value(1, 1) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn fair_coins_rarely_pass_whenever_one_looks() {
        let seed = 20_261_121;
        let mut rng = StdRng::seed_from_u64(seed);
        let runs = 20_000;
        let mut alarms = 0;
        for _ in 0..runs {
            let (mut wins, mut losses) = (0, 0);
            for _ in 0..100 {
                if coin(&mut rng) {
                    wins += 1
                } else {
                    losses += 1
                }
                if e_value(wins, losses) >= 100.0 {
                    alarms += 1;
                    break;
                }
            }
        }
        assert!(
            alarms <= runs / 100,
            "{alarms} of {runs} at α = 0.01, seed {seed}"
        );
    }

    fn coin(rng: &mut impl Rng) -> bool {
        rng.random()
    }

    #[test]
    fn a_shift_is_robust() {
        assert_eq!(shift(&[5.0, 5.0, 5.0, 900.0, 5.0]), 5.0);
        assert_eq!(median(vec![1.0, 2.0]), 1.5);
    }

    #[test]
    fn what_could_have_been_found_is_told() {
        let noise: Vec<f64> = (0..24).map(|i| f64::from(i % 7) - 3.0).collect();
        let found = detectable(&noise, 24, 1000.0);
        assert!((1.0..=6.0).contains(&found), "{found}");
        assert_eq!(detectable(&noise, 9, 1000.0), f64::INFINITY);
    }
}
