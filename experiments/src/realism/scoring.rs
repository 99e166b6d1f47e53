//! Scores of a linear head on photos: maps at the photo's own size, image scores, exact metrics.

use maphc2f::adbench::metrics::{AnomalousPixels, Reducer, auroc};
use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::features::{Features, STRIDE};
use crate::program::Result;
use maphc2f::bisqad::logistic::Linear;

/// Share of a map's highest pixels whose mean is the image score.
const TOP: f64 = 0.01;

/// A test photo: its features and its mask at the photo's own size, all `false` for a good one.
#[derive(Debug)]
pub struct Tested<'a> {
    /// Features at the size of evaluation.
    pub features: &'a Features,
    /// Mask `(H, W)` at the photo's own size.
    pub mask: ArrayView2<'a, bool>,
}

/// Figures of a head on a test set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figures {
    /// Average precision over all pixels of all photos.
    pub pixel_ap: f64,
    /// AUROC over the same pixels.
    pub pixel_auroc: f64,
    /// AUROC of the image scores, the mean of the highest hundredth of each map.
    pub image_auroc: f64,
}

/// Resizes a map of the grid to `size` bilinearly: a place lies at the middle of its [`STRIDE`] px of a photo of
/// `evaluated` px, and beyond the outermost places their values continue.
#[must_use]
pub fn to_photo(map: ArrayView2<'_, f32>, evaluated: (usize, usize), size: (usize, usize)) -> Array2<f32> {
    let axis = |n: usize, evaluated: usize, places: usize| -> Vec<(usize, usize, f32)> {
        let scale = evaluated as f64 / (n * STRIDE) as f64;
        let at = |i: usize| {
            let at = ((i as f64 + 0.5) * scale - 0.5).clamp(0.0, (places - 1) as f64);
            (at as usize, (at as usize + 1).min(places - 1), at.fract() as f32)
        };
        (0..n).map(at).collect()
    };
    let rows = axis(size.0, evaluated.0, map.nrows());
    let columns = axis(size.1, evaluated.1, map.ncols());
    Array2::from_shape_fn(size, |(y, x)| {
        let ((y0, y1, v), (x0, x1, u)) = (rows[y], columns[x]);
        let upper = map[[y0, x0]] + u * (map[[y0, x1]] - map[[y0, x0]]);
        let lower = map[[y1, x0]] + u * (map[[y1, x1]] - map[[y1, x0]]);
        upper + v * (lower - upper)
    })
}

/// Scores every photo with a head on raw features and measures all of them together.
///
/// # Errors
///
/// No photo is good, or none is defective.
pub fn evaluate(head: &Linear, tests: &[Tested<'_>]) -> Result<Figures> {
    let maps: Vec<Array2<f32>> = tests
        .par_iter()
        .map(|t| to_photo(t.features.project(&head.weights, head.bias).view(), t.features.size, t.mask.dim()))
        .collect();
    let masks: Vec<ArrayView2<'_, bool>> = tests.iter().map(|t| t.mask).collect();
    measure(&maps, &masks)
}

/// Measures score maps against masks of the same sizes; a photo whose mask holds a pixel is a defective one.
///
/// # Errors
///
/// No photo is good or none is defective; a size differs; a score is no number.
pub fn measure(maps: &[Array2<f32>], masks: &[ArrayView2<'_, bool>]) -> Result<Figures> {
    let mut first = AnomalousPixels::new();
    for (map, mask) in maps.iter().zip(masks) {
        first.push(map.view(), *mask)?;
    }
    let mut second = first.into_counting()?;
    let (mut scores, mut labels) = (Vec::new(), Vec::new());
    for (map, mask) in maps.iter().zip(masks) {
        second.push(map.view(), *mask)?;
        scores.push(Reducer::MeanTopFraction(TOP).reduce(map.view())?);
        labels.push(mask.iter().any(|m| *m));
    }
    let pixels = second.rank()?;
    Ok(Figures {
        pixel_ap: pixels.average_precision(),
        pixel_auroc: pixels.auroc(),
        image_auroc: auroc(&scores, &labels)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array3, arr2};

    /// By hand: scores 9 (defect), 8 (good), 7 (defect), 1 (defect, below two good ones at 2), so that AP is
    /// (1/1 + 2/3 + 3/6) / 3.
    #[test]
    fn average_precision_is_over_all_pixels_of_all_photos() -> Result<()> {
        let maps = [arr2(&[[9.0f32, 2.0], [7.0, 1.0]]), arr2(&[[8.0f32, 2.0]])];
        let masks = [arr2(&[[true, false], [true, true]]), arr2(&[[false, false]])];
        let found = measure(&maps, &masks.each_ref().map(|m| m.view()))?;
        assert!((found.pixel_ap - (1.0 + 2.0 / 3.0 + 0.5) / 3.0).abs() < 1e-12, "{found:?}");
        // of 3 x 3 pairs: 9 is above all, 7 above two, 1 above none
        assert!((found.pixel_auroc - 5.0 / 9.0).abs() < 1e-12, "{found:?}");
        // the highest hundredth of so few pixels is the highest one: 9 against 8
        assert_eq!(found.image_auroc, 1.0);
        assert!(measure(&maps[..1], &[masks[0].view()]).is_err(), "no good photo");
        Ok(())
    }

    #[test]
    fn a_map_lies_on_the_photo_where_its_places_are() {
        // a plane in the coordinates of a photo of 60 x 44 px, shrunk to half for its features
        let grid = Array2::from_shape_fn((4, 3), |(y, x)| 3.0 * (y as f32 + 0.5) * 16.0 - (x as f32 + 0.5) * 16.0);
        let map = to_photo(grid.view(), (30, 22), (60, 44));
        assert_eq!(map.dim(), (60, 44));
        for (y, x) in [(8, 8), (20, 17), (51, 30)] {
            let expected = 3.0 * (y as f32 + 0.5) - (x as f32 + 0.5);
            assert!((map[[y, x]] - expected).abs() < 1e-3, "{y} {x}: {} {expected}", map[[y, x]]);
        }
        assert_eq!(map[[0, 0]], grid[[0, 0]], "values continue beyond the outermost places");
    }

    /// A head that reads the one channel that is high in the marked corner finds it without an error.
    #[test]
    fn a_head_that_reads_the_truth_is_perfect() -> Result<()> {
        let level = |high: bool| {
            let values =
                Array3::from_shape_fn((4, 4, 2), |(y, x, c)| f32::from(u8::from(high && c == 1 && y < 2 && x < 2)));
            Features { size: (32, 32), levels: vec![(STRIDE, values)] }
        };
        let (bad, good) = (level(true), level(false));
        let mask = Array2::from_shape_fn((32, 32), |(y, x)| y < 16 && x < 16 && y + x < 24);
        let empty = Array2::from_elem((32, 32), false);
        let tests = [Tested { features: &bad, mask: mask.view() }, Tested { features: &good, mask: empty.view() }];
        let reads =
            |channel: usize| Linear { weights: vec![f64::from(channel == 0), f64::from(channel == 1)], bias: 0.3 };
        let found = evaluate(&reads(1), &tests)?;
        assert_eq!(found.image_auroc, 1.0);
        assert!(found.pixel_ap > 0.9 && found.pixel_auroc > 0.99, "{found:?}");
        let blind = evaluate(&reads(0), &tests)?;
        let prevalence = mask.iter().filter(|m| **m).count() as f64 / 2048.0;
        assert!((blind.pixel_ap - prevalence).abs() < 1e-12 && blind.pixel_auroc == 0.5, "{blind:?}");
        Ok(())
    }
}
