//! Histograms of the scores of the two classes.

use rayon::prelude::*;

use super::threshold_grid::Scored;

/// Counts of scores in cells of equal width between the lowest and the highest score.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Histogram {
    /// The lower border of the first cell.
    pub low: f64,
    /// The upper border of the last cell.
    pub high: f64,
    /// Good scores in each cell.
    pub good: Vec<u64>,
    /// Anomalous scores in each cell.
    pub anomalous: Vec<u64>,
}

impl Histogram {
    pub(super) fn new<S: Scored>(images: &[S], cells: usize) -> Self {
        let ends = |image: &S| {
            let mut ends = (f64::INFINITY, f64::NEG_INFINITY);
            image.for_each_score(&mut |score, _| {
                let score: f64 = score.into();
                ends = (ends.0.min(score), ends.1.max(score));
            });
            ends
        };
        let wider = |a: (f64, f64), b: (f64, f64)| (a.0.min(b.0), a.1.max(b.1));
        let (mut low, mut high) = images.par_iter().map(ends).reduce(|| (f64::INFINITY, f64::NEG_INFINITY), wider);
        if low > high {
            (low, high) = (0.0, 1.0); // no score at all
        } else if low == high {
            // One value only: a cell around it.
            (low, high) = (low - 0.5, high + 0.5);
        }
        let scale = cells as f64 / (high - low);
        let count = |image: &S| {
            let mut counts = [vec![0_u64; cells], vec![0_u64; cells]];
            image.for_each_score(&mut |score, weight| {
                let cell = ((score.into() - low) * scale) as usize;
                counts[usize::from(weight.is_some())][cell.min(cells - 1)] += 1;
            });
            counts
        };
        let add = |mut a: [Vec<u64>; 2], b: [Vec<u64>; 2]| {
            a.iter_mut().flatten().zip(b.iter().flatten()).for_each(|(a, b)| *a += b);
            a
        };
        let [good, anomalous] = images.par_iter().map(count).reduce(|| [vec![0; cells], vec![0; cells]], add);
        Self { low, high, good, anomalous }
    }
}
