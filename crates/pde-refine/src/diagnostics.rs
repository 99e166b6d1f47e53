//! Measures of how well a defect sits in its image.

use crate::error::{Error, check, check_shape};
use crate::fine::{Atrous, robust_scale};
use crate::refine::check_finite;
use crate::region::boxes;
use ndarray::{Array2, ArrayView2, ArrayView3, Axis};

/// Pixels around a box that count as its surround.
const SURROUND: usize = 8;

/// A quarter of an 8-bit grey level: jumps and scales below it are nothing.
const FLOOR: f32 = 1e-3;

/// Sums of jumps of the normal derivative.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SeamSums {
    /// Over faces that cross the mask's edge.
    pub(crate) edge: f64,
    edges: usize,
    /// Over faces away from the mask.
    surround: f64,
    surrounds: usize,
}

/// Jumps over four pixels in a row, `|(c - b) - ((b - a) + (d - c)) / 2|`, at every face that crosses the mask's edge
/// and, with `surround`, at every face away from it.
pub(crate) fn seam_sums(image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>, surround: bool) -> SeamSums {
    let (h, w, channels) = image.dim();
    let mut sums = SeamSums::default();
    let mut add = |p: [(usize, usize); 4]| {
        let crosses = mask[p[1]] != mask[p[2]];
        if !crosses && (!surround || p.iter().any(|&i| mask[i])) {
            return;
        }
        let mut jump = 0.0;
        for k in 0..channels {
            let [a, b, c, d] = p.map(|(y, x)| image[(y, x, k)]);
            jump += (1.5 * (c - b) - 0.5 * (d - a)).abs();
        }
        if crosses {
            sums.edge += f64::from(jump);
            sums.edges += channels;
        } else {
            sums.surround += f64::from(jump);
            sums.surrounds += channels;
        }
    };
    for y in 0..h {
        for x in 1..w.saturating_sub(2) {
            add([(y, x - 1), (y, x), (y, x + 1), (y, x + 2)]);
        }
    }
    for y in 1..h.saturating_sub(2) {
        for x in 0..w {
            add([(y - 1, x), (y, x), (y + 1, x), (y + 2, x)]);
        }
    }
    sums
}

/// Seam index: the mean jump of the normal derivative across the mask's edge, over the same mean in the surround.
///
/// With four pixels `a b | c d` across a face the jump is `|(c - b) - ((b - a) + (d - c)) / 2|`, meaned over faces and
/// channels. 1 means the edge cannot be told from the surround, which is what lies within 8 pixels of the mask's
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
        let sums = seam_sums(rect.crop(image), rect.crop(mask), true);
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
    check("bands", bands as f64, (1..=6).contains(&bands), "1 to 6")?;
    let channels = image.dim().2;
    let mut inside = vec![Vec::new(); bands * channels];
    let mut around = vec![Vec::new(); bands * channels];
    for rect in boxes(mask) {
        let rect = rect.grow(4 << bands, mask.dim());
        check_finite(rect, [("image", &image)])?;
        let mask = rect.crop(mask);
        let away = crate::distance::distance(mask.mapv(|m| !m).view());
        let image = rect.crop(image);
        for (k, plane) in image.axis_iter(Axis(2)).enumerate() {
            let transform = Atrous::decompose(plane, bands)?;
            for (j, band) in transform.details.iter().enumerate() {
                let reach = (2usize << (j + 1)) as f32 - 2.0;
                for ((&v, &m), &d) in band.iter().zip(mask).zip(&away) {
                    if m {
                        inside[j * channels + k].push(v);
                    } else if d > reach {
                        around[j * channels + k].push(v);
                    }
                }
            }
        }
    }
    Ok(Array2::from_shape_fn((bands, channels), |(j, k)| {
        let (a, b) = (&inside[j * channels + k], &around[j * channels + k]);
        if a.is_empty() || b.is_empty() {
            return 1.0;
        }
        let scale = |v: &[f32]| robust_scale(v.iter().copied()).max(FLOOR);
        (scale(a) / scale(b)).powi(2)
    }))
}
