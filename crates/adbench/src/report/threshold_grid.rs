//! Counts of each image's scores between some 300 thresholds. The curves and figures of any resample of the images
//! follow from the counts without sorting anything again.

use rayon::prelude::*;

use crate::metrics::Score;
use crate::metrics::ranking::ScoreKey;

/// Largest number of thresholds. With fewer distinct anomalous scores, all are thresholds and every figure is exact;
/// beyond, half of the steps between thresholds hold equal shares of the anomalous scores and half equal shares of the
/// regions, so that the area over all images is off by `1 / THRESHOLDS` at the very most, and by far less on a smooth
/// curve.
const THRESHOLDS: usize = 300;

/// Scores with labels: a score map with its regions, or an image's own score.
pub(super) trait Scored: Sync {
    /// Type of the scores: compared as they are, without rounding.
    type Score: Score + PartialOrd + Into<f64>;
    /// Calls `each` with every score, and for an anomalous one with its weight: one over the size of its region.
    fn for_each_score(&self, each: &mut dyn FnMut(Self::Score, Option<f64>));
    /// Number of regions, that is the sum of the weights.
    fn regions(&self) -> usize;
}

/// What an image adds between two thresholds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Count {
    normal: f64,
    anomalous: f64,
    overlap: f64,
}

impl Count {
    fn add(&mut self, other: &Self, weight: f64) {
        self.normal += weight * other.normal;
        self.anomalous += weight * other.anomalous;
        self.overlap += weight * other.overlap;
    }
}

/// A point of all curves at once: normal and anomalous scores at or above a threshold, and the sum of the overlaps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    pub(super) false_positives: f64,
    pub(super) true_positives: f64,
    pub(super) overlap: f64,
    /// Whether the scores are those down to and at a threshold, not those strictly above it.
    is_threshold: bool,
}

/// The sums that the curves' ends are at.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    pub(super) normal: f64,
    pub(super) anomalous: f64,
    pub(super) regions: f64,
}

/// A figure that a grid can give.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum GridFigure {
    Auroc,
    AveragePrecision,
    F1Max,
    AuPro(f64),
}

/// The counts of some images. Even bins hold the scores strictly between two thresholds, odd ones those at a threshold;
/// the highest scores come first.
#[derive(Debug)]
pub(super) struct Grid {
    bins: usize,
    /// For each image the bins that it has scores in.
    counts: Vec<Vec<(u32, Count)>>,
    totals: Vec<Totals>,
}

impl Grid {
    pub(super) fn new<S: Scored>(images: &[S]) -> Self {
        let thresholds = thresholds(images);
        let one = |image: &S| {
            let mut counts = vec![Count::default(); 2 * thresholds.len() + 1];
            let mut totals = Totals { regions: image.regions() as f64, ..Totals::default() };
            image.for_each_score(&mut |score, weight| {
                let place = thresholds.partition_point(|&t| t > score);
                let is_at = thresholds.get(place) == Some(&score);
                let count = &mut counts[2 * place + usize::from(is_at)];
                match weight {
                    None => {
                        count.normal += 1.0;
                        totals.normal += 1.0;
                    }
                    Some(weight) => {
                        count.anomalous += 1.0;
                        count.overlap += weight;
                        totals.anomalous += 1.0;
                    }
                }
            });
            let counts = (0..).zip(counts).filter(|(_, c)| *c != Count::default());
            (totals, counts.collect())
        };
        let (totals, counts) = images.par_iter().map(one).unzip();
        Self { bins: 2 * thresholds.len() + 1, counts, totals }
    }

    /// The sums over images that count so often.
    pub(super) fn totals(&self, weights: &[f64]) -> Totals {
        self.totals.iter().zip(weights).fold(Totals::default(), |sum, (t, w)| Totals {
            normal: sum.normal + w * t.normal,
            anomalous: sum.anomalous + w * t.anomalous,
            regions: sum.regions + w * t.regions,
        })
    }

    /// Walks down the thresholds over images that count so often each.
    pub(super) fn walk(&self, weights: &[f64], mut visit: impl FnMut(Point)) {
        let mut bins = vec![Count::default(); self.bins];
        for (counts, &weight) in self.counts.iter().zip(weights).filter(|(_, w)| **w > 0.0) {
            for (bin, count) in counts {
                bins[*bin as usize].add(count, weight);
            }
        }
        let mut sum = Count::default();
        for (i, bin) in bins.iter().enumerate() {
            sum.add(bin, 1.0);
            visit(Point {
                false_positives: sum.normal,
                true_positives: sum.anomalous,
                overlap: sum.overlap,
                is_threshold: i % 2 == 1,
            });
        }
    }

