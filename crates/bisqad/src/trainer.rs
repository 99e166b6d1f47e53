//! Rounds and steps of the two levels.

use candle_core::{DType, Tensor, Var};
use ndarray::{Array2, Array3};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use sqe::{Evidence, Sqe};

use crate::adam::Adam;
use crate::detector::PatchDetector;
use crate::discriminator::{Draw, Drawn, Known, Stack, Step};
use crate::hypergradient::Hypergradient;
use crate::memory::norms;
use crate::normals::{Normals, Split, stream};
use crate::patches::Patches;
use crate::round::{Facts, Tally};
use crate::weights::surrogate;
use crate::{
    Anomaly, AnomalySource, Checkpoint, Error, MetaSource, Observe, Progress, RealDefect, RoundReport, TrainParams,
    Weighting, effective_sample_size, normalised, patches,
};

/// Tries of the source before a sample counts as impossible, or is taken although nothing of it can be seen.
const TRIES: u64 = 8;
/// Share of a normal residual's length that a defect must move a patch by to be seen in it.
const VISIBLE: f32 = 0.5;

/// One synthetic image, ready for both levels.
struct Synthetic {
    drawn: Drawn,
    evidence: Evidence,
    facts: Facts,
}

/// A real defect of the meta set: what the discriminator reads of every patch, and the patches' labels.
pub(crate) struct Real {
    input: Array2<f32>,
    coverage: Vec<f32>,
    columns: usize,
}

impl Real {
    pub(crate) fn new(defect: &RealDefect, detector: &PatchDetector) -> Result<Self, Error> {
        let (_, p) = patches::read(detector.backbone.as_ref(), defect.image.view())?;
        Ok(Self {
            input: detector.reads(&detector.normal, &p, None),
            coverage: patches::coverage(defect.mask.view()),
            columns: p.grid.1,
        })
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> Drawn {
        let draw = Draw::new(&self.coverage, |_| true, self.columns, rng);
        Drawn { input: pick(&self.input, &draw), draw }
    }
}

/// Makes the rounds of one run.
pub(crate) struct Trainer<'a> {
    pub(crate) normals: &'a [Array3<f32>],
    pub(crate) source: &'a dyn AnomalySource,
    pub(crate) params: &'a TrainParams,
    pub(crate) meta: &'a MetaSource,
    pub(crate) real: &'a [Real],
    pub(crate) split: &'a Split,
    pub(crate) base: &'a Normals,
    pub(crate) detector: &'a PatchDetector,
}

