//! Scores that lie far above the others.

/// Deviations from the median, in robust standard deviations, beyond which a score is an outlier.
const DEVIATIONS: f64 = 6.0;

/// Where the outliers of some scores begin.
///
/// ```
/// use bisqad::Outliers;
///
/// let outliers = Outliers::above(&[1.0, 100.0, 3.0, 2.0, 4.0]).unwrap();
/// assert_eq!(outliers.median, 3.0);
/// assert!(4.0 < outliers.bound && outliers.bound < 100.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Outliers {
    /// Median of the scores.
    pub median: f64,
    /// Score beyond which one is an outlier.
    pub bound: f64,
}

impl Outliers {
    /// Weight in (0, 1] of a score: 1 up to 3 robust standard deviations above the median, beyond that 3 over their
    /// number, so 1/2 at the bound. P. J. Huber, "Robust Estimation of a Location Parameter", 1964.
    ///
    /// ```
    /// let outliers = bisqad::Outliers::above(&[1.0, 100.0, 3.0, 2.0, 4.0]).unwrap();
    /// assert_eq!((outliers.weight(2.0), outliers.weight(outliers.bound)), (1.0, 0.5));
    /// ```
    #[must_use]
    pub fn weight(&self, score: f64) -> f64 {
        let least = 0.5 * (self.bound - self.median);
        if score - self.median > least { least / (score - self.median) } else { 1.0 }
    }

    /// Finds what lies more than 6 robust standard deviations (1.4826 times the median absolute deviation) above the
    /// median. `None` for fewer than two scores: a single one has no deviation.
    #[must_use]
    pub fn above(scores: &[f64]) -> Option<Self> {
        let middle = |mut values: Vec<f64>| {
            values.sort_unstable_by(f64::total_cmp);
            values.get(values.len() / 2).copied()
        };
        let median = middle(scores.to_vec())?;
        // of normally distributed scores the standard deviation
        let deviation = 1.4826 * middle(scores.iter().map(|score| (score - median).abs()).collect())?;
        (scores.len() > 1).then_some(Self { median, bound: median + DEVIATIONS * deviation.max(1e-9) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_six_robust_deviations_above_the_median_whatever_one_outlier_is() {
        for outlier in [5.0, 1e6] {
            // median 3; deviations 2, 1, 0, 1 and the outlier's, in the middle 1
            let bound = Outliers::above(&[1.0, outlier, 3.0, 2.0, 4.0]).unwrap().bound;
            assert!((bound - (3.0 + 6.0 * 1.4826)).abs() < 1e-12, "{bound}");
        }
        assert_eq!((Outliers::above(&[]), Outliers::above(&[1.0])), (None, None));
        assert_eq!(Outliers::above(&[2.0, 2.0, 2.0]), Some(Outliers { median: 2.0, bound: 2.0 + 6e-9 }));
    }
}
