//! Rounds and steps of the two levels.

use candle_core::{DType, Var};
use ndarray::{Array2, Array3, Axis};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use sqe::{Evidence, Sqe};

use crate::adam::Adam;
use crate::detector::PatchDetector;
use crate::discriminator::{Draw, Drawn, Stack, Step, inputs, push_away};
use crate::hypergradient::Hypergradient;
use crate::memory::norms;
use crate::normals::{Split, stream};
use crate::{
    AnomalySource, Checkpoint, Error, Observe, Progress, RoundReport, TrainParams, Weighting, effective_sample_size,
    normalised, patches, weights,
};

/// Tries of the source before a sample counts as impossible, or is taken although nothing of it can be seen.
const TRIES: u64 = 8;
/// Share of a normal residual's length that a defect must move a patch by to be seen in it.
const VISIBLE: f32 = 0.5;

/// One synthetic image, ready for both levels.
struct Synthetic {
    drawn: Drawn,
    evidence: Evidence,
    area: f64,
}

/// Makes the rounds of one run.
pub(crate) struct Trainer<'a> {
    pub(crate) normals: &'a [Array3<f32>],
    pub(crate) source: &'a dyn AnomalySource,
    pub(crate) params: &'a TrainParams,
    pub(crate) split: &'a Split,
    /// Discriminator inputs of some patches of each normal image, by image number.
    pub(crate) normal_inputs: &'a [Array2<f32>],
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

    /// One round: the mechanism `round % groups` is left out below and makes the meta set above.
    pub(crate) fn round(
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
                let before = patches::read(self.detector.backbone.as_ref(), normal)?.1.features;
                let (mut reason, mut unseen) = (String::new(), None);
                for index in first..first + TRIES {
                    match self.source.anomaly(normal, image, group, index) {
                        Ok(anomaly) => {
                            let (sample, seen) = self.prepare(&anomaly, &before, image, draw_seed)?;
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
        anomaly: &crate::Anomaly,
        before: &Array2<f32>,
        image: usize,
        draw_seed: u64,
    ) -> Result<(Synthetic, bool), Error> {
        let (h, w, _) = anomaly.image.dim();
        let (pyramid, all) = patches::read(self.detector.backbone.as_ref(), anomaly.image.view())?;
        let evidence = Evidence::from_pyramid(&pyramid, anomaly.image.view(), anomaly.mask.view())?;
        let coverage = patches::coverage(anomaly.mask.view());
        let marked: Vec<usize> = (0..coverage.len()).filter(|&p| coverage[p] > 0.0).collect();
        let whitened =
            |features: &Array2<f32>, rows: &[usize]| self.detector.whitening.apply(&features.select(Axis(0), rows));
        let moves = norms(&(whitened(&all.features, &marked) - whitened(before, &marked)));
        let mut visible = vec![false; coverage.len()];
        marked.iter().zip(&moves).for_each(|(&p, &by)| visible[p] = by >= VISIBLE * self.detector.scale);
        let seen = visible.contains(&true);
        let draw = Draw::new(&coverage, |p| visible[p], all.grid.1, &mut ChaCha8Rng::seed_from_u64(draw_seed));
        let rows = whitened(&all.features, &draw.patches);
        let residuals = self.detector.memory.residuals(&rows, Some(image as u32));
        let area = anomaly.mask.iter().filter(|&&m| m).count() as f64 / (h * w) as f64;
        let drawn = Drawn { input: inputs(&rows, &residuals, self.detector.scale), draw };
        Ok((Synthetic { drawn, evidence, area }, seen))
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
            push_away(&mut d.input, self.detector.memory.rows.ncols(), self.params.feature_noise as f32, rng);
            d.draw.targets.fill(1.0);
        }
        Ok(Some(self.stack(drawn.iter())?))
    }

    fn normal_draws(&self, images: &[usize], rng: &mut ChaCha8Rng) -> Vec<Drawn> {
        let mut drawn = Vec::with_capacity(self.params.batch);
        for _ in 0..self.params.batch {
            let all = &self.normal_inputs[images[rng.random_range(0..images.len())]];
            let draw = Draw::new(&vec![0.0; all.nrows()], |_| true, all.nrows(), rng);
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

pub(crate) fn assign(vars: &[Var], values: &[f64]) -> Result<(), Error> {
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
