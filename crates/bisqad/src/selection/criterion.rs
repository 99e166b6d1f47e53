//! Criterion of the choice: how well a map separates synthetic defects from normal images and patches.

use ndarray::Array2;

use crate::detectors::mean_of_highest;
use crate::features::score_map;

/// Largest number of patches without a defect that those of a defect are compared with: more are thinned out evenly.
const PATCHES: usize = 50_000;

/// How a map becomes image scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reduction {
    /// Standard deviation of the smoothing, in patches.
    pub(crate) smoothing: f32,
    /// Share of the patches, the highest, whose mean is the image score.
    pub(crate) share: f64,
}

impl Reduction {
    /// Default: one patch, the highest hundredth.
    pub(crate) const DEFAULT: Self = Self { smoothing: 1.0, share: 0.01 };

    /// Smooths a map of patches.
    pub(crate) fn smooth(&self, map: &Array2<f32>) -> Array2<f32> {
        score_map::gaussian(map.view(), self.smoothing)
    }

    /// Image score of a smoothed map of patches: the mean of its highest ones, at least one.
    pub(crate) fn score(&self, map: &Array2<f32>) -> f64 {
        mean_of_highest(map, (map.len() as f64 * self.share).round() as usize)
    }
}

/// Separation of one synthetic defect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Separation {
    /// Probability that a held-out normal image scores lower than the image with the defect.
    pub(crate) image: f64,
    /// Probability that a patch without a defect scores lower than a patch of this defect.
    pub(crate) pixel: f64,
}

impl Separation {
    /// Mean of both.
    pub(crate) fn mean(self) -> f64 {
        (self.image + self.pixel) / 2.0
    }
}

/// Measures each of some defects of one mechanism, maps `defects` with the share of each patch in the mask, against the
/// maps of normal images and the patches of the defects' own images outside their masks. All maps are smoothed.
pub(crate) fn separations(
    normals: &[Array2<f32>],
    defects: &[(Array2<f32>, &[f32])],
    reduction: Reduction,
) -> Vec<Separation> {
    let mut scores: Vec<f64> = normals.iter().map(|n| reduction.score(n)).collect();
    scores.sort_unstable_by(f64::total_cmp);
    let mut patches: Vec<f32> = normals.iter().flatten().copied().collect();
    for (map, coverage) in defects {
        patches.extend(map.iter().zip(*coverage).filter(|(_, c)| **c == 0.0).map(|(v, _)| *v));
    }
    let step = patches.len().div_ceil(PATCHES).max(1);
    let mut patches: Vec<f32> = patches.into_iter().step_by(step).collect();
    patches.sort_unstable_by(f32::total_cmp);
    let of = |(map, coverage): &(Array2<f32>, &[f32])| {
        let marked = || map.iter().zip(*coverage).filter(|(_, c)| **c > 0.0);
        let total: f64 = marked().map(|(_, c)| f64::from(*c)).sum();
        let below: f64 = marked().map(|(v, c)| f64::from(*c) * rank(&patches, |p| p.total_cmp(v))).sum();
        let score = reduction.score(map);
        Separation { image: rank(&scores, |s| s.total_cmp(&score)), pixel: below / total.max(f64::MIN_POSITIVE) }
    };
    defects.iter().map(of).collect()
}

/// Share of `sorted` below a value that `compare` compares with, ties by half.
fn rank<T>(sorted: &[T], compare: impl Fn(&T) -> std::cmp::Ordering) -> f64 {
    let less = sorted.partition_point(|v| compare(v).is_lt());
    let not_more = sorted.partition_point(|v| compare(v).is_le());
    (less + not_more) as f64 / (2 * sorted.len().max(1)) as f64
}

/// Mean over mechanisms of the means over their defects; `mechanisms` names that of each value. 0 for none.
pub(crate) fn mean_by_mechanism(values: &[f64], mechanisms: &[usize]) -> f64 {
    shares(mechanisms).iter().zip(values).map(|(share, v)| share * v).sum()
}

/// Standard error of the mean by mechanism of paired differences: of how much one candidate is better than another. The
/// defects that come will be of unknown mechanisms, so that mechanisms are the sample (of clusters), not their defects,
/// which are alike; for one mechanism the defects are.
pub(crate) fn standard_error(one: &[f64], other: &[f64], mechanisms: &[usize]) -> f64 {
    let differences: Vec<f64> = one.iter().zip(other).map(|(a, b)| a - b).collect();
    let mut distinct = mechanisms.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let of = |m: usize| differences.iter().zip(mechanisms).filter(move |(_, of)| **of == m).map(|(d, _)| *d);
    let clusters: Vec<f64> = match distinct[..] {
        [_, _, ..] => distinct.iter().map(|&m| of(m).sum::<f64>() / of(m).count() as f64).collect(),
        _ => differences,
    };
    let count = clusters.len() as f64;
    let mean = clusters.iter().sum::<f64>() / count.max(1.0);
    let squares: f64 = clusters.iter().map(|d| (d - mean).powi(2)).sum();
    (squares / (count * (count - 1.0)).max(1.0)).sqrt()
}

/// Share of each value in the mean by mechanism.
fn shares(mechanisms: &[usize]) -> Vec<f64> {
    let count = |m: usize| mechanisms.iter().filter(|&&other| other == m).count() as f64;
    let mut distinct = mechanisms.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    mechanisms.iter().map(|&m| 1.0 / (count(m) * distinct.len() as f64)).collect()
}

