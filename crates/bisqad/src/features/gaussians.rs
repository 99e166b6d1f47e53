//! Gaussians of normal features at every position of the frame, one per level of the pyramid.

use frozen_backbone::Backbone;
use frozen_backbone::model_file::to_half;
use nalgebra::DMatrix;
use ndarray::{Array2, ArrayView1, ArrayView2, Axis, CowArray, Slice};
use rayon::prelude::*;

use crate::error::Error;
use crate::features::patches::Patches;
use crate::features::whitening::Whitening;

/// Number of folds of the normal images; an image is compared with Gaussians fitted to the other folds.
pub(crate) const FOLDS: usize = 4;
/// Addition to the variance of each direction at every position, as a share of its variance between positions: no pixel
/// of a photo is constant.
const FLOOR: f64 = 1e-3;

/// Feature columns that share one Gaussian: a level of the pyramid.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    pub(crate) from: usize,
    pub(crate) projection: Whitening,
}

impl Group {
    /// Number of dimensions kept.
    pub(crate) fn dimensions(&self) -> usize {
        self.projection.projection.ncols()
    }

    fn apply(&self, features: ArrayView2<'_, f32>) -> Array2<f32> {
        let columns = Slice::from(self.from..self.from + self.projection.mean.len());
        self.projection.apply(features.slice_axis(Axis(1), columns))
    }
}

/// Fits one projection per level, of at most `dimensions` each, to feature rows `(N, features)`.
pub(crate) fn by_level(
    backbone: &dyn Backbone,
    rows: ArrayView2<'_, f32>,
    dimensions: usize,
) -> Result<Vec<Group>, Error> {
    let mut from = 0;
    let groups = backbone.levels().iter().map(|level| {
        let columns = rows.slice_axis(Axis(1), Slice::from(from..from + level.channels));
        let group = Group { from, projection: Whitening::fit(columns, dimensions)? };
        from += level.channels;
        Ok(group)
    });
    groups.collect()
}

/// Number of entries of a lower triangle with its diagonal.
fn triangle(d: usize) -> usize {
    d * (d + 1) / 2
}

/// Sums over the normal images, by position and fold. Every image is added once; none is kept.
#[derive(Debug)]
pub(crate) struct Moments {
    grid: (usize, usize),
    groups: Vec<Group>,
    /// The first image: sums are of differences from it, so that they lose no digits.
    origin: Vec<f32>,
    positions: Vec<[Sums; FOLDS]>,
}

/// Sums of one position and fold: number of images, and by group the sum and the lower triangle of the products, row by
/// row.
#[derive(Debug, Clone, Default)]
struct Sums {
    count: f64,
    sum: Vec<f32>,
    products: Vec<f32>,
}

impl Moments {
    pub(crate) fn new(groups: Vec<Group>, first: &Patches) -> Self {
        let (d, t) = sizes(&groups);
        let sums = Sums { count: 0.0, sum: vec![0.0; d], products: vec![0.0; t] };
        let positions = (0..first.features.nrows()).map(|_| std::array::from_fn(|_| sums.clone())).collect();
        Self { grid: first.grid, origin: project(&groups, first.features.view()), groups, positions }
    }

    /// Adds images, each to its fold.
    pub(crate) fn add<P: std::borrow::Borrow<Patches> + Sync>(&mut self, images: &[(usize, P)]) {
        let projected: Vec<(usize, (usize, usize), Vec<f32>)> = images
            .par_iter()
            .map(|(f, p)| (f % FOLDS, p.borrow().grid, project(&self.groups, p.borrow().features.view())))
            .collect();
        let (d, grid) = (sizes(&self.groups).0, self.grid);
        let (groups, origin) = (&self.groups, &self.origin);
        self.positions.par_iter_mut().enumerate().for_each(|(position, folds)| {
            for (fold, from, rows) in &projected {
                let row = &rows[nearest(position, grid, *from) * d..][..d];
                let x: Vec<f32> = row.iter().zip(&origin[position * d..]).map(|(x, o)| x - o).collect();
                let sums = &mut folds[*fold];
                sums.count += 1.0;
                sums.sum.iter_mut().zip(&x).for_each(|(s, x)| *s += x);
                let (mut start, mut rest) = (0, &mut sums.products[..]);
                for group in groups {
                    let x = &x[start..start + group.dimensions()];
                    for i in 0..x.len() {
                        let (row, next) = rest.split_at_mut(i + 1);
                        row.iter_mut().zip(x).for_each(|(r, &v)| *r += x[i] * v);
                        rest = next;
                    }
                    start += x.len();
                }
            }
        });
    }

