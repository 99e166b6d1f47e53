//! The two levels, step by step.

use std::ops::ControlFlow;
use std::sync::Arc;

use candle_core::{DType, Var};
use frozen_backbone::Backbone;
use ndarray::{Array2, Array3, Axis, concatenate};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use sqe::{Evidence, Sqe};

use crate::adam::Adam;
use crate::detector::{Calibration, PatchDetector};
use crate::discriminator::{Draw, Drawn, Shape, Stack, Step, inputs, push_away};
use crate::hypergradient::Hypergradient;
use crate::memory::Memory;
use crate::whitening::Whitening;
use crate::{
    AnomalySource, Detector, Error, Fusion, TrainParams, Weighting, effective_sample_size, normalised, patches, weights,
};

/// Normal patches kept per image for training, and candidates of the memory in all.
const KEPT: usize = 512;
const CANDIDATES: usize = 16_384;
/// Tries of the source before a sample counts as impossible.
const TRIES: u64 = 8;

/// What is going on.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Progress {
    /// Features of the normal images: this many of that many.
    Features {
        /// Done.
        done: usize,
        /// In all.
        total: usize,
    },
    /// The memory is being selected.
    Memory,
    /// A training step was made.
    Step {
        /// Done.
        done: usize,
        /// In all.
        total: usize,
        /// Weighted lower loss.
        loss: f64,
    },
    /// The held-out normals are being scored.
    Calibration,
}

/// Watches a training run; may stop it after any round.
pub trait Observe {
    /// Called often.
    fn progress(&mut self, _progress: Progress) {}
    /// Called after every round with everything needed to continue from here.
    fn checkpoint(&mut self, _checkpoint: &Checkpoint) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Watches nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;
impl Observe for Silent {}

/// One round's summary.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoundReport {
    /// The mechanism left out for the meta set.
    pub held_out: usize,
    /// Mean weighted lower loss.
    pub loss: f64,
    /// Mean upper loss after the look-ahead; NaN without upper updates.
    pub upper_loss: f64,
    /// Mean effective sample size over the batch size, in (0, 1]: near 0 means collapse.
    pub effective_share: f64,
    /// Mean quality before normalisation.
    pub quality: f64,
    /// Spearman correlation of weight and defect area: near +-1 means the weights follow area, not quality.
    pub area_correlation: f64,
}

/// A finished run.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// One entry a round.
    pub rounds: Vec<RoundReport>,
    /// Normal images that trained, steered (meta) and calibrated.
    pub split: (usize, usize, usize),
    /// Patches in the memory.
    pub memory: usize,
    /// Synthetic images drawn.
    pub synthetic: usize,
}

/// What [`fit`] returns.
#[derive(Debug)]
pub struct Fitted {
    /// The detector, calibrated on held-out normals.
    pub detector: PatchDetector,
    /// How training went.
    pub report: Report,
}

/// Everything that changes from round to round.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    pub(crate) theta: Vec<f64>,
    pub(crate) theta_adam: Adam,
    pub(crate) quality: Vec<f64>,
    pub(crate) quality_adam: Adam,
    pub(crate) rounds: Vec<RoundReport>,
}

impl Checkpoint {
    /// Rounds done.
    pub fn rounds(&self) -> usize {
        self.rounds.len()
    }
}