/// One-standard-error rule: of the candidates whose mean is lower than the best by no more than the standard error of
/// the difference, the simplest, and of equally simple ones the best (L. Breiman et al., "Classification and Regression
/// Trees", 1984, section 3.4.3). Each candidate is its values by defect and its complexity; `None` for no candidate.
pub(crate) fn simplest_within_error(candidates: &[(Vec<f64>, usize)], mechanisms: &[usize]) -> Option<usize> {
    let mean = |i: usize| mean_by_mechanism(&candidates[i].0, mechanisms);
    let best = (0..candidates.len()).max_by(|&a, &b| mean(a).total_cmp(&mean(b)).then(b.cmp(&a)))?;
    let is_near =
        |&i: &usize| mean(best) - mean(i) <= standard_error(&candidates[best].0, &candidates[i].0, mechanisms);
    let simpler = |&a: &usize, &b: &usize| {
        candidates[a].1.cmp(&candidates[b].1).then(mean(b).total_cmp(&mean(a))).then(a.cmp(&b))
    };
    (0..candidates.len()).filter(is_near).min_by(simpler)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::arr2;

    const PLAIN: Reduction = Reduction { smoothing: 0.0, share: 0.01 };

    #[test]
    fn separations_are_mann_whitney_shares() {
        let normals = [arr2(&[[0.0f32, 1.0]]), arr2(&[[0.0, 3.0]]), arr2(&[[0.0, 5.0]])];
        // The marked patch scores 3: above two normal maxima by one and a half, and above the patches 0, 0, 0, 1, half
        // of 3, and its own unmarked one of 2, of seven.
        let defects = [(arr2(&[[2.0f32, 3.0]]), &[0.0, 0.5][..])];
        let found = separations(&normals, &defects, PLAIN);
        assert!((found[0].image - 1.5 / 3.0).abs() < 1e-12, "{found:?}");
        assert!((found[0].pixel - 5.5 / 7.0).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn patches_count_by_their_share_in_the_mask() {
        let normals = [arr2(&[[1.0f32, 1.0]])];
        // a quarter of the defect lies above all, three quarters below all
        let defects = [(arr2(&[[2.0f32, 0.0]]), &[0.2, 0.6][..])];
        assert!((separations(&normals, &defects, PLAIN)[0].pixel - 0.25).abs() < 1e-6);
    }

    #[test]
    fn every_mechanism_counts_alike() {
        let mechanisms = [0, 0, 0, 4];
        assert!((mean_by_mechanism(&[1.0, 1.0, 1.0, 0.0], &mechanisms) - 0.5).abs() < 1e-12);
        // all differences are equal: the difference is certain
        assert_eq!(standard_error(&[1.0, 0.9, 0.8, 0.7], &[0.9, 0.8, 0.7, 0.6], &mechanisms).round(), 0.0);
        // of n differences of +-1 about 0, of one mechanism, it is 1 / sqrt(n - 1)
        let error = standard_error(&[1.0, -1.0, 1.0, -1.0], &[0.0; 4], &[2; 4]);
        assert!((error - 1.0 / 3.0f64.sqrt()).abs() < 1e-12, "{error}");
    }

    #[test]
    fn defects_of_a_mechanism_are_one_observation() {
        // two mechanisms that disagree by +-.2: however many defects each has, the error is .2
        for each in [1, 2, 10] {
            let differences: Vec<f64> = (0..2 * each).map(|d| if d < each { 0.2 } else { -0.2 }).collect();
            let mechanisms: Vec<usize> = (0..2 * each).map(|d| d / each).collect();
            let error = standard_error(&differences, &vec![0.0; 2 * each], &mechanisms);
            assert!((error - 0.2).abs() < 1e-12, "{each}: {error}");
        }
        assert_eq!(standard_error(&[], &[], &[]), 0.0);
        assert_eq!(standard_error(&[0.3], &[0.1], &[0]), 0.0);
    }

    #[test]
    fn the_simplest_candidate_within_one_error_is_chosen() {
        let mechanisms = [0; 4];
        let best = (vec![0.9, 0.7, 0.9, 0.7], 2);
        let near = (vec![0.7, 0.88, 0.7, 0.88], 1); // lower by .01, with an error of .095
        let far = (vec![0.7, 0.5, 0.7, 0.5], 0); // lower by .2 everywhere
        assert_eq!(simplest_within_error(&[far.clone(), near.clone(), best.clone()], &mechanisms), Some(1));
        assert_eq!(simplest_within_error(&[far.clone(), best], &mechanisms), Some(1));
        assert_eq!(simplest_within_error(&[far], &mechanisms), Some(0));
        assert_eq!(simplest_within_error(&[], &mechanisms), None);
    }

    #[test]
    fn the_image_score_is_the_mean_of_the_highest_share() {
        let map = Array2::from_shape_fn((10, 20), |(y, x)| (20 * y + x) as f32);
        assert_eq!(PLAIN.score(&map), 198.5);
        assert_eq!(Reduction { share: 1e-9, ..PLAIN }.score(&map), 199.0);
        assert_eq!(PLAIN.score(&Array2::zeros((0, 0))), 0.0);
    }
}
