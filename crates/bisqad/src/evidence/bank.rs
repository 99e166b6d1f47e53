//! Distance from the nearest normal patch anywhere in the frame.

use frozen_backbone::model_file::{ModelTensor, to_half};
use imgkit::simd::widely;
use ndarray::{Array2, Axis, concatenate};
use rayon::prelude::*;

use super::density::{spacing, squared_distance};
use super::{Evidence, EvidenceKind, Rows};
use crate::features::coreset::Memory;

/// Bank of normal rows from all places. The score of a patch is its distance from the nearest row, as it is or less
/// that row's own spacing among normal rows.
///
/// K. Roth et al., "Towards Total Recall in Industrial Anomaly Detection", CVPR 2022; the correction as for
/// [`PlaceNearest`](super::place_nearest::PlaceNearest).
#[derive(Debug, Clone)]
pub(crate) struct Bank {
    memory: Memory,
    /// Of each row; empty without the correction.
    spacing: Vec<f32>,
    /// Normal image of each row.
    images: Vec<u32>,
    /// Largest distance of a normal row from the bank: nearer ones add nothing.
    radius: f32,
}

impl Bank {
    /// Selects `size` of the rows `pool` `(N, D)` of normal images `images`, which are in random order within an image
    /// and of 16 bits a number.
    ///
    /// Without `density` by the greedy k-center rule. With it evenly over the pool, because that rule picks lonely rows
    /// first, whose spacing would excuse too much; the spacing of each is that among the whole pool.
    pub(crate) fn fit(pool: &Array2<f32>, images: &[u32], size: usize, density: bool) -> Self {
        let (picks, radius) = if density {
            let n = pool.nrows();
            let kept = size.min(n).max(1);
            ((0..size.min(n)).map(|i| i * n / kept).collect(), 0.0)
        } else {
            Memory::picks(pool, size)
        };
        let memory = Memory::new(pool.select(Axis(0), &picks));
        let images = picks.iter().filter_map(|&i| images.get(i).copied()).collect();
        let spacing = if density { spacings(&memory.rows, pool) } else { Vec::new() };
        Self { memory, spacing, images, radius }
    }

    /// Takes what [`Evidence::tensors`] gave; `None` if the sizes do not fit.
    pub(crate) fn read(rows: Array2<f32>, spacing: Vec<f32>, images: Vec<u32>, radius: f32) -> Option<Self> {
        let n = rows.nrows();
        let fits = n > 0 && rows.ncols() > 0 && images.len() == n && (spacing.is_empty() || spacing.len() == n);
        fits.then(|| Self { memory: Memory::new(rows), spacing, images, radius })
    }
}

/// Spacing of each row among those of `pool` that are not the row itself.
fn spacings(rows: &Array2<f32>, pool: &Array2<f32>) -> Vec<f32> {
    let (rows, pool) = (rows.as_standard_layout(), pool.as_standard_layout());
    let d = rows.ncols().max(1);
    let (rows, pool) = (rows.as_slice().unwrap_or_default(), pool.as_slice().unwrap_or_default());
    rows.par_chunks(d)
        .map(|row| {
            let mut squares = vec![0.0f32; pool.len() / d];
            widely(
                #[inline(always)]
                || {
                    for (square, other) in squares.iter_mut().zip(pool.chunks_exact(d)) {
                        *square = squared_distance(row, other);
                    }
                },
            );
            squares.retain(|square| *square > 0.0);
            spacing(&mut squares)
        })
        .collect()
}

impl Evidence for Bank {
    fn kind(&self) -> EvidenceKind {
        if self.spacing.is_empty() { EvidenceKind::Bank } else { EvidenceKind::BankDensity }
    }

    fn score(&self, image: &Rows) -> Vec<f32> {
        let correction = |i: usize| self.spacing.get(i).copied().unwrap_or(0.0);
        self.memory.distances(&image.rows).iter().map(|&(i, distance)| distance - correction(i)).collect()
    }

