//! Measures of the seam between a composite's inserted part and its surround.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, ArrayView3};
use thiserror::Error;

use crate::wavelet::{decompose, slots};
use crate::{ParameterError, Rect, Size, boxes, distance, ensure, first_non_finite, robust};

/// Failure to measure a composite.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SeamError {
    /// The mask has not the image's size.
    #[error("the mask is {found}, but the image is {expected} (height x width): pass the mask of this image")]
    Shape {
        /// The image's size.
        expected: Size,
        /// The mask's size.
        found: Size,
    },
    /// The image holds a NaN or an infinity in or near the mask.
    #[error("the image is not finite at row {row}, column {column}: clean it first")]
    NotFinite {
        /// Row.
        row: usize,
        /// Column.
        column: usize,
    },
    /// A parameter is out of range.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
}

fn check_shape(image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>) -> Result<(), SeamError> {
    let (h, w, _) = image.dim();
    if mask.dim() == (h, w) {
        Ok(())
    } else {
        Err(SeamError::Shape { expected: (h, w).into(), found: mask.dim().into() })
    }
}

/// Refuses NaN and infinities in a box of the image.
fn check_finite(rect: Rect, image: ArrayView3<'_, f32>) -> Result<(), SeamError> {
    match first_non_finite(rect.crop(image)) {
        Some((y, x, _)) => Err(SeamError::NotFinite { row: rect.top + y, column: rect.left + x }),
        None => Ok(()),
    }
}

/// Pixels around a box that count as its surround.
const SURROUND: usize = 8;

/// A quarter of an 8-bit gray level: jumps and scales below it are nothing.
const FLOOR: f32 = 1e-3;

/// Sums of jumps of the normal derivative.
#[derive(Debug, Clone, Copy, Default)]
struct SeamSums {
    /// Over faces that cross the mask's edge.
    edge: f64,
    edges: usize,
    /// Over faces away from the mask.
    surround: f64,
    surrounds: usize,
}

/// Jump of the derivative over four pixels in a row, `|(c - b) - ((b - a) + (d - c)) / 2|`.
#[inline(always)]
fn jump([a, b, c, d]: [f32; 4]) -> f32 {
    (1.5 * (c - b) - 0.5 * (d - a)).abs()
}

/// Every face between two pixels that has a pixel more on both sides: the index of its first pixel, counted row by row,
/// and the step from pixel to pixel.
fn faces((h, w): (usize, usize)) -> impl Iterator<Item = (usize, usize)> {
    let beside = (0..h).flat_map(move |y| (1..w.saturating_sub(2)).map(move |x| (y * w + x, 1)));
    let below = (1..h.saturating_sub(2)).flat_map(move |y| (0..w).map(move |x| (y * w + x, w)));
    beside.chain(below)
}

/// Jumps at every face that crosses the mask's edge and at every face away from it.
fn seam_sums(image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>) -> SeamSums {
    let (h, w, channels) = image.dim();
    let (image, mask) = (image.as_standard_layout(), mask.as_standard_layout());
    let mut sums = SeamSums::default();
    let (Some(values), Some(mask)) = (image.as_slice(), mask.as_slice()) else { return sums };
    let at = |i: usize| &values[i * channels..][..channels];
    for (i, step) in faces((h, w)) {
        let crosses = mask[i] != mask[i + step];
        if !crosses && (mask[i - step] || mask[i] || mask[i + step] || mask[i + 2 * step]) {
            continue;
        }
        let (a, b, c, d) = (at(i - step), at(i), at(i + step), at(i + 2 * step));
        let jumps = (0..channels).map(|k| jump([a[k], b[k], c[k], d[k]])).sum::<f32>();
        if crosses {
            sums.edge += f64::from(jumps);
            sums.edges += channels;
        } else {
            sums.surround += f64::from(jumps);
            sums.surrounds += channels;
        }
    }
    sums
}

