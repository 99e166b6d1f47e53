//! Named evaluation protocols, as data: one run can be scored under several.
//!
//! Papers differ in how they resize, crop and smooth, and in how the ground truth follows; that alone moves figures by
//! more than methods differ. A figure is worth little without the name of its protocol.

use imgkit::Size;
use imgkit::components::label_components;
use imgkit::resize::{Kernel, ResizeError, resize_map};
use ndarray::{Array2, ArrayView2, Axis, Slice};

use crate::metrics::{MetricError, Reducer};
use crate::smoothing::Smoothing;

/// Rule for the size that an image is resized to before the crop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResizeRule {
    /// As it is.
    Original,
    /// The shorter side has this length, and the longer one follows, rounded down.
    ShortSide(usize),
    /// A square of this side, whatever the image's shape.
    Square(usize),
}

/// Rule by which the ground truth is brought to the size of the evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TruthRule {
    /// It stays at its own size.
    Original,
    /// PIL's bilinear kernel on 8 bits, then truncation: only pixels that are wholly white count.
    BilinearTruncated,
    /// PIL's bilinear kernel on 8 bits, then every pixel that is not black counts.
    BilinearAny,
    /// OpenCV's linear interpolation on 8 bits, then truncation.
    CvLinearTruncated,
    /// The nearest pixel: `floor((i + 1/2) * scale)`, as PIL does.
    Nearest,
}

/// Evaluation protocol: how images, maps and ground truth are resized, cropped and smoothed.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Protocol {
    /// Name to report.
    pub name: &'static str,
    /// Size before the crop.
    pub resize: ResizeRule,
    /// Side of the square cut from the center.
    pub crop: Option<usize>,
    /// Smoothing of score maps, at the evaluation's size.
    pub smoothing: Smoothing,
    /// Side of the square maps that are evaluated; `None` for the ground truth's own size.
    pub evaluation: Option<usize>,
    /// The ground truth's rule.
    pub truth: TruthRule,
    /// How a map becomes an image's score.
    pub reducer: Reducer,
}

const SCIPY_4: Smoothing = Smoothing::ScipyGaussian { sigma: 4.0 };

/// All named protocols; the default, `native`, comes first.
pub const PROTOCOLS: [Protocol; 7] = [
    Protocol {
        name: "native",
        resize: ResizeRule::Original,
        crop: None,
        smoothing: Smoothing::None,
        evaluation: None,
        truth: TruthRule::Original,
        reducer: Reducer::Max,
    },
    Protocol {
        name: "patchcore-224",
        resize: ResizeRule::ShortSide(256),
        crop: Some(224),
        smoothing: SCIPY_4,
        evaluation: Some(224),
        truth: TruthRule::BilinearTruncated,
        reducer: Reducer::Max,
    },
    Protocol {
        name: "glass-288",
        resize: ResizeRule::Square(288),
        crop: None,
        smoothing: SCIPY_4,
        evaluation: Some(288),
        truth: TruthRule::BilinearTruncated,
        reducer: Reducer::Max,
    },
    Protocol {
        name: "glass-288-visa",
        resize: ResizeRule::Square(288),
        crop: None,
        smoothing: SCIPY_4,
        evaluation: Some(288),
        truth: TruthRule::BilinearAny,
        reducer: Reducer::Max,
    },
    Protocol {
        name: "dinomaly-392",
        resize: ResizeRule::Square(448),
        crop: Some(392),
        smoothing: Smoothing::ZeroPadded { sigma: 4.0, side: 5 },
        evaluation: Some(256),
        truth: TruthRule::BilinearAny,
        reducer: Reducer::MeanTopFraction(0.01),
    },
    Protocol {
        name: "draem-256",
        resize: ResizeRule::Square(256),
        crop: None,
        smoothing: Smoothing::None,
        evaluation: Some(256),
        truth: TruthRule::CvLinearTruncated,
        reducer: Reducer::MaxOfAvgPool(21),
    },
    Protocol {
        name: "resize-256",
        resize: ResizeRule::Square(256),
        crop: None,
        smoothing: SCIPY_4,
        evaluation: Some(256),
        truth: TruthRule::Nearest,
        reducer: Reducer::Max,
    },
];