    fn add(&mut self, normal: &Rows, image: u32) {
        let pool = &normal.rows.mapv(to_half);
        let new: Vec<usize> = (self.memory.distances(pool).iter().enumerate())
            .filter(|(_, (_, distance))| *distance > self.radius)
            .map(|(i, _)| i)
            .collect();
        let Ok(rows) = concatenate(Axis(0), &[self.memory.rows.view(), pool.select(Axis(0), &new).view()]) else {
            return;
        };
        if !self.spacing.is_empty() {
            self.spacing.extend(spacings(&pool.select(Axis(0), &new), &rows));
        }
        self.images.extend(std::iter::repeat_n(image, new.len()));
        self.memory = Memory::new(rows);
    }

    fn remove(&mut self, image: u32) {
        let kept: Vec<usize> = (0..self.images.len()).filter(|&i| self.images[i] != image).collect();
        if kept.is_empty() || kept.len() == self.images.len() {
            return;
        }
        if !self.spacing.is_empty() {
            self.spacing = kept.iter().map(|&i| self.spacing[i]).collect();
        }
        self.images = kept.iter().map(|&i| self.images[i]).collect();
        self.memory = Memory::new(self.memory.rows.select(Axis(0), &kept));
    }

    fn tensors(&self) -> Vec<(&'static str, ModelTensor)> {
        vec![
            ("rows", ModelTensor::half_matrix(self.memory.rows.view())),
            ("spacing", ModelTensor::vector(&self.spacing)),
            ("images", ModelTensor::vector(&self.images)),
            ("radius", ModelTensor::vector(&[self.radius])),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn scores_equal_brute_force() {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let mut random = |n: usize| Array2::from_shape_fn((n, 7), |_| to_half(rng.random_range(-1.0..1.0f32)));
        let (rows, query) = (random(40), Rows { grid: (3, 4), rows: random(12) });
        let to =
            |a: ndarray::ArrayView1<'_, f32>, b: ndarray::ArrayView1<'_, f32>| (&a - &b).mapv(|v| v * v).sum().sqrt();
        let [plain, corrected] = [false, true].map(|density| Bank::fit(&rows, &[0; 40], 40, density).score(&query));
        for (k, row) in query.rows.outer_iter().enumerate() {
            let (best, length) = (0..40).map(|i| (i, to(row, rows.row(i)))).min_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
            let mut others: Vec<f32> =
                (0..40).filter(|&i| i != best).map(|i| to(rows.row(best), rows.row(i))).collect();
            others.sort_by(f32::total_cmp);
            let spacing = others[..5].iter().sum::<f32>() / 5.0;
            assert!((plain[k] - length).abs() < 1e-4, "{k}: {} for {length}", plain[k]);
            assert!((corrected[k] - (length - spacing)).abs() < 1e-4, "{k}: {}", corrected[k]);
        }
    }

    #[test]
    fn a_sparse_mode_of_normal_patches_is_no_anomaly() {
        // A hundred rows within 0.1 and ten spread by 2 around 10: a new one of the spread kind lies farther from its
        // nearest than a strange one beside the dense kind does, but less far than that nearest from its own.
        let dense = |i: usize| 0.001 * i as f32;
        let sparse = |i: usize| 10.0 + 0.2 * i as f32;
        let rows = Array2::from_shape_fn((110, 1), |(i, _)| if i < 100 { dense(i) } else { sparse(i - 100) });
        let query = Rows { grid: (1, 2), rows: ndarray::arr2(&[[10.1f32], [-0.09]]) };
        let found = Bank::fit(&rows, &[0; 110], 110, false).score(&query);
        assert!(found[0] > found[1], "{found:?}");
        let found = Bank::fit(&rows, &[0; 110], 110, true).score(&query);
        assert!(found[0] < found[1], "{found:?}");
    }

    #[test]
    fn what_was_added_is_near_and_what_was_removed_is_far_again() {
        let line = Array2::from_shape_fn((20, 1), |(i, _)| i as f32);
        for density in [false, true] {
            let mut bank = Bank::fit(&line, &[0; 20], 20, density);
            let far = Rows { grid: (1, 2), rows: ndarray::arr2(&[[100.0f32], [101.0]]) };
            let before = bank.score(&far);
            bank.add(&far, 1);
            assert!(bank.score(&far).iter().all(|s| *s <= 0.0));
            bank.remove(1);
            assert_eq!(bank.score(&far), before);
            bank.remove(0);
            assert_eq!(bank.score(&far), before, "the last image stays");
        }
    }
}
