//! F1 of pixels at one threshold that was chosen without the test images.

use imgkit::rank::at_least;
use imgkit::{ParameterError, ensure};
use ndarray::{ArrayView2, Zip};

use super::check::{check_finite_map, check_map};
use super::error::MetricError;

/// Counts of pixels at one threshold, image after image: their F1 is the SegF1 of MVTec AD 2.
///
/// A pixel is called anomalous if its score exceeds the threshold. The threshold is given, and must not come from the
/// images that are counted: [`threshold_of_normal_maps`] chooses one on good validation images.
///
/// Source: L. Heckler-Kram et al., "The MVTec AD 2 Dataset: Advanced Scenarios for Unsupervised Anomaly Detection",
/// arXiv 2503.21622, 2025.
///
/// ```
/// use adbench::metrics::PixelCounts;
/// use ndarray::arr2;
/// let mut counts = PixelCounts::new(0.5)?;
/// counts.push(arr2(&[[0.9, 0.6, 0.5, 0.1]]).view(), arr2(&[[true, false, true, false]]).view())?;
/// assert_eq!((counts.true_positives(), counts.false_positives(), counts.false_negatives()), (1, 1, 1));
/// assert_eq!(counts.f1(), Ok(0.5));
/// # Ok::<(), adbench::metrics::MetricError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PixelCounts {
    threshold: f64,
    true_positives: u64,
    false_positives: u64,
    false_negatives: u64,
    pixels: u64,
}

impl PixelCounts {
    /// Creates counts of no image at this threshold.
    ///
    /// # Errors
    /// A threshold that is not finite.
    pub fn new(threshold: f64) -> Result<Self, ParameterError> {
        ensure(threshold.is_finite(), "pixel counts", "threshold", threshold, "finite")?;
        Ok(Self { threshold, true_positives: 0, false_positives: 0, false_negatives: 0, pixels: 0 })
    }

    /// Adds an image: its score map and its ground truth, both `(H, W)`.
    ///
    /// # Errors
    /// [`MetricError::Shape`], [`MetricError::NotFinite`]; nothing is added then.
    pub fn push(&mut self, map: ArrayView2<'_, f32>, mask: ArrayView2<'_, bool>) -> Result<(), MetricError> {
        check_map(&map, &mask)?;
        Zip::from(map).and(mask).for_each(|&score, &marked| match (f64::from(score) > self.threshold, marked) {
            (true, true) => self.true_positives += 1,
            (true, false) => self.false_positives += 1,
            (false, true) => self.false_negatives += 1,
            (false, false) => {}
        });
        self.pixels += map.len() as u64;
        Ok(())
    }

    /// The threshold.
    #[must_use]
    pub fn threshold(&self) -> f64 {
        self.threshold
    }

    /// Anomalous pixels above the threshold.
    #[must_use]
    pub fn true_positives(&self) -> u64 {
        self.true_positives
    }

    /// Normal pixels above the threshold.
    #[must_use]
    pub fn false_positives(&self) -> u64 {
        self.false_positives
    }

    /// Anomalous pixels that are not above the threshold.
    #[must_use]
    pub fn false_negatives(&self) -> u64 {
        self.false_negatives
    }

    /// Harmonic mean of precision and recall over the pixels of all images, in \[0, 1\].
    ///
    /// # Errors
    /// [`MetricError::MissingClass`] without an anomalous pixel.
    pub fn f1(&self) -> Result<f64, MetricError> {
        let anomalous = self.true_positives + self.false_negatives;
        if anomalous == 0 {
            return Err(MetricError::MissingClass { class: "anomalous", count: self.pixels as usize });
        }
        let called = self.true_positives + self.false_positives;
        Ok(2.0 * self.true_positives as f64 / (called + anomalous) as f64)
    }
}

