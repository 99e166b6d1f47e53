//! What the estimator reads of one image: pooled features and named descriptors.

use frozen_backbone::{Backbone, Pyramid};
use ndarray::{Array2, ArrayView2, ArrayView3, Slice};

use crate::descriptors::marked;
use crate::{Descriptors, Error};

/// Width of the ring around the mask, px.
const RING: f32 = 12.0;

/// Everything a head may read, gathered once per image and mask.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Features pooled over the whole image, all levels (C numbers).
    pub global: Vec<f32>,
    /// Mean feature inside the mask minus that of the ring, then ring minus the rest (2 C numbers).
    pub contrast: Vec<f32>,
    /// Cheap, named numbers.
    pub descriptors: Descriptors,
}

impl Evidence {
    /// Runs `backbone` on `image` `(H, W, C)`, f32 in \[0, 1\], and pools it by `mask` `(H, W)`.
    ///
    /// # Errors
    /// [`Error::EmptyMask`], [`Error::Shape`], and what the backbone refuses.
    pub fn gather(
        backbone: &dyn Backbone,
        image: ArrayView3<'_, f32>,
        mask: ArrayView2<'_, bool>,
    ) -> Result<Self, Error> {
        Self::from_pyramid(&backbone.extract(image)?, image, mask)
    }

    /// The same from features that were extracted before.
    ///
    /// # Errors
    /// [`Error::EmptyMask`], [`Error::Shape`].
    pub fn from_pyramid(
        pyramid: &Pyramid,
        image: ArrayView3<'_, f32>,
        mask: ArrayView2<'_, bool>,
    ) -> Result<Self, Error> {
        let (h, w, _) = image.dim();
        if mask.dim() != (h, w) {
            return Err(Error::Shape { image: (h, w), mask: mask.dim() });
        }
        let marked = Marked::new(mask).ok_or(Error::EmptyMask)?;
        let (mut global, mut near, mut far) = (Vec::new(), Vec::new(), Vec::new());
        for level in pyramid {
            let (_, rows, columns) = level.dim();
            let [whole, inner, around, outer] = pool(level.view(), &marked.shares(rows, columns));
            let whole = whole.unwrap_or_default();
            let inner = inner.unwrap_or_else(|| whole.clone());
            let around = around.unwrap_or_else(|| whole.clone());
            let outer = outer.unwrap_or_else(|| around.clone());
            near.extend(inner.iter().zip(&around).map(|(a, b)| a - b));
            far.extend(around.iter().zip(&outer).map(|(a, b)| a - b));
            global.extend(whole);
        }
        near.extend(far);
        Ok(Self { global, contrast: near, descriptors: Descriptors::measure(image, mask)? })
    }
}

/// Where the defect and the ring around it lie.
struct Marked {
    /// Rows and columns of the image.
    size: (usize, usize),
    /// First row and column of the part that holds both.
    corner: (usize, usize),
    /// Distance to the defect in that part, px; zero inside it.
    away: Array2<f32>,
}

/// Shares of a cell's pixels in the defect, in the ring and in the rest.
type Shares = [f32; 3];

impl Marked {
    /// `None` for a mask that marks nothing.
    fn new(mask: ArrayView2<'_, bool>) -> Option<Self> {
        let [rows, columns] = marked(mask, RING.ceil() as usize)?;
        let corner = (rows.start, columns.start);
        let part =
            mask.slice_each_axis(|a| Slice::from(if a.axis.index() == 0 { rows.clone() } else { columns.clone() }));
        Some(Self { size: mask.dim(), corner, away: pde_refine::distance(part.mapv(|m| !m).view()) })
    }

    /// For each cell of a `rows` x `columns` grid that covers the image.
    fn shares(&self, rows: usize, columns: usize) -> Array2<Shares> {
        let (h, w) = self.size;
        let (sy, sx) = (h.div_ceil(rows), w.div_ceil(columns));
        let cell = |i: usize, step: usize, n: usize| (i / step).min(n - 1);
        let mut counts = Array2::from_elem((rows, columns), [0u32; 2]);
        for ((y, x), &d) in self.away.indexed_iter() {
            let at = [cell(y + self.corner.0, sy, rows), cell(x + self.corner.1, sx, columns)];
            match d {
                0.0 => counts[at][0] += 1,
                d if d <= RING => counts[at][1] += 1,
                _ => (),
            }
        }
        let extent = |n: usize, step: usize, cells: usize| {
            let mut extent = vec![0u32; cells];
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

/// Mean of each channel over the whole level, and weighted by each of the `shares`; `None` where no cell has weight.
fn pool(level: ArrayView3<'_, f32>, shares: &Array2<Shares>) -> [Option<Vec<f32>>; 4] {
    // pixel after pixel: the order in which networks of this workspace keep it
    let pixels = level.permuted_axes([1, 2, 0]);
    let pixels = pixels.as_standard_layout();
    let channels = pixels.dim().2;
    let (mut sums, mut totals) = ([(); 4].map(|()| vec![0.0f32; channels]), [0.0f32; 4]);
    for (cell, shares) in pixels.as_slice().unwrap_or_default().chunks_exact(channels.max(1)).zip(shares) {
        let weights = [1.0, shares[0], shares[1], shares[2]];
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
        let evidence = Evidence::from_pyramid(&vec![level], image.view(), mask.view()).unwrap();
        assert!((evidence.contrast[0] - 4.0).abs() < 1e-6, "{:?}", evidence.contrast);
        assert!(evidence.contrast[1].abs() < 1e-6);
        assert!((evidence.global[0] - 2.0).abs() < 1e-6);
    }

    /// Cells at the frame hold fewer pixels; the parts of every cell must be those of counting pixel by pixel.
    #[test]
    fn shares_are_the_counts_of_every_pixel() {
        let mask = Array2::from_shape_fn((61, 45), |(y, x)| {
            (40..44).contains(&y) && (3..30).contains(&x) || (y, x) == (20, 44)
        });
        let shares = Marked::new(mask.view()).unwrap().shares(8, 6);
        let away = pde_refine::distance(mask.mapv(|m| !m).view());
        let mut expected = Array2::from_elem((8, 6), [0.0f32; 3]);
        for ((y, x), d) in away.indexed_iter() {
            let region = if *d == 0.0 {
                0
            } else if *d <= RING {
                1
            } else {
                2
            };
            expected[[y / 8, x / 8]][region] += 1.0 / 64.0;
        }
        assert_eq!(shares, expected);
        assert!((0..3).all(|k| shares.iter().any(|s| s[k] > 0.0)));
    }

    #[test]
    fn an_empty_or_foreign_mask_is_refused() {
        let image = Array3::<f32>::zeros((40, 40, 1));
        let pyramid = vec![Array3::zeros((1, 10, 10))];
        let empty = Array2::from_elem((40, 40), false);
        assert!(matches!(Evidence::from_pyramid(&pyramid, image.view(), empty.view()), Err(Error::EmptyMask)));
        let other = Array2::from_elem((40, 41), true);
        assert!(matches!(Evidence::from_pyramid(&pyramid, image.view(), other.view()), Err(Error::Shape { .. })));
    }
}
