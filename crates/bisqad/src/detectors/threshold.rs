//! Decision thresholds chosen from the scores of held-out normal images.

use imgkit::rank::at_most;
use imgkit::{ParameterError, ensure};
use ndarray::Array3;
use rayon::prelude::*;

use crate::detectors::{Detector, image_scores};
use crate::error::Error;

/// Decision threshold: image scores above it are called anomalous.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Threshold {
    /// The threshold itself, on the scale of the image scores.
    pub value: f64,
    /// Largest share of the held-out normal images that it may call anomalous.
    pub false_positive_rate: f64,
    /// Number of held-out normal images that it was chosen from.
    pub normals: usize,
}

impl Threshold {
    /// Chooses the threshold that calls at most a share `rate` of the held-out normal images of `detector` anomalous.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless the rate lies in \[0, 1), [`Error::NotCalibrated`] if the detector holds no scores:
    /// [`Self::calibrate`] takes images.
    pub fn of(detector: &dyn Detector, rate: f64) -> Result<Self, Error> {
        if detector.normal_scores().is_empty() {
            return Err(Error::NotCalibrated { detector: detector.name() });
        }
        Self::from_scores(detector.normal_scores(), rate)
    }

    /// Chooses the threshold that calls at most a share `rate` of `normals` anomalous, for any detector. The images
    /// should be new to it and of the size that it will meet.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless the rate lies in \[0, 1), [`Error::TooFewNormals`] for no images, and those of the
    /// detector.
    pub fn calibrate(detector: &dyn Detector, normals: &[Array3<f32>], rate: f64) -> Result<Self, Error> {
        Self::from_scores(&image_scores(detector, normals.par_iter())?, rate)
    }

    /// Chooses the lowest score that at most a share `rate` of `scores` exceeds.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless the rate lies in \[0, 1) and all scores are finite, [`Error::TooFewNormals`] for no
    /// scores.
    pub fn from_scores(scores: &[f64], rate: f64) -> Result<Self, Error> {
        ensure((0.0..1.0).contains(&rate), "threshold", "false_positive_rate", rate, "in [0, 1)")?;
        if let Some(bad) = scores.iter().find(|s| !s.is_finite()) {
            return Err(ParameterError::new("threshold", "scores", bad, "finite").into());
        }
        let mut scores = scores.to_vec();
        scores.sort_by(f64::total_cmp);
        let threshold = Threshold { value: 0.0, false_positive_rate: rate, normals: scores.len() };
        match scores.len().checked_sub(1 + threshold.exceeding()).and_then(|i| scores.get(i)) {
            Some(&value) => Ok(Threshold { value, ..threshold }),
            None => Err(Error::TooFewNormals { found: scores.len(), needed: 1 }),
        }
    }

    /// Number of the normal images that may score above it.
    fn exceeding(&self) -> usize {
        // the fields are public: a rate above 1 does not count beyond the images
        at_most(self.false_positive_rate, self.normals)
    }

    /// Whether the held-out images are enough for the rate: of n images, one more good image scores above the highest
    /// with a probability of 1 / (n + 1), so that no threshold of theirs promises less.
    ///
    /// ```
    /// let scores: Vec<f64> = (0..19).map(f64::from).collect();
    /// assert!(bisqad::Threshold::from_scores(&scores, 0.05)?.is_supported());
    /// assert!(!bisqad::Threshold::from_scores(&scores[1..], 0.05)?.is_supported());
    /// # Ok::<(), bisqad::Error>(())
    /// ```
    #[must_use]
    pub fn is_supported(&self) -> bool {
        at_most(self.false_positive_rate, self.normals.saturating_add(1)) >= 1
    }

    /// Number of held-out normal images from which on the rate [is supported](Self::is_supported); `None` for a rate of
    /// 0, which no number supports.
    ///
    /// ```
    /// let threshold = bisqad::Threshold::from_scores(&[1.0, 2.0], 0.05)?;
    /// assert_eq!(threshold.needed(), Some(19));
    /// # Ok::<(), bisqad::Error>(())
    /// ```
    #[must_use]
    pub fn needed(&self) -> Option<usize> {
        let about = 1.0 / self.false_positive_rate;
        if !(about.is_finite() && about < 1e9) {
            return None;
        }
        // the least n + 1 of which the rate is one at least
        let near = about as usize;
        (near.saturating_sub(1)..=near + 2).find(|n| at_most(self.false_positive_rate, *n) >= 1).map(|n| n.max(1) - 1)
    }

    /// Confidence interval of the true false-positive rate, the share of *all* normal images that score above the
    /// threshold: `(low, high)`, with equal tails.
    ///
    /// Of n images with scores from one continuous distribution, the share beyond the (k + 1)-th highest has the
    /// distribution Beta(k + 1, n - k) (order statistics; S. S. Wilks, "Determination of sample sizes for setting
    /// tolerance limits", 1941): twenty images and none above leave the rate anywhere in 0.1 % to 17 %.
    ///
    /// ```
    /// let scores: Vec<f64> = (0..20).map(f64::from).collect();
    /// let (low, high) = bisqad::Threshold::from_scores(&scores, 0.0)?.interval(0.95)?;
    /// assert!((low - 0.001).abs() < 5e-4 && (high - 0.168).abs() < 5e-4);
    /// # Ok::<(), bisqad::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Parameter`] unless the confidence lies in (0, 1).
    pub fn interval(&self, confidence: f64) -> Result<(f64, f64), Error> {
        let ok = confidence > 0.0 && confidence < 1.0;
        ensure(ok, "threshold", "confidence", confidence, "in (0, 1)")?;
        let tail = (1.0 - confidence) / 2.0;
        Ok((self.quantile(tail), self.quantile(1.0 - tail)))
    }

    /// Quantile `p` of the true rate, by bisection: to lie below x means that at least k + 1 of n fall into x.
    fn quantile(&self, p: f64) -> f64 {
        let (n, k) = (self.normals, self.exceeding());
        let below = |x: f64| {
            let (ratio, mut term) = (x / (1.0 - x), (n as f64 * (-x).ln_1p()).exp());
            let mut fewer = term;
            for i in 0..k {
                term *= ratio * (n - i) as f64 / (i + 1) as f64;
                fewer += term;
            }
            1.0 - fewer
        };
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..60 {
            let middle = (low + high) / 2.0;
            if below(middle) < p { low = middle } else { high = middle }
        }
        (low + high) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy 1.17.1: `scipy.stats.beta.ppf([0.025, 0.975], k + 1, n - k)`.
    #[test]
    fn intervals_are_those_of_the_beta_distribution() {
        for (n, k, low, high) in [
            (20, 0, 0.001_265_089_497_949_803_8, 0.168_433_470_983_085_3),
            (209, 10, 0.026_562_997_155_844_69, 0.086_229_878_779_876_02),
            (7, 3, 0.184_051_567_640_083, 0.815_948_432_359_916_9),
        ] {
            let threshold = Threshold { value: 0.0, false_positive_rate: (k as f64 + 0.5) / n as f64, normals: n };
            let found = threshold.interval(0.95).unwrap();
            assert!((found.0 - low).abs() < 1e-9 && (found.1 - high).abs() < 1e-9, "{n} {k}: {found:?}");
        }
        let threshold = Threshold { value: 0.0, false_positive_rate: 0.1, normals: 30 };
        for confidence in [0.0, 1.0, f64::NAN] {
            assert!(matches!(threshold.interval(confidence), Err(Error::Parameter(e)) if e.name == "confidence"));
        }
    }
}
