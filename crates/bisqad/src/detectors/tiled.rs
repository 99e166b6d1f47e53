//! A detector for images larger than its training images, in overlapping tiles.

use std::sync::Arc;

use imgkit::ensure;
use ndarray::{Array2, ArrayView3, Slice};
use rayon::prelude::*;

use crate::detectors::provenance::Provenance;
use crate::detectors::{Detector, Prediction, same_size};
use crate::error::Error;
use crate::persistence::format::Persist;

/// Tiles whose maps are in memory at once: many small tiles of a large image take no more.
const AT_ONCE: usize = 64;

/// Detector on overlapping tiles: runs a detector on each tile of an image and blends the maps, the share of a tile
/// falling linearly over the overlap.
///
/// All tiles have one size and are spread evenly, so that none is a sliver; an image that is no larger than a tile in
/// one direction has one tile in that direction. The score is that of the whole map. Thresholds of the inner detector
/// rest on images of its own size: [`Threshold::calibrate`](crate::Threshold::calibrate) gives one for tiled images.
///
/// A tile may lie anywhere, so the inner detector must not depend on the position:
/// [`MemoryDetector`](crate::MemoryDetector) does not. The Gaussians of [`PatchDetector`](crate::PatchDetector) and
/// [`GaussianDetector`](crate::GaussianDetector) do, and belong to whole images.
///
/// ```
/// use bisqad::{Detector, MemoryDetector, MemoryParams, NoObserver, Threshold, Tiled};
/// use frozen_backbone::EfficientNetLite0;
/// use ndarray::Array3;
/// use std::sync::Arc;
///
/// let photo = |i: usize, h: usize, w: usize| {
///     Array3::from_shape_fn((h, w, 3), |(y, x, _)| 0.4 + 0.05 * ((y * 7 + x * 13 + i * 29) % 11) as f32 / 11.0)
/// };
/// let normals: Vec<_> = (0..8).map(|i| photo(i, 64, 64)).collect();
/// let net = Arc::new(EfficientNetLite0::pretrained()?);
/// let small = MemoryDetector::fit(net, &normals, &MemoryParams::default().with_memory(256), &mut NoObserver)?;
/// let tiled = Tiled::new(Arc::new(small), (64, 64), 16)?;
/// assert_eq!(tiled.predict(photo(9, 150, 100).view())?.map.dim(), (150, 100));
/// let threshold = Threshold::calibrate(&tiled, &[photo(20, 150, 100), photo(21, 150, 100)], 0.0)?;
/// assert_eq!(threshold.normals, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tiled {
    pub(crate) detector: Arc<dyn Detector>,
    pub(crate) tile: (usize, usize),
    pub(crate) overlap: usize,
}

impl Tiled {
    /// Splits images into tiles of `tile` (height, width) px that share at least `overlap` px with their neighbors.
    /// Take the size that the detector was trained at, and an overlap of at least twice its smoothing.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an empty tile or an overlap that is not smaller than it.
    pub fn new(detector: Arc<dyn Detector>, tile: (usize, usize), overlap: usize) -> Result<Self, Error> {
        let expected = "less than the sides of the tile, which must be at least 1 px";
        ensure(overlap < tile.0.min(tile.1), "tiles", "overlap", overlap, expected)?;
        Ok(Self { detector, tile, overlap })
    }

    /// Start positions of tiles of length `tile` along a side.
    fn starts(&self, side: usize, tile: usize) -> Vec<usize> {
        if side <= tile {
            return vec![0];
        }
        let last = (side - self.overlap).div_ceil(tile - self.overlap) - 1;
        (0..=last).map(|i| i * (side - tile) / last).collect()
    }

    /// Blending weights of a tile along a side.
    fn ramp(&self, start: usize, tile: usize, side: usize) -> Vec<f32> {
        let full = self.overlap + 1;
        let share = |i: usize| {
            let before = if start == 0 { full } else { i + 1 };
            let after = if start + tile == side { full } else { tile - i };
            before.min(after).min(full) as f32 / full as f32
        };
        (0..tile).map(share).collect()
    }
}

