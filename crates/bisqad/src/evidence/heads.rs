//! Heads: linear scores of raw features that synthetic defects train, one head a mechanism.

use ndarray::{Array2, ArrayView2, Axis, concatenate};

use crate::features::patches::{self, Patches};
use crate::features::subsample::subsample;
use crate::logistic::fit_weighted;

/// Share of a patch in the mask from which on it is an example of the defect.
const MARKED: f32 = 0.3;
/// Most examples and counterexamples of one synthetic defect.
const EXAMPLES: usize = 200;
const COUNTEREXAMPLES: usize = 100;
/// Weight of all real examples of a head beside that of all drawn ones.
const REAL: f64 = 3.0;

/// Feature rows of one defect, all levels side by side.
#[derive(Debug, Clone)]
pub(crate) struct DefectRows {
    pub(crate) mechanism: usize,
    /// Normal image that it was drawn on; of a real one the group that is left out together.
    pub(crate) image: usize,
    /// Patches in the mask.
    pub(crate) marked: Array2<f32>,
    /// Patches without a pixel of the mask.
    pub(crate) unmarked: Array2<f32>,
}

impl DefectRows {
    /// Chooses patches of an image with a defect by the share of each in its mask; `None` if the mask marks none. What
    /// is chosen of many follows from `seed` and `index`.
    pub(crate) fn choose(
        (mechanism, image): (usize, usize),
        levels: &[Patches],
        coverage: &[f32],
        seed: u64,
        index: usize,
    ) -> Option<Self> {
        let [marked, unmarked] = by_coverage(coverage, (EXAMPLES, COUNTEREXAMPLES), seed, index)?;
        let all = patches::concatenate(levels);
        let rows = |chosen: &[usize]| all.features.select(Axis(0), chosen);
        Some(Self { mechanism, image, marked: rows(&marked), unmarked: rows(&unmarked) })
    }
}

/// Numbers of patches that are examples of a defect, and of patches without a pixel of its mask, by the share of each
/// patch in the mask: at most `most` of either, chosen by `seed` and `index`. `None` if the mask marks none.
pub(crate) fn by_coverage(coverage: &[f32], most: (usize, usize), seed: u64, index: usize) -> Option<[Vec<usize>; 2]> {
    let fullest = (0..coverage.len()).max_by(|&a, &b| coverage[a].total_cmp(&coverage[b]).then(b.cmp(&a)))?;
    if coverage[fullest] <= 0.0 {
        return None;
    }
    let mut marked: Vec<usize> = (0..coverage.len()).filter(|&p| coverage[p] >= MARKED).collect();
    if marked.is_empty() {
        marked.push(fullest); // thin defects fill no patch
    }
    let unmarked: Vec<usize> = (0..coverage.len()).filter(|&p| coverage[p] == 0.0).collect();
    let choose = |of: &[usize], count: usize| -> Vec<usize> {
        subsample(of.len(), count, seed, index).into_iter().map(|i| of[i]).collect()
    };
    Some([choose(&marked, most.0), choose(&unmarked, most.1)])
}

/// Score that is linear in the features of all levels.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Head {
    /// Mechanism whose defects trained it.
    pub(crate) name: String,
    /// By level, one weight a channel.
    pub(crate) weights: Vec<Vec<f32>>,
    pub(crate) bias: f32,
    /// Mean and standard deviation over normal patches.
    pub(crate) scale: (f32, f32),
}

