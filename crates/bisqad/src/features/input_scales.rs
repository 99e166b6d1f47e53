//! Inputs of the discriminator.

use ndarray::Array2;
use rand::Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::features::gaussians::{Gaussians, Group};

/// Scaling of deviations to rows of inputs: the whitened deviation from normal, level by level, then for each level the
/// length of the deviation (the Mahalanobis distance), standardized over normal patches.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scales {
    /// Number of dimensions of each level.
    pub(crate) levels: Vec<usize>,
    /// Mean and standard deviation of each level's lengths over normal patches.
    pub(crate) lengths: Vec<(f32, f32)>,
    /// Root-mean-square length of a normal patch's whole deviation.
    pub(crate) length: f32,
}

impl Scales {
    pub(crate) fn new(gaussians: &Gaussians) -> Self {
        let levels: Vec<usize> = gaussians.groups.iter().map(Group::dimensions).collect();
        Self { lengths: vec![(0.0, 1.0); levels.len()], levels, length: 1.0 }
    }

    /// Fits the scales to normal deviations.
    pub(crate) fn fit<'a>(&mut self, normal: impl Iterator<Item = &'a Array2<f32>>) {
        let mut sums = vec![(0.0f64, 0.0f64); self.levels.len()];
        let mut count = 0usize;
        for deviations in normal {
            count += deviations.nrows();
            for row in deviations.outer_iter() {
                for (sum, length) in sums.iter_mut().zip(self.split(row.as_slice().unwrap_or_default())) {
                    sum.0 += f64::from(length);
                    sum.1 += f64::from(length * length);
                }
            }
        }
        let n = count.max(1) as f64;
        let one = |&(sum, squares): &(f64, f64)| {
            let mean = sum / n;
            (mean as f32, ((squares / n - mean * mean).max(0.0).sqrt() as f32).max(1e-6))
        };
        self.lengths = sums.iter().map(one).collect();
        self.length = ((sums.iter().map(|s| s.1).sum::<f64>() / n).sqrt() as f32).max(1e-6);
    }

    /// Length of each level's part of a deviation.
    fn split<'a>(&'a self, deviation: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
        let mut rest = deviation;
        self.levels.iter().map(move |&d| {
            let (part, next) = rest.split_at(d.min(rest.len()));
            rest = next;
            part.iter().map(|v| v * v).sum::<f32>().sqrt()
        })
    }

    fn dimensions(&self) -> usize {
        self.levels.iter().sum()
    }

    /// Number of inputs in a row.
    pub(crate) fn width(&self) -> usize {
        self.dimensions() + self.levels.len()
    }

    /// Rows `(N, width)` of deviations `(N, dimensions)`.
    pub(crate) fn read(&self, deviations: &Array2<f32>) -> Array2<f32> {
        let mut rows = Array2::zeros((deviations.nrows(), self.width()));
        let values = rows.as_slice_mut().unwrap_or_default();
        values.par_chunks_mut(self.width().max(1)).with_min_len(64).enumerate().for_each(|(i, row)| {
            row.iter_mut().zip(deviations.row(i)).for_each(|(to, v)| *to = *v);
            self.measure(row);
        });
        rows
    }

    /// Writes the lengths of a row's deviation to its end.
    fn measure(&self, row: &mut [f32]) {
        let (deviation, ends) = row.split_at_mut(self.dimensions());
        for ((end, length), (mean, spread)) in ends.iter_mut().zip(self.split(deviation)).zip(&self.lengths) {
            *end = (length - mean) / spread;
        }
    }

    /// Distance of a patch, the evidence that needs no training: the mean of the scaled lengths of a row.
    pub(crate) fn distance(&self, row: &[f32]) -> f32 {
        row.iter().skip(self.dimensions()).sum::<f32>() / self.levels.len().max(1) as f32
    }

    /// [`Self::distance`] of each of `rows`.
    pub(crate) fn distances(&self, rows: &Array2<f32>) -> Vec<f32> {
        rows.outer_iter().map(|row| self.distance(row.to_slice().unwrap_or_default())).collect()
    }

    /// Pushes rows in random directions by `reach` normal lengths times a random factor in [0.5, 1).
    pub(crate) fn push_away<R: Rng>(&self, rows: &mut [f32], reach: f32, rng: &mut R) {
        let d = self.dimensions();
        for row in rows.chunks_exact_mut(self.width()) {
            let direction: Vec<f32> = (0..d).map(|_| StandardNormal.sample(rng)).collect();
            let norm = direction.iter().map(|d| d * d).sum::<f32>().sqrt().max(1e-12);
            let step = reach * rng.random_range(0.5f32..1.0) * self.length / norm;
            row.iter_mut().zip(&direction).for_each(|(v, d)| *v += step * d);
            self.measure(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn scales() -> Scales {
        Scales { levels: vec![2, 3], lengths: vec![(5.0, 2.0), (1.0, 0.5)], length: 0.7 }
    }

    #[test]
    fn a_row_ends_with_its_scaled_lengths() {
        let rows = scales().read(&ndarray::array![[6.0, 8.0, 2.0, 2.0, 1.0]]);
        assert_eq!(rows, ndarray::array![[6.0, 8.0, 2.0, 2.0, 1.0, 2.5, 4.0]]);
        assert_eq!(scales().distance(rows.row(0).as_slice().unwrap()), 3.25);
    }

    #[test]
    fn scales_are_the_moments_of_the_lengths() {
        let mut scales = scales();
        // lengths 5 and 15, and 3 and 3
        scales.fit([ndarray::array![[3.0, 4.0, 0.0, 3.0, 0.0], [9.0, 12.0, 2.0, 2.0, 1.0]]].iter());
        assert_eq!(scales.lengths, vec![(10.0, 5.0), (3.0, 1e-6)]);
        assert!((scales.length - ((25.0f32 + 225.0 + 18.0) / 2.0).sqrt()).abs() < 1e-4);
    }

    /// A pushed row must be what `read` would give for the pushed deviation.
    #[test]
    fn pushing_away_keeps_the_lengths_consistent_and_within_reach() {
        let scales = scales();
        let deviations = Array2::from_shape_fn((40, 5), |(i, j)| ((i * 7 + j * 3) % 11) as f32 / 5.0);
        let before = scales.read(&deviations);
        let mut after = before.clone();
        scales.push_away(after.as_slice_mut().unwrap(), 3.0, &mut ChaCha8Rng::seed_from_u64(5));
        for (b, a) in before.outer_iter().zip(after.outer_iter()) {
            let moved = (0..5).map(|k| (a[k] - b[k]).powi(2)).sum::<f32>().sqrt() / 0.7;
            assert!((1.499..=3.001).contains(&moved), "{moved}");
            let again = scales.read(
                &a.to_owned()
                    .into_shape_with_order((1, 7))
                    .unwrap()
                    .slice_axis(ndarray::Axis(1), (..5).into())
                    .to_owned(),
            );
            assert_eq!(again.row(0), a);
        }
    }
}
