//! Distances of patches from the normal patches of the same place, from every photo on its own.

use frozen_backbone::Backbone;
use imgkit::{Size, ensure};
use ndarray::{Array2, Array3, ArrayView2, Axis, stack};
use rayon::prelude::*;

use super::EvidenceKind;
use super::level::{LevelNormals, LevelSettings};
use crate::error::Error;
use crate::features::gaussians::Gaussians;
use crate::features::patches::Patches;
use crate::selection::params::EvidenceParams;
use crate::views::seen::Seen;

/// Stride of the levels that distances are measured at, px.
const STRIDE: usize = 16;
/// Images that are held in memory until their distances are computed.
const AT_ONCE: usize = 64;

/// Distances of image patches from the patches of normal photos at the same place, photo by photo: what
/// [`EvidenceKind::PlaceNearest`] takes the least of. For studies of which normal photos are to be trusted.
///
/// Distances are Euclidean, of deviations whitened at each place, for each level of stride 16 of the backbone.
///
/// ```
/// use bisqad::PlaceDistances;
/// use bisqad::frozen_backbone::EfficientNetLite0;
/// use ndarray::Array3;
///
/// let net = EfficientNetLite0::pretrained()?;
/// let photo = |i: usize| Array3::from_shape_fn((64, 96, 3), |(y, x, _)| ((y * 7 + x * 3 + i * y) % 11) as f32 / 11.0);
/// let photos: Vec<_> = (0..6).map(photo).collect();
/// let fitted = PlaceDistances::fit(&net, 64, &photos, 0)?;
/// assert_eq!((fitted.grid(), fitted.photos()), ((4, 6), 6));
/// let distances = fitted.of(&net, &photos[..2])?;
/// assert_eq!(distances[0].dim(), (24, 2, 6));
/// assert!(distances[0][[0, 1, 1]] < 1e-2 && distances[0][[0, 1, 2]] > 0.1);
/// # Ok::<(), bisqad::Error>(())
/// ```
#[derive(Debug)]
pub struct PlaceDistances {
    side: usize,
    grid: (usize, usize),
    levels: Vec<LevelRows>,
}

/// Whitened deviations of all photos at one level.
#[derive(Debug)]
struct LevelRows {
    /// Number of the level in the pyramid.
    level: usize,
    gaussians: Gaussians,
    /// `(places, photos, dimensions)`.
    rows: Array3<f32>,
}

impl PlaceDistances {
    /// Measures photos `(H, W, 1 or 3)` of one size at a shorter side of `side` px; `seed` chooses the rows that
    /// principal components are fitted to.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a side of 0 and for a backbone without a level of stride 16,
    /// [`Error::TooFewNormals`] for fewer than two photos, [`Error::Shape`] for photos whose grids of patches differ,
    /// [`Error::Degenerate`] for photos that hardly differ, [`Error::Backbone`].
    pub fn fit(backbone: &dyn Backbone, side: usize, photos: &[Array3<f32>], seed: u64) -> Result<Self, Error> {
        const WHAT: &str = "distances by place";
        ensure(side > 0, WHAT, "side", side, "at least 1")?;
        let strides: Vec<usize> = backbone.levels().iter().map(|level| level.stride).collect();
        let which: Vec<usize> = (0..strides.len()).filter(|&i| strides[i] == STRIDE).collect();
        ensure(!which.is_empty(), WHAT, "levels of stride 16", 0, "at least one: take another backbone")?;
        if photos.len() < 2 {
            return Err(Error::TooFewNormals { found: photos.len(), needed: 2 });
        }
        let read = photos.par_iter().map(|photo| read(backbone, side, &which, photo));
        let read: Vec<Vec<Patches>> = read.collect::<Result<_, Error>>()?;
        let grid = read.first().and_then(|levels| levels.first()).map_or((0, 0), |level| level.grid);
        read.iter().try_for_each(|levels| same_grid(levels, grid))?;
        let settings = LevelSettings::of(&EvidenceParams::default().with_seed(seed));
        let level = |(i, &level): (usize, &usize)| {
            let normals: Vec<&Patches> = read.iter().map(|levels| &levels[i]).collect();
            let measured = LevelNormals::measure(level, normals.clone(), &[], settings)?;
            let gaussians = measured.fit(&[EvidenceKind::PlaceGaussian], None)?.gaussians;
            let rows = deviations(&gaussians, &normals)?;
            Ok(LevelRows { level, gaussians, rows })
        };
        let levels = which.iter().enumerate().map(level).collect::<Result<_, Error>>()?;
        Ok(Self { side, grid, levels })
    }