impl Head {
    /// Fits a logistic regression with ridge penalty `ridge` to `marked` rows against `unmarked` ones and `normal`
    /// ones, in standard deviations of the normal ones. `channels` are those of each level. The marked rows of the
    /// defects `real` weigh three times as much together as those of the `drawn` ones together, whatever their numbers.
    /// `None` without marked rows.
    pub(crate) fn fit(
        name: &str,
        drawn: &[&DefectRows],
        real: &[&DefectRows],
        normal: ArrayView2<'_, f32>,
        channels: &[usize],
        ridge: f64,
    ) -> Option<Self> {
        let defects = || drawn.iter().chain(real);
        let marked: Vec<_> = defects().map(|d| d.marked.view()).collect();
        let marked = concatenate(Axis(0), &marked).ok().filter(|rows| rows.nrows() > 0)?;
        let mut rest: Vec<_> = defects().map(|d| d.unmarked.view()).collect();
        rest.push(normal);
        let rest = concatenate(Axis(0), &rest).ok()?;
        let mean = normal.mean_axis(Axis(0))?;
        let deviation = normal.std_axis(Axis(0), 0.0).mapv(|d| d.max(1e-6));
        let labels: Vec<bool> =
            std::iter::repeat_n(true, marked.nrows()).chain(std::iter::repeat_n(false, rest.nrows())).collect();
        let mut rows = concatenate(Axis(0), &[marked.view(), rest.view()]).ok()?;
        rows -= &mean;
        rows /= &deviation;
        let count = |of: &[&DefectRows]| of.iter().map(|d| d.marked.nrows()).sum::<usize>();
        let row_weights = row_weights(count(drawn), count(real), rest.nrows());
        let fitted = fit_weighted(rows.view(), &labels, &row_weights, ridge);
        let weights: Vec<f64> = fitted.weights.iter().zip(&deviation).map(|(w, d)| w / f64::from(*d)).collect();
        let shift: f64 = weights.iter().zip(&mean).map(|(w, m)| w * f64::from(*m)).sum();
        let mut from = 0;
        let weights = channels.iter().map(|&n| {
            from += n;
            weights[from - n..from].iter().map(|w| *w as f32).collect()
        });
        Some(Self {
            name: name.to_owned(),
            weights: weights.collect(),
            bias: (fitted.bias - shift) as f32,
            scale: (0.0, 1.0),
        })
    }
}

/// Weights of the rows of a fit, drawn, real and normal ones: the marked ones weigh together as much as there are of
/// them.
fn row_weights(drawn: usize, real: usize, normal: usize) -> Vec<f64> {
    let marked = (drawn + real) as f64;
    let share = if drawn > 0 { REAL / (REAL + 1.0) } else { 1.0 };
    let (of_drawn, of_real) = match real {
        0 => (1.0, 0.0),
        _ => ((1.0 - share) * marked / drawn.max(1) as f64, share * marked / real as f64),
    };
    let parts = [(of_drawn, drawn), (of_real, real), (1.0, normal)];
    parts.into_iter().flat_map(|(weight, count)| std::iter::repeat_n(weight, count)).collect()
}

/// Scores of several heads on the patches of one image, `(places, heads)`, in standard deviations over normal patches.
///
/// A head is evaluated on the grid of each level, and the sum is interpolated: the same as on interpolated features.
pub(crate) fn scores(heads: &[Head], levels: &[Patches]) -> Array2<f32> {
    let part = |(l, level): (usize, &Patches)| {
        let weights = Array2::from_shape_fn((level.features.ncols(), heads.len()), |(c, h)| {
            heads[h].weights.get(l).and_then(|w| w.get(c)).copied().unwrap_or(0.0)
        });
        Patches { grid: level.grid, features: level.features.dot(&weights) }
    };
    let parts: Vec<Patches> = levels.iter().enumerate().map(part).collect();
    let all = patches::concatenate(&parts).features;
    Array2::from_shape_fn((all.nrows(), heads.len()), |(p, h)| {
        let sum: f32 = (0..levels.len()).map(|l| all[[p, l * heads.len() + h]]).sum();
        let (mean, deviation) = heads[h].scale;
        (sum + heads[h].bias - mean) / deviation
    })
}

