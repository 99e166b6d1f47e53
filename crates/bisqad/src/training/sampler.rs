//! Sampling of training batches on a worker thread, ahead of the optimizer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

use imgkit::rng::Retry;
use ndarray::{Array2, Array3, Axis};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use sqe::QualityFeatures;

use crate::detectors::patch::PatchDetector;
use crate::error::Error;
use crate::features::coreset::norms;
use crate::features::patches;
use crate::training::anomaly_source::{Anomaly, AnomalySource, SourceError};
use crate::training::discriminator::{PATCHES_PER_IMAGE, PatchBatch, SampledPatches, VALIDATION_PATCHES};
use crate::training::normal_cache::NormalCache;
use crate::training::params::TrainParams;
use crate::training::patch_selection::PatchSelection;
use crate::training::report::SampleMeta;
use crate::training::split::Split;
use crate::training::validation_anomalies::{LabeledDefect, ValidationAnomalies};
use imgkit::rng::keyed_stream;

/// Steps that are prefetched, at most.
const PREFETCHED: usize = 2;
/// Tries of the source on one image before it counts as impossible there, or is taken although its defect is not
/// visible.
const RETRY: Retry = Retry::new(8, 1);
/// Images on which a sample is tried before it counts as impossible.
const IMAGES: usize = 4;
/// Smallest change of the deviation of a patch, in lengths of normal deviations, by which a defect counts as visible in
/// it.
const VISIBLE: f32 = 0.5;

/// One synthetic image, ready for both levels.
pub(crate) struct Synthetic {
    pub(crate) sampled: SampledPatches,
    pub(crate) evidence: QualityFeatures,
    pub(crate) meta: SampleMeta,
}

/// Labeled defect of the validation set: inputs and labels of every patch.
pub(crate) struct ValidationDefect {
    input: Array2<f32>,
    coverage: Vec<f32>,
    columns: usize,
}

impl ValidationDefect {
    pub(crate) fn new(defect: &LabeledDefect, detector: &PatchDetector) -> Result<Self, Error> {
        let (_, p) = patches::read(detector.backbone.as_ref(), defect.image.view())?;
        Ok(Self {
            input: detector.reads(&detector.normal, &p, None),
            coverage: patches::coverage(defect.mask.view()),
            columns: p.grid.1,
        })
    }

    fn select(&self, rng: &mut ChaCha8Rng) -> SampledPatches {
        let selection = PatchSelection::new(&self.coverage, |_| true, self.columns, VALIDATION_PATCHES, rng);
        SampledPatches { input: pick(&self.input, &selection), selection }
    }
}

/// Samples of one step.
pub(crate) struct Batch {
    /// Number of the step over all rounds.
    pub(crate) number: usize,
    pub(crate) synthetic: Vec<Synthetic>,
    /// Validation anomalies and normals, if the upper level is updated.
    pub(crate) validation: Option<(PatchBatch, PatchBatch)>,
}

/// Choices behind one anomaly.
struct PlannedSample {
    group: usize,
    image: usize,
    /// Seed of the selection of its patches.
    seed: u64,
    /// Number of patches.
    sampled: usize,
}

/// Receiver of the prefetched steps.
pub(crate) struct PrefetchedSteps<'q> {
    receiver: Receiver<Result<Batch, Error>>,
    waiting: &'q AtomicUsize,
}

impl PrefetchedSteps<'_> {
    /// Returns the next step and the number of steps ready behind it.
    pub(crate) fn next(&self) -> Option<(Result<Batch, Error>, usize)> {
        let batch = self.receiver.recv().ok()?;
        Some((batch, self.waiting.fetch_sub(1, Ordering::Relaxed).saturating_sub(1)))
    }
}

/// Source of training batches.
pub(crate) struct BatchSampler<'a> {
    pub(crate) normals: &'a [Array3<f32>],
    pub(crate) source: &'a dyn AnomalySource,
    pub(crate) params: &'a TrainParams,
    pub(crate) validation: &'a ValidationAnomalies,
    pub(crate) real: &'a [ValidationDefect],
    pub(crate) split: &'a Split,
    pub(crate) base: &'a NormalCache,
    pub(crate) detector: &'a PatchDetector,
}