/// Pixel threshold from maps of good images that are neither for training nor for testing: the lowest score that at
/// most the share `false_positive_rate` of their pixels exceed.
///
/// Of a normal distribution the share 0.00135 exceeds its mean by three standard deviations.
///
/// # Errors
/// [`MetricError::EmptyMap`] without a pixel, [`MetricError::NotFinite`], [`MetricError::Parameter`] for a rate outside
/// \[0, 1).
///
/// ```
/// use adbench::metrics::threshold_of_normal_maps;
/// let map = ndarray::Array2::from_shape_fn((10, 10), |(y, x)| (10 * y + x) as f32);
/// assert_eq!(threshold_of_normal_maps(&[map.view()], 0.05), Ok(94.0)); // 95 to 99 exceed it
/// assert_eq!(threshold_of_normal_maps(&[map.view()], 0.0), Ok(99.0));
/// ```
pub fn threshold_of_normal_maps(maps: &[ArrayView2<'_, f32>], false_positive_rate: f64) -> Result<f32, MetricError> {
    let is_rate = (0.0..1.0).contains(&false_positive_rate);
    let expected = "at least 0 and below 1";
    ensure(is_rate, "threshold_of_normal_maps", "false_positive_rate", false_positive_rate, expected)?;
    maps.iter().try_for_each(check_finite_map)?;
    let mut scores: Vec<f32> = maps.iter().flat_map(|map| map.iter().copied()).collect();
    let below = at_least(1.0 - false_positive_rate, scores.len()).saturating_sub(1);
    if scores.is_empty() {
        return Err(MetricError::EmptyMap);
    }
    let (_, &mut threshold, _) = scores.select_nth_unstable_by(below, f32::total_cmp);
    Ok(threshold)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn f1_is_that_of_discs_in_closed_form() {
        // Truth and prediction are columns: 30 wide from 10, and 40 wide from 20. 20 of 30 are found, 20 of 40 are
        // right.
        let mask = Array2::from_shape_fn((50, 100), |(_, x)| (10..40).contains(&x));
        let map = Array2::from_shape_fn((50, 100), |(_, x)| if (20..60).contains(&x) { 1.0 } else { 0.25 });
        let mut counts = PixelCounts::new(0.25).unwrap();
        counts.push(map.view(), mask.view()).unwrap();
        let (precision, recall) = (20.0 / 40.0, 20.0 / 30.0);
        let expected = 2.0 * precision * recall / (precision + recall);
        assert!((counts.f1().unwrap() - expected).abs() < 1e-12, "{:?}", counts.f1());
        // pixels are pooled: a good image without a false positive changes nothing, one with them lowers precision
        let good = Array2::from_elem((50, 100), false);
        counts.push(Array2::from_elem((50, 100), 0.25).view(), good.view()).unwrap();
        assert!((counts.f1().unwrap() - expected).abs() < 1e-12);
        counts.push(map.view(), good.view()).unwrap();
        assert!((counts.f1().unwrap() - 2.0 * 20.0 / (80.0 + 30.0)).abs() < 1e-12);
    }

    #[test]
    fn what_cannot_be_counted_is_an_error() {
        assert_eq!(PixelCounts::new(f64::NAN).unwrap_err().name, "threshold");
        let mut counts = PixelCounts::new(0.0).unwrap();
        let map = Array2::from_elem((2, 2), 1.0);
        assert!(matches!(
            counts.push(map.view(), Array2::from_elem((2, 3), true).view()),
            Err(MetricError::Shape { .. })
        ));
        let nan = Array2::from_elem((2, 2), f32::NAN);
        assert!(matches!(
            counts.push(nan.view(), Array2::from_elem((2, 2), true).view()),
            Err(MetricError::NotFinite { .. })
        ));
        assert!(matches!(counts.f1(), Err(MetricError::MissingClass { count: 0, .. })));
        assert_eq!(threshold_of_normal_maps(&[], 0.1), Err(MetricError::EmptyMap));
        assert!(matches!(threshold_of_normal_maps(&[map.view()], 1.0), Err(MetricError::Parameter(_))));
        assert!(matches!(threshold_of_normal_maps(&[nan.view()], 0.1), Err(MetricError::NotFinite { .. })));
    }
}
