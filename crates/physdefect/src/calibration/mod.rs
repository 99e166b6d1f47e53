//! Priors from a handful of real defects: 3 to 20 photos with masks set size, width, visibility, place and number.
//!
//! No training: [`fit`] measures the masks (connected parts, Zhang-Suen skeletons, exact distance transform) and the
//! contrast of what is marked against its surround in just noticeable contrasts, and states each prior with a 95 %
//! interval. [`Calibration::synthesizer`] turns them into a synthesizer whose masks and visibility follow the priors:
//! each defect is solved for the size that the same measurement would find. Lengths are relative to the object's scale.
//! [`identify`] says which mechanism the marked defects look like, and whether any.
//!
//! ```
//! use ndarray::{Array2, Array3};
//! use physdefect::appearance::Appearance;
//! use physdefect::calibration::{self, Marked};
//! use physdefect::{Domain, MechanismKind, SampleKey, Synthesizer};
//!
//! // Three images with a dark scratch each, and their masks.
//! let masks: Vec<Array2<bool>> = [30, 40, 50]
//!     .map(|n| Array2::from_shape_fn((96, 96), |(y, x)| (40..43).contains(&y) && (20..20 + n).contains(&x)))
//!     .to_vec();
//! let images: Vec<Array3<f32>> = masks
//!     .iter()
//!     .map(|m| Array3::from_shape_fn((96, 96, 1), |(y, x, _)| if m[[y, x]] { 0.3 } else { 0.6 }))
//!     .collect();
//! let samples: Vec<_> = images.iter().zip(&masks).map(|(i, m)| Marked::new(i.view(), m.view())).collect();
//! let calibration = calibration::fit(MechanismKind::FractureLine, &samples)?;
//! assert!((calibration.size.median() * calibration.object_scale - 39.0).abs() < 2.0);
//! assert_eq!(calibration.darker.value, 1.0);
//!
//! let crack = calibration.fracture_line(Appearance::default())?;
//! let photo = Array3::from_elem((128, 128, 1), 0.6f32);
//! let sample = crack.synthesize(photo.view(), &Domain::full(128, 128)?, SampleKey { seed: 1, index: 0 })?;
//! assert!(sample.record.measures["target_size_px"] > 20.0);
//! # Ok::<(), physdefect::Error>(())
//! ```
//!
//! What it cannot know: the width is that of the *masks*, loose masks make wide cracks ([`Caution::LooseMasks`]); the
//! depth is the one that a defect of the same reflectance would need under an overcast sky to be as dark
//! ([`apparent_depth`]); branches are not measured, and color is measured but not drawn.

mod fit;
mod identify;
mod measure;
mod priors;
mod reference;
mod shape;
mod skeleton;
mod solve;
mod statistics;
mod synthesizer;
mod target;

pub use fit::{apparent_depth, fit};
pub use identify::{DESCRIPTOR_NAMES, Identification, Ranking, Score, identify};
pub use measure::Marked;
pub use priors::{Calibration, Caution};
pub use shape::Course;
pub use statistics::{CountPrior, Prior, Scale, Share};
pub use synthesizer::Calibrated;
#[cfg(feature = "serde")]
pub use synthesizer::CalibratedConfig;
pub use target::{Calibrate, Target};