/// Trains a [`PatchDetector`] on `normals` and on anomalies that `source` makes of them.
///
/// A tenth of the normals steers the quality estimator together with the mechanism that is left out of the round, another tenth
/// calibrates the maps and the threshold; neither enters the memory or the lower level. `quality` weighs the samples and goes on
/// learning ([`Weighting::Learnt`]). With `resume`, continues after the checkpoint's last round and ends with the same bits as an
/// uninterrupted run.
///
/// # Errors
/// [`Error::Parameter`], [`Error::TooFewNormals`] (four are needed), [`Error::Source`] if a mechanism fails repeatedly,
/// [`Error::Stopped`] if the observer breaks off, [`Error::Diverged`].
#[allow(clippy::too_many_arguments)] // each is one party of the run; a struct would only rename them
pub fn fit(
    backbone: Arc<dyn Backbone>,
    normals: &[Array3<f32>],
    source: &dyn AnomalySource,
    quality: &mut Sqe,
    hypergradient: &dyn Hypergradient,
    params: &TrainParams,
    resume: Option<Checkpoint>,
    observer: &mut dyn Observe,
) -> Result<Fitted, Error> {
    params.check()?;
    if normals.len() < 4 {
        return Err(Error::TooFewNormals { found: normals.len(), needed: 4 });
    }
    if source.groups() == 0 {
        return Err(Error::Parameter { name: "groups", value: 0.0, expected: "at least 1 mechanism" });
    }
    let split = Split::new(normals.len(), params);
    let base = Normals::gather(&backbone, normals, &split, params, observer)?;
    observer.progress(Progress::Memory);
    let mut detector = base.detector(backbone, params)?;
    let normal_inputs = base.inputs(&detector)?;

    let trainer =
        Trainer { normals, source, params, split: &split, normal_inputs: &normal_inputs, detector: &detector };
    let mut state = match resume {
        Some(state) => {
            let parameters = detector.shape.parameters();
            if state.theta.len() != parameters {
                return Err(Error::Length { what: "checkpoint", found: state.theta.len(), expected: parameters });
            }
            assign(&quality.vars(), &state.quality)?;
            state
        }
        None => trainer.initial_state(quality)?,
    };
    while state.rounds() < params.rounds {
        let report = trainer.round(&mut state, quality, hypergradient, observer)?;
        state.rounds.push(report);
        if observer.checkpoint(&state).is_break() {
            return Err(Error::Stopped { rounds: state.rounds() });
        }
    }
    detector.theta = state.theta;

    observer.progress(Progress::Calibration);
    calibrate(&mut detector, normals, &split.calibration)?;
    let report = Report {
        split: (split.train.len(), split.meta.len(), split.calibration.len()),
        memory: detector.memory.rows.nrows(),
        synthetic: params.rounds * params.steps * params.batch,
        rounds: state.rounds,
    };
    Ok(Fitted { detector, report })
}

/// Which normal image serves what.
#[derive(Debug)]
struct Split {
    train: Vec<usize>,
    meta: Vec<usize>,
    calibration: Vec<usize>,
}

impl Split {
    fn new(images: usize, params: &TrainParams) -> Self {
        let mut order: Vec<usize> = (0..images).collect();
        order.shuffle(&mut stream(params.seed, 0));
        let held = ((images as f64 * params.held_out).round() as usize).max(1);
        let calibration = order.split_off(images - held);
        let meta = order.split_off(images - 2 * held);
        Self { train: order, meta, calibration }
    }
}

/// Generator number `stream` of a run: draws do not depend on what was drawn before.
fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// Whitened patches of the normal images.
struct Normals {
    whitening: Whitening,
    /// Some patches of each image, by image number.
    patches: Vec<Array2<f32>>,
    /// `(rows of all training images, image number of each row)`, at most [`CANDIDATES`].
    candidates: (Array2<f32>, Vec<u32>),
}

impl Normals {
    fn gather(
        backbone: &Arc<dyn Backbone>,
        normals: &[Array3<f32>],
        split: &Split,
        params: &TrainParams,
        observer: &mut dyn Observe,
    ) -> Result<Self, Error> {
        let mut raw: Vec<Array2<f32>> = Vec::with_capacity(normals.len());
        for block in normals.chunks(16) {
            let first = raw.len();
            let rows: Result<Vec<_>, Error> = block
                .par_iter()
                .enumerate()
                .map(|(i, image)| {
                    let features = patches::read(backbone.as_ref(), image.view())?.1.features;
                    let mut rng = stream(params.seed, 1 + (first + i) as u64);
                    let n = features.nrows();
                    let mut kept = rand::seq::index::sample(&mut rng, n, n.min(KEPT)).into_vec();
                    kept.sort_unstable();
                    Ok(features.select(Axis(0), &kept))
                })
                .collect();
            raw.extend(rows?);
            observer.progress(Progress::Features { done: raw.len(), total: normals.len() });
        }
        let per_image = CANDIDATES.div_ceil(split.train.len());
        let views: Vec<_> = split.train.iter().map(|&i| head(&raw[i], per_image)).collect();
        let rows = concatenate(Axis(0), &views).map_err(|_| Error::Length {
            what: "features",
            found: 0,
            expected: backbone.levels().len(),
        })?;
        let owners = split.train.iter().zip(&views).flat_map(|(&i, v)| vec![i as u32; v.nrows()]).collect();
        let whitening = Whitening::fit(rows.view(), params.dimensions)?;
        let patches = raw.par_iter().map(|r| whitening.apply(r)).collect();
        Ok(Self { candidates: (whitening.apply(&rows), owners), whitening, patches })
    }

