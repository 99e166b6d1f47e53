//! Warm start without labels: the coarse-to-fine ladder ranks itself.

use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::{Error, Evidence, Sqe, pair_accuracy, ranking_loss};

/// One defect at rising fidelity: raw paste, npcF, npcF++, untouched real pixels (worst first). At least two rungs.
#[derive(Debug, Clone)]
pub struct Ladder(pub Vec<Evidence>);

/// How long and how fast to train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WarmStartParams {
    /// Passes over the training ladders (default 60).
    pub epochs: usize,
    /// AdamW's learning rate (default 3e-3).
    pub learning_rate: f64,
    /// AdamW's weight decay (default 1e-2).
    pub weight_decay: f64,
    /// Share of the ladders held out to measure pair accuracy (default 0.2).
    pub held_out: f64,
    /// Seed of the split and of the order.
    pub seed: u64,
}

impl Default for WarmStartParams {
    fn default() -> Self {
        Self { epochs: 60, learning_rate: 3e-3, weight_decay: 1e-2, held_out: 0.2, seed: 0 }
    }
}

/// What the warm start reached.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WarmStart {
    /// Share of rightly ordered pairs on the ladders it trained on.
    pub training_accuracy: f64,
    /// The same on held-out ladders.
    pub held_out_accuracy: f64,
    /// Last epoch's mean ranking loss.
    pub loss: f64,
}

impl Sqe {
    /// Teaches the head the order of `ladders`, all pairs of rungs alike, and reports pair accuracy on held-out ladders.
    ///
    /// Also sets the standardisation of the inputs, from the training ladders only.
    ///
    /// # Errors
    /// [`Error::TooFewLadders`], [`Error::Parameter`], [`Error::Width`].
    pub fn warm_start(&mut self, ladders: &[Ladder], params: WarmStartParams) -> Result<WarmStart, Error> {
        if !(0.0..1.0).contains(&params.held_out) {
            let expected = "a share in [0, 1)";
            return Err(Error::Parameter { name: "held_out", value: params.held_out, expected });
        }
        if !(params.learning_rate > 0.0 && params.learning_rate.is_finite()) {
            let expected = "positive and finite";
            return Err(Error::Parameter { name: "learning_rate", value: params.learning_rate, expected });
        }
        let mut usable: Vec<&Ladder> = ladders.iter().filter(|l| l.0.len() >= 2).collect();
        if usable.len() < 2 {
            return Err(Error::TooFewLadders { ladders: usable.len() });
        }
        let mut rng = ChaCha8Rng::seed_from_u64(params.seed);
        usable.shuffle(&mut rng);
        let held = ((usable.len() as f64 * params.held_out).ceil() as usize).clamp(1, usable.len() - 1);
        let training = usable.split_off(held);
        let held_out = usable;

        let rows: Result<Vec<_>, _> = training.iter().flat_map(|l| &l.0).map(|e| self.row(e)).collect();
        self.standardise(&rows?);
        // rows of one ladder are neighbours; a pair is two row numbers
        let evidence: Vec<&Evidence> = training.iter().flat_map(|l| &l.0).collect();
        let input = self.input(&evidence)?;
        let mut pairs = Vec::new();
        let mut start = 0u32;
        for ladder in &training {
            let end = start + ladder.0.len() as u32;
            pairs.extend((start..end).flat_map(|worse| (worse + 1..end).map(move |better| (better, worse))));
            start = end;
        }
        let config = ParamsAdamW { lr: params.learning_rate, weight_decay: params.weight_decay, ..Default::default() };
        let mut optimizer = AdamW::new(self.vars(), config)?;
        let mut loss_sum = 0.0;
        for _ in 0..params.epochs {
            pairs.shuffle(&mut rng);
            loss_sum = 0.0;
            for batch in pairs.chunks(256) {
                let pick = |rows: Vec<u32>| -> Result<_, Error> {
                    let n = rows.len();
                    let index = candle_core::Tensor::from_vec(rows, n, input.device())?;
                    self.logits(&input.index_select(&index, 0)?)
                };
                let better = pick(batch.iter().map(|p| p.0).collect())?;
                let worse = pick(batch.iter().map(|p| p.1).collect())?;
                let loss = ranking_loss(&better, &worse)?;
                optimizer.backward_step(&loss)?;
                loss_sum += f64::from(loss.to_scalar::<f32>()?) * batch.len() as f64;
            }
        }
        let accuracy = |ladders: &[&Ladder]| -> Result<f64, Error> {
            let scores: Result<Vec<_>, _> =
                ladders.iter().map(|l| self.score(&l.0.iter().collect::<Vec<_>>())).collect();
            Ok(pair_accuracy(&scores?).unwrap_or(0.5))
        };
        Ok(WarmStart {
            training_accuracy: accuracy(&training)?,
            held_out_accuracy: accuracy(&held_out)?,
            loss: loss_sum / pairs.len() as f64,
        })
    }
}