/// Faces between pixels that cross a mask's edge, found once to measure many images.
#[derive(Debug, Clone)]
pub struct SeamFaces {
    faces: Vec<(usize, usize)>,
    pixels: usize,
}

impl SeamFaces {
    /// Finds the faces of `mask` `(H, W)`.
    #[must_use]
    pub fn new(mask: ArrayView2<'_, bool>) -> Self {
        let (h, w) = mask.dim();
        let mask = mask.as_standard_layout();
        let marks = mask.as_slice().unwrap_or_default();
        let crosses = |&(i, step): &(usize, usize)| marks[i] != marks[i + step];
        SeamFaces { faces: faces((h, w)).filter(crosses).collect(), pixels: h * w }
    }

    /// Sums the jumps of all channels, as [`seam_index`] defines them; `planes` holds one channel after another, each
    /// as large as the mask. What is left of a channel is not looked at.
    #[must_use]
    pub fn jumps(&self, planes: &[f32]) -> f64 {
        let mut sum = 0.0;
        for &(i, step) in &self.faces {
            let mut jumps = 0.0;
            for plane in planes.chunks_exact(self.pixels.max(1)) {
                jumps += jump([plane[i - step], plane[i], plane[i + step], plane[i + 2 * step]]);
            }
            sum += f64::from(jumps);
        }
        sum
    }
}

/// Seam index: the mean jump of the normal derivative across the mask's edge, over the same mean in the surround.
///
/// With four pixels `a b | c d` across a face the jump is `|(c - b) - ((b - a) + (d - c)) / 2|`, averaged over faces
/// and channels. 1 means the edge cannot be distinguished from the surround, which is what lies within 8 pixels of the
/// mask's bounding boxes; the surround's mean counts as at least 0.001. 0 if no face crosses the mask's edge.
///
/// `image` is (H, W, C), `mask` (H, W).
///
/// # Errors
/// [`SeamError::Shape`] on mismatched shapes, [`SeamError::NotFinite`] if the image holds a NaN or an infinity near the
/// mask.
///
/// ```
/// use ndarray::{Array2, Array3};
/// let mask = Array2::from_shape_fn((20, 20), |(y, x)| (6..14).contains(&y) && (6..14).contains(&x));
/// let flat = Array3::from_elem((20, 20, 1), 0.5f32);
/// assert_eq!(imgkit::seam::seam_index(flat.view(), mask.view())?, 0.0);
/// let pasted = Array3::from_shape_fn((20, 20, 1), |(y, x, _)| if mask[(y, x)] { 0.2 } else { 0.5 });
/// assert!((imgkit::seam::seam_index(pasted.view(), mask.view())? - 300.0).abs() < 0.1); // 0.3 / 0.001
/// # Ok::<(), imgkit::seam::SeamError>(())
/// ```
pub fn seam_index(image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>) -> Result<f32, SeamError> {
    check_shape(image, mask)?;
    let mut total = SeamSums::default();
    for rect in boxes::separate(mask) {
        let rect = rect.grow(SURROUND, mask.dim());
        check_finite(rect, image)?;
        let sums = seam_sums(rect.crop(image), rect.crop(mask));
        total.edge += sums.edge;
        total.edges += sums.edges;
        total.surround += sums.surround;
        total.surrounds += sums.surrounds;
    }
    let mean = |sum: f64, n: usize| if n > 0 { (sum / n as f64) as f32 } else { 0.0 };
    Ok(mean(total.edge, total.edges) / mean(total.surround, total.surrounds).max(FLOOR))
}

/// Ranges of values that follow each other and are equal to `value`.
fn runs(marks: &[bool], value: bool) -> Vec<Range<usize>> {
    let ends = marks.chunk_by(|a, b| a == b).scan(0, |end, run| {
        let start = *end;
        *end += run.len();
        Some((run[0], start..*end))
    });
    ends.filter(|(mark, _)| *mark == value).map(|(_, run)| run).collect()
}

