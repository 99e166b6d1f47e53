//! Frozen features of photos: pooled levels kept on disk, and vectors at the places of one grid.

use std::path::PathBuf;

use maphc2f::frozen_backbone::{Backbone, EfficientNetLite0};
use maphc2f::imgkit::file::write_atomic;
use maphc2f::imgkit::hash::fnv1a;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, s};

use crate::program::Result;

/// Image pixels between the places of the grid.
pub const STRIDE: usize = 8;

/// Features of one photo `(H, W)`: one array (rows, columns, channels) a level of the backbone, each the mean of its
/// 3 x 3 neighborhood.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Height and width of the photo, px.
    pub size: (usize, usize),
    /// Levels with the image pixels between their places, fine to coarse.
    pub levels: Vec<(usize, Array3<f32>)>,
}

impl Features {
    /// Extracts the features of a photo `(H, W, 1 or 3)` in \[0, 1\].
    ///
    /// # Errors
    ///
    /// The backbone refuses the photo.
    pub fn extract(net: &dyn Backbone, photo: ArrayView3<'_, f32>) -> Result<Self> {
        let pyramid = net.extract(photo)?;
        let level = |(maps, level): (&Array3<f32>, &maphc2f::frozen_backbone::Level)| {
            (level.stride, mean_3x3(maps.view().permuted_axes([1, 2, 0])))
        };
        let levels = pyramid.iter().zip(net.levels()).map(level).collect();
        Ok(Self { size: (photo.dim().0, photo.dim().1), levels })
    }

    /// Numbers a place.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.levels.iter().map(|(_, level)| level.dim().2).sum()
    }

    /// Rows and columns of the grid.
    #[must_use]
    pub fn grid(&self) -> (usize, usize) {
        (self.size.0.div_ceil(STRIDE), self.size.1.div_ceil(STRIDE))
    }

    /// Vector at a place of the grid: the levels one after another, brought to the grid by area or bilinearly.
    #[must_use]
    pub fn at(&self, row: usize, column: usize) -> Vec<f32> {
        let mut vector = Vec::with_capacity(self.channels());
        for (stride, level) in &self.levels {
            let (h, w, channels) = level.dim();
            let start = vector.len();
            vector.resize(start + channels, 0.0);
            for (y, wy) in taps(row, *stride, h) {
                for (x, wx) in taps(column, *stride, w) {
                    let values = level.slice(s![y, x, ..]);
                    vector[start..].iter_mut().zip(values).for_each(|(sum, v)| *sum += wy * wx * v);
                }
            }
        }
        vector
    }

    /// Map of a linear function of the vectors, `(rows, columns)` of the grid: each level is weighed where it is, which
    /// gives the same as weighing the vectors of [`Self::at`].
    #[must_use]
    pub fn project(&self, weights: &[f64], bias: f64) -> Array2<f32> {
        let (rows, columns) = self.grid();
        let mut map = Array2::from_elem((rows, columns), bias as f32);
        let mut start = 0;
        for (stride, level) in &self.levels {
            let (h, w, channels) = level.dim();
            let part: Vec<f32> = weights[start..start + channels].iter().map(|w| *w as f32).collect();
            start += channels;
            let weighed = level.map_axis(Axis(2), |v| v.iter().zip(&part).map(|(v, w)| v * w).sum::<f32>());
            for ((row, column), sum) in map.indexed_iter_mut() {
                for (y, wy) in taps(row, *stride, h) {
                    for (x, wx) in taps(column, *stride, w) {
                        *sum += wy * wx * weighed[[y, x]];
                    }
                }
            }
        }
        map
    }

    /// Mean of every channel.
    #[must_use]
    pub fn pooled(&self) -> Vec<f64> {
        let mean = |level: &Array3<f32>| {
            let n = (level.dim().0 * level.dim().1) as f64;
            let mut sums = vec![0.0f64; level.dim().2];
            for place in level.lanes(Axis(2)) {
                sums.iter_mut().zip(place).for_each(|(s, v)| *s += f64::from(*v));
            }
            sums.into_iter().map(move |s| s / n).collect::<Vec<f64>>()
        };
        self.levels.iter().flat_map(|(_, level)| mean(level)).collect()
    }
}

