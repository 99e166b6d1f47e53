//! Statistics of samples and of point patterns.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Least-squares slope of y over x.
#[must_use]
pub fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (mx, my) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    points.iter().map(|p| (p.0 - mx) * (p.1 - my)).sum::<f64>() / points.iter().map(|p| (p.0 - mx).powi(2)).sum::<f64>()
}

/// sqrt(n) D of sorted values against a distribution function (Kolmogorov and Smirnov).
#[must_use]
pub fn kolmogorov(sorted: &[f64], law: impl Fn(f64) -> f64) -> f64 {
    let n = sorted.len() as f64;
    let gap = |(i, &x): (usize, &f64)| (law(x) - i as f64 / n).abs().max((law(x) - (i + 1) as f64 / n).abs());
    sorted.iter().enumerate().map(gap).fold(0.0, f64::max) * n.sqrt()
}

/// sqrt(n) D of values against the Gumbel law fitted to them by maximum likelihood.
///
/// Its 1 % point is 1.007 (Chandra, Singpurwalla and Stephens, JASA 76 (1981) 729). NaN for fewer than two values.
#[must_use]
pub fn gumbel_departure(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let spread = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
    let Some(&low) = values.first().filter(|_| values.len() > 1) else { return f64::NAN };
    // Scale b solves b = mean - sum(x e^(-x/b)) / sum(e^(-x/b)): bisection, the difference rises with b.
    let excess = |b: f64| {
        let w = |x: f64| (-(x - low) / b).exp();
        b - mean + values.iter().map(|&x| x * w(x)).sum::<f64>() / values.iter().map(|&x| w(x)).sum::<f64>()
    };
    let (mut lo, mut hi) = (1e-3 * spread, 10.0 * spread);
    for _ in 0..100 {
        let mid = 0.5 * (lo + hi);
        if excess(mid) > 0.0 { hi = mid } else { lo = mid }
    }
    let b = 0.5 * (lo + hi);
    let place = low - b * (values.iter().map(|x| (-(x - low) / b).exp()).sum::<f64>() / n).ln();
    kolmogorov(&values, |x| (-(-(x - place) / b).exp()).exp())
}

/// L(r) - r of Ripley's K at r = 2, 4 .. 40 px in a square, without edge correction: compare with simulated patterns in
/// the same square.
#[must_use]
pub fn ripley(points: &[(f64, f64)], side: f64) -> Vec<f64> {
    let n = points.len() as f64;
    let mut pairs = [0usize; 20];
    for (i, p) in points.iter().enumerate() {
        for q in &points[..i] {
            // Smallest k with distance <= 2 k.
            let k = ((p.0 - q.0).hypot(p.1 - q.1) / 2.0).ceil() as usize;
            if k <= 20 {
                pairs[k.saturating_sub(1)] += 1;
            }
        }
    }
    let mut within = 0;
    pairs
        .iter()
        .zip(1u32..)
        .map(|(n_k, k)| {
            within += n_k;
            let ripley_k = side * side * 2.0 * within as f64 / (n * (n - 1.0));
            (ripley_k / std::f64::consts::PI).sqrt() - 2.0 * f64::from(k)
        })
        .collect()
}

/// Departure of a point pattern from complete randomness: the largest distance of its L(r) - r above and below the mean
/// of 199 simulated uniform patterns of as many points on whole pixels.
///
/// In units of the second largest simulated departure: above 1 rejects randomness at 1 % (one-sided, Monte Carlo).
#[must_use]
pub fn randomness_departure(points: &[(f64, f64)], side: usize) -> (f64, f64) {
    let mut random = ChaCha8Rng::seed_from_u64(99);
    let mut place = || random.random_range(0..side) as f64;
    let simulated: Vec<Vec<f64>> = (0..199)
        .map(|_| {
            let uniform: Vec<(f64, f64)> = (0..points.len()).map(|_| (place(), place())).collect();
            ripley(&uniform, side as f64)
        })
        .collect();
    let mean: Vec<f64> = (0..20).map(|k| simulated.iter().map(|s| s[k]).sum::<f64>() / 199.0).collect();
    let extremes = |l: &[f64]| {
        let up = l.iter().zip(&mean).map(|(a, m)| a - m).fold(f64::MIN, f64::max);
        let down = l.iter().zip(&mean).map(|(a, m)| m - a).fold(f64::MIN, f64::max);
        (up, down)
    };
    let mut ups: Vec<f64> = simulated.iter().map(|s| extremes(s).0).collect();
    let mut downs: Vec<f64> = simulated.iter().map(|s| extremes(s).1).collect();
    ups.sort_by(f64::total_cmp);
    downs.sort_by(f64::total_cmp);
    let (up, down) = extremes(&ripley(points, side as f64));
    (up / ups[197], down / downs[197])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slope_of_a_line_is_its_own() {
        let line: Vec<(f64, f64)> = (0..9).map(|x| (f64::from(x), 3.0 - 0.5 * f64::from(x))).collect();
        assert!((slope(&line) + 0.5).abs() < 1e-12);
    }

    #[test]
    fn kolmogorov_of_the_midpoints_is_half_a_step() {
        let n = 100;
        let sorted: Vec<f64> = (0..n).map(|i| (f64::from(i) + 0.5) / f64::from(n)).collect();
        assert!((kolmogorov(&sorted, |x| x) - 0.5 / f64::from(n).sqrt()).abs() < 1e-12);
        assert!(kolmogorov(&sorted, |x| x * x) > 1.628, "a wrong law is rejected at 1 %");
    }

    #[test]
    fn gumbel_quantiles_fit_and_exponential_ones_do_not() {
        let quantiles = |law: fn(f64) -> f64| (0..500).map(|i| law((f64::from(i) + 0.5) / 500.0)).collect::<Vec<_>>();
        assert!(gumbel_departure(quantiles(|p| 2.0 - 3.0 * (-p.ln()).ln())) < 0.1);
        assert!(gumbel_departure(quantiles(|p| -(1.0 - p).ln())) > 1.007);
        assert!(gumbel_departure(Vec::new()).is_nan());
    }

    #[test]
    fn ripley_counts_the_pairs_within_each_distance() {
        // Two points 5 px apart in a square of side 10: K is 0 below 5 px and the area above.
        let l = ripley(&[(0.0, 0.0), (3.0, 4.0)], 10.0);
        assert_eq!(l.len(), 20);
        assert!((l[1] + 4.0).abs() < 1e-12, "none within 4 px");
        let all = (100.0 / std::f64::consts::PI).sqrt();
        assert!((l[2] - (all - 6.0)).abs() < 1e-12, "both within 6 px");
    }

    #[test]
    fn a_grid_is_rejected_downward_and_a_heap_upward() {
        let grid: Vec<(f64, f64)> = (0..64).map(|i| (f64::from(i / 8) * 32.0, f64::from(i % 8) * 32.0)).collect();
        let (up, down) = randomness_departure(&grid, 256);
        assert!(down > 1.0 && up < 1.0, "{up} {down}");
        let heap: Vec<(f64, f64)> = (0..64).map(|i| (f64::from(i / 8), f64::from(i % 8))).collect();
        let (up, _) = randomness_departure(&heap, 256);
        assert!(up > 1.0, "{up}");
    }
}