impl Protocol {
    /// Finds a protocol by its name.
    ///
    /// ```
    /// use adbench::protocol::Protocol;
    /// assert_eq!(Protocol::named("patchcore-224").and_then(|p| p.crop), Some(224));
    /// assert_eq!(Protocol::named("mine"), None);
    /// ```
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        PROTOCOLS.into_iter().find(|p| p.name == name)
    }

    /// Size of an image after resizing and before the crop.
    #[must_use]
    pub fn resized(&self, size: impl Into<Size>) -> Size {
        let Size { height, width } = size.into();
        let of = |height, width| Size { height, width };
        match self.resize {
            ResizeRule::Original => of(height, width),
            ResizeRule::Square(side) => of(side, side),
            ResizeRule::ShortSide(side) if height <= width => of(side, side.saturating_mul(width) / height.max(1)),
            ResizeRule::ShortSide(side) => of(side.saturating_mul(height) / width.max(1), side),
        }
    }

    /// Brings a ground-truth mask from the size of the image to that of the evaluation.
    ///
    /// # Errors
    /// [`MetricError::Resize`] when the mask is empty or a side of the protocol is 0 or above 16 384.
    pub fn truth(&self, mask: ArrayView2<'_, bool>) -> Result<Array2<bool>, MetricError> {
        let to = self.resized(mask.dim());
        check_side(mask.dim().into(), to)?;
        check_side(to, self.evaluation.map_or(to, |side| (side, side).into()))?;
        let to = to.into();
        let levels = mask.mapv(|m| if m { 255_u8 } else { 0 });
        let resized = match self.truth {
            TruthRule::Original => return Ok(mask.to_owned()),
            TruthRule::BilinearTruncated => bilinear(&levels, to)?.mapv(|v| v == 255),
            TruthRule::BilinearAny => bilinear(&levels, to)?.mapv(|v| v > 0),
            TruthRule::CvLinearTruncated => cv_linear(&levels, to)?.mapv(|v| v == 255),
            TruthRule::Nearest => nearest(mask, to)?,
        };
        let cropped = self.cropped(resized.view());
        match self.evaluation {
            Some(side) if cropped.dim() != (side, side) => Ok(nearest(cropped, (side, side))?),
            _ => Ok(cropped.to_owned()),
        }
    }

    /// Brings a score map to the size of the evaluation: resized with [`Kernel::Bilinear`], then smoothed. `map` covers
    /// the image after the crop, at any size; `original` is the size of the ground truth, which `native` resizes to.
    ///
    /// # Errors
    /// [`MetricError::Resize`] when a side is 0 or above 16 384; [`MetricError::Parameter`] as [`Smoothing::check`].
    pub fn map(&self, map: ArrayView2<'_, f32>, original: impl Into<Size>) -> Result<Array2<f32>, MetricError> {
        let to = self.evaluation.map_or_else(|| original.into(), |side| (side, side).into());
        check_side(map.dim().into(), to)?;
        Ok(self.smoothing.apply(resize_map(map, to.into(), Kernel::Bilinear)?.view())?)
    }

    /// Counts the defects (8-connected regions of a mask at the image's size) that the crop removes entirely.
    #[must_use]
    pub fn cropped_away(&self, mask: ArrayView2<'_, bool>) -> usize {
        let components = label_components(mask);
        let (height, width) = mask.dim();
        let Size { height: to_height, width: to_width } = self.resized(mask.dim());
        let is_kept = |i: usize, from: usize, to: usize| {
            let at = (i as f64 + 0.5) * to as f64 / from as f64;
            let (start, length) = self.span(to);
            at >= start as f64 && at < (start + length) as f64
        };
        let mut kept = vec![false; components.sizes.len()];
        for ((y, x), &label) in components.labels.indexed_iter() {
            if label > 0 && is_kept(y, height, to_height) && is_kept(x, width, to_width) {
                kept[label as usize - 1] = true;
            }
        }
        kept.iter().filter(|k| !**k).count()
    }

    /// Start and length of the crop along a side of this length.
    fn span(&self, side: usize) -> (usize, usize) {
        match self.crop {
            // Python's round: a half goes to the even side.
            Some(crop) if crop < side => (((side - crop) as f64 / 2.0).round_ties_even() as usize, crop),
            _ => (0, side),
        }
    }

    fn cropped<'a, T>(&self, mut image: ArrayView2<'a, T>) -> ArrayView2<'a, T> {
        for axis in [Axis(0), Axis(1)] {
            let (start, length) = self.span(image.len_of(axis));
            image.slice_axis_inplace(axis, Slice::from(start..start + length));
        }
        image
    }
}

/// Largest side that a protocol resizes to.
const MAX_SIDE: usize = 1 << 14;

fn check_side(from: Size, to: Size) -> Result<(), ResizeError> {
    if to.height.max(to.width) > MAX_SIDE { Err(ResizeError::Size { from, to }) } else { Ok(()) }
}

