//! Times of the detector's updates while it trains on cheap squares, and the effect of its guard on a greedy upper
//! level.

use std::sync::Arc;
use std::time::{Duration, Instant};

use maphc2f::bilevel::{self, Bilevel, ForwardDifference, Hypergradient, WeightGradient};
use maphc2f::bisqad::{
    Anomaly, AnomalySource, NoObserver, Observe, OuterProblem, Progress, RoundReport, SourceError, TrainParams,
    ValidationAnomalies, fit,
};
use maphc2f::frozen_backbone::EfficientNetLite0;
use maphc2f::sqe::{Head, Sqe};
use ndarray::{Array2, ArrayView3};

use experiments::program::Result;
use experiments::texture::brick_texture;

/// Anomalies that are squares of several sizes, brighter or darker.
struct Squares;

impl AnomalySource for Squares {
    fn mechanisms(&self) -> usize {
        2
    }
    fn anomaly(
        &self,
        normal: ArrayView3<'_, f32>,
        _: usize,
        group: usize,
        index: u64,
    ) -> std::result::Result<Anomaly, SourceError> {
        let (h, w, _) = normal.dim();
        let (side, i) = (5 + index as usize % 9, index as usize);
        let (top, left) = (i * 37 % (h - side), i * 53 % (w - side));
        let mask = Array2::from_shape_fn((h, w), |(y, x)| y.wrapping_sub(top) < side && x.wrapping_sub(left) < side);
        let mut image = normal.to_owned();
        for ((y, x, _), v) in image.indexed_iter_mut() {
            if mask[[y, x]] {
                *v += if group == 0 { 0.1 + 0.2 * (i % 3) as f32 } else { -0.3 };
            }
        }
        Ok(Anomaly { image, mask, severity: None })
    }
}

fn rounds(
    side: usize,
    method: &dyn Hypergradient,
    params: &TrainParams,
    observer: &mut dyn Observe,
) -> Result<Vec<RoundReport>> {
    let net = EfficientNetLite0::pretrained()?;
    let mut quality = Sqe::new(&net, Head::default(), 5)?;
    let normals: Vec<_> = (0..12).map(|i| brick_texture(side, i)).collect();
    let upper = OuterProblem { quality: &mut quality, method, validation: &ValidationAnomalies::default() };
    Ok(fit(Arc::new(net), &normals, &Squares, upper, params, None, observer)?.report.rounds)
}

/// Time in which the next batches are prefetched: several times what three of them take.
const FILL: Duration = Duration::from_millis(500);

/// Seconds of each update.
#[derive(Debug, Default)]
pub(crate) struct Cost {
    pub(crate) plain: Vec<f64>,
    pub(crate) both: Vec<f64>,
    mark: Option<Instant>,
}

impl Cost {
    /// Time of one update of both levels and `every - 1` plain ones over that of as many plain ones.
    pub(crate) fn ratio(&self, every: usize) -> f64 {
        let (plain, every) = (median(&self.plain), every as f64);
        (median(&self.both) + (every - 1.0) * plain) / (every * plain)
    }
}

impl Observe for Cost {
    fn progress(&mut self, progress: Progress) {
        let seconds = self.mark.map(|m| m.elapsed().as_secs_f64());
        let list = match progress {
            Progress::Update { upper: true } => Some(&mut self.both),
            Progress::Update { upper: false } => Some(&mut self.plain),
            _ => None,
        };
        if let (Some(list), Some(seconds)) = (list, seconds) {
            list.push(seconds);
        }
        if progress == Progress::BatchReady {
            std::thread::sleep(FILL);
        }
        self.mark = Some(Instant::now());
    }
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Images of a batch where gradients of weights are worth most, and validation images of each kind.
pub(crate) const LARGE: (usize, usize) = (256, 128);

/// Times steps whose first update is one of both levels, the other three plain, with batches of so many images and, for
/// the upper level, of so many anomalies and normal images.
pub(crate) fn measure(steps: usize, (batch, outer): (usize, usize)) -> Result<Cost> {
    let params = TrainParams::default().with_rounds(1).with_steps(steps).with_updates(4).with_outer_every(1);
    let params = params.with_batch(batch).with_outer_batch(outer);
    let mut cost = Cost::default();
    rounds(128, &ForwardDifference::default(), &params, &mut cost)?;
    Ok(cost)
}

/// A hypergradient that asks for more weight on the heaviest sample.
#[derive(Debug)]
struct Greed;

impl Hypergradient for Greed {
    fn name(&self) -> &'static str {
        "greed"
    }
    fn weight_gradient(
        &self,
        _: &dyn Bilevel,
        _: &[f64],
        w: &[f64],
        _: f64,
    ) -> std::result::Result<WeightGradient, bilevel::Error> {
        let most = (0..w.len()).max_by(|&a, &b| w[a].total_cmp(&w[b]));
        let gradient = (0..w.len()).map(|i| if Some(i) == most { -1.0 } else { 0.0 }).collect();
        Ok(WeightGradient { gradient, upper_loss: 0.0 })
    }
}

/// Least effective sample fraction of a round under an upper level that asks for all weight on one sample.
pub(crate) fn greedy(min_ess_fraction: f64) -> Result<f64> {
    let params = TrainParams::default()
        .with_rounds(2)
        .with_steps(8)
        .with_batch(4)
        .with_updates(2)
        .with_outer_every(1)
        .with_dimensions(16)
        .with_ess_penalty(0.0)
        .with_quality_learning_rate(0.1)
        .with_min_ess_fraction(min_ess_fraction);
    Ok(rounds(64, &Greed, &params, &mut NoObserver)?.iter().map(|r| r.ess_fraction).fold(1.0, f64::min))
}
