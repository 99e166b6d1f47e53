//! Sample weights from qualities: normalization, effective sample size, tempering, and a hard filter.

use imgkit::ensure;
use imgkit::rank::at_least;

use crate::error::Error;

/// Weights of mean one, w_i = q_i / mean(q), so that the mean quality does not act as a learning rate.
///
/// `None` unless all qualities are finite, none is negative, and at least one is positive.
///
/// ```
/// assert_eq!(sqe::mean_one_weights(&[0.25, 0.75]), Some(vec![0.5, 1.5]));
/// assert_eq!(sqe::mean_one_weights(&[0.0, 0.0]), None);
/// ```
#[must_use]
pub fn mean_one_weights(quality: &[f64]) -> Option<Vec<f64>> {
    let mean = quality.iter().sum::<f64>() / quality.len() as f64;
    let sound = mean > 0.0 && mean.is_finite() && quality.iter().all(|q| *q >= 0.0);
    sound.then(|| quality.iter().map(|q| q / mean).collect())
}

/// Effective sample size of N weights after Kish, (sum w)^2 / sum w^2: between 1 and N for weights that are not
/// negative; 0 without weights.
///
/// ```
/// assert_eq!(sqe::effective_sample_size(&[1.0, 1.0, 1.0]), 3.0);
/// assert_eq!(sqe::effective_sample_size(&[3.0, 0.0, 0.0]), 1.0);
/// ```
#[must_use]
pub fn effective_sample_size(weights: &[f64]) -> f64 {
    let (sum, square) = weights.iter().fold((0.0, 0.0), |(s, q), w| (s + w, q + w * w));
    if square > 0.0 { sum * sum / square } else { 0.0 }
}

/// Weights of mean one pulled towards 1 until their effective sample size is at least `min_ess_fraction` of their
/// number, so that a few samples cannot take everything.
///
/// Weights that reach the bound already are returned as they are, and so are all weights for a fraction of 0 or below
/// or NaN. A fraction of 1 or above gives equal weights. With mean one, N / ESS = 1 + var(w), and w -> 1 + s (w - 1)
/// makes it 1 + s^2 var(w): so s = sqrt((1 / `min_ess_fraction` - 1) / var(w)).
///
/// ```
/// let even = sqe::temper_to_ess(&[4.0, 0.0, 0.0, 0.0], 0.5);
/// assert!((sqe::effective_sample_size(&even) - 2.0).abs() < 1e-12);
/// assert_eq!(even.iter().sum::<f64>(), 4.0);
/// assert_eq!(sqe::temper_to_ess(&[1.5, 0.5], 0.5), vec![1.5, 0.5]);
/// ```
#[must_use]
pub fn temper_to_ess(weights: &[f64], min_ess_fraction: f64) -> Vec<f64> {
    let n = weights.len().max(1) as f64;
    let variance = weights.iter().map(|w| (w - 1.0).powi(2)).sum::<f64>() / n;
    let allowed = 1.0 / min_ess_fraction - 1.0;
    let unbounded = min_ess_fraction.is_nan() || min_ess_fraction <= 0.0;
    if unbounded || variance <= allowed {
        return weights.to_vec();
    }
    let scale = (allowed.max(0.0) / variance).sqrt();
    weights.iter().map(|w| 1.0 + scale * (w - 1.0)).collect()
}

/// Indices of the best `fraction` of the samples, in ascending order: `fraction * N` rounded up; of equal samples the
/// first are kept.
///
/// ```
/// assert_eq!(sqe::keep_best(&[0.3, 0.9, 0.1, 0.5], 0.5)?, vec![1, 3]);
/// # Ok::<(), sqe::Error>(())
/// ```
///
/// # Errors
/// [`Error::Parameter`] for a fraction outside (0, 1] and for a quality that is not finite.
pub fn keep_best(quality: &[f64], fraction: f64) -> Result<Vec<usize>, Error> {
    ensure(fraction > 0.0 && fraction <= 1.0, "keep_best", "fraction", fraction, "in (0, 1]")?;
    let bad = quality.iter().find(|q| !q.is_finite());
    ensure(bad.is_none(), "keep_best", "quality", bad.unwrap_or(&0.0), "finite")?;
    let mut order: Vec<usize> = (0..quality.len()).collect();
    order.sort_by(|&a, &b| quality[b].total_cmp(&quality[a])); // stable
    order.truncate(at_least(fraction, quality.len()));
    order.sort_unstable();
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tempering_keeps_order_and_mean_and_reaches_the_bound_exactly() {
        let weights = mean_one_weights(&[0.01, 0.02, 0.9, 0.03, 0.2]).unwrap();
        assert!(effective_sample_size(&weights) < 2.0);
        for share in [0.5, 0.7, 0.9, 1.0] {
            let even = temper_to_ess(&weights, share);
            assert!((effective_sample_size(&even) - 5.0 * share).abs() < 1e-9, "{share}: {even:?}");
            assert!((even.iter().sum::<f64>() - 5.0).abs() < 1e-12 && even.iter().all(|w| *w >= 0.0));
            assert!(share == 1.0 || (even[2] > even[4] && even[4] > even[3] && even[3] > even[1]));
        }
        // no demand, or one that is met already
        assert_eq!([0.0, 0.3].map(|share| temper_to_ess(&weights, share)), [weights.clone(), weights]);
    }

    #[test]
    fn keeping_rounds_up_and_takes_the_first_of_equals() {
        let q = [0.2, 0.7, 0.7, 0.7, 0.1];
        assert_eq!(keep_best(&q, 0.4).unwrap(), vec![1, 2]);
        assert_eq!(keep_best(&q, 0.41).unwrap(), vec![1, 2, 3]);
        assert_eq!(keep_best(&q, 1.0).unwrap(), vec![0, 1, 2, 3, 4]);
        assert_eq!(keep_best(&q, 1e-9).unwrap(), vec![1]);
        assert_eq!(keep_best(&[], 0.5).unwrap(), Vec::<usize>::new());
    }

    #[test]
    fn bad_fractions_and_qualities_are_rejected() {
        for fraction in [0.0, -0.1, 1.1, f64::NAN] {
            assert!(matches!(keep_best(&[0.5], fraction), Err(Error::Parameter(p)) if p.name == "fraction"));
        }
        assert!(matches!(keep_best(&[0.5, f64::NAN], 0.5), Err(Error::Parameter(p)) if p.name == "quality"));
    }

    #[test]
    fn qualities_without_weights_give_none() {
        for bad in [&[0.0, 0.0][..], &[], &[f64::NAN, 1.0], &[f64::INFINITY, 1.0], &[-0.5, 1.0]] {
            assert_eq!(mean_one_weights(bad), None, "{bad:?}");
        }
    }
}
