//! Priors from a handful of real defects: three to ten images with masks set size, width, depth, contrast and number.
//!
//! No training: [`fit`] measures the masks (connected parts, Zhang-Suen skeletons, exact distance transform, light
//! inside against a ring 2 to 6 px outside) and states each prior with a 95 % interval. [`Calibration::synthesizer`]
//! turns them into a synthesizer whose masks and contrast follow the priors: each defect is solved for the size that
//! the same measurement would find. All lengths are in px of the images that were measured; make samples at that
//! resolution.
//!
//! ```
//! use ndarray::{Array2, Array3};
//! use physdefect::appearance::Appearance;
//! use physdefect::{Domain, MechanismKind, SampleKey, Synthesizer, calibration};
//!
//! // Three images with a dark scratch each, and their masks.
//! let masks: Vec<Array2<bool>> = [30, 40, 50]
//!     .map(|n| Array2::from_shape_fn((96, 96), |(y, x)| (40..43).contains(&y) && (20..20 + n).contains(&x)))
//!     .to_vec();
//! let images: Vec<Array3<f32>> = masks
//!     .iter()
//!     .map(|m| Array3::from_shape_fn((96, 96, 1), |(y, x, _)| if m[[y, x]] { 0.3 } else { 0.6 }))
//!     .collect();
//! let samples: Vec<_> = images.iter().zip(&masks).map(|(i, m)| (i.view(), m.view())).collect();
//! let calibration = calibration::fit(MechanismKind::FractureLine, &samples)?;
//! assert!((calibration.size.median() - 39.0).abs() < 2.0);
//!
//! let crack = calibration.fracture_line(Appearance::default())?;
//! let photo = Array3::from_elem((128, 128, 1), 0.6f32);
//! let sample = crack.synthesize(photo.view(), &Domain::full(128, 128)?, SampleKey { seed: 1, index: 0 })?;
//! assert!(sample.record.measures["target_size_px"] > 20.0);
//! # Ok::<(), physdefect::Error>(())
//! ```
//!
//! What it cannot know: the width is that of the *masks*, loose masks make wide cracks; the depth is the one that a
//! defect of the same reflectance would need under an overcast sky to be as dark ([`apparent_depth`]); branches and
//! color are not measured.

mod contrast;
mod measure;
mod skeleton;
mod statistics;
mod synthesizer;

use ndarray::{ArrayView2, ArrayView3};

use crate::appearance::Appearance;
use crate::fracture::FractureLine;
use crate::pitting::PittingLoss;
use crate::registry::Registry;
use crate::warpage::PlasticWarpage;
use crate::{Error, MechanismKind, Synthesizer};
use measure::Measured;

pub use measure::Course;
pub use statistics::{CountPrior, Prior, Scale};
pub use synthesizer::{Calibrate, Calibrated, Target};

/// Fewest images: with two, Student's t is 12.7 and an interval says nothing.
const LEAST_IMAGES: usize = 3;
/// What a pixel grid resolves: px, and log-contrast.
const RESOLUTION: (f64, f64) = (0.25, 0.01);

/// Priors of one kind of defect.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Calibration {
    /// What the masks were measured as.
    pub mechanism: MechanismKind,
    /// Images.
    pub images: usize,
    /// Defects on them (connected parts of four pixels or more).
    pub defects: usize,
    /// px: a crack's length along its skeleton, the equal-area diameter of anything else (holes filled). Log-normal.
    pub size: Prior,
    /// px: a crack's mean mask width, area over length; the diameter again for anything else. Log-normal.
    pub width: Prior,
    /// ln of linear light inside over that of the surround, one number an image (mean over its defects by area);
    /// negative is darker. Normal.
    pub log_contrast: Prior,
    /// px: [`apparent_depth`] of each defect on images where defects are darker than their surround; `None` if fewer
    /// than three are. Log-normal.
    pub depth: Option<Prior>,
    /// Defects an image.
    pub count: CountPrior,
    /// Share of defects that touch the image's edge.
    pub edge_share: f64,
    /// Axis and waviness of each crack longer than three times its width; empty for other mechanisms. Draws take one of
    /// them and shake it a little (a smoothed bootstrap).
    pub courses: Vec<Course>,
}

