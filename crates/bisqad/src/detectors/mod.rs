//! Detectors: image in, score and map out.

pub(crate) mod ensemble;
pub(crate) mod evidence;
pub(crate) mod gaussian;
pub(crate) mod memory;
pub(crate) mod outliers;
pub(crate) mod patch;
pub(crate) mod projected;
pub(crate) mod provenance;
pub(crate) mod threshold;
pub(crate) mod tiled;
pub(crate) mod windowed;

use imgkit::Size;
use imgkit::rank::at_most;
use ndarray::{Array2, Array3, ArrayView3};
use rayon::prelude::*;

use crate::detectors::provenance::Provenance;
use crate::error::Error;
use crate::features::score_map;
use crate::persistence::format::Persist;

/// Image score and score map of one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Image score: the mean of the highest hundredth of the map. Higher is more anomalous; not a probability.
    pub score: f64,
    /// Pixel scores `(H, W)` on the same scale.
    pub map: Array2<f32>,
}

impl Prediction {
    /// Scores an image by the mean of the highest hundredth of its pixel scores, at least one, as every detector of
    /// this crate does. An empty map has score 0.
    ///
    /// ```
    /// use bisqad::Prediction;
    /// let map = ndarray::Array2::from_shape_fn((10, 20), |(y, x)| (20 * y + x) as f32);
    /// assert_eq!(Prediction::of_map(map).score, 198.5);
    /// ```
    #[must_use]
    pub fn of_map(map: Array2<f32>) -> Self {
        Self::of_share(map, 0.01)
    }

    /// Scores an image by the mean of the highest `share` of its pixel scores, at least one.
    pub(crate) fn of_share(map: Array2<f32>, share: f64) -> Self {
        let score = mean_of_highest(&map, at_most(share, map.len()));
        Self { score, map }
    }

    /// Refuses NaN and infinities, which are neither good nor anomalous: `score > threshold` would pass them as good.
    /// Every detector of this crate does so; call it on the answer of a detector from elsewhere.
    ///
    /// ```
    /// use bisqad::{Error, Prediction};
    /// let torn = Prediction { score: f64::NAN, map: ndarray::Array2::zeros((2, 2)) };
    /// assert!(matches!(torn.checked("mine"), Err(Error::NotFinite { detector: "mine", .. })));
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFinite`] with the first of them and the name of the detector.
    pub fn checked(self, detector: &'static str) -> Result<Self, Error> {
        let pixel = || self.map.iter().find(|v| !v.is_finite()).map(|&v| f64::from(v));
        match Some(self.score).filter(|s| !s.is_finite()).or_else(pixel) {
            None => Ok(self),
            Some(value) => Err(Error::NotFinite { detector, value }),
        }
    }

    /// Builds the map from patch scores, row by row over their grid, for an image of height and width `size`.
    pub(crate) fn of_patches(
        scores: Vec<f32>,
        grid: (usize, usize),
        size: (usize, usize),
        smoothing: f32,
    ) -> Result<Self, Error> {
        let found = scores.len();
        let grid = Array2::from_shape_vec(grid, scores).map_err(|_| Error::Length {
            what: "patches",
            found,
            expected: grid.0 * grid.1,
        })?;
        Ok(Self::of_map(score_map::upsample(grid.view(), size.0, size.1, smoothing)))
    }
}

/// Mean of the `count` highest values of a map, of one at least; 0 for an empty map.
pub(crate) fn mean_of_highest(map: &Array2<f32>, count: usize) -> f64 {
    let mut values: Vec<f32> = map.iter().copied().collect();
    let highest = count.max(1).min(values.len());
    if highest < values.len() {
        values.select_nth_unstable_by(highest, |a, b| b.total_cmp(a));
    }
    // in order, so that the sum does not depend on how the selection went
    let top = &mut values[..highest];
    top.sort_unstable_by(f32::total_cmp);
    top.iter().map(|&v| f64::from(v)).sum::<f64>() / highest.max(1) as f64
}

/// A model that scores images. Object-safe; only [`Self::name`] and [`Self::predict`] must be written.
///
/// The other methods are capabilities with defaults for detectors that lack them: scores of held-out normal images
/// ([`Threshold::of`](crate::Threshold::of) needs them), the origin of the detector, and saving.
pub trait Detector: std::fmt::Debug + Send + Sync {
    /// Stable name, for tables.
    fn name(&self) -> &'static str;

    /// Scores `image` `(H, W, C)`, f32 in \[0, 1\], C = 1 or 3 (any C for [`Projected`](crate::Projected)), of any size
    /// the backbone accepts.
    ///
    /// # Errors
    /// [`Error::Backbone`] for images the backbone rejects, [`Error::NotFinite`] for scores that are no numbers.
    fn predict(&self, image: ArrayView3<'_, f32>) -> Result<Prediction, Error>;

    /// Image scores of the held-out normal images it was calibrated on; empty if it was not.
    fn normal_scores(&self) -> &[f64] {
        &[]
    }

    /// Image scores of the real defects it was fitted with, each by what was fitted without it; empty if it was fitted
    /// with none.
    fn defect_scores(&self) -> &[f64] {
        &[]
    }

    /// Share of the pixels, the highest, whose mean is the image score.
    fn score_share(&self) -> f64 {
        0.01
    }

    /// Origin of the detector: the size of its training images, and images that must not be tested on.
    fn provenance(&self) -> Provenance {
        Provenance::default()
    }

    /// This detector as one that can be saved; `None` if it cannot.
    fn as_persist(&self) -> Option<&dyn Persist> {
        None
    }
}

/// Refuses a map of another size than the image's, which a detector from elsewhere may return.
pub(crate) fn same_size(what: &'static str, map: &Array2<f32>, (height, width): (usize, usize)) -> Result<(), Error> {
    let (expected, found) = (Size { height, width }, Size { height: map.nrows(), width: map.ncols() });
    if found == expected { Ok(()) } else { Err(Error::Shape { what, expected, found }) }
}

/// Image scores of some images, in their order.
pub(crate) fn image_scores<'a>(
    detector: &dyn Detector,
    images: impl IndexedParallelIterator<Item = &'a Array3<f32>>,
) -> Result<Vec<f64>, Error> {
    images.map(|image| Ok(detector.predict(image.view())?.checked(detector.name())?.score)).collect()
}
