//! Label-free training of the head: several versions of one defect, ordered by fidelity, are ranked by quality.

use candle_core::{Result as CandleResult, Tensor};
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use imgkit::ensure;
use imgkit::rank::at_least;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::error::Error;
use crate::features::QualityFeatures;
use crate::network::Sqe;
use crate::ranking::{pair_accuracy, ranking_loss};

/// Pairs per step of the optimizer.
const BATCH: usize = 256;

/// Versions of one defect in rising order of fidelity, for example raw paste, npcF, npcF++ and the unmodified photo.
///
/// Only sets of at least two versions teach anything.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedVersions(Vec<QualityFeatures>);

impl RankedVersions {
    /// Creates the set from the features of its versions, the worst version first.
    #[must_use]
    pub fn worst_first(versions: Vec<QualityFeatures>) -> Self {
        Self(versions)
    }

    /// Versions of the defect, the worst one first.
    #[must_use]
    pub fn versions(&self) -> &[QualityFeatures] {
        &self.0
    }
}

/// Settings of [`Sqe::warm_start`]: number of passes, step size and held-out fraction.
///
/// ```
/// let params = sqe::WarmStartParams::default().with_epochs(30).with_seed(7);
/// assert!(params.check().is_ok());
/// assert!(params.with_held_out(1.0).check().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WarmStartParams {
    epochs: usize,
    learning_rate: f64,
    weight_decay: f64,
    held_out: f64,
    seed: u64,
}

impl Default for WarmStartParams {
    fn default() -> Self {
        Self { epochs: 60, learning_rate: 3e-3, weight_decay: 1e-2, held_out: 0.2, seed: 0 }
    }
}

impl WarmStartParams {
    /// Sets the number of passes over the training sets: 1 to 1 000 000, by default 60.
    #[must_use]
    pub fn with_epochs(mut self, epochs: usize) -> Self {
        self.epochs = epochs;
        self
    }

    /// Sets the learning rate of AdamW: positive and finite, by default 3e-3.
    #[must_use]
    pub fn with_learning_rate(mut self, learning_rate: f64) -> Self {
        self.learning_rate = learning_rate;
        self
    }

    /// Sets the weight decay of AdamW: at least 0 and finite, by default 1e-2.
    #[must_use]
    pub fn with_weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    /// Sets the fraction of the sets that is held out to measure pair accuracy: in \[0, 1), by default 0.2. At least
    /// one set is held out and at least one trains.
    #[must_use]
    pub fn with_held_out(mut self, held_out: f64) -> Self {
        self.held_out = held_out;
        self
    }

    /// Sets the seed of the split and of the order of the pairs, by default 0.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Number of passes over the training sets.
    #[must_use]
    pub fn epochs(&self) -> usize {
        self.epochs
    }

    /// Learning rate of AdamW.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// Weight decay of AdamW.
    #[must_use]
    pub fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    /// Fraction of the sets that is held out.
    #[must_use]
    pub fn held_out(&self) -> f64 {
        self.held_out
    }

    /// Seed of the split and of the order of the pairs.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Checks that every parameter is within its range.
    ///
    /// # Errors
    /// [`Error::Parameter`] with the first one that is not.
    pub fn check(&self) -> Result<(), Error> {
        const WHAT: &str = "WarmStartParams";
        let Self { epochs, learning_rate: rate, weight_decay: decay, held_out, .. } = *self;
        ensure((1..=1_000_000).contains(&epochs), WHAT, "epochs", epochs, "from 1 to 1000000")?;
        ensure(rate > 0.0 && rate.is_finite(), WHAT, "learning_rate", rate, "positive and finite")?;
        ensure(decay >= 0.0 && decay.is_finite(), WHAT, "weight_decay", decay, "at least 0 and finite")?;
        Ok(ensure((0.0..1.0).contains(&held_out), WHAT, "held_out", held_out, "in [0, 1)")?)
    }
}

