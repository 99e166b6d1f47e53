//! What the estimator reads of one image: pooled features and named descriptors.

use frozen_backbone::{Backbone, Pyramid};
use ndarray::{Array2, ArrayView2, ArrayView3};

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
        if !mask.iter().any(|&m| m) {
            return Err(Error::EmptyMask);
        }
        // distance to the defect, zero inside it
        let away = pde_refine::distance(mask.mapv(|m| !m).view());
        let inside = away.mapv(|d| f32::from(d == 0.0));
        let ring = away.mapv(|d| f32::from(d > 0.0 && d <= RING));
        let rest = away.mapv(|d| f32::from(d > RING));
        let (mut global, mut near, mut far) = (Vec::new(), Vec::new(), Vec::new());
        for level in pyramid {
            let level = level.as_standard_layout(); // one plane after the other, as they are read here
            let (_, rows, columns) = level.dim();
            let pooled = |region: &Array2<f32>| pool(level.view(), &shrink(region, rows, columns));
            let whole: Vec<f32> = level.outer_iter().map(|plane| plane.mean().unwrap_or(0.0)).collect();
            let inner = pooled(&inside).unwrap_or_else(|| whole.clone());
            let around = pooled(&ring).unwrap_or_else(|| whole.clone());
            let outer = pooled(&rest).unwrap_or_else(|| around.clone());
            near.extend(inner.iter().zip(&around).map(|(a, b)| a - b));
            far.extend(around.iter().zip(&outer).map(|(a, b)| a - b));
            global.extend(whole);
        }
        near.extend(far);
        Ok(Self { global, contrast: near, descriptors: Descriptors::measure(image, mask)? })
    }
}

/// Area fraction of `region` in each cell of a `rows` x `columns` grid that covers the image.
pub(crate) fn shrink(region: &Array2<f32>, rows: usize, columns: usize) -> Array2<f32> {
    let (h, w) = region.dim();
    let (sy, sx) = (h.div_ceil(rows), w.div_ceil(columns));
    let mut out = Array2::zeros((rows, columns));
    for (y, line) in region.outer_iter().enumerate() {
        for (x, v) in line.iter().enumerate() {
            out[[(y / sy).min(rows - 1), (x / sx).min(columns - 1)]] += v;
        }
    }
    out / (sy * sx) as f32
}

/// Weighted mean of each channel, or `None` if no cell has weight.
fn pool(level: ArrayView3<'_, f32>, weight: &Array2<f32>) -> Option<Vec<f32>> {
    let total = weight.sum();
    (total > 0.0).then(|| {
        level.outer_iter().map(|plane| plane.iter().zip(weight).map(|(v, w)| v * w).sum::<f32>() / total).collect()
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