/// Places of a level of `stride` px, `n` of them in this direction, that make up place `i` of the grid, with weights.
fn taps(i: usize, stride: usize, n: usize) -> Vec<(usize, f32)> {
    if stride <= STRIDE {
        let factor = STRIDE / stride;
        let places: Vec<usize> = (i * factor..((i + 1) * factor).min(n)).collect();
        let weight = 1.0 / places.len().max(1) as f32;
        return places.into_iter().map(|place| (place, weight)).collect();
    }
    let at = ((i as f32 + 0.5) * STRIDE as f32 / stride as f32 - 0.5).clamp(0.0, (n - 1) as f32);
    let low = at as usize;
    let share = at - low as f32;
    vec![(low, 1.0 - share), ((low + 1).min(n - 1), share)]
}

/// Mean of the neighborhood of each place, fewer at the edges.
fn mean_3x3(level: ArrayView3<'_, f32>) -> Array3<f32> {
    let (h, w, channels) = level.dim();
    let near = |i: usize, n: usize| i.saturating_sub(1)..(i + 2).min(n);
    let mut wide = Array3::zeros((h, w, channels));
    for x in 0..w {
        for from in near(x, w) {
            let mut to = wide.slice_mut(s![.., x, ..]);
            to += &level.slice(s![.., from, ..]);
        }
    }
    let mut mean = Array3::zeros((h, w, channels));
    for y in 0..h {
        for from in near(y, h) {
            let mut to = mean.slice_mut(s![y, .., ..]);
            to += &wide.slice(s![from, .., ..]);
        }
    }
    for y in 0..h {
        for x in 0..w {
            let count = (near(y, h).len() * near(x, w).len()) as f32;
            mean.slice_mut(s![y, x, ..]).mapv_inplace(|v: f32| v / count);
        }
    }
    mean
}

/// Share of a mask `(H, W)` in the square of every place of its grid.
#[must_use]
pub fn mask_shares(mask: ArrayView2<'_, bool>) -> Array2<f32> {
    let (h, w) = mask.dim();
    Array2::from_shape_fn((h.div_ceil(STRIDE), w.div_ceil(STRIDE)), |(row, column)| {
        let square =
            mask.slice(s![row * STRIDE..((row + 1) * STRIDE).min(h), column * STRIDE..((column + 1) * STRIDE).min(w)]);
        square.iter().filter(|m| **m).count() as f32 / square.len().max(1) as f32
    })
}

/// Features of real photos, kept on disk by what they depend on: the photo's pixels and the backbone.
#[derive(Debug)]
pub struct FeatureStore {
    net: EfficientNetLite0,
    folder: PathBuf,
}