/// Estimates the priors from images `(H, W, C)` with masks `(H, W)`; sizes may differ from image to image.
///
/// # Errors
/// [`Error::TooFewSamples`] below three; [`Error::CalibrationImage`] around [`Error::Shape`], [`Error::NotFinite`],
/// [`Error::EmptyMask`] or [`Error::NoSurround`] of one image; [`Error::WrongMechanism`] for
/// [`MechanismKind::Baseline`].
pub fn fit(
    mechanism: MechanismKind,
    samples: &[(ArrayView3<'_, f32>, ArrayView2<'_, bool>)],
) -> Result<Calibration, Error> {
    if mechanism == MechanismKind::Baseline {
        return Err(Error::WrongMechanism { wanted: mechanism, found: mechanism });
    }
    if samples.len() < LEAST_IMAGES {
        return Err(Error::TooFewSamples { found: samples.len(), needed: LEAST_IMAGES });
    }
    let images: Vec<Measured> = samples
        .iter()
        .enumerate()
        .map(|(index, (image, mask))| {
            measure::measure(mechanism, *image, *mask)
                .map_err(|e| Error::CalibrationImage { index, source: Box::new(e) })
        })
        .collect::<Result<_, _>>()?;
    let each = |f: fn(&measure::Part) -> f64| -> Vec<Vec<f64>> {
        images.iter().map(|i| i.parts.iter().map(f).collect()).collect()
    };
    let depths: Vec<Vec<f64>> = images
        .iter()
        .filter_map(|i| {
            let depth = |p: &measure::Part| apparent_depth(mechanism, p.width, i.log_contrast);
            i.parts.iter().map(depth).collect::<Option<Vec<f64>>>()
        })
        .collect();
    let counts: Vec<usize> = images.iter().map(|i| i.parts.len()).collect();
    let defects: usize = counts.iter().sum();
    let at_edge = images.iter().flat_map(|i| &i.parts).filter(|p| p.at_edge).count();
    let contrasts: Vec<Vec<f64>> = images.iter().map(|i| vec![i.log_contrast]).collect();
    Ok(Calibration {
        mechanism,
        images: images.len(),
        defects,
        size: Prior::estimate(Scale::Log, &each(|p| p.size), RESOLUTION.0),
        width: Prior::estimate(Scale::Log, &each(|p| p.width), RESOLUTION.0),
        log_contrast: Prior::estimate(Scale::Linear, &contrasts, RESOLUTION.1),
        depth: (depths.len() >= LEAST_IMAGES).then(|| Prior::estimate(Scale::Log, &depths, RESOLUTION.0)),
        count: CountPrior::estimate(&counts),
        edge_share: at_edge as f64 / defects.max(1) as f64,
        courses: if mechanism == MechanismKind::FractureLine {
            images.iter().flat_map(|i| &i.parts).filter(|p| p.size > 3.0 * p.width).map(|p| p.course).collect()
        } else {
            Vec::new()
        },
    })
}

/// Depth in px at which a cavity `width` px wide is darker than its surround by `log_contrast` (negative) on average,
/// under an overcast sky and without light between its walls; `None` for a defect that is not darker.
///
/// The mean share of sky over a cavity's walls is its opening over its walls' area (reciprocity of view factors): a
/// V-groove has R = w / (2 sqrt(d^2 + w^2/4)), a spherical cap R = 1 / (1 + 4 d^2/w^2). Dirt or oxide makes a defect
/// darker than that, so this is an upper bound of the true depth.
#[must_use]
pub fn apparent_depth(mechanism: MechanismKind, width: f64, log_contrast: f64) -> Option<f64> {
    let seen = log_contrast.exp();
    if !(seen > 0.0 && seen < 1.0 && width > 0.0) {
        return None;
    }
    let ratio = match mechanism {
        MechanismKind::FractureLine => 0.5 * (1.0 / (seen * seen) - 1.0).sqrt(),
        _ => 0.5 * (1.0 / seen - 1.0).sqrt(),
    };
    Some(ratio * width)
}

impl Calibration {
    /// Depth over width at the medians; the mechanisms' own default 3 or 0.25 where no depth is known.
    #[must_use]
    pub fn aspect(&self) -> f64 {
        let default = if self.mechanism == MechanismKind::FractureLine { 3.0 } else { 0.25 };
        self.depth.map_or(default, |d| d.median() / self.width.median())
    }

    /// Creates a synthesizer of cracks that follow the priors.
    ///
    /// # Errors
    /// [`Error::WrongMechanism`] unless fitted as [`MechanismKind::FractureLine`]; [`Error::Parameter`] from the
    /// appearance.
    pub fn fracture_line(&self, appearance: Appearance) -> Result<Calibrated, Error> {
        self.build::<FractureLine>(MechanismKind::FractureLine, appearance)
    }

    /// Creates a synthesizer of pits that follow the priors.
    ///
    /// # Errors
    /// [`Error::WrongMechanism`] unless fitted as [`MechanismKind::PittingLoss`]; [`Error::Parameter`] from the
    /// appearance.
    pub fn pitting_loss(&self, appearance: Appearance) -> Result<Calibrated, Error> {
        self.build::<PittingLoss>(MechanismKind::PittingLoss, appearance)
    }

    /// Creates a synthesizer of dents of the priors' size, one an image. A bend is lighter on one side and darker on
    /// the other; its contrast stays the light's.
    ///
    /// # Errors
    /// [`Error::WrongMechanism`] unless fitted as [`MechanismKind::PlasticWarpage`]; [`Error::Parameter`] from the
    /// appearance.
    pub fn plastic_warpage(&self, appearance: Appearance) -> Result<Calibrated, Error> {
        self.build::<PlasticWarpage>(MechanismKind::PlasticWarpage, appearance)
    }

    /// Creates a synthesizer of the mechanism that was fitted, following the priors.
    ///
    /// # Errors
    /// [`Error::Parameter`] from the appearance.
    pub fn synthesizer(&self, appearance: Appearance) -> Result<Box<dyn Synthesizer>, Error> {
        Registry::standard().calibrated(self, appearance)
    }

    fn build<M: Calibrate>(&self, wanted: MechanismKind, appearance: Appearance) -> Result<Calibrated, Error> {
        if self.mechanism != wanted {
            return Err(Error::WrongMechanism { wanted, found: self.mechanism });
        }
        Calibrated::new::<M>(self, appearance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apparent_depth_is_the_view_factor_of_the_walls() {
        // V-groove 8 px wide, 3 px deep: walls of 5 px, R = 8 / 10. Cap of 10 px, 5 px deep (half a sphere): R = 1/2.
        let groove = apparent_depth(MechanismKind::FractureLine, 8.0, 0.8f64.ln()).unwrap();
        let bowl = apparent_depth(MechanismKind::PittingLoss, 10.0, 0.5f64.ln()).unwrap();
        assert!((groove - 3.0).abs() < 1e-9 && (bowl - 5.0).abs() < 1e-9, "{groove} {bowl}");
        assert_eq!(apparent_depth(MechanismKind::PittingLoss, 10.0, 0.1), None);
    }
}
