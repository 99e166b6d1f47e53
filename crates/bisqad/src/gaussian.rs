//! A Gaussian per position: a baseline that needs no training.

use std::sync::Arc;

use frozen_backbone::Backbone;
use ndarray::{Array2, Array3, ArrayView1, ArrayView3, Axis, Slice, concatenate};
use rayon::prelude::*;

use crate::detector::{Detector, Prediction, Threshold};
use crate::whitening::Whitening;
use crate::{Error, patches};

/// Feature rows that the projection is fitted to, at most.
const CANDIDATES: usize = 16_384;

/// Positions whose covariances are summed on one thread.
const BLOCK: usize = 64;

/// Parameters of [`GaussianDetector::fit`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GaussianParams {
    /// Feature dimensions kept, by variance (default 64).
    pub dimensions: usize,
    /// Share of the pooled covariance in every position's (default 0.1; 0 exclusive to 1).
    pub shrinkage: f64,
    /// Share of the normal images held out for the threshold (default 0.1, one at least).
    pub held_out: f64,
    /// Standard deviation of the map's smoothing, px (default 4).
    pub smoothing: f32,
}

impl Default for GaussianParams {
    fn default() -> Self {
        Self { dimensions: 64, shrinkage: 0.1, held_out: 0.1, smoothing: 4.0 }
    }
}

impl GaussianParams {
    fn check(&self) -> Result<(), Error> {
        let refuse = |name, value, expected| Err(Error::Parameter { name, value, expected });
        if self.dimensions == 0 {
            return refuse("dimensions", 0.0, "at least 1");
        }
        if !(self.shrinkage > 0.0 && self.shrinkage <= 1.0) {
            return refuse("shrinkage", self.shrinkage, "above 0, at most 1");
        }
        if !(self.held_out > 0.0 && self.held_out < 1.0) {
            return refuse("held_out", self.held_out, "between 0 and 1");
        }
        if !(self.smoothing >= 0.0 && self.smoothing <= 100.0) {
            return refuse("smoothing", f64::from(self.smoothing), "0 to 100");
        }
        Ok(())
    }
}

/// One position's normal distribution.
#[derive(Debug, Clone)]
struct Position {
    mean: Vec<f32>,
    /// The inverse of the covariance's lower Cholesky factor, its rows one after another: row `i` has `i + 1` entries.
    inverse: Vec<f32>,
}

impl Position {
    /// From the rows `(N, D)` of one position and the pooled covariance `(D, D)`.
    fn fit(rows: &Array2<f32>, pooled: &Array2<f64>, shrinkage: f64) -> Option<Self> {
        let d = rows.ncols();
        let mean = rows.mean_axis(Axis(0))?;
        let covariance = (1.0 - shrinkage) * covariance(rows) + shrinkage * pooled;
        let factor = nalgebra::DMatrix::from_fn(d, d, |i, j| covariance[[i, j]]).cholesky()?.unpack();
        let inverse = factor.solve_lower_triangular(&nalgebra::DMatrix::identity(d, d))?;
        let inverse = (0..d).flat_map(|i| (0..=i).map(move |j| (i, j))).map(|p| inverse[p] as f32).collect();
        Some(Self { mean: mean.to_vec(), inverse })
    }

    /// Mahalanobis distance of `x`.
    fn distance(&self, x: ArrayView1<'_, f32>) -> f32 {
        let centred: Vec<f32> = x.iter().zip(&self.mean).map(|(x, m)| x - m).collect();
        let (mut rest, mut squares) = (&self.inverse[..], 0.0f32);
        for i in 0..centred.len() {
            let (row, next) = rest.split_at(i + 1);
            let z: f32 = row.iter().zip(&centred).map(|(a, b)| a * b).sum();
            squares += z * z;
            rest = next;
        }
        squares.sqrt()
    }
}