/// Accuracy and loss that [`Sqe::warm_start`] reached.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct WarmStartReport {
    /// Fraction of the pairs of the training sets that are ordered correctly, in \[0, 1\].
    pub training_accuracy: f64,
    /// Fraction of the pairs of the held-out sets that are ordered correctly, in \[0, 1\].
    pub held_out_accuracy: f64,
    /// Mean ranking loss of the last epoch.
    pub loss: f64,
}

impl Sqe {
    /// Trains the head to rank the versions of every set in their given order, and reports the pair accuracy on
    /// held-out sets.
    ///
    /// Every pair of versions within a set counts the same. The standardization of the inputs is set from the training
    /// sets alone. Sets of fewer than two versions are left out. If an error is returned, the head may be partly
    /// trained.
    ///
    /// # Errors
    /// [`Error::Parameter`]; [`Error::TooFewRankings`]; [`Error::Width`] for features of another backbone;
    /// [`Error::NotFinite`].
    pub fn warm_start(
        &mut self,
        rankings: &[RankedVersions],
        params: &WarmStartParams,
    ) -> Result<WarmStartReport, Error> {
        params.check()?;
        let mut usable: Vec<&RankedVersions> = rankings.iter().filter(|r| r.0.len() >= 2).collect();
        if usable.len() < 2 {
            return Err(Error::TooFewRankings { usable: usable.len() });
        }
        let mut rng = ChaCha8Rng::seed_from_u64(params.seed);
        usable.shuffle(&mut rng);
        let held = at_least(params.held_out, usable.len()).clamp(1, usable.len() - 1);
        let training = usable.split_off(held);
        let held_out = usable;

        let rows: Result<Vec<_>, _> = training.iter().flat_map(|r| &r.0).map(|features| self.row(features)).collect();
        self.standardize(&rows?);
        // the rows of one set lie next to each other; a pair is two row numbers
        let features: Vec<&QualityFeatures> = training.iter().flat_map(|r| &r.0).collect();
        let input = self.batch(&features)?.0;
        let mut pairs = Vec::new();
        let mut start = 0u32;
        for ranking in &training {
            let end = start + ranking.0.len() as u32;
            pairs.extend((start..end).flat_map(|worse| (worse + 1..end).map(move |better| (better, worse))));
            start = end;
        }
        let loss = self.fit_pairs(&input, &mut pairs, params, &mut rng).map_err(Error::network)?;
        let accuracy = |rankings: &[&RankedVersions]| -> Result<f64, Error> {
            let scores: Result<Vec<_>, _> =
                rankings.iter().map(|r| self.score(&r.0.iter().collect::<Vec<_>>())).collect();
            Ok(pair_accuracy(&scores?).unwrap_or(0.5))
        };
        Ok(WarmStartReport { training_accuracy: accuracy(&training)?, held_out_accuracy: accuracy(&held_out)?, loss })
    }

    /// Trains on pairs of rows `(better, worse)` of `input`. Returns the mean loss of the last epoch.
    fn fit_pairs(
        &mut self,
        input: &Tensor,
        pairs: &mut [(u32, u32)],
        params: &WarmStartParams,
        rng: &mut ChaCha8Rng,
    ) -> CandleResult<f64> {
        let config = ParamsAdamW { lr: params.learning_rate, weight_decay: params.weight_decay, ..Default::default() };
        let mut optimizer = AdamW::new(self.vars(), config)?;
        let mut loss_sum = 0.0;
        for _ in 0..params.epochs {
            pairs.shuffle(rng);
            loss_sum = 0.0;
            for batch in pairs.chunks(BATCH) {
                let pick = |rows: Vec<u32>| {
                    let n = rows.len();
                    self.logits(&input.index_select(&Tensor::from_vec(rows, n, input.device())?, 0)?)
                };
                let better = pick(batch.iter().map(|p| p.0).collect())?;
                let worse = pick(batch.iter().map(|p| p.1).collect())?;
                let loss = ranking_loss(&better, &worse)?;
                optimizer.backward_step(&loss)?;
                loss_sum += f64::from(loss.to_scalar::<f32>()?) * batch.len() as f64;
            }
        }
        Ok(loss_sum / pairs.len() as f64)
    }
}
