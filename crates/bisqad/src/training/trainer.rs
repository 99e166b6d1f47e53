//! Rounds, steps and updates of the two levels.

use bilevel::Hypergradient;
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use sqe::{HeadInput, QualityFeatures, Sqe, effective_sample_size, mean_one_weights, temper_to_ess};

use crate::error::Error;
use crate::training::adam::Adam;
use crate::training::checkpoint::Checkpoint;
use crate::training::discriminator::{BilevelStep, LowerProblem, PatchBatch};
use crate::training::observer::{Observe, Progress};
use crate::training::params::Weighting;
use crate::training::report::{RoundReport, RoundStats};
use crate::training::sampler::{Batch, BatchSampler, PrefetchedSteps, Synthetic};
use imgkit::rng::keyed_stream;

/// Trainer of one run.
pub(crate) struct Trainer<'a> {
    pub(crate) sampler: BatchSampler<'a>,
}

impl Trainer<'_> {
    pub(crate) fn initial_state(&self, quality: &Sqe) -> Result<Checkpoint, Error> {
        let theta = self.sampler.detector.shape.initial(&mut keyed_stream(self.sampler.params.seed(), u64::MAX));
        let quality = quality.parameters()?;
        Ok(Checkpoint {
            theta_adam: Adam::new(theta.len(), self.sampler.params.learning_rate(), 1e-4),
            quality_adam: Adam::new(quality.len(), self.sampler.params.quality_learning_rate(), 0.0),
            theta,
            quality,
            rounds: Vec::new(),
        })
    }

    /// Makes one round. Unless validation uses labeled defects alone, mechanism `round % mechanisms` is left out of the
    /// lower level and used for validation.
    pub(crate) fn round(
        &self,
        state: &mut Checkpoint,
        quality: &mut Sqe,
        method: &dyn Hypergradient,
        observer: &mut dyn Observe,
    ) -> Result<RoundReport, Error> {
        let round = state.rounds();
        let mut stats = RoundStats::default();
        self.sampler.prefetch(round, |ready| self.steps(state, quality, method, ready, &mut stats, observer))?;
        Ok(stats.report(self.sampler.held_out(round)))
    }

    /// Makes the updates of the steps of a round.
    fn steps(
        &self,
        state: &mut Checkpoint,
        quality: &mut Sqe,
        method: &dyn Hypergradient,
        ready: &PrefetchedSteps<'_>,
        stats: &mut RoundStats,
        observer: &mut dyn Observe,
    ) -> Result<(), Error> {
        let params = self.sampler.params;
        let mut pool: Vec<Synthetic> = Vec::new();
        while let Some((batch, waiting)) = ready.next() {
            let Batch { number, synthetic, validation } = batch?;
            let mut rng = keyed_stream(params.seed(), (1 << 41) + number as u64);
            let fresh = pool.len();
            pool.extend(self.filtered(synthetic, quality)?);
            observer.progress(Progress::BatchReady);
            let mut loss = 0.0;
            for update in 0..params.updates() {
                let both = validation.as_ref().filter(|_| update == 0);
                loss += match both {
                    Some(validation) => {
                        let batch: Vec<&Synthetic> = pool[fresh..].iter().collect();
                        self.two_level_update(state, quality, method, &batch, validation, number, stats, &mut rng)?
                    }
                    None => {
                        let batch: Vec<&Synthetic> =
                            (0..params.batch()).map(|_| &pool[rng.random_range(0..pool.len())]).collect();
                        self.lower_update(state, quality, &batch, number, stats, &mut rng)?
                    }
                } / params.updates() as f64;
                observer.progress(Progress::Update { upper: both.is_some() });
            }
            if !loss.is_finite() {
                return Err(Error::Diverged { what: "the lower loss", step: number });
            }
            let (done, total) = (number + 1, params.rounds() * params.steps());
            observer.progress(Progress::Step { done, total, loss, waiting });
        }
        Ok(())
    }

    /// Updates both levels from where they are: the estimator by one hypergradient and one Adam step, the discriminator
    /// by one Adam step with the weights of the estimator before its step. So the look-ahead and the lower step share
    /// one gradient.
    ///
    /// Updating both levels at once is the single-loop scheme of M. Dagreou et al., "A framework for bilevel
    /// optimization that enables stochastic and global variance reduction algorithms", NeurIPS 2022. The upper gradient
    /// is taken after the look-ahead.
    #[allow(clippy::too_many_arguments)] // one call, each a party of the step
    fn two_level_update(
        &self,
        state: &mut Checkpoint,
        quality: &mut Sqe,
        method: &dyn Hypergradient,
        batch: &[&Synthetic],
        validation: &(PatchBatch, PatchBatch),
        step: usize,
        stats: &mut RoundStats,
        rng: &mut ChaCha8Rng,
    ) -> Result<f64, Error> {
        let problem = self.problem(batch, rng)?;
        let input = quality.batch(&evidence(batch))?;
        let q = quality.score_batch(&input)?;
        let by_quality = weights(&q, step)?;
        let least = self.sampler.params.min_ess_fraction();
        let ess_clipped = effective_sample_size(&by_quality) < least * q.len() as f64;
        let w = temper_to_ess(&by_quality, least);
        let (mut loss, mut gradient) = problem.lower(&state.theta, &w)?;
        let known =
            BilevelStep { problem: &problem, validation, theta: &state.theta, weights: &w, gradient: &gradient };
        let answer = method
            .weight_gradient(&known, &state.theta, &w, self.sampler.params.learning_rate())
            .map_err(|source| Error::Upper { step, source })?;
        if !answer.gradient.iter().all(|g| g.is_finite()) {
            return Err(Error::Diverged { what: "the hypergradient", step });
        }
        self.update_quality(state, quality, &input, &answer.gradient, ess_clipped)?;
        stats.upper(answer.upper_loss, ess_clipped);
        let w = match self.sampler.params.weighting() {
            Weighting::Shuffled => {
                let mut shuffled = w.clone();
                shuffled.shuffle(rng);
                (loss, gradient) = problem.lower(&state.theta, &shuffled)?;
                shuffled
            }
            _ => w,
        };
        state.theta_adam.update(&mut state.theta, &gradient);
        stats.lower(loss, &q, &w, batch.iter().map(|s| s.meta));
        Ok(loss)
    }

    /// Makes one Adam step of the estimator along `weight_gradient`; if `ess_clipped`, along the penalty alone.
    fn update_quality(
        &self,
        state: &mut Checkpoint,
        quality: &mut Sqe,
        input: &HeadInput,
        weight_gradient: &[f64],
        ess_clipped: bool,
    ) -> Result<(), Error> {
        // only the direction matters to Adam; unit length keeps the share of the penalty the same at any step size
        let norm = weight_gradient.iter().map(|g| g * g).sum::<f64>().sqrt().max(1e-30);
        let (slope, penalty) = match ess_clipped {
            false => (weight_gradient.iter().map(|g| g / norm).collect(), self.sampler.params.ess_penalty()),
            true => (vec![0.0; weight_gradient.len()], self.sampler.params.ess_penalty().max(1.0)),
        };
        let gradient = quality.objective_gradient(input, &slope, penalty)?;
        if ess_clipped {
            // momentum gathered on the way here must not carry on
            state.quality_adam.first.fill(0.0);
        }
        state.quality_adam.update(&mut state.quality, &gradient);
        Ok(quality.set_parameters(&state.quality)?)
    }

    /// Makes one Adam step of the discriminator on a weighted batch; returns the loss.
    fn lower_update(
        &self,
        state: &mut Checkpoint,
        quality: &Sqe,
        batch: &[&Synthetic],
        step: usize,
        stats: &mut RoundStats,
        rng: &mut ChaCha8Rng,
    ) -> Result<f64, Error> {
        let problem = self.problem(batch, rng)?;
        let q = quality.score(&evidence(batch))?;
        let mut w = match self.sampler.params.weighting().weighs() {
            true => temper_to_ess(&weights(&q, step)?, self.sampler.params.min_ess_fraction()),
            false => vec![1.0; q.len()],
        };
        if self.sampler.params.weighting() == Weighting::Shuffled {
            w.shuffle(rng);
        }
        let (loss, gradient) = problem.lower(&state.theta, &w)?;
        state.theta_adam.update(&mut state.theta, &gradient);
        stats.lower(loss, &q, &w, batch.iter().map(|s| s.meta));
        Ok(loss)
    }

    /// Keeps the images of the filtering ablation; all for the others.
    fn filtered(&self, samples: Vec<Synthetic>, quality: &Sqe) -> Result<Vec<Synthetic>, Error> {
        let Weighting::Filtered { keep } = self.sampler.params.weighting() else { return Ok(samples) };
        let q = quality.score(&samples.iter().map(|s| &s.evidence).collect::<Vec<_>>())?;
        let kept = sqe::keep_best(&q, keep)?;
        Ok(samples.into_iter().enumerate().filter(|(i, _)| kept.contains(i)).map(|(_, s)| s).collect())
    }

    fn problem(&self, batch: &[&Synthetic], rng: &mut ChaCha8Rng) -> Result<LowerProblem, Error> {
        Ok(LowerProblem {
            shape: self.sampler.detector.shape,
            synthetic: self.sampler.stack(batch.iter().map(|s| &s.sampled))?,
            normal: self.sampler.normal_stack(rng)?,
            noise: self.sampler.noise_stack(rng)?,
        })
    }
}

/// Weights of mean one.
fn weights(q: &[f64], step: usize) -> Result<Vec<f64>, Error> {
    if q.iter().any(|q| !q.is_finite()) {
        return Err(Error::Diverged { what: "the quality", step });
    }
    mean_one_weights(q).ok_or(Error::ZeroWeights { step })
}

fn evidence<'a>(batch: &[&'a Synthetic]) -> Vec<&'a QualityFeatures> {
    batch.iter().map(|s| &s.evidence).collect()
}