/// PIL's bilinear resizing of 8-bit pixels, in its fixed point: rows first, rounded to 8 bits between the directions.
/// That is Pillow 11.3; Pillow 13.0 takes columns first on some tall images, which moves single pixels at the borders
/// of defects.
fn bilinear(levels: &Array2<u8>, to: (usize, usize)) -> Result<Array2<u8>, ResizeError> {
    let from = levels.dim();
    if [from.0, from.1, to.0, to.1].contains(&0) {
        return Err(ResizeError::Size { from: from.into(), to: to.into() });
    }
    let (down, across) = (pil_taps(from.0, to.0), pil_taps(from.1, to.1));
    let blend = |taps: &PilTaps, at: &dyn Fn(usize) -> u8| {
        let sum: i64 = taps.weights.iter().enumerate().map(|(i, w)| w * i64::from(at(taps.first + i))).sum();
        ((sum + (1 << (PIL_BITS - 1))) >> PIL_BITS).clamp(0, 255) as u8
    };
    let rows = Array2::from_shape_fn((from.0, to.1), |(y, x)| blend(&across[x], &|i| levels[(y, i)]));
    Ok(Array2::from_shape_fn(to, |(y, x)| blend(&down[y], &|i| rows[(i, x)])))
}

/// Bits behind the point of PIL's weights for 8-bit pixels.
const PIL_BITS: u32 = 22;

/// The input pixels that one output pixel is made of.
struct PilTaps {
    first: usize,
    weights: Vec<i64>,
}

fn pil_taps(from: usize, to: usize) -> Vec<PilTaps> {
    let scale = from as f64 / to as f64;
    let support = scale.max(1.0);
    let one = |i: usize| {
        let center = (i as f64 + 0.5) * scale;
        let first = (center - support + 0.5).max(0.0) as usize;
        let end = ((center + support + 0.5) as usize).min(from);
        let raw = (first..end).map(|j| (1.0 - ((j as f64 - center + 0.5) * (1.0 / support)).abs()).max(0.0));
        let raw: Vec<f64> = raw.collect();
        let sum: f64 = raw.iter().sum();
        let weights = raw.iter().map(|w| (w / sum * f64::from(1_u32 << PIL_BITS) + 0.5) as i64).collect();
        PilTaps { first, weights }
    };
    if from == to {
        (0..to).map(|first| PilTaps { first, weights: vec![1 << PIL_BITS] }).collect()
    } else {
        (0..to).map(one).collect()
    }
}

/// OpenCV's linear resizing of 8-bit pixels: four pixels around each center, without antialiasing, in its fixed point
/// (weights of 11 bits, 4 of them dropped between the two directions).
fn cv_linear(levels: &Array2<u8>, to: (usize, usize)) -> Result<Array2<u8>, ResizeError> {
    let from = levels.dim();
    if [from.0, from.1, to.0, to.1].contains(&0) {
        return Err(ResizeError::Size { from: from.into(), to: to.into() });
    }
    let taps = |i: usize, from: usize, to: usize| {
        let at = (((i as f64 + 0.5) * (from as f64 / to as f64) - 0.5) as f32).clamp(0.0, (from - 1) as f32);
        let (low, part) = (at.floor() as usize, at - at.floor());
        let weight = |w: f32| (w * 2048.0).round_ties_even() as i32;
        (low, (low + 1).min(from - 1), weight(1.0 - part), weight(part))
    };
    Ok(Array2::from_shape_fn(to, |(y, x)| {
        let ((top, bottom, v0, v1), (left, right, h0, h1)) = (taps(y, from.0, to.0), taps(x, from.1, to.1));
        let row = |y: usize| (i32::from(levels[(y, left)]) * h0 + i32::from(levels[(y, right)]) * h1) >> 4;
        let sum = ((v0 * row(top)) >> 16) + ((v1 * row(bottom)) >> 16);
        ((sum + 2) >> 2).clamp(0, 255) as u8
    }))
}

fn nearest(mask: ArrayView2<'_, bool>, to: (usize, usize)) -> Result<Array2<bool>, ResizeError> {
    let from = mask.dim();
    if [from.0, from.1, to.0, to.1].contains(&0) {
        return Err(ResizeError::Size { from: from.into(), to: to.into() });
    }
    let at = |i: usize, from: usize, to: usize| (((2 * i + 1) * from) / (2 * to)).min(from - 1);
    Ok(Array2::from_shape_fn(to, |(y, x)| mask[(at(y, from.0, to.0), at(x, from.1, to.1))]))
}