    /// Rows and columns of places, the same at all levels.
    #[must_use]
    pub fn grid(&self) -> (usize, usize) {
        self.grid
    }

    /// Number of photos.
    #[must_use]
    pub fn photos(&self) -> usize {
        self.levels.first().map_or(0, |level| level.rows.dim().1)
    }

    /// Distances of the photos from each other, for each level `(places, photos, photos)`; from itself 0.
    #[must_use]
    pub fn between(&self) -> Vec<Array3<f32>> {
        let level = |level: &LevelRows| {
            let mut all = distances(&level.rows, &level.rows);
            all.axis_iter_mut(Axis(0)).for_each(|mut place| place.diag_mut().fill(0.0));
            all
        };
        self.levels.iter().map(level).collect()
    }

    /// Distances of `images` from the photos, for each level `(places, images, photos)`.
    ///
    /// # Errors
    /// [`Error::Shape`] for an image whose grid of patches is not that of the photos, [`Error::Backbone`].
    pub fn of(&self, backbone: &dyn Backbone, images: &[Array3<f32>]) -> Result<Vec<Array3<f32>>, Error> {
        let places = self.grid.0 * self.grid.1;
        let empty = || Array3::zeros((places, images.len(), self.photos()));
        let mut out: Vec<Array3<f32>> = self.levels.iter().map(|_| empty()).collect();
        let which: Vec<usize> = self.levels.iter().map(|level| level.level).collect();
        for (chunk, images) in images.chunks(AT_ONCE).enumerate() {
            let read = images.par_iter().map(|image| read(backbone, self.side, &which, image));
            let read: Vec<Vec<Patches>> = read.collect::<Result<_, Error>>()?;
            read.iter().try_for_each(|levels| same_grid(levels, self.grid))?;
            for (i, (level, out)) in self.levels.iter().zip(&mut out).enumerate() {
                let rows: Vec<&Patches> = read.iter().map(|levels| &levels[i]).collect();
                let found = distances(&deviations(&level.gaussians, &rows)?, &level.rows);
                let from = chunk * AT_ONCE;
                out.slice_axis_mut(Axis(1), (from..from + images.len()).into()).assign(&found);
            }
        }
        Ok(out)
    }
}

/// Patches of an image at some levels.
fn read(backbone: &dyn Backbone, side: usize, which: &[usize], image: &Array3<f32>) -> Result<Vec<Patches>, Error> {
    let seen = Seen::read(backbone, None, side, image.view())?;
    Ok(seen.levels.into_iter().enumerate().filter(|(i, _)| which.contains(i)).map(|(_, level)| level).collect())
}

fn same_grid(levels: &[Patches], (height, width): (usize, usize)) -> Result<(), Error> {
    match levels.iter().find(|level| level.grid != (height, width)) {
        Some(Patches { grid, .. }) => Err(Error::Shape {
            what: "grid of patches",
            expected: Size { height, width },
            found: Size { height: grid.0, width: grid.1 },
        }),
        None => Ok(()),
    }
}

/// Whitened deviations of images `(places, images, dimensions)`.
fn deviations(gaussians: &Gaussians, images: &[&Patches]) -> Result<Array3<f32>, Error> {
    let rows: Vec<Array2<f32>> = images.par_iter().map(|image| gaussians.deviations(image, None)).collect();
    let views: Vec<ArrayView2<'_, f32>> = rows.iter().map(|r| r.view()).collect();
    let all = stack(Axis(1), &views).map_err(|_| Error::TooFewNormals { found: rows.len(), needed: 1 })?;
    Ok(all.as_standard_layout().into_owned())
}