impl Trainer<'_> {
    pub(crate) fn initial_state(&self, quality: &Sqe) -> Result<Checkpoint, Error> {
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

    /// One round. Unless the meta set is real defects alone, the mechanism `round % groups` is left out below and makes it.
    pub(crate) fn round(
        &self,
        state: &mut Checkpoint,
        quality: &Sqe,
        method: &dyn Hypergradient,
        observer: &mut dyn Observe,
    ) -> Result<RoundReport, Error> {
        let (params, groups, round) = (self.params, self.source.groups(), state.rounds());
        let held_out = (!matches!(self.meta, MetaSource::FewShotReal(_))).then_some(round % groups);
        let below: Vec<usize> = (0..groups).filter(|&g| Some(g) != held_out || groups == 1).collect();
        let mut pool: Vec<Synthetic> = Vec::with_capacity(params.steps * params.batch);
        let mut tally = Tally::default();
        for step in 0..params.steps {
            let number = round * params.steps + step;
            let mut rng = stream(params.seed, (1 << 40) + number as u64);
            let fresh = pool.len();
            let drawn = self.synthesise(&below, &self.split.train, params.batch, number as u64 * 2, &mut rng)?;
            pool.extend(self.filtered(drawn, quality)?);
            let upper = params.weighting.learns() && step % params.meta_every == 0;
            let meta = if upper { Some(self.meta_batch(held_out, number as u64, &mut rng)?) } else { None };
            observer.progress(Progress::Drawn);
            let mut loss = 0.0;
            for update in 0..params.updates {
                let both = meta.as_ref().filter(|_| update == 0);
                loss += match both {
                    Some(meta) => {
                        let batch: Vec<&Synthetic> = pool[fresh..].iter().collect();
                        self.two_level_update(state, quality, method, &batch, meta, number, &mut tally, &mut rng)?
                    }
                    None => {
                        let batch: Vec<&Synthetic> =
                            (0..params.batch).map(|_| &pool[rng.random_range(0..pool.len())]).collect();
                        self.lower_update(state, quality, &batch, number, &mut tally, &mut rng)?
                    }
                } / params.updates as f64;
                observer.progress(Progress::Update { upper: both.is_some() });
            }
            if !loss.is_finite() {
                return Err(Error::Diverged { what: "the lower loss", step: number });
            }
            let (done, total) = (number + 1, params.rounds * params.steps);
            observer.progress(Progress::Step { done, total, loss });
        }
        Ok(tally.report(held_out))
    }

    /// Both levels move from where they are: the estimator by one hypergradient and one Adam step, the discriminator by one Adam step on
    /// the weights that the estimator gave before. So the look-ahead and the lower step share one gradient.
    ///
    /// That both levels move at once is the single-loop scheme of M. Dagreou et al., "A framework for bilevel optimization that
    /// enables stochastic and global variance reduction algorithms", NeurIPS 2022. The upper gradient is taken after the look-ahead.
    #[allow(clippy::too_many_arguments)] // one call, each a party of the step
    fn two_level_update(
        &self,
        state: &mut Checkpoint,
        quality: &Sqe,
        method: &dyn Hypergradient,
        batch: &[&Synthetic],
        meta: &(Stack, Stack),
        step: usize,
        tally: &mut Tally,
        rng: &mut ChaCha8Rng,
    ) -> Result<f64, Error> {
        let problem = self.problem(batch, rng)?;
        let input = quality.input(&evidence(batch))?;
        let q = scores(quality, &input)?;
        let w = weights(&q, step)?;
        let (mut loss, mut gradient) = problem.lower(&state.theta, &w)?;
        let known = Known { problem: &problem, meta, theta: &state.theta, weights: &w, gradient: &gradient };
        let answer = method
            .weight_gradient(&known, &state.theta, &w, self.params.learning_rate)
            .map_err(|source| Error::Upper { step, source: Box::new(source) })?;
        if !answer.gradient.iter().all(|g| g.is_finite()) {
            return Err(Error::Diverged { what: "the hypergradient", step });
        }
        let guarded = effective_sample_size(&w) < self.params.min_effective_share * w.len() as f64;
        self.teach(state, quality, &input, &answer.gradient, guarded)?;
        tally.upper(answer.upper_loss, guarded);
        let w = match self.params.weighting {
            Weighting::Shuffled => {
                let mut shuffled = w.clone();
                shuffled.shuffle(rng);
                (loss, gradient) = problem.lower(&state.theta, &shuffled)?;
                shuffled
            }
            _ => w,
        };
        state.theta_adam.update(&mut state.theta, &gradient);
        tally.lower(loss, &q, &w, batch.iter().map(|s| s.facts));
        Ok(loss)
    }

    /// One Adam step of the estimator along `weight_gradient`; if `guarded`, along the penalty alone.
    fn teach(
        &self,
        state: &mut Checkpoint,
        quality: &Sqe,
        input: &Tensor,
        weight_gradient: &[f64],
        guarded: bool,
    ) -> Result<(), Error> {
        // only the direction matters to Adam; unit length keeps the penalty's share the same at any step size
        let norm = weight_gradient.iter().map(|g| g * g).sum::<f64>().sqrt().max(1e-30);
        let (slope, penalty) = match guarded {
            false => (weight_gradient.iter().map(|g| g / norm).collect(), self.params.crowding_penalty),
            true => (vec![0.0; weight_gradient.len()], self.params.crowding_penalty.max(1.0)),
        };
        let objective = surrogate(&quality.logits(input)?, &slope, penalty)?;
        let vars = quality.vars();
        let grads = objective.backward()?;
        let mut gradient = Vec::with_capacity(state.quality.len());
        for var in &vars {
            match grads.get(var) {
                Some(g) => gradient.extend(flat(g)?),
                None => gradient.resize(gradient.len() + var.elem_count(), 0.0),
            }
        }
        if guarded {
            // what was gathered on the way here must not carry on
            state.quality_adam.first.fill(0.0);
        }
        state.quality_adam.update(&mut state.quality, &gradient);
        assign(&vars, &state.quality)
    }

    /// One Adam step of the discriminator on a weighted batch. Returns the loss.
    fn lower_update(
        &self,
        state: &mut Checkpoint,
        quality: &Sqe,
        batch: &[&Synthetic],
        step: usize,
        tally: &mut Tally,
        rng: &mut ChaCha8Rng,
    ) -> Result<f64, Error> {
        let problem = self.problem(batch, rng)?;
        let q = scores(quality, &quality.input(&evidence(batch))?)?;
        let mut w = if self.params.weighting.weighs() { weights(&q, step)? } else { vec![1.0; q.len()] };
        if self.params.weighting == Weighting::Shuffled {
            w.shuffle(rng);
        }
        let (loss, gradient) = problem.lower(&state.theta, &w)?;
        state.theta_adam.update(&mut state.theta, &gradient);
        tally.lower(loss, &q, &w, batch.iter().map(|s| s.facts));
        Ok(loss)
    }

    /// Held-out anomalies and held-out normals.
    fn meta_batch(&self, held_out: Option<usize>, number: u64, rng: &mut ChaCha8Rng) -> Result<(Stack, Stack), Error> {
        let batch = self.params.batch;
        let made = match self.meta {
            MetaSource::HeldOutMechanism => batch,
            MetaSource::FewShotReal(_) => 0,
            MetaSource::Mixed(_) => batch.div_ceil(2),
        };
        let mut drawn: Vec<Drawn> = match held_out {
            Some(group) => {
                let made = self.synthesise(&[group], &self.split.meta, made, number * 2 + 1, rng)?;
                made.into_iter().map(|s| s.drawn).collect()
            }
            None => Vec::new(),
        };
        let real = (batch - made).min(self.real.len());
        drawn.extend(rand::seq::index::sample(rng, self.real.len(), real).into_iter().map(|i| self.real[i].draw(rng)));
        Ok((self.stack(drawn.iter())?, self.normal_stack(&self.split.meta, rng)?))
    }

    /// The images that the filtering arm keeps; all for the others.
    fn filtered(&self, drawn: Vec<Synthetic>, quality: &Sqe) -> Result<Vec<Synthetic>, Error> {
        let Weighting::Filtered { keep } = self.params.weighting else { return Ok(drawn) };
        let q = quality.score(&drawn.iter().map(|s| &s.evidence).collect::<Vec<_>>())?;
        let kept = sqe::keep_best(&q, keep)?;
        Ok(drawn.into_iter().enumerate().filter(|(i, _)| kept.contains(i)).map(|(_, s)| s).collect())
    }

    fn problem(&self, batch: &[&Synthetic], rng: &mut ChaCha8Rng) -> Result<Step, Error> {
        Ok(Step {
            shape: self.detector.shape,
            synthetic: self.stack(batch.iter().map(|s| &s.drawn))?,
            normal: self.normal_stack(&self.split.train, rng)?,
            noise: self.noise_stack(rng)?,
        })
    }

    /// `count` anomalies of the mechanisms `groups` in turn, on random images among `images`.
    fn synthesise(
        &self,
        groups: &[usize],
        images: &[usize],
        count: usize,
        batch: u64,
        rng: &mut ChaCha8Rng,
    ) -> Result<Vec<Synthetic>, Error> {
        let plan: Vec<(usize, usize, u64)> = (0..count)
            .map(|i| (groups[i % groups.len()], images[rng.random_range(0..images.len())], rng.random()))
            .collect();
        plan.into_par_iter()
            .enumerate()
            .map(|(i, (group, image, draw_seed))| {
                let first = (batch * self.params.batch as u64 + i as u64) * TRIES;
                let normal = self.normals[image].view();
                let before = patches::read(self.detector.backbone.as_ref(), normal)?.1;
                let (mut reason, mut unseen) = (String::new(), None);
                for index in first..first + TRIES {
                    match self.source.anomaly(normal, image, group, index) {
                        Ok(anomaly) => {
                            let (sample, seen) = self.prepare(&anomaly, &before, group, image, draw_seed)?;
                            if seen {
                                return Ok(sample);
                            }
                            unseen = Some(sample);
                        }
                        Err(e) => reason = e,
                    }
                }
                unseen.ok_or(Error::Source { group, index: first, reason })
            })
            .collect()
    }

    /// The sample, and whether its defect can be seen in any patch; `before` are the features without it.
    fn prepare(
        &self,
        anomaly: &Anomaly,
        before: &Patches,
        group: usize,
        image: usize,
        draw_seed: u64,
    ) -> Result<(Synthetic, bool), Error> {
        let (h, w, _) = anomaly.image.dim();
        let (pyramid, all) = patches::read(self.detector.backbone.as_ref(), anomaly.image.view())?;
        let evidence = Evidence::from_pyramid(&pyramid, anomaly.image.view(), anomaly.mask.view())?;
        let coverage = patches::coverage(anomaly.mask.view());
        let marked: Vec<usize> = (0..coverage.len()).filter(|&p| coverage[p] > 0.0).collect();
        let normal = self.base.of(image);
        let moves = norms(&(normal.deviations(&all, Some(&marked)) - normal.deviations(before, Some(&marked))));
        let mut visible = vec![false; coverage.len()];
        marked.iter().zip(&moves).for_each(|(&p, &by)| visible[p] = by >= VISIBLE * self.detector.scales.length);
        let seen = visible.contains(&true);
        let draw = Draw::new(&coverage, |p| visible[p], all.grid.1, &mut ChaCha8Rng::seed_from_u64(draw_seed));
        let input = self.detector.reads(normal, &all, Some(&draw.patches)).into_raw_vec_and_offset().0;
        let area = anomaly.mask.iter().filter(|&&m| m).count() as f64 / (h * w) as f64;
        let facts = Facts { mechanism: group, severity: anomaly.severity, area };
        let drawn = Drawn { input, draw };
        Ok((Synthetic { drawn, evidence, facts }, seen))
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
            self.detector.scales.push_away(&mut d.input, self.params.feature_noise as f32, rng);
            d.draw.targets.fill(1.0);
        }
        Ok(Some(self.stack(drawn.iter())?))
    }

    fn normal_draws(&self, images: &[usize], rng: &mut ChaCha8Rng) -> Vec<Drawn> {
        let mut drawn = Vec::with_capacity(self.params.batch);
        for _ in 0..self.params.batch {
            let all = &self.base.inputs[images[rng.random_range(0..images.len())]];
            let draw = Draw::new(&vec![0.0; all.nrows()], |_| true, all.nrows(), rng);
            drawn.push(Drawn { input: pick(all, &draw), draw });
        }
        drawn
    }
}