    /// Fits Gaussians to all images but those of fold `without`. Every covariance takes a share `shrinkage` of the one
    /// pooled over all positions.
    pub(crate) fn finish(&self, without: Option<usize>, shrinkage: f64) -> Result<Gaussians, Error> {
        let (d, t) = sizes(&self.groups);
        let count = self.positions.len();
        let moments: Vec<(Vec<f64>, Vec<f64>)> = self
            .positions
            .par_iter()
            .enumerate()
            .map(|(i, folds)| moments(&self.groups, &self.origin[i * d..][..d], folds, without))
            .collect();
        // in order, so that the sums are the same on any number of threads
        let (mut mean, mut square, mut pooled) = (vec![0.0; d], vec![0.0; d], vec![0.0; t]);
        for (m, covariance) in &moments {
            mean.iter_mut().zip(m).for_each(|(s, m)| *s += m / count as f64);
            square.iter_mut().zip(m).for_each(|(s, m)| *s += m * m / count as f64);
            pooled.iter_mut().zip(covariance).for_each(|(s, c)| *s += c / count as f64);
        }
        let between: Vec<f64> = square.iter().zip(&mean).map(|(q, m)| (q - m * m).max(1e-9)).collect();
        let fitted: Vec<Vec<f32>> = moments
            .par_iter()
            .enumerate()
            .map(|(position, (_, covariance))| {
                let (mut inverse, mut row, mut entry) = (Vec::with_capacity(t), 0, 0);
                for size in self.groups.iter().map(Group::dimensions) {
                    let (rows, entries) = (row..row + size, entry..entry + triangle(size));
                    (row, entry) = (rows.end, entries.end);
                    let own = &covariance[entries.clone()];
                    inverse.extend(
                        inverse_factor(own, &pooled[entries], &between[rows], shrinkage)
                            .ok_or(Error::Degenerate { position })?,
                    );
                }
                Ok(inverse)
            })
            .collect::<Result<_, Error>>()?;
        let mut gaussians = Gaussians {
            groups: self.groups.clone(),
            grid: self.grid,
            means: Array2::zeros((count, d)),
            inverses: Array2::zeros((count, t)),
        };
        for (i, (mean, _)) in moments.iter().enumerate() {
            gaussians.means.row_mut(i).iter_mut().zip(mean).for_each(|(to, &m)| *to = m as f32);
            gaussians.inverses.row_mut(i).assign(&ArrayView1::from(&fitted[i]));
        }
        Ok(gaussians)
    }

    /// The projections without Gaussians, for evidence that does not depend on the place.
    pub(crate) fn components_alone(&self) -> Gaussians {
        Gaussians::components_alone(self.groups.clone())
    }
}

/// Normal distributions by position and level.
#[derive(Debug, Clone)]
pub(crate) struct Gaussians {
    pub(crate) groups: Vec<Group>,
    pub(crate) grid: (usize, usize),
    /// `(positions, dimensions of all groups)`.
    pub(crate) means: Array2<f32>,
    /// `(positions, ...)`: by group the inverse of the covariance's lower Cholesky factor, its columns one after
    /// another.
    pub(crate) inverses: Array2<f32>,
}

impl Gaussians {
    /// Projections without Gaussians.
    pub(crate) fn components_alone(groups: Vec<Group>) -> Self {
        let (d, t) = sizes(&groups);
        Self { groups, grid: (0, 0), means: Array2::zeros((0, d)), inverses: Array2::zeros((0, t)) }
    }

    /// The same with means and inverses of 16 bits a number, as files of evidence hold them.
    pub(crate) fn rounded(self) -> Self {
        Self { means: self.means.mapv(to_half), inverses: self.inverses.mapv(to_half), ..self }
    }

    /// Number of dimensions of all groups together.
    pub(crate) fn dimensions(&self) -> usize {
        self.means.ncols()
    }

    /// Whether the sizes of its arrays fit each other and none is empty.
    pub(crate) fn is_whole(&self) -> bool {
        let ((d, t), count) = (sizes(&self.groups), self.grid.0 * self.grid.1);
        count > 0 && self.means.dim() == (count, d) && self.inverses.dim() == (count, t)
    }

