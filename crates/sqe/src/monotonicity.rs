//! Monotonicity of the quality: whether it falls as a known fault, never seen in training, grows stronger.

use frozen_backbone::Backbone;
use imgkit::distance::to_background;
use imgkit::ensure;
use imgkit::gaussian::{Border, gaussian_filter};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3};

use crate::error::Error;
use crate::features::QualityFeatures;
use crate::network::Sqe;
use crate::ranking::spearman;

/// Blur at full strength: standard deviation, px.
const BLUR: f64 = 3.0;
/// Change of red, and the opposite of blue, at full strength.
const TINT: f64 = 0.15;
/// Change of the rim at full strength, and the rim's width, px.
const RIM: (f64, f32) = (0.3, 2.0);

/// Synthetic fault of known strength, applied to a composite. The warm start teaches none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Degradation {
    /// Blur of the defect alone: a Gaussian of up to 3 px inside the mask.
    BlurMismatch,
    /// White balance of the defect alone: red up and blue down by up to 0.15 (gray images: brighter) inside the mask.
    ColorShift,
    /// Visible outline: the 2 px inside the edge of the mask darker, or on dark photos brighter, by up to 0.3.
    SeamStrength,
}

impl Degradation {
    /// All degradations.
    pub const ALL: [Self; 3] = [Self::BlurMismatch, Self::ColorShift, Self::SeamStrength];

    /// Name for tables and plots.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BlurMismatch => "blur mismatch",
            Self::ColorShift => "color shift",
            Self::SeamStrength => "seam strength",
        }
    }

    /// Applies the fault to `image` `(H, W, C)`, f32 in \[0, 1\], inside `mask` `(H, W)`; outside it nothing changes.
    ///
    /// `strength` is in \[0, 1\]: 0 is no fault, 1 the full one.
    ///
    /// # Errors
    /// [`Error::Shape`]; [`Error::Parameter`] for a strength outside \[0, 1\].
    pub fn apply(
        self,
        image: ArrayView3<'_, f32>,
        mask: ArrayView2<'_, bool>,
        strength: f64,
    ) -> Result<Array3<f32>, Error> {
        let (h, w, c) = image.dim();
        if mask.dim() != (h, w) {
            return Err(Error::Shape { what: "the mask", expected: (h, w).into(), found: mask.dim().into() });
        }
        ensure((0.0..=1.0).contains(&strength), "Degradation", "strength", strength, "in [0, 1]")?;
        let mut out = image.to_owned();
        match self {
            Self::BlurMismatch => {
                let deviation = BLUR * strength;
                let radius = (3.0 * deviation).ceil() as usize;
                let soft = gaussian_filter(image, deviation, radius, Border::Mirrored);
                change(&mut out, mask, |at, v| *v = soft[at]);
            }
            Self::ColorShift => {
                let tint = (TINT * strength) as f32;
                let shift = if c >= 3 { [tint, 0.0, -tint] } else { [tint; 3] };
                change(&mut out, mask, |at, v| *v += shift[at.2.min(2)]);
            }
            Self::SeamStrength => {
                let mean = image.mean().unwrap_or(0.0);
                let step = RIM.0 * strength * if mean > 0.5 { -1.0 } else { 1.0 };
                let inside = to_background(mask);
                let rim = Array2::from_shape_fn((h, w), |at| mask[at] && inside[at] <= RIM.1);
                change(&mut out, rim.view(), |_, v| *v += step as f32);
            }
        }
        Ok(out)
    }
}

/// Changes the marked pixels and clamps them to [0, 1].
fn change(image: &mut Array3<f32>, mask: ArrayView2<'_, bool>, f: impl Fn((usize, usize, usize), &mut f32)) {
    for ((y, x, c), v) in image.indexed_iter_mut() {
        if mask[[y, x]] {
            f((y, x, c), v);
            *v = v.clamp(0.0, 1.0);
        }
    }
}

/// Quality as a function of the strength of one degradation.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MonotonicityReport {
    /// The fault that was applied.
    pub degradation: Degradation,
    /// Pairs of strength and mean quality over the samples.
    pub levels: Vec<(f64, f64)>,
    /// Spearman correlation of quality with strength within a sample, mean over the samples: -1 if quality falls at
    /// every step, 0 if it is unrelated to the strength. A sample whose quality does not change at all counts 0.
    pub spearman: f64,
}