/// PaDiM-like baseline: at every patch position a Gaussian over the normal images, the score its Mahalanobis distance. For products
/// that always lie the same way.
///
/// T. Defard et al., "PaDiM: a Patch Distribution Modeling Framework", ICPR 2020, with three differences of our own: features are
/// the leading half-whitened principal components instead of a random choice; the covariance is shrunk towards the one pooled over
/// all positions instead of a multiple of the identity; the score is the map's maximum after smoothing.
///
/// Memory: 2 bytes a position and squared dimension; 1296 positions of 64 dimensions (288 x 288 px) take 11 MB.
///
/// ```
/// use bisqad::{Detector, GaussianDetector, GaussianParams};
/// use frozen_backbone::EfficientNetLite0;
/// use ndarray::Array3;
/// use std::sync::Arc;
///
/// let photo = |i: usize| {
///     Array3::from_shape_fn((64, 64, 3), |(y, x, _)| 0.4 + 0.05 * ((y * 7 + x * 13 + i * 29) % 11) as f32 / 11.0)
/// };
/// let normals: Vec<_> = (0..10).map(photo).collect();
/// let net = Arc::new(EfficientNetLite0::pretrained()?);
/// let detector = GaussianDetector::fit(net, &normals, GaussianParams { dimensions: 8, ..Default::default() })?;
/// let mut bad = photo(20);
/// for y in 24..40 { for x in 24..40 { for c in 0..3 { bad[[y, x, c]] = 0.9; } } }
/// assert!(detector.predict(bad.view())?.score > detector.predict(photo(21).view())?.score);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct GaussianDetector {
    backbone: Arc<dyn Backbone>,
    whitening: Whitening,
    size: (usize, usize),
    grid: (usize, usize),
    positions: Vec<Position>,
    smoothing: f32,
    normal_scores: Vec<f64>,
}

impl GaussianDetector {
    /// Fits to normal images `(H, W, C)`, all of one size; the last of them (a share `held_out`) are only scored, for the threshold.
    ///
    /// # Errors
    /// [`Error::Parameter`] outside the ranges, [`Error::TooFewNormals`] for fewer than three images, [`Error::Length`] if their sizes
    /// differ, [`Error::Backbone`] for images the backbone refuses.
    pub fn fit(backbone: Arc<dyn Backbone>, normals: &[Array3<f32>], params: GaussianParams) -> Result<Self, Error> {
        params.check()?;
        let few = Error::TooFewNormals { found: normals.len(), needed: 3 };
        let Some(first) = normals.first().filter(|_| normals.len() >= 3) else { return Err(few) };
        let size = (first.dim().0, first.dim().1);
        if let Some(odd) = normals.iter().find(|n| (n.dim().0, n.dim().1) != size) {
            let (found, expected) = (odd.dim().0 * odd.dim().1, size.0 * size.1);
            return Err(Error::Length { what: "a normal image", found, expected });
        }
        let held = ((normals.len() as f64 * params.held_out).round() as usize).clamp(1, normals.len() - 2);
        let (train, rest) = normals.split_at(normals.len() - held);
        let read = |n: &Array3<f32>| patches::read(backbone.as_ref(), n.view()).map(|(_, p)| p);
        let raw: Vec<_> = train.par_iter().map(read).collect::<Result<_, Error>>()?;
        let Some(grid) = raw.first().map(|p| p.grid) else { return Err(few) };
        let step = (raw.len() * grid.0 * grid.1).div_ceil(CANDIDATES).max(1);
        let thinned: Vec<_> =
            raw.iter().map(|p| p.features.slice_axis(Axis(0), Slice::from(..).step_by(step as isize))).collect();
        let rows = concatenate(Axis(0), &thinned).map_err(|_| Error::TooFewNormals { found: 0, needed: 3 })?;
        let whitening = Whitening::fit(rows.view(), params.dimensions)?;
        let features: Vec<Array2<f32>> = raw.par_iter().map(|p| whitening.apply(&p.features)).collect();
        drop(raw);

        let count = grid.0 * grid.1;
        let of = |i: usize| Array2::from_shape_fn((features.len(), features[0].ncols()), |(n, k)| features[n][[i, k]]);
        // blocks of positions, so that the sum is the same on any number of threads
        let block =
            |i: usize| (i..(i + BLOCK).min(count)).map(|i| covariance(&of(i))).fold(zeros(&whitening), |a, c| a + c);
        let blocks: Vec<_> = (0..count.div_ceil(BLOCK)).into_par_iter().map(|b| block(b * BLOCK)).collect();
        let pooled = factorable(blocks.iter().fold(zeros(&whitening), |a, b| a + b) / count as f64);
        let fit = |i: usize| {
            Position::fit(&of(i), &pooled, params.shrinkage).ok_or(Error::Diverged { what: "a covariance", step: i })
        };
        let positions = (0..count).into_par_iter().map(fit).collect::<Result<Vec<_>, Error>>()?;
        let smoothing = params.smoothing;
        let mut detector = Self { backbone, whitening, size, grid, positions, smoothing, normal_scores: Vec::new() };
        let score = |n: &Array3<f32>| detector.predict(n.view()).map(|p| p.score);
        detector.normal_scores = rest.par_iter().map(score).collect::<Result<_, Error>>()?;
        Ok(detector)
    }

