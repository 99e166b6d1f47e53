//! Validation of candidates: held-out normal images against synthetic and real defects.

use ndarray::Array2;

use crate::evidence::EvidenceKind;
use crate::selection::candidate::EvidenceSum;
use crate::selection::criterion::{Reduction, Separation, mean_by_mechanism, separations, standard_error};
use crate::selection::cross_fit::{CrossFit, Maps, scale};
use crate::selection::images::Images;

/// Number that stands for the mechanism of all real defects. No head bears it, so that none is left out for them: they
/// are judged by heads that were fitted without them.
pub(crate) const REAL: usize = usize::MAX;

/// Held-out normal images and defects, on which candidates are measured.
pub(crate) struct Validation<'a> {
    fitted: &'a CrossFit,
    images: &'a Images,
    levels: &'a [usize],
    /// Of each defect, the synthetic ones first; [`REAL`] of real ones.
    pub(crate) mechanisms: Vec<usize>,
    /// Number of each defect, the same at every side.
    pub(crate) slots: Vec<usize>,
}

impl<'a> Validation<'a> {
    pub(crate) fn new(fitted: &'a CrossFit, images: &'a Images, levels: &'a [usize]) -> Self {
        let drawn = || fitted.defects.iter();
        let real = fitted.real.len();
        Self {
            mechanisms: drawn().map(|d| d.mechanism).chain(std::iter::repeat_n(REAL, real)).collect(),
            slots: drawn().map(|d| d.slot).chain(0..real).collect(),
            fitted,
            images,
            levels,
        }
    }

    /// Scores of defect `d` and the share of each patch in its mask.
    fn defect(&self, d: usize) -> (&Maps, &[f32]) {
        match self.fitted.defects.get(d) {
            Some(defect) => (&defect.maps, &defect.coverage),
            None => {
                let d = d - self.fitted.defects.len();
                (&self.fitted.real[d], &self.images.real.coverage[d])
            }
        }
    }

    /// Separation of each defect by a candidate. Of synthetic ones the head of their own mechanism is left out, and all
    /// heads that know real defects: these say nothing about unknown ones.
    pub(crate) fn separations(&self, sum: &EvidenceSum, head_weight: f32, reduction: Reduction) -> Vec<Separation> {
        let terms = self.terms(sum);
        let sums = |m: &Maps| self.fitted.sum(m, &terms);
        let mut normals: Vec<Array2<f32>> = self.fitted.normals.iter().map(|(_, m)| sums(m)).collect();
        let (mean, deviation) = scale(normals.iter().flatten().copied());
        normals.iter_mut().for_each(|map| map.mapv_inplace(|v| (v - mean) / deviation));
        let mut out = vec![Separation { image: 0.0, pixel: 0.0 }; self.mechanisms.len()];
        let mut distinct = self.mechanisms.clone();
        distinct.sort_unstable();
        distinct.dedup();
        for mechanism in distinct {
            let mut without = vec![mechanism];
            if mechanism != REAL {
                without.extend(self.images.real.rows.iter().map(|rows| rows.mechanism));
            }
            let heads = |m: &Maps| self.fitted.heads(m, &without);
            let own: Vec<Array2<f32>> = if head_weight > 0.0 {
                self.fitted.normals.iter().map(|(_, m)| heads(m)).collect()
            } else {
                Vec::new()
            };
            let (h_mean, h_deviation) = scale(own.iter().flatten().copied());
            let with = |map: Array2<f32>, heads: Option<&Array2<f32>>| match heads {
                Some(heads) => reduction.smooth(&(map + heads.mapv(|v| head_weight * (v - h_mean) / h_deviation))),
                None => reduction.smooth(&map),
            };
            let normal: Vec<Array2<f32>> =
                normals.iter().enumerate().map(|(i, map)| with(map.clone(), own.get(i))).collect();
            let of: Vec<usize> = (0..self.mechanisms.len()).filter(|&d| self.mechanisms[d] == mechanism).collect();
            let defects: Vec<(Array2<f32>, &[f32])> = (of.iter())
                .map(|&d| {
                    let (maps, coverage) = self.defect(d);
                    let map = sums(maps).mapv(|v| (v - mean) / deviation);
                    let heads = (head_weight > 0.0).then(|| heads(maps));
                    (with(map, heads.as_ref()), coverage)
                })
                .collect();
            for (d, separation) in of.iter().zip(separations(&normal, &defects, reduction)) {
                out[*d] = separation;
            }
        }
        out
    }