impl BatchSampler<'_> {
    /// Mechanism that round number `round` leaves out of the lower level; none if validation uses labeled defects
    /// alone.
    pub(crate) fn held_out(&self, round: usize) -> Option<usize> {
        (!matches!(self.validation, ValidationAnomalies::RealDefects(_))).then_some(round % self.source.mechanisms())
    }

    /// Runs `consume` on the steps of a round, which a worker thread samples meanwhile, at most [`PREFETCHED`] ahead.
    /// Samples depend on the number of the step alone, so the order of threads cannot matter. The worker ends early
    /// when `consume` does.
    pub(crate) fn prefetch<T>(&self, round: usize, consume: impl FnOnce(&PrefetchedSteps<'_>) -> T) -> T {
        let waiting = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let (sender, receiver) = sync_channel(PREFETCHED);
            scope.spawn(|| {
                // owned here, so that the receiver notices the end
                let sender = sender;
                for step in 0..self.params.steps() {
                    let batch = self.step(round, step);
                    waiting.fetch_add(1, Ordering::Relaxed);
                    if sender.send(batch).is_err() {
                        return;
                    }
                }
            });
            consume(&PrefetchedSteps { receiver, waiting: &waiting })
        })
    }

    fn step(&self, round: usize, step: usize) -> Result<Batch, Error> {
        let (params, groups, held_out) = (self.params, self.source.mechanisms(), self.held_out(round));
        let below: Vec<usize> = (0..groups).filter(|&g| Some(g) != held_out || groups == 1).collect();
        let number = round * params.steps() + step;
        let mut rng = keyed_stream(params.seed(), (1 << 40) + number as u64);
        let synthetic = self.synthesize(
            &below,
            &self.split.train,
            (params.batch(), PATCHES_PER_IMAGE),
            number as u64 * 2,
            &mut rng,
        )?;
        let upper = params.weighting().learns() && step.is_multiple_of(params.outer_every());
        let validation = if upper { Some(self.outer_batch(held_out, number as u64, &mut rng)?) } else { None };
        Ok(Batch { number, synthetic, validation })
    }

    /// Samples validation anomalies and normals.
    fn outer_batch(
        &self,
        held_out: Option<usize>,
        number: u64,
        rng: &mut ChaCha8Rng,
    ) -> Result<(PatchBatch, PatchBatch), Error> {
        let batch = self.params.outer_batch();
        let made = match self.validation {
            ValidationAnomalies::HeldOutMechanism => batch,
            ValidationAnomalies::RealDefects(_) => 0,
            ValidationAnomalies::Mixed(_) => batch.div_ceil(2),
        };
        let mut sampled: Vec<SampledPatches> = match held_out {
            Some(group) => {
                let made =
                    self.synthesize(&[group], &self.split.validation, (made, VALIDATION_PATCHES), number * 2 + 1, rng)?;
                made.into_iter().map(|s| s.sampled).collect()
            }
            None => Vec::new(),
        };
        let real = (batch - made).min(self.real.len());
        sampled
            .extend(rand::seq::index::sample(rng, self.real.len(), real).into_iter().map(|i| self.real[i].select(rng)));
        let normal = self.normal_draws(&self.split.validation, (batch, VALIDATION_PATCHES), rng);
        Ok((self.stack(sampled.iter())?, self.stack(normal.iter())?))
    }

    /// Synthesizes `count` anomalies of the mechanisms `groups` in turn, on random images among `images`, and selects
    /// patches of each. Where the source fails on an image, the ones after it take its place.
    fn synthesize(
        &self,
        groups: &[usize],
        images: &[usize],
        (count, sampled): (usize, usize),
        batch: u64,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<Synthetic>, Error> {
        let plan: Vec<(usize, PlannedSample)> = (0..count)
            .map(|i| {
                let (group, at) = (groups[i % groups.len()], rng.random_range(0..images.len()));
                (at, PlannedSample { group, image: images[at], seed: rng.random(), sampled })
            })
            .collect();
        plan.into_par_iter()
            .enumerate()
            .map(|(i, (at, plan))| {
                let first =
                    (batch * self.params.batch().max(self.params.outer_batch()) as u64 + i as u64) * RETRY.tries();
                let mut failure: Option<SourceError> = None;
                // what cannot be drawn on one image can on most others
                for image in images.iter().cycle().skip(at).take(IMAGES.min(images.len())) {
                    match self.try_on(&PlannedSample { image: *image, ..plan }, first)? {
                        Ok(sample) => return Ok(sample),
                        Err(e) => failure = Some(e),
                    }
                }
                let source = failure.unwrap_or_else(|| "no try was made".into());
                Err(Error::Source { mechanism: plan.group, index: first, source })
            })
            .collect()
    }

    /// Tries a sample on its image until its defect is visible in a patch, or takes one that is not; the source's last
    /// error if all tries fail.
    fn try_on(&self, plan: &PlannedSample, first: u64) -> Result<Result<Synthetic, SourceError>, Error> {
        let normal = self.normals[plan.image].view();
        let before = self.base.before(self.detector.backbone.as_ref(), normal, plan.image)?;
        let mut last: Result<Synthetic, SourceError> = Err("no try was made".into());
        for index in RETRY.indices(first) {
            match self.source.anomaly(normal, plan.image, plan.group, index) {
                Ok(anomaly) => {
                    anomaly.check(normal)?;
                    let (sample, seen) = self.prepare(&anomaly, &before, plan)?;
                    if seen {
                        return Ok(Ok(sample));
                    }
                    last = Ok(sample);
                }
                Err(e) if last.is_err() => last = Err(e),
                Err(_) => {}
            }
        }
        Ok(last)
    }

    /// Computes the sample, and whether its defect is visible in any patch; `before` is the deviation of every patch
    /// without it.
    fn prepare(
        &self,
        anomaly: &Anomaly,
        before: &Array2<f32>,
        plan: &PlannedSample,
    ) -> Result<(Synthetic, bool), Error> {
        let (h, w, _) = anomaly.image.dim();
        let (pyramid, all) = patches::read(self.detector.backbone.as_ref(), anomaly.image.view())?;
        let evidence = QualityFeatures::from_pyramid(&pyramid, anomaly.image.view(), anomaly.mask.view())?;
        let coverage = patches::coverage(anomaly.mask.view());
        let marked: Vec<usize> = (0..coverage.len()).filter(|&p| coverage[p] > 0.0).collect();
        let normal = self.base.of(plan.image);
        let moves = norms(&(normal.deviations(&all, Some(&marked)) - before.select(Axis(0), &marked)));
        let mut visible = vec![false; coverage.len()];
        marked.iter().zip(&moves).for_each(|(&p, &by)| visible[p] = by >= VISIBLE * self.detector.scales.length);
        let seen = visible.contains(&true);
        let mut rng = ChaCha8Rng::seed_from_u64(plan.seed);
        let selection = PatchSelection::new(&coverage, |p| visible[p], all.grid.1, plan.sampled, &mut rng);
        let input = self.detector.reads(normal, &all, Some(&selection.patches)).into_raw_vec_and_offset().0;
        let area = anomaly.mask.iter().filter(|&&m| m).count() as f64 / (h * w) as f64;
        let meta = SampleMeta { mechanism: plan.group, severity: anomaly.severity, area };
        let sampled = SampledPatches { input, selection };
        Ok((Synthetic { sampled, evidence, meta }, seen))
    }

    pub(crate) fn stack<'d>(&self, images: impl Iterator<Item = &'d SampledPatches>) -> Result<PatchBatch, Error> {
        PatchBatch::new(images, self.detector.shape.inputs)
    }

    /// Samples random patches of random normal images of the lower level.
    pub(crate) fn normal_stack(&self, rng: &mut ChaCha8Rng) -> Result<PatchBatch, Error> {
        self.stack(self.normal_draws(&self.split.train, (self.params.batch(), PATCHES_PER_IMAGE), rng).iter())
    }

    /// Samples random normal patches pushed away in feature space, labeled anomalous.
    pub(crate) fn noise_stack(&self, rng: &mut ChaCha8Rng) -> Result<Option<PatchBatch>, Error> {
        if self.params.feature_noise() == 0.0 {
            return Ok(None);
        }
        let mut sampled = self.normal_draws(&self.split.train, (self.params.batch(), PATCHES_PER_IMAGE), rng);
        for d in &mut sampled {
            self.detector.scales.push_away(&mut d.input, self.params.feature_noise() as f32, rng);
            d.selection.targets.fill(1.0);
        }
        Ok(Some(self.stack(sampled.iter())?))
    }

    fn normal_draws(
        &self,
        images: &[usize],
        (count, patches): (usize, usize),
        rng: &mut ChaCha8Rng,
    ) -> Vec<SampledPatches> {
        let mut sampled = Vec::with_capacity(count);
        for _ in 0..count {
            let all = &self.base.inputs[images[rng.random_range(0..images.len())]];
            let selection = PatchSelection::new(&vec![0.0; all.nrows()], |_| true, all.nrows(), patches, rng);
            sampled.push(SampledPatches { input: pick(all, &selection), selection });
        }
        sampled
    }
}

/// Concatenates the selected rows.
fn pick(rows: &Array2<f32>, selection: &PatchSelection) -> Vec<f32> {
    let mut picked = Vec::with_capacity(selection.patches.len() * rows.ncols());
    selection.patches.iter().for_each(|&p| picked.extend(rows.row(p)));
    picked
}
