//! The upper level's loop: weights are learned in steps, the lower level is solved in between.

use imgkit::ensure;

use crate::error::Error;
use crate::problem::{Bilevel, Hypergradient};
use crate::weights::WeightModel;

/// A [`Bilevel`] problem that solves its own lower level.
pub trait Solve: Bilevel {
    /// Parameters from which the first solution starts.
    fn start(&self) -> Vec<f64>;

    /// Parameters of least weighted lower loss, or nearer to it than `from`.
    ///
    /// # Errors
    /// As [`Bilevel::losses`].
    fn solve(&self, weights: &[f64], from: &[f64]) -> Result<Vec<f64>, Error>;
}

/// Settings of [`learn_weights`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpperParams {
    steps: usize,
    rate: f64,
    penalty: f64,
    least_share: f64,
    lower_step: f64,
}

impl Default for UpperParams {
    fn default() -> Self {
        Self { steps: 25, rate: 0.25, penalty: 0.02, least_share: 0.02, lower_step: 1e-3 }
    }
}

impl UpperParams {
    /// Sets the number of upper steps (default 25).
    #[must_use]
    pub fn with_steps(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }

    /// Sets the learning rate of the parameters of the weights (default 0.25, by Adam).
    #[must_use]
    pub fn with_rate(mut self, rate: f64) -> Self {
        self.rate = rate;
        self
    }

    /// Sets the factor of N / ESS, the penalty of few effective samples (default 0.02).
    #[must_use]
    pub fn with_penalty(mut self, penalty: f64) -> Self {
        self.penalty = penalty;
        self
    }

    /// Sets the least share of effective samples, below which the weights have collapsed (default 0.02).
    #[must_use]
    pub fn with_least_share(mut self, share: f64) -> Self {
        self.least_share = share;
        self
    }

    /// Sets the length of the lower step that the hypergradient looks ahead (default 1e-3). Where the lower level is
    /// solved to its optimum any short one will do; for a method of one step it is the lower learning rate.
    #[must_use]
    pub fn with_lower_step(mut self, step: f64) -> Self {
        self.lower_step = step;
        self
    }

    /// Number of upper steps.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Learning rate.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Factor of the penalty of few effective samples.
    #[must_use]
    pub fn penalty(&self) -> f64 {
        self.penalty
    }

    /// Least share of effective samples.
    #[must_use]
    pub fn least_share(&self) -> f64 {
        self.least_share
    }

    /// Length of the lower step.
    #[must_use]
    pub fn lower_step(&self) -> f64 {
        self.lower_step
    }

    /// Checks every setting.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn check(&self) -> Result<(), Error> {
        const WHAT: &str = "upper level";
        let positive = |v: f64| v > 0.0 && v.is_finite();
        ensure(self.steps > 0, WHAT, "steps", self.steps, "at least 1")?;
        ensure(positive(self.rate), WHAT, "rate", self.rate, "positive and finite")?;
        let penalty = self.penalty >= 0.0 && self.penalty.is_finite();
        ensure(penalty, WHAT, "penalty", self.penalty, "at least 0 and finite")?;
        let share = (0.0..1.0).contains(&self.least_share);
        ensure(share, WHAT, "least_share", self.least_share, "at least 0 and below 1")?;
        Ok(ensure(positive(self.lower_step), WHAT, "lower_step", self.lower_step, "positive and finite")?)
    }
}

/// State between two upper steps: all that a run needs to go on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UpperState {
    /// Steps done.
    pub step: usize,
    /// Parameters of the weights.
    pub phi: Vec<f64>,
    /// Parameters of the lower level.
    pub theta: Vec<f64>,
    /// First moments of the gradient.
    pub first: Vec<f64>,
    /// Second moments of the gradient.
    pub second: Vec<f64>,
}

/// One step of the log.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct UpperStep {
    /// Its number, from 1 on.
    pub step: usize,
    /// Upper loss of the weights that the step began with.
    pub upper_loss: f64,
    /// Effective samples of the weights that it ended with, over their number (Kish).
    pub effective_share: f64,
}

/// Weights as [`learn_weights`] returns them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LearnedWeights {
    /// Parameters of the weights.
    pub phi: Vec<f64>,
    /// Weights, of mean one.
    pub weights: Vec<f64>,
    /// Lower parameters that were solved for with them.
    pub theta: Vec<f64>,
    /// Log of the steps; of a run that was resumed, those since.
    pub steps: Vec<UpperStep>,
}