/// Largest score of each patch over the heads but those `without`; 0 if none is left.
pub(crate) fn largest(scores: ArrayView2<'_, f32>, without: &[usize]) -> Vec<f32> {
    let of = |row: ndarray::ArrayView1<'_, f32>| {
        let kept = row.iter().enumerate().filter(|(h, _)| !without.contains(h)).map(|(_, v)| *v);
        kept.reduce(f32::max).unwrap_or(0.0)
    };
    scores.outer_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn random(grid: (usize, usize), channels: usize, seed: u64) -> Patches {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let features = Array2::from_shape_fn((grid.0 * grid.1, channels), |_| rng.random_range(-1.0..1.0f32));
        Patches { grid, features }
    }

    #[test]
    fn scores_on_levels_are_scores_on_concatenated_features() {
        let levels = [random((6, 8), 3, 1), random((3, 4), 5, 2)];
        let head = |seed: u64| {
            let w = random((1, 1), 8, seed).features.into_raw_vec_and_offset().0;
            Head { name: String::new(), weights: vec![w[..3].to_vec(), w[3..].to_vec()], bias: 0.3, scale: (1.0, 2.0) }
        };
        let heads = [head(3), head(4)];
        let found = scores(&heads, &levels);
        let all = patches::concatenate(&levels).features;
        for (p, row) in all.outer_iter().enumerate() {
            for (h, head) in heads.iter().enumerate() {
                let weights = head.weights.concat();
                let exact = (row.iter().zip(&weights).map(|(v, w)| v * w).sum::<f32>() + 0.3 - 1.0) / 2.0;
                assert!((found[[p, h]] - exact).abs() < 1e-5, "{p} {h}");
            }
        }
    }

    #[test]
    fn the_largest_leaves_out_what_it_is_told_to() {
        let scores = ndarray::arr2(&[[1.0f32, 3.0], [2.0, -1.0]]);
        assert_eq!(largest(scores.view(), &[]), [3.0, 2.0]);
        assert_eq!(largest(scores.view(), &[1]), [1.0, 2.0]);
        assert_eq!(largest(scores.view(), &[1, 0]), [0.0, 0.0]);
    }

    #[test]
    fn a_head_finds_what_it_was_shown() {
        // Defects shift one channel of the second level by three standard deviations.
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut rows = |n: usize, shift: f32| {
            Array2::from_shape_fn((n, 4), |(_, k)| {
                5.0 + 10.0 * rng.random_range(-1.0..1.0f32) + if k == 3 { shift } else { 0.0 }
            })
        };
        let defect = DefectRows { mechanism: 0, image: 0, marked: rows(60, 17.0), unmarked: rows(60, 0.0) };
        let normal = rows(300, 0.0);
        let head = Head::fit("shift", &[&defect], &[], normal.view(), &[1, 3], 3e-3).unwrap();
        assert_eq!(head.weights.iter().map(Vec::len).collect::<Vec<_>>(), [1, 3]);
        let weights = head.weights.concat();
        assert!(weights[..3].iter().all(|w| w.abs() < 0.3 * weights[3]), "{weights:?}");
        assert!(Head::fit("none", &[], &[], normal.view(), &[1, 3], 3e-3).is_none());
    }

    #[test]
    fn real_examples_weigh_three_times_as_much_as_drawn_ones() {
        let weights = row_weights(30, 10, 5);
        let sum = |range: std::ops::Range<usize>| weights[range].iter().sum::<f64>();
        assert!((sum(30..40) - 3.0 * sum(0..30)).abs() < 1e-9 && (sum(0..40) - 40.0).abs() < 1e-9);
        assert_eq!(sum(40..45), 5.0);
        assert_eq!(row_weights(2, 0, 1), [1.0; 3]);
        assert_eq!(row_weights(0, 2, 1), [1.0; 3]);
        // drawn ones shift channel 1, real ones channel 2
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let mut rows = |n: usize, shifted: usize| {
            let shift = |k: usize| if k == shifted { 3.0 } else { 0.0 };
            Array2::from_shape_fn((n, 4), |(_, k)| rng.random_range(-1.0..1.0f32) + shift(k))
        };
        let normal = rows(300, 9);
        let drawn = DefectRows { mechanism: 0, image: 0, marked: rows(60, 1), unmarked: rows(10, 9) };
        let real = DefectRows { mechanism: 0, image: 0, marked: rows(6, 2), unmarked: rows(10, 9) };
        let head = Head::fit("both", &[&drawn], &[&real], normal.view(), &[4], 3e-2).unwrap();
        assert!(head.weights[0][2] > head.weights[0][1] && head.weights[0][1] > 0.0, "{:?}", head.weights);
    }

    #[test]
    fn thin_defects_have_one_example_and_none_has_none() {
        let levels = [random((2, 2), 2, 5)];
        let chosen = DefectRows::choose((1, 0), &levels, &[0.0, 0.1, 0.2, 0.0], 0, 0).unwrap();
        assert_eq!(chosen.marked, levels[0].features.select(Axis(0), &[2]));
        assert_eq!(chosen.unmarked, levels[0].features.select(Axis(0), &[0, 3]));
        assert!(DefectRows::choose((1, 0), &levels, &[0.0; 4], 0, 0).is_none());
    }
}
