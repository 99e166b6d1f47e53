//! Distance from the nearest normal patch of the same place, corrected for local density.

use frozen_backbone::model_file::{ModelTensor, to_half};
use imgkit::simd::widely;
use ndarray::Array2;
use rayon::prelude::*;

use super::density::{spacing, squared_distance};
use super::{Evidence, EvidenceKind, Rows};
use crate::features::gaussians::nearest;

/// Most normal rows kept of a place.
const KEPT: usize = 128;
/// Most numbers kept of one level: fewer rows of a place where there are many places.
const NUMBERS: usize = 6 << 20;

/// Normal rows of every place of the frame, of 16 bits a number, each with its spacing among those of the place. The
/// score of a patch is its distance from the nearest row of its place, less that row's spacing.
///
/// For products that lie alike. Of many normals those are kept that the greedy k-center rule picks.
///
/// Local-density correction: S. Lyu et al., "REB: Reducing Biases in Representation for Industrial Anomaly Detection",
/// arXiv 2308.12577.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlaceNearest {
    grid: (usize, usize),
    dimensions: usize,
    /// Largest number of rows of a place.
    most: usize,
    /// By place.
    places: Vec<Place>,
}

/// Normal rows of one place.
#[derive(Debug, Clone, PartialEq, Default)]
struct Place {
    /// One after another.
    rows: Vec<f32>,
    spacing: Vec<f32>,
    /// Normal image of each row.
    images: Vec<u32>,
}

impl PlaceNearest {
    /// Takes normal images of one grid with their numbers. `None` for no image.
    pub(crate) fn fit(normals: &[(u32, &Rows)]) -> Option<Self> {
        let (_, first) = normals.first()?;
        let (grid, dimensions) = (first.grid, first.rows.ncols());
        let most = most(grid, dimensions);
        let place = |p: usize| {
            let all: Vec<f32> =
                normals.iter().flat_map(|(_, n)| n.rows.row(nearest(p, grid, n.grid)).mapv(to_half)).collect();
            let row = |i: usize| &all[i * dimensions..][..dimensions];
            let picks = k_center(&all, dimensions, most);
            let own = |&i: &usize| {
                let mut squares = vec![f32::INFINITY; normals.len()];
                widely(
                    #[inline(always)]
                    || {
                        for (k, square) in squares.iter_mut().enumerate() {
                            *square = squared_distance(row(i), row(k));
                        }
                    },
                );
                squares.swap_remove(i);
                spacing(&mut squares)
            };
            Place {
                rows: picks.iter().flat_map(|&i| row(i).iter().copied()).collect(),
                spacing: picks.iter().map(own).collect(),
                images: picks.iter().map(|&i| normals[i].0).collect(),
            }
        };
        let places = (0..grid.0 * grid.1).into_par_iter().map(place).collect();
        Some(Self { grid, dimensions, most, places })
    }

    /// Takes what [`Evidence::tensors`] gave; `None` if the sizes do not fit.
    pub(crate) fn read(
        grid: (usize, usize),
        rows: &Array2<f32>,
        counts: &[u32],
        spacing: &[f32],
        images: &[u32],
    ) -> Option<Self> {
        let dimensions = rows.ncols();
        let total = counts.iter().try_fold(0usize, |sum, &n| sum.checked_add(n as usize))?;
        let fits = counts.len() == grid.0.checked_mul(grid.1)? && rows.nrows() == total && dimensions > 0;
        if !fits || spacing.len() != total || images.len() != total || counts.contains(&0) {
            return None;
        }
        let values = rows.as_standard_layout();
        let mut left = (values.as_slice()?, spacing, images);
        let mut places = Vec::with_capacity(counts.len());
        for &count in counts {
            let count = count as usize;
            let ((rows, a), (spacing, b), (images, c)) =
                (left.0.split_at(count * dimensions), left.1.split_at(count), left.2.split_at(count));
            left = (a, b, c);
            places.push(Place { rows: rows.to_vec(), spacing: spacing.to_vec(), images: images.to_vec() });
        }
        Some(Self { grid, dimensions, most: most(grid, dimensions), places })
    }
}

impl Evidence for PlaceNearest {
    fn kind(&self) -> EvidenceKind {
        EvidenceKind::PlaceNearest
    }

