//! The foreground model of a set, applied to a photo.

use ndarray::{Array2, ArrayView3};

use super::background::Background;
use super::cells::{Cells, Plane};
use super::clarity::{Clarity, smallest};
use super::fit::ForegroundFit;
use super::outline::refine;
use super::segment::{Rules, segment};
use super::{Foreground, ForegroundParams, FrameReason, SetKind};
use crate::Error;

/// Below this confidence the whole frame is returned.
const TRUSTED: f64 = 0.5;
/// A photo whose border is explained by less than this share of the set's has another background.
const SHARED: f64 = 0.4;

/// Where distances turn from background to object, and how shadows are judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Evidence {
    /// Distance at which a cell is as likely object as background.
    pub(super) threshold: f32,
    /// Probability of object for a cell that could be a shadow.
    pub(super) shadow: f32,
}

/// Foreground model of a set of good photos that share background, light and scale.
///
/// The background is learned as one to three tones, each a quadratic surface of log color and local texture over the
/// frame (flat fielding), fitted by iterated reweighting to the borders of all photos and then to all their background.
/// A photo is told apart by the Mahalanobis distance of its cells from the nearest tone (thresholds from Otsu 1979),
/// with the places where the set has objects as a prior, by a random walker with priors on its color edges (Grady,
/// CVPR 2005). What is darker than the ground, of its hue and texture, with a soft edge, is a shadow. The outline is
/// refined on the photo's own pixels and drawn about a pixel inside the object.
///
/// The combination is this crate's own. It holds if at least one tone of the background is plain and takes up most of
/// the border. It cannot tell a shadow with a hard edge from a dark object on a gray ground, nor objects of
/// the background's own color and texture.
///
/// ```
/// use ndarray::Array3;
/// use physdefect::{ForegroundModel, ForegroundParams};
///
/// // A dark disc that moves over a bright table; the light falls off to the right.
/// let photos: Vec<Array3<f32>> = (0..4)
///     .map(|shift| Array3::from_shape_fn((64, 80, 3), |(y, x, _)| {
///         let inside = (y as f32 - 30.0).hypot(x as f32 - 30.0 - 4.0 * shift as f32) < 15.0;
///         let light = 1.0 - x as f32 / 160.0;
///         light * (if inside { 0.2 } else { 0.7 }) + 0.02 * ((y * 31 + x * 17) % 7) as f32 / 7.0
///     }))
///     .collect();
/// let model = ForegroundModel::fit(photos.iter().map(|p| p.view()), &ForegroundParams::default())?;
/// let found = model.mask(photos[0].view())?;
/// assert!(!found.fills_frame && found.confidence > 0.8 && found.reason.is_none());
/// let area = found.mask.iter().filter(|&&m| m).count() as f64;
/// assert!((area / (std::f64::consts::PI * 225.0) - 1.0).abs() < 0.15);
/// # Ok::<(), physdefect::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(into = "super::stored::Stored", try_from = "super::stored::Stored"))]
pub struct ForegroundModel {
    pub(super) params: ForegroundParams,
    pub(super) background: Background,
    pub(super) evidence: Evidence,
    /// Share of the photos with an object at a place.
    pub(super) places: Plane<f32>,
    pub(super) kind: SetKind,
    pub(super) confidence: f64,
    /// Median share of the border that the background explains.
    pub(super) explained: f64,
    /// Largest share of the frame that objects took in a photo of the set.
    pub(super) largest: f64,
    pub(super) photos: usize,
}

impl ForegroundModel {
    /// Fits the model to the photos of a set, each `(H, W, C)`, f32 in \[0, 1\].
    ///
    /// [`ForegroundFit`] does the same without holding all photos in memory.
    ///
    /// # Errors
    /// Those of [`ForegroundFit::add`] and [`ForegroundFit::finish`].
    pub fn fit<'a>(
        photos: impl IntoIterator<Item = ArrayView3<'a, f32>>,
        params: &ForegroundParams,
    ) -> Result<Self, Error> {
        let mut fit = ForegroundFit::new(params)?;
        for photo in photos {
            fit.add(photo)?;
        }
        fit.finish()
    }

    /// What the set's photos show.
    #[must_use]
    pub fn kind(&self) -> SetKind {
        self.kind
    }

    /// How sure [`Self::kind`] is, in \[0, 1\].
    #[must_use]
    pub fn confidence(&self) -> f64 {
        self.confidence
    }

    /// Photos the model was fitted to.
    #[must_use]
    pub fn photos(&self) -> usize {
        self.photos
    }

    /// Parameters of the fit.
    #[must_use]
    pub fn params(&self) -> &ForegroundParams {
        &self.params
    }

    /// Finds the foreground of a photo `(H, W, C)` that shares the set's background, f32 in \[0, 1\].
    ///
    /// A photo that cannot be told apart gives the whole frame, with a confidence below 0.5 and the
    /// [reason](Foreground::reason); so does every photo of a set whose product fills the frame, with the confidence of
    /// that finding.
    ///
    /// # Errors
    /// [`Error::NoForeground`] for a photo smaller than 8 x 8 px or uniform; [`Error::NotFinite`].
    pub fn mask(&self, photo: ArrayView3<'_, f32>) -> Result<Foreground, Error> {
        let cells = Cells::new(photo)?;
        if cells.is_uniform() {
            return Err(Error::NoForeground { reason: "the photo is uniform" });
        }
        let (height, width, _) = photo.dim();
        let whole = |confidence: f64, reason, dropped_parts| Foreground {
            mask: Array2::from_elem((height, width), true),
            confidence,
            fills_frame: true,
            reason: Some(reason),
            dropped_parts,
        };
        if self.kind == SetKind::FillsFrame {
            let reason = if self.confidence < TRUSTED { FrameReason::Unclear } else { FrameReason::Texture };
            return Ok(whole(self.confidence, reason, 0));
        }
        let rules = Rules {
            background: &self.background,
            evidence: self.evidence,
            occupancy: Some(&self.places),
            params: &self.params,
        };
        let s = segment(&cells, &rules);
        let clarity = Clarity::of(&s, self.evidence.threshold);
        let smallest = smallest(&self.background);
        let doubted = |confidence: f64, reason| whole(confidence.min(0.49), reason, s.dropped);
        if clarity.explained < SHARED * self.explained {
            return Ok(doubted(clarity.explained, FrameReason::OtherBackground));
        }
        if clarity.area < smallest {
            return Ok(doubted(clarity.objects(smallest), FrameReason::NothingFound));
        }
        if clarity.area > f64::max(1.6 * self.largest, self.largest + 0.1) {
            return Ok(doubted(0.5 * clarity.objects(smallest), FrameReason::UnusualArea));
        }
        let confidence = clarity.objects(smallest);
        if confidence < TRUSTED {
            return Ok(doubted(confidence, FrameReason::Unclear));
        }
        let mask = refine(&cells, &s.p, &s.mask, (height, width));
        if !mask.iter().any(|&m| m) {
            return Ok(doubted(0.0, FrameReason::NothingFound));
        }
        Ok(Foreground { mask, confidence, fills_frame: false, reason: None, dropped_parts: s.dropped })
    }
}