/// The drawn rows, one after the other.
fn pick(rows: &Array2<f32>, draw: &Draw) -> Vec<f32> {
    draw.patches.iter().flat_map(|&p| rows.row(p).to_vec()).collect()
}

/// Weights of mean one.
fn weights(q: &[f64], step: usize) -> Result<Vec<f64>, Error> {
    if q.iter().any(|q| !q.is_finite()) {
        return Err(Error::Diverged { what: "the quality", step });
    }
    normalised(q).ok_or(Error::ZeroWeights { step })
}

fn evidence<'a>(batch: &[&'a Synthetic]) -> Vec<&'a Evidence> {
    batch.iter().map(|s| &s.evidence).collect()
}

fn scores(quality: &Sqe, input: &Tensor) -> Result<Vec<f64>, Error> {
    Ok(flat(&quality.logits(input)?)?.into_iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect())
}

fn flat(tensor: &Tensor) -> Result<Vec<f64>, Error> {
    Ok(tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?)
}

fn flatten(vars: &[Var]) -> Result<Vec<f64>, Error> {
    vars.iter().try_fold(Vec::new(), |mut all, var| {
        all.extend(flat(var)?);
        Ok(all)
    })
}

pub(crate) fn assign(vars: &[Var], values: &[f64]) -> Result<(), Error> {
    let expected = vars.iter().map(|v| v.elem_count()).sum();
    if values.len() != expected {
        return Err(Error::Length { what: "quality parameters", found: values.len(), expected });
    }
    let mut start = 0;
    for var in vars {
        let end = start + var.elem_count();
        let part: Vec<f32> = values[start..end].iter().map(|&v| v as f32).collect();
        var.set(&Tensor::from_vec(part, var.shape(), var.device())?)?;
        start = end;
    }
    Ok(())
}
