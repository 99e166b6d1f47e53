//! From quality to what a training takes: weights, or the best samples alone.

use crate::Error;

/// w_i = q_i / mean(q): weights of mean one, so that quality cannot masquerade as a learning rate. `None` unless the qualities are
/// finite, none is negative, and one is positive.
///
/// ```
/// assert_eq!(sqe::normalised(&[0.25, 0.75]), Some(vec![0.5, 1.5]));
/// assert_eq!(sqe::normalised(&[0.0, 0.0]), None);
/// ```
pub fn normalised(quality: &[f64]) -> Option<Vec<f64>> {
    let mean = quality.iter().sum::<f64>() / quality.len() as f64;
    let sound = mean > 0.0 && mean.is_finite() && quality.iter().all(|q| *q >= 0.0);
    sound.then(|| quality.iter().map(|q| q / mean).collect())
}

/// Kish's effective sample size (sum w)^2 / sum w^2, between 1 and N; 0 for no weights.
///
/// ```
/// assert_eq!(sqe::effective_sample_size(&[1.0, 1.0, 1.0]), 3.0);
/// assert_eq!(sqe::effective_sample_size(&[3.0, 0.0, 0.0]), 1.0);
/// ```
pub fn effective_sample_size(weights: &[f64]) -> f64 {
    let (sum, square) = weights.iter().fold((0.0, 0.0), |(s, q), w| (s + w, q + w * w));
    if square > 0.0 { sum * sum / square } else { 0.0 }
}

/// Weights of mean one drawn together towards one, as little as leaves an effective sample size of at least `share` of their number: a few
/// samples cannot take everything. Weights that are even enough stay as they are.
///
/// With mean one, N / ESS is 1 + var(w), and w -> 1 + s (w - 1) makes it 1 + s^2 var(w): so s = sqrt((1 / share - 1) / var(w)).
///
/// ```
/// let even = sqe::evened(&[4.0, 0.0, 0.0, 0.0], 0.5);
/// assert!((sqe::effective_sample_size(&even) - 2.0).abs() < 1e-12);
/// assert_eq!(even.iter().sum::<f64>(), 4.0);
/// assert_eq!(sqe::evened(&[1.5, 0.5], 0.5), vec![1.5, 0.5]);
/// ```
pub fn evened(weights: &[f64], share: f64) -> Vec<f64> {
    let n = weights.len().max(1) as f64;
    let variance = weights.iter().map(|w| (w - 1.0).powi(2)).sum::<f64>() / n;
    let allowed = 1.0 / share - 1.0;
    if variance <= allowed {
        return weights.to_vec();
    }
    let scale = (allowed.max(0.0) / variance).sqrt();
    weights.iter().map(|w| 1.0 + scale * (w - 1.0)).collect()
}

/// Indices of the best `fraction` of the samples, in their own order: `fraction * N` rounded up; among equals the first come first.
///
/// ```
/// assert_eq!(sqe::keep_best(&[0.3, 0.9, 0.1, 0.5], 0.5)?, vec![1, 3]);
/// # Ok::<(), sqe::Error>(())
/// ```
///
/// # Errors
/// [`Error::Parameter`] for a fraction outside (0, 1] and for a quality that is not finite.
pub fn keep_best(quality: &[f64], fraction: f64) -> Result<Vec<usize>, Error> {
    if !(fraction > 0.0 && fraction <= 1.0) {
        return Err(Error::Parameter { name: "fraction", value: fraction, expected: "in (0, 1]" });
    }
    if let Some(&value) = quality.iter().find(|q| !q.is_finite()) {
        return Err(Error::Parameter { name: "quality", value, expected: "finite" });
    }
    let mut order: Vec<usize> = (0..quality.len()).collect();
    order.sort_by(|&a, &b| quality[b].total_cmp(&quality[a])); // stable
    order.truncate((fraction * quality.len() as f64).ceil() as usize);
    order.sort_unstable();
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evening_keeps_order_and_mean_and_reaches_the_share_exactly() {
        let weights = normalised(&[0.01, 0.02, 0.9, 0.03, 0.2]).unwrap();
        assert!(effective_sample_size(&weights) < 2.0);
        for share in [0.5, 0.7, 0.9, 1.0] {
            let even = evened(&weights, share);
            assert!((effective_sample_size(&even) - 5.0 * share).abs() < 1e-9, "{share}: {even:?}");
            assert!((even.iter().sum::<f64>() - 5.0).abs() < 1e-12 && even.iter().all(|w| *w >= 0.0));
            assert!(share == 1.0 || (even[2] > even[4] && even[4] > even[3] && even[3] > even[1]));
        }
        // no demand, or one that is met already
        assert_eq!([0.0, 0.3].map(|share| evened(&weights, share)), [weights.clone(), weights]);
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
    fn what_cannot_be_ordered_or_kept_is_refused() {
        for fraction in [0.0, -0.1, 1.1, f64::NAN] {
            assert!(matches!(keep_best(&[0.5], fraction), Err(Error::Parameter { name: "fraction", .. })));
        }
        assert!(matches!(keep_best(&[0.5, f64::NAN], 0.5), Err(Error::Parameter { name: "quality", .. })));
    }

    #[test]
    fn weights_that_say_nothing_are_none() {
        for bad in [&[0.0, 0.0][..], &[], &[f64::NAN, 1.0], &[f64::INFINITY, 1.0], &[-0.5, 1.0]] {
            assert_eq!(normalised(bad), None, "{bad:?}");
        }
    }
}