    /// The detector before training.
    fn detector(&self, backbone: Arc<dyn Backbone>, params: &TrainParams) -> Result<PatchDetector, Error> {
        let memory = Memory::coreset(&self.candidates.0, &self.candidates.1, params.memory)?;
        let shape = Shape { inputs: self.whitening.projection.ncols() + 1, hidden: params.hidden };
        // residuals of some training patches against the other images
        let mut squares = (0.0f64, 0usize);
        for (rows, owner) in self.candidates.0.axis_chunks_iter(Axis(0), 64).zip(self.candidates.1.chunks(64)) {
            let residuals = memory.residuals(&rows.to_owned(), owner.first().copied())?;
            squares.0 += residuals.iter().map(|v| f64::from(v * v)).sum::<f64>();
            squares.1 += residuals.nrows();
        }
        Ok(PatchDetector {
            backbone,
            whitening: self.whitening.clone(),
            memory,
            shape,
            theta: Vec::new(),
            scale: ((squares.0 / squares.1.max(1) as f64).sqrt() as f32).max(1e-6),
            calibration: Calibration { logit: (0.0, 1.0), distance: (0.0, 1.0) },
            smoothing: params.smoothing,
            fusion: Fusion::Both,
            normal_scores: Vec::new(),
        })
    }
}

impl Normals {
    /// What the discriminator reads of each image's patches, against the memory of the other images.
    fn inputs(&self, detector: &PatchDetector) -> Result<Vec<Array2<f32>>, Error> {
        let one = |(i, rows): (usize, &Array2<f32>)| {
            let residuals = detector.memory.residuals(rows, Some(i as u32))?;
            let values = inputs(&residuals, detector.scale);
            Array2::from_shape_vec((rows.nrows(), detector.shape.inputs), values).map_err(|_| Error::Length {
                what: "inputs",
                found: rows.nrows(),
                expected: detector.shape.inputs,
            })
        };
        self.patches.par_iter().enumerate().map(one).collect()
    }
}

/// The first rows, which are a random subset in raster order thinned evenly.
fn head(rows: &Array2<f32>, n: usize) -> ndarray::ArrayView2<'_, f32> {
    let step = (rows.nrows() / n.max(1)).max(1);
    rows.slice_each_axis(
        |a| if a.axis.index() == 0 { ndarray::Slice::new(0, None, step as isize) } else { (..).into() },
    )
}

/// One synthetic image, ready for both levels.
struct Synthetic {
    drawn: Drawn,
    evidence: Evidence,
    area: f64,
}

struct Trainer<'a> {
    normals: &'a [Array3<f32>],
    source: &'a dyn AnomalySource,
    params: &'a TrainParams,
    split: &'a Split,
    /// Discriminator inputs of some patches of each normal image, by image number.
    normal_inputs: &'a [Array2<f32>],
    detector: &'a PatchDetector,
}