/// Euclidean distances of rows `(places, N, dimensions)` from rows `(places, M, dimensions)` of the same place,
/// `(places, N, M)`.
fn distances(from: &Array3<f32>, to: &Array3<f32>) -> Array3<f32> {
    let mut out = Array3::zeros((from.dim().0, from.dim().1, to.dim().1));
    let places: Vec<_> = out.axis_iter_mut(Axis(0)).collect();
    places.into_par_iter().enumerate().for_each(|(place, mut out)| {
        let (a, b) = (from.index_axis(Axis(0), place), to.index_axis(Axis(0), place));
        let squares = |rows: ArrayView2<'_, f32>| rows.outer_iter().map(|r| r.dot(&r)).collect::<Vec<f32>>();
        let (a2, b2) = (squares(a), squares(b));
        // |a - b|^2 = |a|^2 + |b|^2 - 2ab, as one product of matrices
        ndarray::linalg::general_mat_mul(-2.0, &a, &b.t(), 0.0, &mut out);
        for (mut row, a2) in out.outer_iter_mut().zip(&a2) {
            row.iter_mut().zip(&b2).for_each(|(d, b2)| *d = (*d + a2 + b2).max(0.0).sqrt());
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use frozen_backbone::EfficientNetLite0;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn photos(n: usize, size: (usize, usize)) -> Vec<Array3<f32>> {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        (0..n).map(|_| Array3::from_shape_simple_fn((size.0, size.1, 3), || rng.random_range(0.3..0.6f32))).collect()
    }

    #[test]
    fn the_product_of_matrices_gives_euclidean_distances() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut rows = |n| Array3::from_shape_simple_fn((3, n, 5), || rng.random_range(-2.0..2.0f32));
        let (a, b) = (rows(4), rows(6));
        let found = distances(&a, &b);
        for ((place, i, k), d) in found.indexed_iter() {
            let exact = (0..5).map(|c| (a[[place, i, c]] - b[[place, k, c]]).powi(2)).sum::<f32>().sqrt();
            assert!((d - exact).abs() < 1e-4, "{place} {i} {k}: {d} {exact}");
        }
    }

    /// The least distance less the spacing of the nearest is the evidence that detectors use.
    #[test]
    fn the_nearest_less_its_spacing_is_the_evidence_by_place() {
        let net = EfficientNetLite0::pretrained().unwrap();
        let all = photos(13, (64, 48));
        let (query, normals) = all.split_at(1);
        let fitted = PlaceDistances::fit(&net, 48, normals, 3).unwrap();
        let (of, between) = (fitted.of(&net, query).unwrap(), fitted.between());
        let which: Vec<usize> = fitted.levels.iter().map(|l| l.level).collect();
        let settings = LevelSettings::of(&EvidenceParams::default().with_seed(3));
        let patches: Vec<Vec<Patches>> = all.iter().map(|p| read(&net, 48, &which, p).unwrap()).collect();
        assert!(!which.is_empty());
        for (i, &level) in which.iter().enumerate() {
            let used: Vec<&Patches> = patches[1..].iter().map(|p| &p[i]).collect();
            let measured = LevelNormals::measure(level, used, &[], settings).unwrap();
            let evidence = measured.fit(&[EvidenceKind::PlaceNearest], None).unwrap().scores(&patches[0][i]);
            for (place, exact) in evidence[0].1.iter().enumerate() {
                let to = |k: usize| of[i][[place, 0, k]];
                let nearest = (0..12).min_by(|&a, &b| to(a).total_cmp(&to(b))).unwrap();
                let mut others: Vec<f32> =
                    (0..12).filter(|k| *k != nearest).map(|k| between[i][[place, nearest, k]].powi(2)).collect();
                let found = to(nearest) - crate::evidence::density::spacing(&mut others);
                assert!((found - exact).abs() < 0.02, "{level} {place}: {found} {exact}");
            }
        }
    }

    #[test]
    fn what_has_no_common_grid_is_refused() {
        let net = EfficientNetLite0::pretrained().unwrap();
        let mut all = photos(3, (48, 64));
        let fitted = PlaceDistances::fit(&net, 48, &all, 0).unwrap();
        let other = photos(1, (48, 96));
        assert!(matches!(fitted.of(&net, &other), Err(Error::Shape { found: Size { width: 6, .. }, .. })));
        assert_eq!(fitted.of(&net, &[]).unwrap()[0].dim(), (12, 0, 3));
        assert!(matches!(PlaceDistances::fit(&net, 0, &all, 0), Err(Error::Parameter(_))));
        assert!(matches!(PlaceDistances::fit(&net, 48, &all[..1], 0), Err(Error::TooFewNormals { .. })));
        assert!(matches!(PlaceDistances::fit(&net, 48, &[], 0), Err(Error::TooFewNormals { .. })));
        all.extend(other);
        assert!(matches!(PlaceDistances::fit(&net, 48, &all, 0), Err(Error::Shape { .. })));
    }
}
