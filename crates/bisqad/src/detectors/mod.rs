//! Detectors: image in, score and map out.

pub(crate) mod ensemble;
pub(crate) mod gaussian;
pub(crate) mod memory;
pub(crate) mod patch;
pub(crate) mod projected;
pub(crate) mod threshold;
pub(crate) mod tiled;

use std::path::Path;

use ndarray::{Array2, ArrayView3};

use crate::detectors::threshold::Threshold;
use crate::error::Error;
use crate::features::score_map;
use crate::persistence::Parts;

/// What a detector says of one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Image score: the mean of the map's highest hundredth. Higher is more anomalous; not a probability.
    pub score: f64,
    /// Pixel scores `(H, W)` on the same scale.
    pub map: Array2<f32>,
}

impl Prediction {
    /// From pixel scores.
    pub(crate) fn of_map(map: Array2<f32>) -> Self {
        let mut values: Vec<f32> = map.iter().copied().collect();
        let highest = (values.len() / 100).max(1).min(values.len());
        if highest < values.len() {
            values.select_nth_unstable_by(highest, |a, b| b.total_cmp(a));
        }
        // in order, so that the sum does not depend on how the selection went
        let top = &mut values[..highest];
        top.sort_unstable_by(f32::total_cmp);
        let score = top.iter().map(|&v| f64::from(v)).sum::<f64>() / highest.max(1) as f64;
        Self { score, map }
    }

    /// From patch scores, row by row over their grid, for an image of height and width `size`.
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

/// Anything that scores images. Object-safe; [`Self::name`] and [`Self::predict`] are all that must be written.
pub trait Detector: std::fmt::Debug + Send + Sync {
    /// Stable name for tables.
    fn name(&self) -> &'static str;

    /// Scores `image` `(H, W, C)`, f32 in \[0, 1\], C = 1 or 3 (any C for [`Projected`](crate::Projected)), of any size the backbone accepts.
    ///
    /// # Errors
    /// [`Error::Backbone`] for images the backbone refuses.
    fn predict(&self, image: ArrayView3<'_, f32>) -> Result<Prediction, Error>;

    /// Image scores of the normal images it was calibrated on: none unless it was.
    fn normal_scores(&self) -> &[f64] {
        &[]
    }

    /// The threshold that calls at most a share `false_positive_rate` of the held-out normal images anomalous.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless the rate lies in \[0, 1), [`Error::TooFewNormals`] if this detector was not calibrated.
    fn threshold(&self, false_positive_rate: f64) -> Result<Threshold, Error> {
        Threshold::of(self.normal_scores(), false_positive_rate)
    }

    /// Longest shorter side of the images it was trained on, px: larger images should be shrunk to it, for features depend on scale.
    /// `None` where the size does not matter.
    fn trained_at(&self) -> Option<usize> {
        None
    }

    /// Whether `image` is one of the real defects that steered its training: none of them may be tested on.
    fn was_steered_by(&self, image: ArrayView3<'_, f32>) -> bool {
        let _ = image;
        false
    }

    /// What its file holds.
    ///
    /// # Errors
    /// [`Error::Unsaved`] for detectors that are not of this crate, or hold one.
    fn parts(&self) -> Result<Parts, Error> {
        Err(Error::Unsaved { detector: self.name() })
    }

    /// Writes everything [`load`](crate::load) needs into one safetensors file; backbones are named, not stored.
    ///
    /// # Errors
    /// [`Error::File`] if the path cannot be written, and those of [`Self::parts`].
    fn save(&self, path: &Path) -> Result<(), Error> {
        self.parts()?.write(path)
    }
}