impl Trainer<'_> {
    fn initial_state(&self, quality: &Sqe) -> Result<Checkpoint, Error> {
        let theta = self.detector.shape.initial(&mut stream(self.params.seed, u64::MAX));
        let quality = flatten(&quality.vars())?;
        Ok(Checkpoint {
            theta_adam: Adam::new(theta.len(), self.params.learning_rate, 1e-4),
            quality_adam: Adam::new(quality.len(), self.params.quality_learning_rate, 0.0),
            theta,
            quality,
            rounds: Vec::new(),
        })
    }

    /// One round: the mechanism `round % groups` is left out below and makes the meta set above.
    fn round(
        &self,
        state: &mut Checkpoint,
        quality: &Sqe,
        hypergradient: &dyn Hypergradient,
        observer: &mut dyn Observe,
    ) -> Result<RoundReport, Error> {
        let (params, groups, round) = (self.params, self.source.groups(), state.rounds());
        let held_out = round % groups;
        let below: Vec<usize> = (0..groups).filter(|&g| g != held_out || groups == 1).collect();
        let mut pool: Vec<Synthetic> = Vec::with_capacity(params.steps * params.batch);
        let mut tally = Tally::default();
        for step in 0..params.steps {
            let number = (round * params.steps + step) as u64;
            let mut rng = stream(params.seed, (1 << 40) + number);
            let fresh = pool.len();
            pool.extend(self.synthesise(&below, &self.split.train, number * 2, &mut rng)?);
            if params.weighting != Weighting::Uniform && step % params.meta_every == 0 {
                let anomalous = self.synthesise(&[held_out], &self.split.meta, number * 2 + 1, &mut rng)?;
                let meta =
                    (self.stack(anomalous.iter().map(|s| &s.drawn))?, self.normal_stack(&self.split.meta, &mut rng)?);
                let batch: Vec<&Synthetic> = pool[fresh..].iter().collect();
                tally.uppers.push(self.upper_update(state, quality, hypergradient, &batch, meta, &mut rng)?);
            }
            let mut loss = 0.0;
            for _ in 0..params.updates {
                let batch: Vec<&Synthetic> =
                    (0..params.batch).map(|_| &pool[rng.random_range(0..pool.len())]).collect();
                loss += self.lower_update(state, quality, &batch, &mut tally, &mut rng)? / params.updates as f64;
            }
            if !loss.is_finite() {
                return Err(Error::Diverged { what: "the lower loss", step: number as usize });
            }
            let (done, total) = (number as usize + 1, params.rounds * params.steps);
            observer.progress(Progress::Step { done, total, loss });
        }
        Ok(tally.report(held_out))
    }

    /// Teaches the estimator from the meta set: one hypergradient, one Adam step.
    fn upper_update(
        &self,
        state: &mut Checkpoint,
        quality: &Sqe,
        hypergradient: &dyn Hypergradient,
        batch: &[&Synthetic],
        meta: (Stack, Stack),
        rng: &mut ChaCha8Rng,
    ) -> Result<f64, Error> {
        let problem = self.problem(batch, Some(meta), rng)?;
        let input = quality.input(&evidence(batch))?;
        let w = normalised(&scores(quality, &input)?);
        let answer = hypergradient.weight_gradient(&problem, &state.theta, &w, self.params.learning_rate)?;
        // only the direction matters to Adam; unit length keeps the penalty's share the same at any step size
        let norm = answer.gradient.iter().map(|g| g * g).sum::<f64>().sqrt().max(1e-30);
        let slope: Vec<f64> = answer.gradient.iter().map(|g| g / norm).collect();
        let objective = weights::surrogate(&quality.logits(&input)?, &slope, self.params.crowding_penalty)?;
        let vars = quality.vars();
        let grads = objective.backward()?;
        let mut gradient = Vec::with_capacity(state.quality.len());
        for var in &vars {
            match grads.get(var) {
                Some(g) => gradient.extend(flat(g)?),
                None => gradient.resize(gradient.len() + var.elem_count(), 0.0),
            }
        }
        state.quality_adam.update(&mut state.quality, &gradient);
        assign(&vars, &state.quality)?;
        Ok(answer.upper_loss)
    }

    /// One Adam step of the discriminator on a weighted batch, with the estimator as it was just taught. Returns the loss.
    fn lower_update(
        &self,
        state: &mut Checkpoint,
        quality: &Sqe,
        batch: &[&Synthetic],
        tally: &mut Tally,
        rng: &mut ChaCha8Rng,
    ) -> Result<f64, Error> {
        let problem = self.problem(batch, None, rng)?;
        let q = scores(quality, &quality.input(&evidence(batch))?)?;
        let mut w = match self.params.weighting {
            Weighting::Uniform => vec![1.0; q.len()],
            Weighting::Learnt | Weighting::Shuffled => normalised(&q),
        };
        if self.params.weighting == Weighting::Shuffled {
            w.shuffle(rng);
        }
        let (loss, gradient) = problem.lower(&state.theta, &w)?;
        state.theta_adam.update(&mut state.theta, &gradient);
        tally.add(loss, &q, w, batch.iter().map(|s| s.area));
        Ok(loss)
    }

    fn problem(&self, batch: &[&Synthetic], meta: Option<(Stack, Stack)>, rng: &mut ChaCha8Rng) -> Result<Step, Error> {
        Ok(Step {
            shape: self.detector.shape,
            synthetic: self.stack(batch.iter().map(|s| &s.drawn))?,
            normal: self.normal_stack(&self.split.train, rng)?,
            noise: self.noise_stack(rng)?,
            meta,
        })
    }

    /// A batch of anomalies of the mechanisms `groups` in turn, on random images among `images`.
    fn synthesise(
        &self,
        groups: &[usize],
        images: &[usize],
        batch: u64,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<Synthetic>, Error> {
        let plan: Vec<(usize, usize, u64)> = (0..self.params.batch)
            .map(|i| (groups[i % groups.len()], images[rng.random_range(0..images.len())], rng.random()))
            .collect();
        plan.into_par_iter()
            .enumerate()
            .map(|(i, (group, image, draw_seed))| {
                let first = (batch * self.params.batch as u64 + i as u64) * TRIES;
                let normal = self.normals[image].view();
                let mut reason = String::new();
                for index in first..first + TRIES {
                    match self.source.anomaly(normal, image, group, index) {
                        Ok(anomaly) => return self.prepare(&anomaly, image, draw_seed),
                        Err(e) => reason = e,
                    }
                }
                Err(Error::Source { group, index: first, reason })
            })
            .collect()
    }

    fn prepare(&self, anomaly: &crate::Anomaly, image: usize, draw_seed: u64) -> Result<Synthetic, Error> {
        let (h, w, _) = anomaly.image.dim();
        let (pyramid, all) = patches::read(self.detector.backbone.as_ref(), anomaly.image.view())?;
        let evidence = Evidence::from_pyramid(&pyramid, anomaly.image.view(), anomaly.mask.view())?;
        let coverage = patches::coverage(anomaly.mask.view());
        let draw = Draw::new(&coverage, all.grid.1, &mut ChaCha8Rng::seed_from_u64(draw_seed));
        let rows = self.detector.whitening.apply(&all.features.select(Axis(0), &draw.patches));
        let residuals = self.detector.memory.residuals(&rows, Some(image as u32))?;
        let area = anomaly.mask.iter().filter(|&&m| m).count() as f64 / (h * w) as f64;
        Ok(Synthetic { drawn: Drawn { input: inputs(&residuals, self.detector.scale), draw }, evidence, area })
    }

    fn stack<'d>(&self, images: impl Iterator<Item = &'d Drawn>) -> Result<Stack, Error> {
        Stack::new(images, self.detector.shape.inputs)
    }

    /// Random patches of random normal images.
    fn normal_stack(&self, images: &[usize], rng: &mut ChaCha8Rng) -> Result<Stack, Error> {
        self.stack(self.normal_draws(images, rng).iter())
    }

    /// Random normal patches pushed away in feature space, labelled anomalous.
    fn noise_stack(&self, rng: &mut ChaCha8Rng) -> Result<Option<Stack>, Error> {
        if self.params.feature_noise == 0.0 {
            return Ok(None);
        }
        let mut drawn = self.normal_draws(&self.split.train, rng);
        for d in &mut drawn {
            push_away(&mut d.input, self.detector.shape.inputs, self.params.feature_noise as f32, rng);
            d.draw.targets.fill(1.0);
        }
        Ok(Some(self.stack(drawn.iter())?))
    }

    fn normal_draws(&self, images: &[usize], rng: &mut ChaCha8Rng) -> Vec<Drawn> {
        let mut drawn = Vec::with_capacity(self.params.batch);
        for _ in 0..self.params.batch {
            let all = &self.normal_inputs[images[rng.random_range(0..images.len())]];
            let draw = Draw::new(&vec![0.0; all.nrows()], all.nrows(), rng);
            let input = draw.patches.iter().flat_map(|&p| all.row(p).to_vec()).collect();
            drawn.push(Drawn { input, draw });
        }
        drawn
    }
}