impl Detector for Tiled {
    fn name(&self) -> &'static str {
        "tiled"
    }

    fn predict(&self, image: ArrayView3<'_, f32>) -> Result<Prediction, Error> {
        let (h, w, _) = image.dim();
        let (th, tw) = (self.tile.0.min(h), self.tile.1.min(w));
        let columns = self.starts(w, tw);
        let places: Vec<(usize, usize)> =
            self.starts(h, th).into_iter().flat_map(|y| columns.iter().map(move |&x| (y, x))).collect();
        let predict = |&(y, x): &(usize, usize)| {
            let tile = image.slice_each_axis(|a| match a.axis.index() {
                0 => Slice::from(y..y + th),
                1 => Slice::from(x..x + tw),
                _ => Slice::from(..),
            });
            self.detector.predict(tile)
        };
        let (mut sum, mut shares) = (Array2::<f32>::zeros((h, w)), Array2::<f32>::zeros((h, w)));
        for places in places.chunks(AT_ONCE) {
            let maps: Vec<Prediction> = places.par_iter().map(predict).collect::<Result<_, Error>>()?;
            for (&(y, x), Prediction { map, .. }) in places.iter().zip(&maps) {
                same_size("map of a tile", map, (th, tw))?;
                let (down, across) = (self.ramp(y, th, h), self.ramp(x, tw, w));
                for ((i, j), &v) in map.indexed_iter() {
                    let share = down[i] * across[j];
                    sum[[y + i, x + j]] += share * v;
                    shares[[y + i, x + j]] += share;
                }
            }
        }
        Prediction::of_map(sum / shares).checked(self.name())
    }

    fn provenance(&self) -> Provenance {
        self.detector.provenance().without_side()
    }

    fn as_persist(&self) -> Option<&dyn Persist> {
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    /// Returns the first channel of each pixel, plus its column in the image it was given.
    #[derive(Debug)]
    struct Echo(f32);

    impl Detector for Echo {
        fn name(&self) -> &'static str {
            "echo"
        }
        fn predict(&self, image: ArrayView3<'_, f32>) -> Result<Prediction, Error> {
            assert!(image.dim().0 <= 20 && image.dim().1 <= 16, "a tile is too large");
            let map =
                Array2::from_shape_fn((image.dim().0, image.dim().1), |(y, x)| image[[y, x, 0]] + self.0 * x as f32);
            Ok(Prediction { score: 0.0, map })
        }
    }

    fn image(h: usize, w: usize) -> Array3<f32> {
        Array3::from_shape_fn((h, w, 1), |(y, x, _)| ((y * 31 + x * 17) % 101) as f32 / 101.0)
    }

    #[test]
    fn a_map_that_does_not_depend_on_the_tile_comes_out_as_it_is() {
        for (h, w) in [(20, 16), (21, 40), (57, 16), (9, 100), (64, 64)] {
            for overlap in [0, 3, 15] {
                let tiled = Tiled::new(Arc::new(Echo(0.0)), (20, 16), overlap).unwrap();
                let image = image(h, w);
                let map = tiled.predict(image.view()).unwrap().map;
                for ((y, x), v) in map.indexed_iter() {
                    assert!((v - image[[y, x, 0]]).abs() < 1e-5, "{h}x{w} overlap {overlap} at {y} {x}");
                }
            }
        }
    }

    /// Two tiles that disagree by a constant: the step between them becomes a ramp over the overlap.
    #[test]
    fn neighbors_fade_into_each_other() {
        let tiled = Tiled::new(Arc::new(Echo(1.0)), (20, 16), 8).unwrap();
        let map = tiled.predict(Array3::zeros((5, 24, 1)).view()).unwrap().map;
        let row: Vec<f32> = map.row(2).to_vec();
        // tiles start at 0 and 8; where both are, x and x - 8 are mixed by shares that fall and rise by ninths
        assert_eq!(row.len(), 24);
        for (x, &found) in row.iter().enumerate() {
            let first = (16usize.saturating_sub(x)).min(9) as f32 * f32::from(u8::from(x < 16));
            let second = if x < 8 { 0.0 } else { (x - 7).min(9) as f32 };
            let expected = (first * x as f32 + second * (x as f32 - 8.0)) / (first + second);
            assert!((found - expected).abs() < 1e-4, "{x}: {found} {expected}");
        }
    }

    #[test]
    fn an_overlap_as_large_as_the_tile_is_refused() {
        let echo = Arc::new(Echo(0.0));
        assert!(matches!(Tiled::new(echo.clone(), (20, 16), 16), Err(Error::Parameter(e)) if e.name == "overlap"));
        assert!(Tiled::new(echo, (0, 16), 0).is_err());
    }
}