impl Sqe {
    /// Measures the quality of `samples` (image and mask) at `levels` strengths from 0 to 1 of every [`Degradation`].
    ///
    /// # Errors
    /// [`Error::Parameter`] unless there are 2 to 1000 levels and a sample, [`Error::OtherBackbone`], and whatever
    /// [`QualityFeatures::extract`] returns.
    pub fn measure_monotonicity(
        &self,
        backbone: &dyn Backbone,
        samples: &[(ArrayView3<'_, f32>, ArrayView2<'_, bool>)],
        levels: usize,
    ) -> Result<Vec<MonotonicityReport>, Error> {
        const WHAT: &str = "Sqe::measure_monotonicity";
        ensure((2..=1000).contains(&levels), WHAT, "levels", levels, "from 2 to 1000")?;
        ensure(!samples.is_empty(), WHAT, "samples", "empty", "at least 1 image with its mask")?;
        self.check_backbone(backbone)?;
        let strengths: Vec<f64> = (0..levels).map(|i| i as f64 / (levels - 1) as f64).collect();
        let one = |degradation: Degradation| {
            let mut sums = vec![0.0; levels];
            let mut correlation = 0.0;
            for &(image, mask) in samples {
                let features: Vec<QualityFeatures> = strengths
                    .iter()
                    .map(|&s| QualityFeatures::extract(backbone, degradation.apply(image, mask, s)?.view(), mask))
                    .collect::<Result<_, Error>>()?;
                let q = self.score(&features.iter().collect::<Vec<_>>())?;
                sums.iter_mut().zip(&q).for_each(|(s, q)| *s += q / samples.len() as f64);
                correlation += spearman(&q, &strengths).unwrap_or(0.0) / samples.len() as f64;
            }
            let levels = strengths.iter().copied().zip(sums).collect();
            Ok(MonotonicityReport { degradation, levels, spearman: correlation })
        };
        Degradation::ALL.into_iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photo() -> (Array3<f32>, Array2<bool>) {
        let image =
            Array3::from_shape_fn((40, 50, 3), |(y, x, c)| 0.1 + 0.005 * y as f32 + 0.006 * x as f32 + 0.1 * c as f32);
        (image, Array2::from_shape_fn((40, 50), |(y, x)| (12..28).contains(&y) && (15..35).contains(&x)))
    }

    #[test]
    fn each_changes_the_mask_alone_and_nothing_at_strength_0() {
        let (image, mask) = photo();
        for d in Degradation::ALL {
            assert_eq!(d.apply(image.view(), mask.view(), 0.0).unwrap(), image, "{}", d.name());
            let full = d.apply(image.view(), mask.view(), 1.0).unwrap();
            assert!(full.indexed_iter().all(|((y, x, c), v)| mask[[y, x]] || *v == image[[y, x, c]]));
        }
    }

    #[test]
    fn strengths_are_those_that_are_stated() {
        let (image, mask) = photo();
        let inside = (20, 25);
        let tinted = Degradation::ColorShift.apply(image.view(), mask.view(), 0.5).unwrap();
        for (c, shift) in [(0, 0.075), (1, 0.0), (2, -0.075)] {
            assert!((tinted[[inside.0, inside.1, c]] - image[[inside.0, inside.1, c]] - shift).abs() < 1e-6);
        }
        let outlined = Degradation::SeamStrength.apply(image.view(), mask.view(), 1.0).unwrap();
        let moved = |y: usize, x: usize| outlined[[y, x, 0]] - image[[y, x, 0]];
        assert!((moved(12, 25) - 0.3).abs() < 1e-6 && (moved(13, 25) - 0.3).abs() < 1e-6);
        assert_eq!(moved(14, 25), 0.0);
        // a symmetric kernel leaves a ramp, and takes a wave of angular frequency k down by exp(-k^2 s^2 / 2)
        let soft = Degradation::BlurMismatch.apply(image.view(), mask.view(), 1.0).unwrap();
        assert!((soft[[20, 25, 1]] - image[[20, 25, 1]]).abs() < 1e-5);
        let k = std::f32::consts::TAU / 20.0;
        let wave = Array3::from_shape_fn((40, 80, 1), |(_, x, _)| 0.5 + 0.4 * (k * x as f32).sin());
        let mask = Array2::from_elem((40, 80), true);
        let soft = Degradation::BlurMismatch.apply(wave.view(), mask.view(), 1.0).unwrap();
        let left = (soft[[20, 45, 0]] - 0.5) / (wave[[20, 45, 0]] - 0.5);
        assert!((left - (-0.5 * k * k * 9.0).exp()).abs() < 0.01, "{left}");
    }

    #[test]
    fn bad_strengths_and_masks_are_rejected() {
        let (image, mask) = photo();
        let d = Degradation::BlurMismatch;
        for strength in [-0.1, 1.1, f64::NAN] {
            assert!(matches!(d.apply(image.view(), mask.view(), strength), Err(Error::Parameter(_))));
        }
        assert!(matches!(d.apply(image.view(), mask.t(), 0.5), Err(Error::Shape { .. })));
    }
}
