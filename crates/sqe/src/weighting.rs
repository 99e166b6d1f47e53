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