/// Learns the parameters of `model` so that the upper loss falls: in each step the lower level is solved with the
/// weights as they are, `method` computes the gradient by the weights, and Adam moves the parameters along it. To the
/// upper loss `penalty` times N / ESS is added.
///
/// A run that is resumed from the state after any step, which `observe` is given, ends with the same bits.
///
/// ```
/// use bilevel::{
///     Bilevel, DenseSolve, Error, Implicit, Solve, UpperGradient, UpperParams, WeightModel, learn_weights,
/// };
///
/// /// theta is the weighted mean of 0, 0 and 6; the upper level wants 1.
/// struct Mean([f64; 3]);
/// impl Bilevel for Mean {
///     fn losses(&self, t: &[f64]) -> Result<Vec<f64>, Error> {
///         Ok(self.0.iter().map(|a| (t[0] - a).powi(2) / 2.0).collect())
///     }
///     fn weighted_gradient(&self, t: &[f64], w: &[f64]) -> Result<Vec<f64>, Error> {
///         Ok(vec![self.0.iter().zip(w).map(|(a, w)| w * (t[0] - a)).sum::<f64>() / 3.0])
///     }
///     fn upper(&self, t: &[f64]) -> Result<UpperGradient, Error> {
///         Ok(UpperGradient { loss: (t[0] - 1.0).powi(2) / 2.0, gradient: vec![t[0] - 1.0] })
///     }
/// }
/// impl Solve for Mean {
///     fn start(&self) -> Vec<f64> {
///         vec![0.0]
///     }
///     fn solve(&self, w: &[f64], _: &[f64]) -> Result<Vec<f64>, Error> {
///         Ok(vec![self.0.iter().zip(w).map(|(a, w)| a * w).sum::<f64>() / w.iter().sum::<f64>()])
///     }
/// }
/// let (model, params) = (WeightModel::per_sample(vec![0.0; 3])?, UpperParams::default().with_penalty(0.0));
/// let method = Implicit::new(DenseSolve, 1e-4)?;
/// let problem = Mean([0.0, 0.0, 6.0]);
/// let learned = learn_weights(&problem, &model, &method, &params.with_steps(200), None, &mut |_, _| ())?;
/// assert!((learned.theta[0] - 1.0).abs() < 0.01 && learned.weights[2] < 0.6);
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// [`Error::Parameter`] for a setting, [`Error::Length`] for a model or a state of another size, [`Error::Collapsed`]
/// naming the step at which too few samples keep all the weight, and what the problem and the method raise.
pub fn learn_weights(
    problem: &dyn Solve,
    model: &WeightModel,
    method: &dyn Hypergradient,
    params: &UpperParams,
    resume: Option<UpperState>,
    observe: &mut dyn FnMut(&UpperState, &UpperStep),
) -> Result<LearnedWeights, Error> {
    const BETA: (f64, f64) = (0.8, 0.95);
    params.check()?;
    let zeros = || vec![0.0; model.parameters()];
    let fresh = || UpperState { step: 0, phi: zeros(), theta: problem.start(), first: zeros(), second: zeros() };
    let mut state = resume.unwrap_or_else(fresh);
    for moments in [&state.first, &state.second] {
        crate::vector::same_length("moments", moments.len(), model.parameters())?;
    }
    let mut weights = model.weights(&state.phi)?;
    let n = weights.len() as f64;
    let mut log = Vec::new();
    while state.step < params.steps {
        state.theta = problem.solve(&weights, &state.theta)?;
        let answer = method.weight_gradient(problem, &state.theta, &weights, params.lower_step)?;
        // N / ESS is the mean square of weights of mean one
        let by_weights: Vec<f64> =
            (answer.gradient.iter().zip(&weights)).map(|(g, w)| g + params.penalty * 2.0 * w / n).collect();
        let gradient = model.pull_back(&state.phi, &by_weights)?;
        state.step += 1;
        let correction = (1.0 - BETA.0.powf(state.step as f64), 1.0 - BETA.1.powf(state.step as f64));
        for (k, g) in gradient.iter().enumerate() {
            state.first[k] = BETA.0 * state.first[k] + (1.0 - BETA.0) * g;
            state.second[k] = BETA.1 * state.second[k] + (1.0 - BETA.1) * g * g;
            let size = (state.second[k] / correction.1).sqrt() + 1e-12;
            state.phi[k] -= params.rate * (state.first[k] / correction.0) / size;
        }
        weights = model.weights(&state.phi)?;
        let squares = weights.iter().map(|w| w * w).sum::<f64>();
        let effective_share = n / squares;
        // NaN too
        if !(effective_share.is_finite() && effective_share >= params.least_share) {
            return Err(Error::Collapsed { step: state.step, effective: n * effective_share, samples: weights.len() });
        }
        let step = UpperStep { step: state.step, upper_loss: answer.upper_loss, effective_share };
        observe(&state, &step);
        log.push(step);
    }
    let theta = problem.solve(&weights, &state.theta)?;
    Ok(LearnedWeights { phi: state.phi, weights, theta, steps: log })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DenseSolve, Implicit, UpperGradient};

    /// theta is the weighted mean of some numbers; the upper level wants `goal`.
    struct Mean(Vec<f64>, f64);

    impl Bilevel for Mean {
        fn losses(&self, t: &[f64]) -> Result<Vec<f64>, Error> {
            Ok(self.0.iter().map(|a| (t[0] - a).powi(2) / 2.0).collect())
        }
        fn weighted_gradient(&self, t: &[f64], w: &[f64]) -> Result<Vec<f64>, Error> {
            Ok(vec![self.0.iter().zip(w).map(|(a, w)| w * (t[0] - a)).sum::<f64>() / self.0.len() as f64])
        }
        fn upper(&self, t: &[f64]) -> Result<UpperGradient, Error> {
            Ok(UpperGradient { loss: (t[0] - self.1).powi(2) / 2.0, gradient: vec![t[0] - self.1] })
        }
    }

    impl Solve for Mean {
        fn start(&self) -> Vec<f64> {
            vec![0.0]
        }
        fn solve(&self, w: &[f64], _: &[f64]) -> Result<Vec<f64>, Error> {
            Ok(vec![self.0.iter().zip(w).map(|(a, w)| a * w).sum::<f64>() / w.iter().sum::<f64>()])
        }
    }

    fn learn(
        problem: &Mean,
        params: UpperParams,
        resume: Option<UpperState>,
        states: &mut Vec<UpperState>,
    ) -> Result<LearnedWeights, Error> {
        let model = WeightModel::by_factors(&[(0..problem.0.len()).collect()]).unwrap();
        let method = Implicit::new(DenseSolve, 1e-4).unwrap();
        learn_weights(problem, &model, &method, &params, resume, &mut |state, _| states.push(state.clone()))
    }

    #[test]
    fn a_run_that_is_resumed_ends_with_the_same_bits() {
        let problem = Mean(vec![1.0, 2.0, 7.0, -3.0], 4.0);
        let mut states = Vec::new();
        let whole = learn(&problem, UpperParams::default(), None, &mut states).unwrap();
        assert_eq!((states.len(), whole.steps.len()), (25, 25));
        let rest = learn(&problem, UpperParams::default(), Some(states[9].clone()), &mut Vec::new()).unwrap();
        assert_eq!((&rest.weights, &rest.theta, rest.steps.len()), (&whole.weights, &whole.theta, 15));
        assert!(whole.steps[24].upper_loss < 0.1 * whole.steps[0].upper_loss, "{:?}", whole.steps);
    }

    #[test]
    fn weights_that_collapse_end_the_run_with_the_step() {
        // only the last of ten numbers is what the upper level wants
        let problem = Mean((0..10).map(f64::from).collect(), 9.0);
        let params = UpperParams::default().with_penalty(0.0).with_rate(1.0).with_least_share(0.15).with_steps(100);
        match learn(&problem, params, None, &mut Vec::new()) {
            Err(Error::Collapsed { step, effective, samples: 10 }) => {
                assert!((1..100).contains(&step) && effective < 1.5, "{step} {effective}");
            }
            other => panic!("{other:?}"),
        }
        let guarded = learn(&problem, params.with_penalty(1.0), None, &mut Vec::new()).unwrap();
        assert!(guarded.steps.iter().all(|step| step.effective_share > 0.15));
    }

    #[test]
    fn settings_out_of_range_and_a_state_of_another_size_are_refused() {
        let problem = Mean(vec![1.0, 2.0], 1.5);
        let d = UpperParams::default();
        for params in [
            d.with_steps(0),
            d.with_rate(f64::NAN),
            d.with_penalty(-1.0),
            d.with_least_share(1.0),
            d.with_lower_step(0.0),
        ] {
            assert!(matches!(learn(&problem, params, None, &mut Vec::new()), Err(Error::Parameter(_))), "{params:?}");
        }
        let small = UpperState { phi: vec![0.0; 2], theta: vec![0.0], first: vec![0.0], ..UpperState::default() };
        assert!(matches!(learn(&problem, d, Some(small), &mut Vec::new()), Err(Error::Length { .. })));
    }
}