    /// Diagonals of all inverses: one over the standard deviation of each direction, given those before it.
    pub(crate) fn scales(&self) -> impl Iterator<Item = f32> + '_ {
        let mut places = Vec::new();
        let mut at = 0;
        for size in self.groups.iter().map(Group::dimensions) {
            for column in 0..size {
                places.push(at);
                at += size - column;
            }
        }
        self.inverses.outer_iter().flat_map(move |row| {
            let at = places.clone();
            at.into_iter().filter_map(move |i| row.get(i).copied())
        })
    }

    /// Half-whitened principal components of all patches of an image, `(rows, dimensions)`.
    pub(crate) fn components(&self, patches: &Patches) -> Array2<f32> {
        let rows = project(&self.groups, patches.features.view());
        Array2::from_shape_vec((patches.features.nrows(), self.dimensions()), rows).unwrap_or_default()
    }

    /// Whitened deviations from the Gaussian of the same position, `(rows, dimensions)`: within a group, the length of
    /// a row is its Mahalanobis distance. For patches `which` of an image, or all; in an image with another grid the
    /// nearest position counts.
    pub(crate) fn deviations(&self, patches: &Patches, which: Option<&[usize]>) -> Array2<f32> {
        let d = self.dimensions();
        let features = match which {
            Some(rows) => CowArray::from(patches.features.select(Axis(0), rows)),
            None => CowArray::from(patches.features.view()),
        };
        let mut out = Array2::zeros((features.nrows(), d));
        if let Some(values) = out.as_slice_mut().filter(|_| d > 0) {
            const CHUNK: usize = 64;
            values.par_chunks_mut(CHUNK * d).enumerate().for_each(|(chunk, out)| {
                let from = chunk * CHUNK;
                let count = out.len() / d;
                let rows = project(&self.groups, features.slice_axis(Axis(0), Slice::from(from..from + count)));
                let place = |i: usize| which.map_or(from + i, |which| which[from + i]);
                let places: Vec<usize> = (0..count).map(|i| nearest(place(i), patches.grid, self.grid)).collect();
                pulp::Arch::new().dispatch(Deviate { gaussians: self, places: &places, rows: &rows, out });
            });
        }
        out
    }

    /// Length of each group's part of each row, `(rows, groups)`.
    pub(crate) fn lengths(&self, deviations: &Array2<f32>) -> Array2<f32> {
        let mut out = Array2::zeros((deviations.nrows(), self.groups.len()));
        for (row, mut to) in deviations.outer_iter().zip(out.outer_iter_mut()) {
            let mut from = 0;
            for (length, group) in to.iter_mut().zip(&self.groups) {
                let part = row.slice_axis(Axis(0), Slice::from(from..from + group.dimensions()));
                *length = part.dot(&part).sqrt();
                from += group.dimensions();
            }
        }
        out
    }
}

/// Whitens projected rows at their positions.
struct Deviate<'a> {
    gaussians: &'a Gaussians,
    /// Position of each row in the grid of the Gaussians.
    places: &'a [usize],
    rows: &'a [f32],
    out: &'a mut [f32],
}

impl pulp::WithSimd for Deviate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { gaussians, places, rows, out } = self;
        let d = gaussians.dimensions();
        for ((x, out), &position) in rows.chunks_exact(d).zip(out.chunks_exact_mut(d)).zip(places) {
            let (mean, inverse) = (gaussians.means.row(position), gaussians.inverses.row(position));
            let (Some(mean), Some(mut columns)) = (mean.to_slice(), inverse.to_slice()) else { continue };
            let mut from = 0;
            for size in gaussians.groups.iter().map(Group::dimensions) {
                let part = from..from + size;
                from += size;
                let out = &mut out[part.clone()];
                for (j, (x, m)) in x[part.clone()].iter().zip(&mean[part]).enumerate() {
                    let (column, rest) = columns.split_at(size - j);
                    let by = x - m;
                    out[j..].iter_mut().zip(column).for_each(|(o, c)| *o += by * c);
                    columns = rest;
                }
            }
        }
    }
}

/// Numbers of dimensions and of triangle entries of all groups.
fn sizes(groups: &[Group]) -> (usize, usize) {
    groups.iter().map(Group::dimensions).fold((0, 0), |(d, t), n| (d + n, t + triangle(n)))
}