impl FeatureStore {
    /// Opens a store in a folder, which is made.
    ///
    /// # Errors
    ///
    /// The folder cannot be made; the embedded weights are damaged.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self> {
        let folder = folder.into();
        std::fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        Ok(Self { net: EfficientNetLite0::pretrained()?, folder })
    }

    /// The backbone.
    #[must_use]
    pub fn net(&self) -> &EfficientNetLite0 {
        &self.net
    }

    /// Reads the features of a photo, or extracts and keeps them.
    ///
    /// # Errors
    ///
    /// The backbone refuses the photo; the file cannot be written.
    pub fn get(&self, photo: ArrayView3<'_, f32>) -> Result<Features> {
        let (h, w, c) = photo.dim();
        let head = format!("{} {:016x} {h}x{w}x{c} mean3 v1 ", self.net.id(), self.net.hash());
        let pixels = photo.iter().flat_map(|v| v.to_bits().to_le_bytes());
        let path = self.folder.join(format!("{:016x}.f32", fnv1a(head.bytes().chain(pixels))));
        if let Some(found) = std::fs::read(&path).ok().and_then(|bytes| self.decode(&bytes, (h, w))) {
            return Ok(found);
        }
        let features = Features::extract(&self.net, photo)?;
        let values = features.levels.iter().flat_map(|(_, level)| level.iter());
        let bytes: Vec<u8> = values.flat_map(|v| v.to_le_bytes()).collect();
        write_atomic(&path, &bytes)?;
        Ok(features)
    }

    /// Features from a file's bytes; `None` if their number does not fit.
    fn decode(&self, bytes: &[u8], size: (usize, usize)) -> Option<Features> {
        let mut values = bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
        let mut levels = Vec::new();
        for level in self.net.levels() {
            let dim = (size.0.div_ceil(level.stride), size.1.div_ceil(level.stride), level.channels);
            let part: Vec<f32> = values.by_ref().take(dim.0 * dim.1 * dim.2).collect();
            levels.push((level.stride, Array3::from_shape_vec(dim, part).ok()?));
        }
        values.next().is_none().then_some(Features { size, levels })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Levels at strides 4, 8 and 16 of a photo of 37 x 50 px whose values are those of a plane in image coordinates.
    fn plane() -> Features {
        let size = (37usize, 50usize);
        let level = |stride: usize, channels: usize| {
            let at = |i: usize| (i as f32 + 0.5) * stride as f32;
            let dim = (size.0.div_ceil(stride), size.1.div_ceil(stride), channels);
            (stride, Array3::from_shape_fn(dim, |(y, x, c)| (c + 1) as f32 * (2.0 * at(y) - at(x)) + stride as f32))
        };
        Features { size, levels: vec![level(4, 2), level(8, 3), level(16, 1)] }
    }

    #[test]
    fn every_level_is_read_at_the_same_place_of_the_photo() {
        let features = plane();
        assert_eq!((features.grid(), features.channels()), ((5, 7), 6));
        for (row, column) in [(1, 1), (2, 3), (3, 4)] {
            let here = 2.0 * (row as f32 + 0.5) * 8.0 - (column as f32 + 0.5) * 8.0;
            let expected = [here + 4.0, 2.0 * here + 4.0, here + 8.0, 2.0 * here + 8.0, 3.0 * here + 8.0, here + 16.0];
            for (found, expected) in features.at(row, column).iter().zip(expected) {
                assert!((found - expected).abs() < 1e-3, "{row} {column}: {found} {expected}");
            }
        }
    }

    #[test]
    fn weighing_levels_is_weighing_vectors() {
        let features = plane();
        let weights = [0.3, -0.1, 0.02, 0.4, -0.25, 0.7];
        let map = features.project(&weights, 1.5);
        assert_eq!(map.dim(), features.grid());
        for ((row, column), value) in map.indexed_iter() {
            let vector = features.at(row, column);
            let expected = 1.5 + vector.iter().zip(weights).map(|(v, w)| f64::from(*v) * w).sum::<f64>();
            assert!((f64::from(*value) - expected).abs() < 1e-3, "{row} {column}: {value} {expected}");
        }
    }

    #[test]
    fn shares_of_a_mask_are_areas() {
        let mask = Array2::from_shape_fn((20, 24), |(y, x)| y < 4 && x < 16 || y >= 18 && x < 2);
        let shares = mask_shares(mask.view());
        // the last row of places is 4 px high
        assert_eq!(shares, ndarray::arr2(&[[0.5, 0.5, 0.0], [0.0; 3], [4.0 / 32.0, 0.0, 0.0]]));
    }

    #[test]
    fn the_mean_of_a_neighborhood_is_that_of_its_places() {
        let level = Array3::from_shape_fn((3, 4, 1), |(y, x, _)| (y * 4 + x) as f32);
        let mean = mean_3x3(level.view());
        assert_eq!(mean[[1, 1, 0]], 5.0);
        assert_eq!(mean[[0, 0, 0]], (0.0 + 1.0 + 4.0 + 5.0) / 4.0);
        assert_eq!(mean[[2, 3, 0]], (6.0 + 7.0 + 10.0 + 11.0) / 4.0);
        assert_eq!(mean[[1, 3, 0]], (2.0 + 3.0 + 6.0 + 7.0 + 10.0 + 11.0) / 6.0);
    }

    #[test]
    fn what_is_kept_is_what_was_extracted() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let store = FeatureStore::open(folder.path().join("features"))?;
        let photo = Array3::from_shape_fn((40, 56, 1), |(y, x, _)| ((y * 13 + x * 7) % 29) as f32 / 29.0);
        let first = store.get(photo.view())?;
        assert_eq!(first, Features::extract(store.net(), photo.view())?);
        let files = || std::fs::read_dir(folder.path().join("features")).map(Iterator::count);
        assert_eq!(files()?, 1);
        assert_eq!(store.get(photo.view())?, first);
        assert_eq!(files()?, 1, "a photo is kept once");
        let mut other = photo.clone();
        other[[3, 4, 0]] += 0.01;
        assert_ne!(store.get(other.view())?, first);
        // a file that was cut is not believed
        for file in std::fs::read_dir(folder.path().join("features"))? {
            let path = file?.path();
            let bytes = std::fs::read(&path)?;
            std::fs::write(&path, &bytes[..bytes.len() / 2])?;
        }
        assert_eq!(store.get(photo.view())?, first);
        Ok(())
    }
}
