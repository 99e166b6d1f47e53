//! Parameters of the training.

use imgkit::ensure;

use crate::error::Error;
use crate::parameters::{held_out_share, moderate_count, parameters, shrinkage, smoothing};

/// Weighting of the synthetic samples.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Weighting {
    /// Weights by estimated quality; the estimator goes on learning from the validation set.
    #[default]
    Learned,
    /// Ablation: the learned weights, shuffled among the samples of a batch.
    Shuffled,
    /// Ablation: all weights one.
    Uniform,
    /// Ablation: weights by estimated quality as the warm start left it, without upper updates.
    WarmStart,
    /// Ablation: the best images of each step by the quality of the warm start, all weights one, without upper updates.
    Filtered {
        /// Fraction that is kept, in (0, 1].
        keep: f64,
    },
}

impl Weighting {
    /// Whether the upper level goes on learning.
    pub(crate) fn learns(self) -> bool {
        matches!(self, Self::Learned | Self::Shuffled)
    }

    /// Whether quality makes the weights.
    pub(crate) fn weighs(self) -> bool {
        self.learns() || self == Self::WarmStart
    }
}

parameters! {
    /// Parameters of [`fit`](crate::fit): everything a run depends on besides its images.
    ///
    /// ```
    /// use bisqad::{TrainParams, Weighting};
    ///
    /// let params = TrainParams::default().with_seed(7).with_rounds(2).with_weighting(Weighting::Uniform);
    /// params.check()?;
    /// assert!(params.with_rounds(0).check().is_err());
    /// # Ok::<(), bisqad::Error>(())
    /// ```
    pub struct TrainParams {
        /// Seed of every random number (default 0).
        seed, with_seed: u64 = 0;
        /// Number of rounds, 1 to 100 000 (default 6); each leaves another mechanism out for the validation set.
        rounds, with_rounds: usize = 6;
        /// Steps per round, 1 to 100 000 (default 12).
        steps, with_steps: usize = 12;
        /// Synthetic images per step, 1 to 100 000 (default 8).
        batch, with_batch: usize = 8;
        /// Lower updates per step, each on a batch of the synthetic images of the round so far, 1 to 100 000 (default
        /// 8). More of them make better use of the images, whose synthesis takes most of the time.
        updates, with_updates: usize = 8;
        /// Interval of the upper updates in steps, 1 to 100 000 (default 3): from the first step of a round on, the
        /// first update of every so many steps is one of both levels.
        outer_every, with_outer_every: usize = 3;
        /// Validation anomalies, and as many validation normals, per upper update, 1 to 100 000 (default 4). Half as
        /// many patches of each are read as in a lower update.
        outer_batch, with_outer_batch: usize = 4;
        /// Adam's learning rate of the discriminator, positive (default 2e-3).
        learning_rate, with_learning_rate: f64 = 2e-3;
        /// Adam's learning rate of the quality estimator, positive (default 1e-3).
        quality_learning_rate, with_quality_learning_rate: f64 = 1e-3;
        /// Weight of the penalty on a low effective sample size, non-negative (default 0.2).
        ess_penalty, with_ess_penalty: f64 = 0.2;
        /// Smallest effective sample size over the batch size, in \[0, 1) (default 0.5, 0 for none). Weights below it
        /// are tempered ([`sqe::temper_to_ess`]), and an upper step that starts there follows the penalty alone: the
        /// validation set cannot drive the weights into a few samples.
        min_ess_fraction, with_min_ess_fraction: f64 = 0.5;
        /// Weighting of the synthetic samples (default [`Weighting::Learned`]).
        weighting, with_weighting: Weighting = Weighting::Learned;
        /// Strength of feature-space anomalies, in \[0, 100\] (default 0, none): normal patches are pushed in a random
        /// direction by up to this many lengths of normal deviations, so that the discriminator does not only care for
        /// the directions that the mechanisms show.
        feature_noise, with_feature_noise: f64 = 0.0;
        /// Hidden units of the discriminator, 1 to 100 000 (default 64).
        hidden, with_hidden: usize = 64;
        /// Largest number of whitened feature dimensions kept of each level, 1 to 100 000 (default 80).
        dimensions, with_dimensions: usize = 80;
        /// Share of the pooled covariance in the covariance of every position, in (0, 1]. By default the one of 0.02,
        /// 0.05, 0.1, 0.2 and 0.4 that best separates synthetic defects on held-out normal images.
        shrinkage, with_shrinkage: Option<f64> = None;
        /// Share of the normal images held out for validation, and again for calibration, in (0, 0.4] (default 0.1
        /// each, at least one image).
        held_out, with_held_out: f64 = 0.1;
        /// Standard deviation of the smoothing of the map, in \[0, 64\] px (default 4).
        smoothing, with_smoothing: f64 = 4.0;
    }
}

impl TrainParams {
    /// Checks all ranges. [`fit`](crate::fit) does so too.
    ///
    /// # Errors
    /// [`Error::Parameter`] with the first bad field and its range.
    pub fn check(&self) -> Result<(), Error> {
        const WHAT: &str = "training";
        for (name, value) in [
            ("rounds", self.rounds),
            ("steps", self.steps),
            ("batch", self.batch),
            ("updates", self.updates),
            ("outer_every", self.outer_every),
            ("outer_batch", self.outer_batch),
            ("hidden", self.hidden),
            ("dimensions", self.dimensions),
        ] {
            moderate_count(WHAT, name, value)?;
        }
        for (name, value) in
            [("learning_rate", self.learning_rate), ("quality_learning_rate", self.quality_learning_rate)]
        {
            ensure(value > 0.0 && value.is_finite(), WHAT, name, value, "positive and finite")?;
        }
        let penalty = self.ess_penalty;
        ensure(penalty >= 0.0 && penalty.is_finite(), WHAT, "ess_penalty", penalty, "non-negative and finite")?;
        if let Some(value) = self.shrinkage {
            shrinkage(WHAT, value)?;
        }
        let ess = self.min_ess_fraction;
        ensure((0.0..1.0).contains(&ess), WHAT, "min_ess_fraction", ess, "in [0, 1)")?;
        if let Weighting::Filtered { keep } = self.weighting {
            ensure(keep > 0.0 && keep <= 1.0, WHAT, "keep", keep, "in (0, 1]")?;
        }
        let noise = self.feature_noise;
        ensure((0.0..=100.0).contains(&noise), WHAT, "feature_noise", noise, "in [0, 100]")?;
        held_out_share(WHAT, self.held_out)?;
        smoothing(WHAT, self.smoothing)?;
        Ok(())
    }
}