/// Rows of all groups' projections, one after another.
fn project(groups: &[Group], features: ArrayView2<'_, f32>) -> Vec<f32> {
    let d = sizes(groups).0;
    let mut out = vec![0.0; features.nrows() * d];
    let mut from = 0;
    for group in groups {
        let part = group.apply(features);
        for (row, to) in part.outer_iter().zip(out.chunks_exact_mut(d.max(1))) {
            to[from..from + row.len()].iter_mut().zip(row).for_each(|(t, v)| *t = *v);
        }
        from += group.dimensions();
    }
    out
}

/// The position in grid `to` at the same place of the frame as `place` in grid `from`.
#[inline(always)]
pub(crate) fn nearest(place: usize, from: (usize, usize), to: (usize, usize)) -> usize {
    if from == to {
        return place;
    }
    let (y, x) = (place / from.1, place % from.1);
    let at = |i: usize, n: usize, m: usize| ((2 * i + 1) * m / (2 * n)).min(m - 1);
    at(y, from.0, to.0) * to.1 + at(x, from.1, to.1)
}

/// Mean, and covariance by group (lower triangles, row by row), of the images of all folds but `without`.
fn moments(groups: &[Group], origin: &[f32], folds: &[Sums; FOLDS], without: Option<usize>) -> (Vec<f64>, Vec<f64>) {
    let used = || folds.iter().enumerate().filter(|(i, _)| Some(*i) != without).map(|(_, f)| f);
    let count = used().map(|f| f.count).sum::<f64>().max(1.0);
    let total = |of: &dyn Fn(&Sums) -> &[f32], n: usize| -> Vec<f64> {
        used().fold(vec![0.0; n], |mut all, fold| {
            all.iter_mut().zip(of(fold)).for_each(|(a, &v)| *a += f64::from(v) / count);
            all
        })
    };
    let (d, t) = sizes(groups);
    let (shift, mut covariance) = (total(&|f| &f.sum, d), total(&|f| &f.products, t));
    let (mut from, mut entry) = (0, covariance.iter_mut());
    for size in groups.iter().map(Group::dimensions) {
        let shift = &shift[from..from + size];
        for i in 0..size {
            shift[..=i].iter().zip(&mut entry).for_each(|(s, c)| *c -= shift[i] * s);
        }
        from += size;
    }
    (shift.iter().zip(origin).map(|(s, &o)| s + f64::from(o)).collect(), covariance)
}