    fn score(&self, image: &Rows) -> Vec<f32> {
        let d = self.dimensions.max(1);
        let queries = image.rows.as_standard_layout();
        let queries = queries.as_slice().unwrap_or_default();
        let mut out = vec![0.0f32; image.rows.nrows()];
        out.par_chunks_mut(32).zip(queries.par_chunks(32 * d)).enumerate().for_each(|(chunk, (out, queries))| {
            widely(
                #[inline(always)]
                || {
                    for (i, (score, query)) in out.iter_mut().zip(queries.chunks_exact(d)).enumerate() {
                        let place = &self.places[nearest(32 * chunk + i, image.grid, self.grid)];
                        let mut best = (f32::INFINITY, 0.0);
                        for (row, &spacing) in place.rows.chunks_exact(d).zip(&place.spacing) {
                            let square = squared_distance(query, row);
                            best = if square < best.0 { (square, spacing) } else { best };
                        }
                        *score = best.0.sqrt() - best.1;
                    }
                },
            );
        });
        out
    }

    fn add(&mut self, normal: &Rows, image: u32) {
        let (d, grid, most) = (self.dimensions, self.grid, self.most);
        self.places.par_iter_mut().enumerate().for_each(|(p, place)| {
            let row = normal.rows.row(nearest(p, grid, normal.grid)).mapv(to_half).to_vec();
            let mut squares: Vec<f32> = place.rows.chunks_exact(d).map(|other| squared_distance(&row, other)).collect();
            if place.images.len() >= most {
                // the row that adds least to what is covered makes room: one of the closest pair
                let least = closest(&place.rows, d);
                let own = squares.iter().copied().fold(f32::INFINITY, f32::min);
                let Some((drop, _)) = least.filter(|&(_, square)| square < own) else { return };
                place.rows.drain(drop * d..(drop + 1) * d);
                place.spacing.remove(drop);
                place.images.remove(drop);
                squares.remove(drop);
            }
            place.spacing.push(spacing(&mut squares));
            place.rows.extend(row);
            place.images.push(image);
        });
    }

    fn remove(&mut self, image: u32) {
        let d = self.dimensions;
        for place in &mut self.places {
            // a place keeps one row at least
            while let Some(i) = place.images.iter().position(|&n| n == image).filter(|_| place.images.len() > 1) {
                place.rows.drain(i * d..(i + 1) * d);
                place.spacing.remove(i);
                place.images.remove(i);
            }
        }
    }

    fn tensors(&self) -> Vec<(&'static str, ModelTensor)> {
        let total: usize = self.places.iter().map(|p| p.images.len()).sum();
        let all = |of: fn(&Place) -> &[f32]| self.places.iter().flat_map(of).copied().collect::<Vec<f32>>();
        let rows = Array2::from_shape_vec((total, self.dimensions), all(|p| &p.rows)).unwrap_or_default();
        let counts: Vec<u32> = self.places.iter().map(|p| p.images.len() as u32).collect();
        let images: Vec<u32> = self.places.iter().flat_map(|p| p.images.iter().copied()).collect();
        vec![
            ("rows", ModelTensor::half_matrix(rows.view())),
            ("counts", ModelTensor::vector(&counts)),
            ("spacing", ModelTensor::vector(&all(|p| &p.spacing))),
            ("images", ModelTensor::vector(&images)),
        ]
    }
}

/// Most rows of a place.
fn most(grid: (usize, usize), dimensions: usize) -> usize {
    (NUMBERS / (grid.0 * grid.1 * dimensions).max(1)).clamp(16, KEPT)
}

/// Row of the closest pair that lies closer to the other rows, and the squared distance of the pair; of equal pairs the
/// first.
fn closest(rows: &[f32], d: usize) -> Option<(usize, f32)> {
    let row = |i: usize| &rows[i * d..][..d];
    let n = rows.len() / d.max(1);
    let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |k| (i, k)));
    let (_, k, square) =
        pairs.map(|(i, k)| (i, k, squared_distance(row(i), row(k)))).min_by(|a, b| a.2.total_cmp(&b.2))?;
    Some((k, square))
}

