//! Measures of how well a defect sits in its image.

use crate::error::{Error, check_shape};
use crate::fine::{Atrous, robust_scale};
use crate::refine::check_finite;
use crate::region::boxes;
use ndarray::{Array2, ArrayView2, ArrayView3, Axis};

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

/// The faces that cross a mask's edge.
#[derive(Debug)]
pub(crate) struct Edge {
    faces: Vec<(usize, usize)>,
    pixels: usize,
}

impl Edge {
    pub(crate) fn new(mask: ArrayView2<'_, bool>) -> Self {
        let (h, w) = mask.dim();
        let at = |i: usize| mask[(i / w, i % w)];
        let crosses = |&(i, step): &(usize, usize)| at(i) != at(i + step);
        Edge { faces: faces((h, w)).filter(crosses).collect(), pixels: h * w }
    }

    /// Sum of jumps of all channels; `planes` holds one channel after another.
    pub(crate) fn jumps(&self, planes: &[f32]) -> f64 {
        let mut sum = 0.0;
        for &(i, step) in &self.faces {
            let mut jumps = 0.0;
            for plane in planes.chunks_exact(self.pixels) {
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
/// and channels. 1 means the edge cannot be told from the surround, which is what lies within 8 pixels of the mask's
/// bounding boxes; the surround's mean counts as at least 0.001. 0 if no face crosses the mask's edge.
///
/// `image` is (H, W, C), `mask` (H, W).
///
/// # Errors
/// [`Error::Shape`] on mismatched shapes, [`Error::NonFinite`] if the image holds a NaN or an infinity near the mask.
///
/// ```
/// use ndarray::{Array2, Array3};
/// let mask = Array2::from_shape_fn((20, 20), |(y, x)| (6..14).contains(&y) && (6..14).contains(&x));
/// let flat = Array3::from_elem((20, 20, 1), 0.5f32);
/// assert_eq!(pde_refine::seam_index(flat.view(), mask.view())?, 0.0);
/// let pasted = Array3::from_shape_fn((20, 20, 1), |(y, x, _)| if mask[(y, x)] { 0.2 } else { 0.5 });
/// assert!((pde_refine::seam_index(pasted.view(), mask.view())? - 300.0).abs() < 0.1); // 0.3 / 0.001
/// # Ok::<(), pde_refine::Error>(())
/// ```
pub fn seam_index(image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>) -> Result<f32, Error> {
    check_shape("mask", &image.shape()[..2], mask.shape())?;
    let mut total = SeamSums::default();
    for rect in boxes(mask) {
        let rect = rect.grow(SURROUND, mask.dim());
        check_finite(rect, [("image", &image)])?;
        let sums = seam_sums(rect.crop(image), rect.crop(mask));
        total.edge += sums.edge;
        total.edges += sums.edges;
        total.surround += sums.surround;
        total.surrounds += sums.surrounds;
    }
    let mean = |sum: f64, n: usize| if n > 0 { (sum / n as f64) as f32 } else { 0.0 };
    Ok(mean(total.edge, total.edges) / mean(total.surround, total.surrounds).max(FLOOR))
}

/// Energy of each wavelet band in the mask over that around it, per channel: (bands, C).
///
/// The energy of a band is the square of its robust scale (1.4826 times the median of `|w|`, see [`crate::Atrous`]), so
/// a few edges count for little; both scales count as at least 0.001. Around means within `4 * 2^bands` pixels of the
/// mask's bounding boxes and so far from the mask that the band does not look into it; where no such pixel exists, and
/// with an empty mask, the ratio is 1.
///
/// `image` is (H, W, C), `mask` (H, W), `bands` 1 to 6.
///
/// # Errors
/// [`Error::Shape`] on mismatched shapes, [`Error::Parameter`] if `bands` is out of range, [`Error::NonFinite`] if the
/// image holds a NaN or an infinity near the mask.
///
/// ```
/// use ndarray::{Array2, Array3};
/// let mask = Array2::from_shape_fn((64, 64), |(y, x)| (20..44).contains(&y) && (20..44).contains(&x));
/// let grain = |y: usize, x: usize| ((y * y * 31 + x * x * 17 + y * x) % 13) as f32 / 13.0 - 0.5;
/// let smooth_patch = Array3::from_shape_fn((64, 64, 1), |(y, x, _)| {
///     0.5 + grain(y, x) * if mask[(y, x)] { 0.05 } else { 0.1 }
/// });
/// let ratio = pde_refine::band_energy_ratio(smooth_patch.view(), mask.view(), 2)?;
/// assert!((ratio[(0, 0)] - 0.25).abs() < 0.08);
/// # Ok::<(), pde_refine::Error>(())
/// ```
pub fn band_energy_ratio(
    image: ArrayView3<'_, f32>,
    mask: ArrayView2<'_, bool>,
    bands: usize,
) -> Result<Array2<f32>, Error> {
    check_shape("mask", &image.shape()[..2], mask.shape())?;
    imgkit::ensure((1..=6).contains(&bands), "band_energy_ratio", "bands", bands, "1 to 6")?;
    let channels = image.dim().2;
    let mut inside = vec![Vec::new(); bands * channels];
    let mut around = vec![Vec::new(); bands * channels];
    for rect in boxes(mask) {
        let rect = rect.grow(4 << bands, mask.dim());
        check_finite(rect, [("image", &image)])?;
        let mask = rect.crop(mask);
        let away = crate::distance::distance(mask.mapv(|m| !m).view());
        let marked: Vec<usize> = mask.iter().enumerate().filter(|(_, m)| **m).map(|(i, _)| i).collect();
        let beyond = |j: usize| -> Vec<usize> {
            let reach = (2usize << (j + 1)) as f32 - 2.0;
            // a masked pixel lies at distance 0
            away.iter().enumerate().filter(|(_, d)| **d > reach).map(|(i, _)| i).collect()
        };
        let beyond: Vec<Vec<usize>> = (0..bands).map(beyond).collect();
        let image = rect.crop(image);
        for (k, plane) in image.axis_iter(Axis(2)).enumerate() {
            let transform = Atrous::decompose(plane, bands)?;
            for (j, band) in transform.details.iter().enumerate() {
                let band = band.as_standard_layout();
                let values = band.as_slice().unwrap_or_default();
                inside[j * channels + k].extend(marked.iter().map(|&i| values[i]));
                around[j * channels + k].extend(beyond[j].iter().map(|&i| values[i]));
            }
        }
    }
    Ok(Array2::from_shape_fn((bands, channels), |(j, k)| {
        let (a, b) = (&inside[j * channels + k], &around[j * channels + k]);
        if a.is_empty() || b.is_empty() {
            return 1.0;
        }
        let scale = |v: &[f32]| robust_scale(v).max(FLOOR);
        (scale(a) / scale(b)).powi(2)
    }))
}