/// Inverse of the lower Cholesky factor of `(1 - shrinkage) own + shrinkage pooled`, column by column; `between` is
/// each direction's variance between positions, of which a little is added.
fn inverse_factor(own: &[f64], pooled: &[f64], between: &[f64], shrinkage: f64) -> Option<Vec<f32>> {
    let d = between.len();
    let covariance = DMatrix::from_fn(d, d, |i, j| {
        let entry = triangle(i.max(j)) + i.min(j);
        let floor = if i == j { FLOOR * between[i] } else { 0.0 };
        (1.0 - shrinkage) * own[entry] + shrinkage * pooled[entry] + floor
    });
    let inverse = covariance.cholesky()?.unpack().solve_lower_triangular(&DMatrix::identity(d, d))?;
    Some((0..d).flat_map(|j| (j..d).map(move |i| (i, j))).map(|at| inverse[at] as f32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, array};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// A group that leaves features as they are.
    fn plain(from: usize, d: usize) -> Group {
        Group { from, projection: Whitening { mean: Array1::zeros(d), projection: Array2::eye(d) } }
    }

    fn image(grid: (usize, usize), features: Array2<f32>) -> Patches {
        Patches { grid, features }
    }

    /// Images of one patch, in one group.
    fn one_position(rows: &Array2<f32>) -> Moments {
        let images: Vec<_> =
            rows.axis_chunks_iter(Axis(0), 1).enumerate().map(|(i, r)| (i, image((1, 1), r.to_owned()))).collect();
        let mut moments = Moments::new(vec![plain(0, rows.ncols())], &images[0].1);
        moments.add(&images);
        moments
    }

    #[test]
    fn the_length_is_the_mahalanobis_distance() {
        // closed form in two dimensions: rows with covariance [[4, 1.2], [1.2, 1]] about (3, -1), exactly
        let (a, b) = (2.0f32, 0.6f32); // Cholesky factor [[2, 0], [0.6, 0.8]]
        let rows: Vec<f32> = [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0f32)]
            .iter()
            .flat_map(|&(s, t)| [3.0 + a * s, -1.0 + b * s + 0.8 * t])
            .collect();
        let gaussians = one_position(&Array2::from_shape_vec((4, 2), rows).unwrap()).finish(None, 0.3).unwrap();
        for (x, y) in [(3.0f32, -1.0f32), (5.0, -1.0), (0.5, 2.0), (3.0, 0.0)] {
            let (dx, dy) = (f64::from(x) - 3.0, f64::from(y) + 1.0);
            let determinant = 4.0 - 1.2 * 1.2;
            let squared = (dx * dx - 2.0 * 1.2 * dx * dy + 4.0 * dy * dy) / determinant;
            let found = gaussians.lengths(&gaussians.deviations(&image((1, 1), array![[x, y]]), None))[[0, 0]];
            assert!((f64::from(found) - squared.sqrt()).abs() < 1e-5, "{x} {y}: {found}, {}", squared.sqrt());
        }
    }

    /// Leaving a fold out must equal never having added it.
    #[test]
    fn a_fold_left_out_was_never_there() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let rows = Array2::from_shape_simple_fn((12, 3), || 100.0 + rng.random_range(-1.0..1.0f32));
        let without = one_position(&rows).finish(Some(1), 0.1).unwrap();
        let kept: Vec<usize> = (0..12).filter(|i| i % FOLDS != 1).collect();
        let alone = one_position(&rows.select(Axis(0), &kept)).finish(None, 0.1).unwrap();
        let whole = one_position(&rows).finish(None, 0.1).unwrap();
        let x = image((1, 1), array![[101.0, 99.5, 100.2]]);
        let [without, alone, whole] = [without, alone, whole].map(|g| g.lengths(&g.deviations(&x, None))[[0, 0]]);
        assert!((without - alone).abs() < 1e-3 * alone, "{without} {alone}");
        assert!((whole - alone).abs() > 1e-2 * alone, "{whole} {alone}");
    }

    /// Two positions, two groups: each row is measured at its own place, each group by its own columns.
    #[test]
    fn places_and_groups_keep_apart() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        // position 0 varies by 1 and lies at 0, position 1 varies by 10 and lies at 5; the second group's columns are
        // ten times as wide
        let images: Vec<_> = (0..400)
            .map(|i| {
                let features = Array2::from_shape_fn((2, 4), |(p, k)| {
                    let spread = [1.0, 10.0][p] * [1.0, 10.0][k / 2];
                    [0.0, 5.0][p] + spread * 3f32.sqrt() * rng.random_range(-1.0..1.0f32)
                });
                (i, image((1, 2), features))
            })
            .collect();
        let mut moments = Moments::new(vec![plain(0, 2), plain(2, 2)], &images[0].1);
        moments.add(&images);
        let gaussians = moments.finish(None, 1e-9).unwrap();
        let x = image((1, 2), array![[3.0, 0.0, 30.0, 0.0], [5.0, 35.0, 5.0, 305.0]]);
        let lengths = gaussians.lengths(&gaussians.deviations(&x, None));
        assert!(lengths.iter().all(|l| (l - 3.0).abs() < 0.4), "{lengths}");
        // the second patch alone, and in a grid twice as fine
        assert_eq!(gaussians.lengths(&gaussians.deviations(&x, Some(&[1]))).row(0), lengths.row(1));
        let fine = x.features.select(Axis(0), &[0, 0, 1, 1]);
        let fine = gaussians.lengths(&gaussians.deviations(&image((1, 4), fine), None));
        assert_eq!(fine, lengths.select(Axis(0), &[0, 0, 1, 1]));
    }

    #[test]
    fn shrinkage_makes_few_images_enough() {
        // five rows in twelve dimensions at two positions: the sample covariance is singular, the shrunk one is not
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let images: Vec<_> = (0..5)
            .map(|i| (i, image((1, 2), Array2::from_shape_simple_fn((2, 12), || rng.random_range(-1.0..1.0f32)))))
            .collect();
        let mut moments = Moments::new(vec![plain(0, 12)], &images[0].1);
        moments.add(&images);
        for shrinkage in [0.1, 1.0] {
            let gaussians = moments.finish(None, shrinkage).unwrap();
            let far = image((1, 2), Array2::from_elem((2, 12), 2.0));
            let lengths = gaussians.lengths(&gaussians.deviations(&far, None));
            assert!(lengths.iter().all(|l| l.is_finite() && *l > 3.0), "{shrinkage}: {lengths}");
        }
    }
}