/// Energy of each wavelet band in the mask over that around it, per channel: (bands, C).
///
/// The energy of a band is the square of its robust scale (1.4826 times the median of `|w|`, see
/// [`Atrous`](crate::wavelet::Atrous)), so a few edges count for little; both scales count as at least 0.001. Around
/// means within `4 * 2^bands` pixels of the mask's bounding boxes and so far from the mask that the band does not look
/// into it; where no such pixel exists, and with an empty mask, the ratio is 1.
///
/// `image` is (H, W, C), `mask` (H, W), `bands` 1 to 6.
///
/// # Errors
/// [`SeamError::Shape`] on mismatched shapes, [`SeamError::Parameter`] if `bands` is out of range,
/// [`SeamError::NotFinite`] if the image holds a NaN or an infinity near the mask.
///
/// ```
/// use ndarray::{Array2, Array3};
/// let mask = Array2::from_shape_fn((64, 64), |(y, x)| (20..44).contains(&y) && (20..44).contains(&x));
/// let grain = |y: usize, x: usize| ((y * y * 31 + x * x * 17 + y * x) % 13) as f32 / 13.0 - 0.5;
/// let smooth_patch = Array3::from_shape_fn((64, 64, 1), |(y, x, _)| {
///     0.5 + grain(y, x) * if mask[(y, x)] { 0.05 } else { 0.1 }
/// });
/// let ratio = imgkit::seam::band_energy_ratio(smooth_patch.view(), mask.view(), 2)?;
/// assert!((ratio[(0, 0)] - 0.25).abs() < 0.08);
/// # Ok::<(), imgkit::seam::SeamError>(())
/// ```
pub fn band_energy_ratio(
    image: ArrayView3<'_, f32>,
    mask: ArrayView2<'_, bool>,
    bands: usize,
) -> Result<Array2<f32>, SeamError> {
    check_shape(image, mask)?;
    ensure((1..=6).contains(&bands), "band_energy_ratio", "bands", bands, "1 to 6")?;
    let channels = image.dim().2;
    let mut inside = vec![Vec::new(); bands * channels];
    let mut around = vec![Vec::new(); bands * channels];
    let (mut planes, mut row) = (Vec::new(), Vec::new());
    for rect in boxes::separate(mask) {
        let rect = rect.grow(4 << bands, mask.dim());
        check_finite(rect, image)?;
        let (h, w) = (rect.height(), rect.width());
        let (mask, image) = (rect.cut(mask), rect.cut(image));
        let marked = runs(mask.as_slice().unwrap_or_default(), true);
        let mut away = mask.clone();
        away.mapv_inplace(|m| !m);
        let beyond = |j: usize| {
            let reach = (2u64 << (j + 1)) - 2;
            let near = distance::near_background(away.view(), reach * reach);
            runs(near.as_slice().unwrap_or_default(), false)
        };
        let beyond: Vec<Vec<Range<usize>>> = (0..bands).map(beyond).collect();
        let pixels = image.as_slice().unwrap_or_default();
        planes.resize(slots(h * w, bands), 0.0);
        for k in 0..channels {
            planes.iter_mut().zip(pixels.chunks_exact(channels)).for_each(|(v, pixel)| *v = pixel[k]);
            decompose(&mut planes, (h, w), bands, Rect::whole((h, w)), &mut row)?;
            for (j, (band, beyond)) in planes.chunks_exact(h * w).zip(&beyond).enumerate() {
                let slot = j * channels + k;
                marked.iter().for_each(|run| inside[slot].extend_from_slice(&band[run.clone()]));
                beyond.iter().for_each(|run| around[slot].extend_from_slice(&band[run.clone()]));
            }
        }
    }
    Ok(Array2::from_shape_fn((bands, channels), |(j, k)| {
        let (a, b) = (&inside[j * channels + k], &around[j * channels + k]);
        if a.is_empty() || b.is_empty() {
            return 1.0;
        }
        let scale = |v: &[f32]| robust::scale(v).max(FLOOR);
        (scale(a) / scale(b)).powi(2)
    }))
}
