//! Input of the quality head: backbone features pooled by the mask, and named descriptors.

use frozen_backbone::{Backbone, Pyramid};
use imgkit::distance::to_foreground;
use imgkit::{ParameterError, Rect, Size, bounding_box};
use ndarray::{Array2, ArrayView2, ArrayView3};

use crate::descriptors::Descriptors;
use crate::error::Error;

/// Width of the ring around the mask, px.
const RING: f32 = 12.0;

/// Features of one image and mask that a quality head reads: pooled backbone features and descriptors.
///
/// Extract them once per image; scoring them is cheap.
///
/// ```
/// use ndarray::{Array2, Array3};
/// use sqe::QualityFeatures;
///
/// let backbone = frozen_backbone::EfficientNetLite0::pretrained()?;
/// let image = Array3::from_shape_fn((64, 64, 3), |(y, x, _)| ((y * 7 + x * 3) % 11) as f32 / 10.0);
/// let mask = Array2::from_shape_fn((64, 64), |(y, x)| (20..40).contains(&y) && (20..40).contains(&x));
/// let features = QualityFeatures::extract(&backbone, image.view(), mask.view())?;
/// assert_eq!((features.global().len(), features.contrast().len()), (256, 512)); // 256 channels
/// # Ok::<(), sqe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct QualityFeatures {
    pub(crate) global: Vec<f32>,
    pub(crate) contrast: Vec<f32>,
    pub(crate) descriptors: Descriptors,
}

impl QualityFeatures {
    /// Runs `backbone` on `image` `(H, W, C)`, f32 in \[0, 1\], and pools its features by `mask` `(H, W)`.
    ///
    /// # Errors
    /// [`Error::EmptyMask`], [`Error::Shape`], [`Error::NotFinite`], and [`Error::Backbone`] for an image the backbone
    /// rejects.
    pub fn extract(
        backbone: &dyn Backbone,
        image: ArrayView3<'_, f32>,
        mask: ArrayView2<'_, bool>,
    ) -> Result<Self, Error> {
        Self::from_pyramid(&backbone.extract(image)?, image, mask)
    }

    /// Pools features that were extracted from `image` before.
    ///
    /// # Errors
    /// [`Error::EmptyMask`], [`Error::Shape`], [`Error::NotFinite`]; [`Error::Parameter`] for a level without features
    /// and for an image without channels.
    pub fn from_pyramid(
        pyramid: &Pyramid,
        image: ArrayView3<'_, f32>,
        mask: ArrayView2<'_, bool>,
    ) -> Result<Self, Error> {
        let (h, w, _) = image.dim();
        if mask.dim() != (h, w) {
            return Err(Error::Shape { what: "the mask", expected: (h, w).into(), found: mask.dim().into() });
        }
        if let Some(level) = pyramid.iter().find(|level| level.is_empty()) {
            let found = format!("{:?}", level.dim());
            return Err(
                ParameterError::new("QualityFeatures", "pyramid", found, "levels (C, H, W) with features").into()
            );
        }
        let regions = Regions::new(mask).ok_or(Error::EmptyMask)?;
        let (mut global, mut near, mut far) = (Vec::new(), Vec::new(), Vec::new());
        for level in pyramid {
            let (_, rows, columns) = level.dim();
            let [whole, inner, around, outer] = pool(level.view(), &regions.fractions(rows, columns));
            let whole = whole.unwrap_or_default();
            let inner = inner.unwrap_or_else(|| whole.clone());
            let around = around.unwrap_or_else(|| whole.clone());
            let outer = outer.unwrap_or_else(|| around.clone());
            near.extend(inner.iter().zip(&around).map(|(a, b)| a - b));
            far.extend(around.iter().zip(&outer).map(|(a, b)| a - b));
            global.extend(whole);
        }
        near.extend(far);
        if !global.iter().chain(&near).all(|v| v.is_finite()) {
            return Err(Error::NotFinite { what: "the pooled features" });
        }
        Ok(Self { global, contrast: near, descriptors: Descriptors::measure(image, mask)? })
    }

    /// Mean feature over the whole image: C numbers, the channels of all levels.
    #[must_use]
    pub fn global(&self) -> &[f32] {
        &self.global
    }

    /// Mean feature inside the mask minus that of a 12 px ring around it, then ring minus the rest of the image: 2 C
    /// numbers.
    #[must_use]
    pub fn contrast(&self) -> &[f32] {
        &self.contrast
    }

    /// Named descriptors of the defect.
    #[must_use]
    pub fn descriptors(&self) -> &Descriptors {
        &self.descriptors
    }
}

/// Distance to the defect, computed only in the box that holds the defect and the ring around it.
struct Regions {
    size: Size,
    near: Rect,
    /// Distance to the defect in the box `near`, px; zero inside the defect.
    distance: Array2<f32>,
}

/// Fractions of a cell's pixels in the defect, in the ring and in the rest.
type Fractions = [f32; 3];

impl Regions {
    /// `None` for a mask without a marked pixel.
    fn new(mask: ArrayView2<'_, bool>) -> Option<Self> {
        let near = bounding_box(mask)?.grow(RING.ceil() as usize, mask.dim());
        let distance = to_foreground(near.crop(mask));
        Some(Self { size: mask.dim().into(), near, distance })
    }

