//! Training parameters, checked once.

use crate::error::Error;

/// How synthetic samples are weighed.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Weighting {
    /// By estimated quality; the estimator goes on learning from the meta set.
    #[default]
    Learned,
    /// Control arm: the same weights, shuffled among the samples of a batch.
    Shuffled,
    /// Control arm: all weights one.
    Uniform,
    /// Control arm: by estimated quality as the warm start left it, without upper updates.
    WarmStart,
    /// Control arm: of each step's images the best by the warm start's quality, all weights one, without upper updates.
    Filtered {
        /// Share that is kept, in (0, 1].
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

/// Everything a run depends on besides its images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainParams {
    /// Seed of every draw (default 0).
    pub seed: u64,
    /// Rounds; each leaves another mechanism out for the meta set (default 6).
    pub rounds: usize,
    /// Steps a round (default 12).
    pub steps: usize,
    /// Synthetic images a step (default 8).
    pub batch: usize,
    /// Lower updates a step, each on a batch of the round's synthetic images so far (default 8): drawing images is what costs.
    pub updates: usize,
    /// Every so many steps, from the first of a round on, the first update is one of both levels (default 3).
    pub outer_every: usize,
    /// Held-out anomalies, and as many held-out normals, in an upper update (default 4); half as many patches of each as below.
    pub outer_batch: usize,
    /// Adam's learning rate of the discriminator (default 2e-3).
    pub learning_rate: f64,
    /// Adam's learning rate of the quality estimator (default 1e-3).
    pub quality_learning_rate: f64,
    /// Weight of the effective-sample-size penalty (default 0.2).
    pub ess_penalty: f64,
    /// Least effective sample size over the batch size (default 0.5, 0 for none). Weights that fall below it are [`temper_to_ess`](sqe::temper_to_ess), and an
    /// upper step that starts there follows the penalty alone: the meta set cannot drive the weights into a few samples.
    pub min_ess_fraction: f64,
    /// How samples are weighed.
    pub weighting: Weighting,
    /// Strength of feature-space anomalies: normal patches pushed in a random direction by up to this many lengths of normal deviations
    /// (default 0: none). They keep the discriminator from caring only for the directions that the mechanisms show.
    pub feature_noise: f64,
    /// Hidden units of the discriminator (default 64).
    pub hidden: usize,
    /// Whitened feature dimensions kept of each level, at most (default 80).
    pub dimensions: usize,
    /// Share of the covariance pooled over all positions in every position's, 0 exclusive to 1. By default the one of 0.02, 0.05, 0.1, 0.2
    /// and 0.4 that sets drawn defects on held-out normal images apart best.
    pub shrinkage: Option<f64>,
    /// Share of the normal images held out for the meta set, and again for calibration (default 0.1 each).
    pub held_out: f64,
    /// Standard deviation of the map's smoothing, px (default 4).
    pub smoothing: f32,
}

impl Default for TrainParams {
    fn default() -> Self {
        Self {
            seed: 0,
            rounds: 6,
            steps: 12,
            batch: 8,
            updates: 8,
            outer_every: 3,
            outer_batch: 4,
            learning_rate: 2e-3,
            quality_learning_rate: 1e-3,
            ess_penalty: 0.2,
            min_ess_fraction: 0.5,
            weighting: Weighting::Learned,
            feature_noise: 0.0,
            hidden: 64,
            dimensions: 80,
            shrinkage: None,
            held_out: 0.1,
            smoothing: 4.0,
        }
    }
}

impl TrainParams {
    /// Refuses values that cannot work.
    ///
    /// # Errors
    /// [`Error::Parameter`] naming the first bad field and its range.
    pub fn check(&self) -> Result<(), Error> {
        let positive = "at least 1";
        for (name, value) in [
            ("steps", self.steps),
            ("batch", self.batch),
            ("updates", self.updates),
            ("outer_every", self.outer_every),
            ("outer_batch", self.outer_batch),
            ("hidden", self.hidden),
            ("dimensions", self.dimensions),
        ] {
            if value == 0 {
                return Err(Error::Parameter { name, value: 0.0, expected: positive });
            }
        }
        for (name, value) in
            [("learning_rate", self.learning_rate), ("quality_learning_rate", self.quality_learning_rate)]
        {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::Parameter { name, value, expected: "positive and finite" });
            }
        }
        if !(self.ess_penalty >= 0.0 && self.ess_penalty.is_finite()) {
            let (name, value) = ("ess_penalty", self.ess_penalty);
            return Err(Error::Parameter { name, value, expected: "non-negative and finite" });
        }
        if let Some(value) = self.shrinkage.filter(|s| !(*s > 0.0 && *s <= 1.0)) {
            return Err(Error::Parameter { name: "shrinkage", value, expected: "in (0, 1]" });
        }
        if !(0.0..1.0).contains(&self.min_ess_fraction) {
            let (name, value) = ("min_ess_fraction", self.min_ess_fraction);
            return Err(Error::Parameter { name, value, expected: "in [0, 1)" });
        }
        if let Weighting::Filtered { keep } = self.weighting
            && !(keep > 0.0 && keep <= 1.0)
        {
            return Err(Error::Parameter { name: "keep", value: keep, expected: "in (0, 1]" });
        }
        if !(self.feature_noise >= 0.0 && self.feature_noise <= 100.0) {
            let (name, value) = ("feature_noise", self.feature_noise);
            return Err(Error::Parameter { name, value, expected: "in [0, 100]" });
        }
        if !(self.held_out > 0.0 && self.held_out <= 0.4) {
            let (name, value) = ("held_out", self.held_out);
            return Err(Error::Parameter { name, value, expected: "in (0, 0.4]" });
        }
        if !(self.smoothing >= 0.0 && self.smoothing <= 64.0) {
            let (name, value) = ("smoothing", f64::from(self.smoothing));
            return Err(Error::Parameter { name, value, expected: "in [0, 64] px" });
        }
        Ok(())
    }
}