    /// The threshold that calls at most a share `false_positive_rate` of the held-out normal images anomalous.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless the rate lies in \[0, 1).
    pub fn threshold(&self, false_positive_rate: f64) -> Result<Threshold, Error> {
        Threshold::of(&self.normal_scores, false_positive_rate)
    }
}

/// Covariance of rows about their mean.
fn covariance(rows: &Array2<f32>) -> Array2<f64> {
    let mean = rows.sum_axis(Axis(0)) / rows.nrows().max(1) as f32;
    let centred = (rows - &mean).mapv(f64::from);
    centred.t().dot(&centred) / rows.nrows().max(1) as f64
}

fn zeros(whitening: &Whitening) -> Array2<f64> {
    let d = whitening.projection.ncols();
    Array2::zeros((d, d))
}

/// A covariance with a millionth of its mean variance added to the diagonal.
fn factorable(mut covariance: Array2<f64>) -> Array2<f64> {
    let variance = covariance.diag().mean().unwrap_or(0.0).max(1e-9);
    covariance.diag_mut().mapv_inplace(|v| v + 1e-6 * variance);
    covariance
}

impl Detector for GaussianDetector {
    fn name(&self) -> &'static str {
        "position-gaussian"
    }

    /// # Errors
    /// Beside those of the trait, [`Error::Length`] if the image is not of the normal images' size.
    fn predict(&self, image: ArrayView3<'_, f32>) -> Result<Prediction, Error> {
        let (h, w, _) = image.dim();
        if (h, w) != self.size {
            return Err(Error::Length { what: "the image", found: h * w, expected: self.size.0 * self.size.1 });
        }
        let (_, p) = patches::read(self.backbone.as_ref(), image)?;
        let rows = self.whitening.apply(&p.features);
        let distances = rows.outer_iter().zip(&self.positions).map(|(x, position)| position.distance(x)).collect();
        Prediction::of_patches(distances, self.grid, self.size, self.smoothing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn distance_is_mahalanobis() {
        // closed form in two dimensions: rows with covariance [[4, 1.2], [1.2, 1]] about (3, -1), exactly
        let (a, b) = (2.0f32, 0.6f32); // Cholesky factor [[2, 0], [0.6, 0.8]]
        let rows: Vec<f32> = [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0f32)]
            .iter()
            .flat_map(|&(s, t)| [3.0 + a * s, -1.0 + b * s + 0.8 * t])
            .collect();
        let rows = Array2::from_shape_vec((4, 2), rows).unwrap();
        let exact = ndarray::array![[4.0, 1.2], [1.2, 1.0]];
        for (found, expected) in covariance(&rows).iter().zip(&exact) {
            assert!((found - expected).abs() < 1e-6);
        }
        let position = Position::fit(&rows, &exact, 0.5).unwrap();
        for (x, y) in [(3.0f32, -1.0f32), (5.0, -1.0), (0.5, 2.0), (3.0, 0.0)] {
            let (dx, dy) = (f64::from(x) - 3.0, f64::from(y) + 1.0);
            let determinant = 4.0 - 1.2 * 1.2;
            let squared = (dx * dx - 2.0 * 1.2 * dx * dy + 4.0 * dy * dy) / determinant;
            let found = position.distance(ndarray::array![x, y].view());
            assert!((f64::from(found) - squared.sqrt()).abs() < 1e-5, "{x} {y}: {found}, {}", squared.sqrt());
        }
    }

    #[test]
    fn shrinkage_makes_few_images_enough() {
        // five rows in twelve dimensions: the sample covariance is singular, the shrunk one is not
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let rows = Array2::from_shape_simple_fn((5, 12), || rng.random_range(-1.0..1.0f32));
        let pooled = Array2::eye(12);
        assert!(Position::fit(&rows, &Array2::zeros((12, 12)), 0.1).is_none());
        let position = Position::fit(&rows, &pooled, 0.1).unwrap();
        // along a direction that no row has, only the shrinkage's variance of 0.1 is left; never more than that
        let far = ndarray::Array1::from_elem(12, 2.0f32);
        let mean = rows.mean_axis(Axis(0)).unwrap();
        let length = (&far - &mean).mapv(|v| v * v).sum().sqrt();
        let distance = position.distance(far.view());
        assert!(distance > length && distance <= length / 0.1f32.sqrt() * 1.0001, "{distance} for {length}");
    }
}