    /// Fractions for each cell of a `rows` x `columns` grid that covers the image.
    fn fractions(&self, rows: usize, columns: usize) -> Array2<Fractions> {
        let Size { height: h, width: w } = self.size;
        let (sy, sx) = (h.div_ceil(rows), w.div_ceil(columns));
        let cell = |i: usize, step: usize, n: usize| (i / step).min(n - 1);
        let mut counts = Array2::from_elem((rows, columns), [0u64; 2]);
        for ((y, x), &d) in self.distance.indexed_iter() {
            let at = [cell(y + self.near.top, sy, rows), cell(x + self.near.left, sx, columns)];
            match d {
                0.0 => counts[at][0] += 1,
                d if d <= RING => counts[at][1] += 1,
                _ => (),
            }
        }
        let extent = |n: usize, step: usize, cells: usize| {
            let mut extent = vec![0u64; cells];
            (0..n).for_each(|i| extent[cell(i, step, cells)] += 1);
            extent
        };
        let (heights, widths) = (extent(h, sy, rows), extent(w, sx, columns));
        let whole = (sy * sx) as f32;
        Array2::from_shape_fn((rows, columns), |(y, x)| {
            let [inside, ring] = counts[[y, x]];
            [inside, ring, heights[y] * widths[x] - inside - ring].map(|n| n as f32 / whole)
        })
    }
}

/// Mean of each channel over the whole level, and weighted by each of the `fractions`; `None` where no cell has weight.
fn pool(level: ArrayView3<'_, f32>, fractions: &Array2<Fractions>) -> [Option<Vec<f32>>; 4] {
    // channels innermost: the memory order of the networks of this workspace
    let pixels = level.permuted_axes([1, 2, 0]);
    let pixels = pixels.as_standard_layout();
    let channels = pixels.dim().2;
    let (mut sums, mut totals) = ([(); 4].map(|()| vec![0.0f32; channels]), [0.0f32; 4]);
    for (cell, fractions) in pixels.as_slice().unwrap_or_default().chunks_exact(channels.max(1)).zip(fractions) {
        let weights = [1.0, fractions[0], fractions[1], fractions[2]];
        for ((sum, total), weight) in sums.iter_mut().zip(&mut totals).zip(weights).filter(|(_, w)| *w > 0.0) {
            *total += weight;
            sum.iter_mut().zip(cell).for_each(|(s, v)| *s += weight * v);
        }
    }
    let mut totals = totals.into_iter();
    sums.map(|sum| {
        let total = totals.next().filter(|t| *t > 0.0)?;
        Some(sum.into_iter().map(|s| s / total).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    #[test]
    fn pooling_a_piecewise_constant_level_gives_its_constants() {
        let mut mask = Array2::from_elem((64, 64), false);
        mask.slice_each_axis_mut(|_| ndarray::Slice::from(0..32)).fill(true);
        let level = Array3::from_shape_fn((1, 16, 16), |(_, y, x)| if y < 8 && x < 8 { 5.0 } else { 1.0 });
        let image = Array3::from_shape_fn((64, 64, 1), |(y, x, _)| ((y * 7 + x * 3) % 11) as f32 / 10.0);
        let features = QualityFeatures::from_pyramid(&vec![level], image.view(), mask.view()).unwrap();
        assert!((features.contrast[0] - 4.0).abs() < 1e-6, "{:?}", features.contrast);
        assert!(features.contrast[1].abs() < 1e-6);
        assert!((features.global[0] - 2.0).abs() < 1e-6);
    }

    /// Cells at the frame hold fewer pixels; the parts of every cell must be those of counting pixel by pixel.
    #[test]
    fn fractions_are_the_counts_of_every_pixel() {
        let mask = Array2::from_shape_fn((61, 45), |(y, x)| {
            (40..44).contains(&y) && (3..30).contains(&x) || (y, x) == (20, 44)
        });
        let fractions = Regions::new(mask.view()).unwrap().fractions(8, 6);
        let distance = to_foreground(mask.view());
        let mut expected = Array2::from_elem((8, 6), [0.0f32; 3]);
        for ((y, x), d) in distance.indexed_iter() {
            let region = if *d == 0.0 {
                0
            } else if *d <= RING {
                1
            } else {
                2
            };
            expected[[y / 8, x / 8]][region] += 1.0 / 64.0;
        }
        assert_eq!(fractions, expected);
        assert!((0..3).all(|k| fractions.iter().any(|s| s[k] > 0.0)));
    }

    #[test]
    fn an_empty_or_foreign_mask_is_refused() {
        let image = Array3::<f32>::zeros((40, 40, 1));
        let pyramid = vec![Array3::zeros((1, 10, 10))];
        let empty = Array2::from_elem((40, 40), false);
        assert!(matches!(QualityFeatures::from_pyramid(&pyramid, image.view(), empty.view()), Err(Error::EmptyMask)));
        let other = Array2::from_elem((40, 41), true);
        assert!(matches!(
            QualityFeatures::from_pyramid(&pyramid, image.view(), other.view()),
            Err(Error::Shape { .. })
        ));
    }
}
