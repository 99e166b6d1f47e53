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
    /// Number of them that score above it.
    pub exceeding: usize,
    /// Number of held-out real defects that the detector was fitted with, and of those that score above it; both 0
    /// without them.
    pub defects: (usize, usize),
}

impl Threshold {
    /// Chooses the threshold that calls at most a share `rate` of the held-out normal images of `detector` anomalous.
    /// Where the detector knows real defects ([`Detector::defect_scores`]), it is raised as [`Self::above_normals`]
    /// does.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless the rate lies in \[0, 1), [`Error::NotCalibrated`] if the detector holds no scores:
    /// [`Self::calibrate`] takes images.
    pub fn of(detector: &dyn Detector, rate: f64) -> Result<Self, Error> {
        if detector.normal_scores().is_empty() {
            return Err(Error::NotCalibrated { detector: detector.name() });
        }
        Self::from_scores(detector.normal_scores(), rate)?
            .above_normals(detector.normal_scores(), detector.defect_scores())
    }

    /// Raises a threshold over more of the `normals` it was chosen from, up to the highest, while no score of `defects`
    /// above it is lost: what real defects leave free costs no good image. It is never lowered.
    ///
    /// ```
    /// let normals: Vec<f64> = (0..100).map(f64::from).collect();
    /// let threshold = bisqad::Threshold::from_scores(&normals, 0.05)?;
    /// assert_eq!((threshold.value, threshold.exceeding), (94.0, 5));
    /// let raised = threshold.above_normals(&normals, &[97.5, 120.0, 3.0])?;
    /// assert_eq!((raised.value, raised.exceeding, raised.defects), (97.0, 2, (3, 2)));
    /// # Ok::<(), bisqad::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Parameter`] unless all scores are finite.
    pub fn above_normals(self, normals: &[f64], defects: &[f64]) -> Result<Self, Error> {
        if let Some(bad) = normals.iter().chain(defects).find(|s| !s.is_finite()) {
            return Err(ParameterError::new("threshold", "scores", bad, "finite").into());
        }
        if defects.is_empty() {
            return Ok(self);
        }
        let weakest = defects.iter().copied().filter(|d| *d > self.value).fold(f64::INFINITY, f64::min);
        let free = normals.iter().copied().filter(|n| weakest.is_finite() && *n < weakest);
        let value = free.fold(self.value, f64::max);
        Ok(Self {
            value,
            exceeding: normals.iter().filter(|n| **n > value).count(),
            defects: (defects.len(), defects.iter().filter(|d| **d > value).count()),
            ..self
        })
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
        let normals = scores.len();
        match normals.checked_sub(1 + at_most(rate, normals)).and_then(|i| scores.get(i)) {
            Some(&value) => {
                let exceeding = scores.iter().filter(|s| **s > value).count();
                Ok(Threshold { value, false_positive_rate: rate, normals, exceeding, defects: (0, 0) })
            }
            None => Err(Error::TooFewNormals { found: scores.len(), needed: 1 }),
        }
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
        // the fields are public: no more exceed it than there are
        let (n, k) = (self.normals, self.exceeding.min(self.normals));
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

    fn threshold(normals: usize, exceeding: usize) -> Threshold {
        Threshold { value: 0.0, false_positive_rate: 0.1, normals, exceeding, defects: (0, 0) }
    }

    #[test]
    fn real_defects_raise_a_threshold_and_never_lower_it() {
        let normals: Vec<f64> = (1..=40).map(f64::from).collect();
        let raised = |defects: &[f64]| {
            let plain = Threshold::from_scores(&normals, 0.1).unwrap();
            assert_eq!((plain.value, plain.exceeding), (36.0, 4));
            let raised = plain.above_normals(&normals, defects).unwrap();
            (raised.value, raised.exceeding, raised.defects)
        };
        assert_eq!(raised(&[]), (36.0, 4, (0, 0)));
        assert_eq!(raised(&[50.0, 60.0]), (40.0, 0, (2, 2)), "no higher than the highest normal image");
        assert_eq!(raised(&[38.5, 60.0]), (38.0, 2, (2, 2)));
        assert_eq!(raised(&[36.0, 10.0]), (36.0, 4, (2, 0)), "what is missed in any case does not count");
        let nan = Threshold::from_scores(&normals, 0.1).unwrap().above_normals(&normals, &[f64::NAN]);
        assert!(matches!(nan, Err(Error::Parameter(_))));
    }

    /// scipy 1.17.1: `scipy.stats.beta.ppf([0.025, 0.975], k + 1, n - k)`.
    #[test]
    fn intervals_are_those_of_the_beta_distribution() {
        for (n, k, low, high) in [
            (20, 0, 0.001_265_089_497_949_803_8, 0.168_433_470_983_085_3),
            (209, 10, 0.026_562_997_155_844_69, 0.086_229_878_779_876_02),
            (7, 3, 0.184_051_567_640_083, 0.815_948_432_359_916_9),
        ] {
            let threshold = threshold(n, k);
            let found = threshold.interval(0.95).unwrap();
            assert!((found.0 - low).abs() < 1e-9 && (found.1 - high).abs() < 1e-9, "{n} {k}: {found:?}");
        }
        let threshold = threshold(30, 3);
        for confidence in [0.0, 1.0, f64::NAN] {
            assert!(matches!(threshold.interval(confidence), Err(Error::Parameter(e)) if e.name == "confidence"));
        }
    }
}