/// Sums over a round.
#[derive(Default)]
struct Tally {
    uppers: Vec<f64>,
    losses: f64,
    shares: f64,
    qualities: f64,
    updates: f64,
    weights: Vec<f64>,
    areas: Vec<f64>,
}

impl Tally {
    fn add(&mut self, loss: f64, q: &[f64], w: Vec<f64>, areas: impl Iterator<Item = f64>) {
        self.losses += loss;
        self.shares += effective_sample_size(&w) / w.len() as f64;
        self.qualities += q.iter().sum::<f64>() / q.len() as f64;
        self.updates += 1.0;
        self.weights.extend(w);
        self.areas.extend(areas);
    }

    fn report(self, held_out: usize) -> RoundReport {
        RoundReport {
            held_out,
            loss: self.losses / self.updates,
            upper_loss: self.uppers.iter().sum::<f64>() / self.uppers.len() as f64,
            effective_share: self.shares / self.updates,
            quality: self.qualities / self.updates,
            area_correlation: sqe::spearman(&self.weights, &self.areas).unwrap_or(0.0),
        }
    }
}

fn evidence<'a>(batch: &[&'a Synthetic]) -> Vec<&'a Evidence> {
    batch.iter().map(|s| &s.evidence).collect()
}

/// Scale of logits and distances, and image scores, on held-out normal images.
fn calibrate(detector: &mut PatchDetector, normals: &[Array3<f32>], images: &[usize]) -> Result<(), Error> {
    let raw: Vec<_> = images.par_iter().map(|&i| detector.raw(normals[i].view())).collect::<Result<_, Error>>()?;
    let moments = |values: Vec<f32>| {
        let n = values.len().max(1) as f64;
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
        let variance = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n;
        (mean as f32, (variance.sqrt() as f32).max(1e-6))
    };
    detector.calibration = Calibration {
        logit: moments(raw.iter().flat_map(|r| r.logits.clone()).collect()),
        distance: moments(raw.iter().flat_map(|r| r.distances.clone()).collect()),
    };
    detector.normal_scores =
        images.par_iter().map(|&i| Ok(detector.predict(normals[i].view())?.score)).collect::<Result<_, Error>>()?;
    Ok(())
}

fn scores(quality: &Sqe, input: &candle_core::Tensor) -> Result<Vec<f64>, Error> {
    Ok(flat(&quality.logits(input)?)?.into_iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect())
}

fn flat(tensor: &candle_core::Tensor) -> Result<Vec<f64>, Error> {
    Ok(tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?)
}

fn flatten(vars: &[Var]) -> Result<Vec<f64>, Error> {
    vars.iter().try_fold(Vec::new(), |mut all, var| {
        all.extend(flat(var)?);
        Ok(all)
    })
}

fn assign(vars: &[Var], values: &[f64]) -> Result<(), Error> {
    let expected = vars.iter().map(|v| v.elem_count()).sum();
    if values.len() != expected {
        return Err(Error::Length { what: "quality parameters", found: values.len(), expected });
    }
    let mut start = 0;
    for var in vars {
        let end = start + var.elem_count();
        let part: Vec<f32> = values[start..end].iter().map(|&v| v as f32).collect();
        var.set(&candle_core::Tensor::from_vec(part, var.shape(), var.device())?)?;
        start = end;
    }
    Ok(())
}
