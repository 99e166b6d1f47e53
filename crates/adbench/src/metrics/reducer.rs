//! Reduction of a score map to the score of its image.

use imgkit::ParameterError;
use imgkit::rank::at_most;
use ndarray::{Array2, ArrayView2};

use super::check::check_finite_map;
use super::error::MetricError;

/// Reduction of the scores of an image's pixels to one score. Name the reducer with every image-level figure: the same
/// maps give different figures under different ones.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Reducer {
    /// The largest score (as PatchCore, EfficientAD and GLASS do).
    Max,
    /// The mean of the `floor(fraction * pixels)` largest scores, of one at least (0.01 in Dinomaly). In `(0, 1]`.
    MeanTopFraction(f64),
    /// The mean of the `k` largest scores, or of all when there are fewer (100 in DeSTSeg). At least 1.
    MeanTopK(usize),
    /// The largest mean over a square window of this odd side, moved by one pixel (21 in DRAEM). Beyond the border the
    /// map counts as 0, and the mean is over the whole window.
    MaxOfAvgPool(usize),
}

impl Reducer {
    /// Reduces a score map, height x width, to the score of its image.
    ///
    /// # Errors
    /// [`MetricError::EmptyMap`], [`MetricError::NotFinite`], and [`MetricError::Parameter`] when the reducer's
    /// own parameter is outside its range.
    ///
    /// ```
    /// use adbench::metrics::Reducer;
    /// use ndarray::arr2;
    /// let map = arr2(&[[0.0, 1.0], [2.0, 3.0]]);
    /// assert_eq!(Reducer::Max.reduce(map.view()), Ok(3.0));
    /// assert_eq!(Reducer::MeanTopK(2).reduce(map.view()), Ok(2.5));
    /// ```
    pub fn reduce(self, map: ArrayView2<'_, f32>) -> Result<f32, MetricError> {
        if map.is_empty() {
            return Err(MetricError::EmptyMap);
        }
        check_finite_map(&map)?;
        let invalid = |name, value: f64, expected| Err(ParameterError::new("reducer", name, value, expected).into());
        match self {
            Self::Max => Ok(map.iter().copied().fold(f32::NEG_INFINITY, f32::max)),
            Self::MeanTopFraction(f) if !(f > 0.0 && f <= 1.0) => invalid("fraction", f, "above 0 and at most 1"),
            Self::MeanTopFraction(f) => Ok(mean_top(map, at_most(f, map.len()).max(1))),
            Self::MeanTopK(0) => invalid("k", 0.0, "at least 1"),
            Self::MeanTopK(k) => Ok(mean_top(map, k.min(map.len()))),
            Self::MaxOfAvgPool(side) if side % 2 == 0 => invalid("window side", side as f64, "odd"),
            Self::MaxOfAvgPool(side) => Ok(max_of_means(map, side)),
        }
    }
}

fn mean_top(map: ArrayView2<'_, f32>, k: usize) -> f32 {
    let mut scores: Vec<f32> = map.iter().copied().collect();
    if k < scores.len() {
        scores.select_nth_unstable_by(k, |a, b| b.total_cmp(a));
    }
    (scores[..k].iter().map(|&s| f64::from(s)).sum::<f64>() / k as f64) as f32
}

fn max_of_means(map: ArrayView2<'_, f32>, side: usize) -> f32 {
    let (height, width) = map.dim();
    // table[(y, x)] is the sum over rows < y and columns < x.
    let mut table = Array2::<f64>::zeros((height + 1, width + 1));
    for y in 0..height {
        let mut row = 0.0;
        for x in 0..width {
            row += f64::from(map[(y, x)]);
            table[(y + 1, x + 1)] = table[(y, x + 1)] + row;
        }
    }
    let half = side / 2;
    let mut largest = f64::NEG_INFINITY;
    for y in 0..height {
        let (top, bottom) = (y.saturating_sub(half), (y + half + 1).min(height));
        for x in 0..width {
            let (left, right) = (x.saturating_sub(half), (x + half + 1).min(width));
            let sum = table[(bottom, right)] - table[(top, right)] - table[(bottom, left)] + table[(top, left)];
            largest = largest.max(sum);
        }
    }
    (largest / (side as f64 * side as f64)) as f32
}