    /// Numbers of a sum's terms: all kinds were fitted at each level.
    fn terms(&self, sum: &EvidenceSum) -> Vec<usize> {
        let kinds = EvidenceKind::ALL;
        let at = |level: usize| self.levels.iter().position(|l| *l == level).unwrap_or(0) * kinds.len();
        let number = |kind: EvidenceKind| kinds.iter().position(|k| *k == kind).unwrap_or(0);
        sum.levels().iter().flat_map(|&level| sum.kinds().iter().map(move |&kind| at(level) + number(kind))).collect()
    }
}

/// Weight of the heads, of candidates with the values by defect: of the first `without_real` ones the largest at which
/// synthetic defects of left-out mechanisms are found no worse than without heads, but for the standard error; the
/// first candidate is that without heads. On defects of their own mechanism, which are not asked here, heads help in
/// any case.
///
/// Real defects, if there are any, may move it: to the nearest of all candidates whose mean on them is within the
/// standard error of the best.
pub(crate) fn choose_weight(values: &[Vec<f64>], mechanisms: &[usize], without_real: usize) -> usize {
    let (drawn, real): (Vec<usize>, Vec<usize>) = (0..mechanisms.len()).partition(|&d| mechanisms[d] != REAL);
    let of = |defects: &[usize]| -> (Vec<Vec<f64>>, Vec<usize>) {
        let pick = |v: &Vec<f64>| defects.iter().filter_map(|&d| v.get(d).copied()).collect();
        (values.iter().map(pick).collect(), defects.iter().map(|&d| mechanisms[d]).collect())
    };
    let (values, mechanisms) = of(&drawn);
    let Some(without) = values.first() else { return 0 };
    let harm = |i: usize| mean_by_mechanism(without, &mechanisms) - mean_by_mechanism(&values[i], &mechanisms);
    let is_harmless = |&i: &usize| harm(i) <= standard_error(without, &values[i], &mechanisms);
    let justified = (0..values.len().min(without_real)).rev().find(is_harmless).unwrap_or(0);
    if real.is_empty() {
        return justified;
    }
    let (values, mechanisms) = of(&real);
    let mean = |i: usize| mean_by_mechanism(&values[i], &mechanisms);
    let Some(best) = (0..values.len()).max_by(|&a, &b| mean(a).total_cmp(&mean(b)).then(b.cmp(&a))) else {
        return justified;
    };
    let is_good = |&i: &usize| mean(best) - mean(i) <= standard_error(&values[best], &values[i], &mechanisms);
    (0..values.len()).filter(is_good).min_by_key(|i| i.abs_diff(justified)).unwrap_or(justified)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_have_the_largest_weight_that_costs_left_out_mechanisms_nothing() {
        let mechanisms = [0, 0, 1, 1];
        let without = vec![0.8, 0.9, 0.8, 0.9];
        let better = vec![0.85, 0.9, 0.82, 0.91];
        let noisy = vec![0.85, 0.95, 0.74, 0.84]; // lower by .005, with an error of .055: the mechanisms disagree
        let worse = vec![0.7, 0.8, 0.7, 0.8];
        let choose = |values: &[&Vec<f64>]| {
            choose_weight(&values.iter().map(|v| (*v).clone()).collect::<Vec<_>>(), &mechanisms, 4)
        };
        assert_eq!(choose(&[&without, &better, &worse]), 1);
        assert_eq!(choose(&[&without, &better, &noisy]), 2);
        assert_eq!(choose(&[&without, &worse]), 0);
    }

    #[test]
    fn real_defects_move_the_weight_to_where_they_are_found() {
        let mechanisms = [0, 0, REAL, REAL, REAL];
        let choose =
            |values: &[[f64; 5]]| choose_weight(&values.iter().map(|v| v.to_vec()).collect::<Vec<_>>(), &mechanisms, 2);
        let without = [0.8, 0.9, 0.6, 0.6, 0.6];
        let harmless = [0.8, 0.9, 0.7, 0.7, 0.7];
        let harmful = [0.5, 0.5, 0.9, 0.9, 0.9];
        assert_eq!(choose(&[without, harmless, harmful]), 2, "what helps real defects counts more");
        let no_better = [0.5, 0.5, 0.7, 0.7, 0.7];
        assert_eq!(choose(&[without, harmless, no_better]), 1);
        let worse = [0.8, 0.9, 0.5, 0.5, 0.5];
        assert_eq!(choose(&[without, worse]), 0, "what harms real defects has no weight");
        // the third candidate is for real defects alone
        assert_eq!(choose(&[without, harmless, harmless]), 1);
    }
}