    /// Figures over images that count so often each; `None` when a class has no member.
    pub(super) fn figures<const N: usize>(&self, weights: &[f64], figures: [GridFigure; N]) -> Option<[f64; N]> {
        let totals = self.totals(weights);
        if totals.normal == 0.0 || totals.anomalous == 0.0 {
            return None;
        }
        let mut points = Vec::with_capacity(self.bins);
        self.walk(weights, |p| points.push(p));
        Some(figures.map(|figure| figure.over(&points, totals)))
    }
}

impl GridFigure {
    /// The figure of the curves through these points, which end at the totals.
    fn over(self, points: &[Point], totals: Totals) -> f64 {
        let mut result = 0.0;
        let (mut x, mut y) = (0.0, 0.0);
        match self {
            Self::Auroc => {
                for p in points {
                    result += (p.false_positives - x) * (p.true_positives + y) / 2.0;
                    (x, y) = (p.false_positives, p.true_positives);
                }
                result / (totals.normal * totals.anomalous)
            }
            Self::AveragePrecision => {
                let mut before = None;
                for p in points {
                    let found = p.true_positives - y;
                    y = p.true_positives;
                    let called = p.true_positives + p.false_positives;
                    if called > 0.0 {
                        let precision = p.true_positives / called;
                        // Between two thresholds the precision is taken to run straight from one to the next.
                        let mean =
                            if p.is_threshold { precision } else { (before.unwrap_or(precision) + precision) / 2.0 };
                        result += found * mean;
                        before = Some(precision);
                    }
                }
                result / totals.anomalous
            }
            Self::F1Max => {
                for p in points {
                    let called = p.true_positives + p.false_positives;
                    result = f64::max(result, 2.0 * p.true_positives / (called + totals.anomalous));
                }
                result
            }
            Self::AuPro(limit) => {
                let end = limit * totals.normal;
                for p in points {
                    let width = p.false_positives - x;
                    if width > 0.0 && x < end {
                        let inside = width.min(end - x);
                        result += inside * (y + (p.overlap - y) * (inside / width) / 2.0);
                    }
                    (x, y) = (p.false_positives, p.overlap);
                }
                result / (limit * totals.normal * totals.regions)
            }
        }
    }
}

/// The thresholds, descending: all distinct anomalous scores, or [`THRESHOLDS`] of them that end at the lowest.
fn thresholds<S: Scored>(images: &[S]) -> Vec<S::Score> {
    let of = |image: &S| {
        let mut scores: Vec<(S::Score, f32)> = Vec::new();
        image.for_each_score(&mut |score, weight| scores.extend(weight.map(|w| (score, w as f32))));
        scores
    };
    let mut scores: Vec<(S::Score, f32)> = images.par_iter().flat_map_iter(of).collect();
    scores.par_sort_unstable_by(|a, b| b.0.total_order(&a.0).then(b.1.total_cmp(&a.1)));
    let groups = || scores.chunk_by(|a, b| a.0 == b.0);
    if groups().count() <= THRESHOLDS {
        return groups().map(|g| g[0].0).collect();
    }
    let regions: f64 = scores.iter().map(|s| f64::from(s.1)).sum();
    let step = 2.0 / THRESHOLDS as f64;
    let (mut found, mut overlap) = (0.0, 0.0);
    let (mut next_found, mut next_overlap) = (step, step);
    let mut chosen = Vec::new();
    for group in groups() {
        found += group.len() as f64 / scores.len() as f64;
        overlap += group.iter().map(|s| f64::from(s.1)).sum::<f64>() / regions;
        if found >= next_found || overlap >= next_overlap {
            chosen.push(group[0].0);
            next_found = if found >= next_found { found + step } else { next_found };
            next_overlap = if overlap >= next_overlap { overlap + step } else { next_overlap };
        }
    }
    let lowest = scores.last().map(|s| s.0);
    if chosen.last().copied() != lowest {
        chosen.extend(lowest);
    }
    chosen
}