/// Numbers of at most `count` rows by the greedy k-center rule, the first is row 0; rows that are equal to a picked one
/// come last.
fn k_center(rows: &[f32], d: usize, count: usize) -> Vec<usize> {
    let n = rows.len() / d.max(1);
    if count >= n {
        return (0..n).collect();
    }
    let mut left = vec![f32::INFINITY; n];
    let mut picks = Vec::with_capacity(count);
    let mut next = 0;
    while picks.len() < count {
        picks.push(next);
        let center = &rows[next * d..][..d];
        left[next] = f32::NEG_INFINITY;
        let mut best = (next, f32::NEG_INFINITY);
        widely(
            #[inline(always)]
            || {
                for (i, row) in rows.chunks_exact(d).enumerate() {
                    if left[i] == f32::NEG_INFINITY {
                        continue; // picked
                    }
                    left[i] = left[i].min(squared_distance(row, center));
                    if left[i] > best.1 {
                        best = (i, left[i]);
                    }
                }
            },
        );
        next = best.0;
    }
    picks
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn images(n: usize, grid: (usize, usize), d: usize) -> Vec<Rows> {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let mut image = || Array2::from_shape_fn((grid.0 * grid.1, d), |_| to_half(rng.random_range(-1.0..1.0f32)));
        (0..n).map(|_| Rows { grid, rows: image() }).collect()
    }

    fn fit(normals: &[Rows]) -> PlaceNearest {
        PlaceNearest::fit(&normals.iter().enumerate().map(|(i, n)| (i as u32, n)).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn scores_equal_brute_force() {
        let all = images(9, (2, 3), 5);
        let (normals, query) = all.split_at(8);
        let found = fit(normals).score(&query[0]);
        for (place, found) in found.iter().enumerate() {
            let to = |a: &Rows, b: &Rows| (&a.rows.row(place) - &b.rows.row(place)).mapv(|v| v * v).sum().sqrt();
            let (i, nearest) =
                (0..8).map(|i| (i, to(&query[0], &normals[i]))).min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
            let mut others: Vec<f32> = (0..8).filter(|k| *k != i).map(|k| to(&normals[i], &normals[k])).collect();
            others.sort_by(f32::total_cmp);
            let exact = nearest - others[..5].iter().sum::<f32>() / 5.0;
            assert!((found - exact).abs() < 1e-5, "{place}: {found} for {exact}");
        }
    }

    #[test]
    fn a_step_off_a_dense_place_is_stranger_than_one_off_a_loose_place() {
        // Place 0 varies by 0.1, place 1 by 1; both queries lie 0.5 from all of theirs.
        let image = |i: usize| {
            let v = i as f32 / 10.0;
            Rows { grid: (1, 2), rows: ndarray::arr2(&[[0.1 * v], [v]]) }
        };
        let normals: Vec<_> = (0..10).map(image).collect();
        let query = Rows { grid: (1, 2), rows: ndarray::arr2(&[[-0.5], [-0.5]]) };
        let found = fit(&normals).score(&query);
        assert!(found[0] > found[1] + 0.2, "{found:?}");
    }

    #[test]
    fn rows_beyond_the_bound_are_picked_to_cover() {
        // Two places in the line of rows, one of them taken by all but one.
        let rows: Vec<f32> = (0..20).map(|i| if i == 13 { 5.0 } else { 0.001 * i as f32 }).collect();
        assert!(k_center(&rows, 1, 2).contains(&13));
        assert_eq!(k_center(&rows, 1, 30).len(), 20);
        let mut picks = k_center(&[1.0f32; 6], 1, 4);
        picks.sort_unstable();
        picks.dedup();
        assert_eq!(picks.len(), 4);
    }

    #[test]
    fn another_grid_is_compared_at_the_same_place_of_the_frame() {
        let normals = images(6, (2, 2), 3);
        let fitted = fit(&normals);
        // Each row of a normal twice as large in both directions.
        let large = Array2::from_shape_fn((16, 3), |(p, k)| {
            let (y, x) = (p / 4 / 2, p % 4 / 2);
            normals[0].rows[[2 * y + x, k]]
        });
        let small = fitted.score(&normals[0]);
        for (p, found) in fitted.score(&Rows { grid: (4, 4), rows: large }).iter().enumerate() {
            assert_eq!(*found, small[2 * (p / 4 / 2) + p % 4 / 2]);
        }
    }

    #[test]
    fn what_was_added_is_near_and_what_was_removed_is_far_again() {
        let all = images(9, (2, 2), 4);
        let (normals, new) = all.split_at(8);
        let mut fitted = fit(normals);
        let before = fitted.score(&new[0]);
        fitted.add(&new[0], 8);
        let added = fitted.score(&new[0]);
        assert!(added.iter().all(|s| *s <= 0.0), "at distance 0, less its spacing: {added:?}");
        fitted.remove(8);
        assert_eq!(fitted.score(&new[0]), before);
        for image in 0..8 {
            fitted.remove(image);
        }
        assert!(fitted.score(&new[0]).iter().all(|s| s.is_finite()), "one row is left of each place");
    }

    #[test]
    fn a_full_place_makes_room_for_what_is_new() {
        let rows = |v: f32| Rows { grid: (1, 1), rows: ndarray::arr2(&[[v]]) };
        let normals: Vec<Rows> = [0.0, 1.0, 1.01, 3.0].map(rows).into();
        let mut fitted = fit(&normals);
        fitted.most = 4;
        fitted.add(&rows(9.0), 4);
        assert_eq!(fitted.places[0].images, [0, 1, 3, 4]);
        // nearer to one of them than any two are: nothing is gained by it
        fitted.add(&rows(9.1), 5);
        assert_eq!(fitted.places[0].images, [0, 1, 3, 4]);
    }
}
