//! Gradient of an outer objective in the sample weights with respect to the parameters of the head.

use candle_core::{Result as CandleResult, Tensor};
use imgkit::ensure;

use crate::error::Error;
use crate::network::{HeadInput, Sqe, flat};

impl Sqe {
    /// Gradient of an outer objective with respect to [`Self::parameters`], in their order.
    ///
    /// The objective is, to first order in the weights, sum_i `weight_gradient`_i w_i + `ess_penalty` (N / ESS - 1),
    /// where w_i is the quality of image i over the mean quality of the batch and ESS the effective sample size of
    /// these weights. `weight_gradient` is the derivative of the outer loss by each weight, as a hypergradient gives
    /// it.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an empty batch, for a weight gradient of another length and for values that are not
    /// finite; [`Error::Width`] for a batch of another estimator.
    pub fn objective_gradient(
        &self,
        input: &HeadInput,
        weight_gradient: &[f64],
        ess_penalty: f64,
    ) -> Result<Vec<f64>, Error> {
        const WHAT: &str = "Sqe::objective_gradient";
        self.check_width(input)?;
        ensure(!input.is_empty(), WHAT, "input", "empty", "a batch of at least 1 image")?;
        let n = weight_gradient.len();
        ensure(
            n == input.len(),
            WHAT,
            "weight_gradient",
            format!("of length {n}"),
            format!("of length {}", input.len()),
        )?;
        let bad = weight_gradient.iter().find(|g| !g.is_finite());
        ensure(bad.is_none(), WHAT, "weight_gradient", bad.unwrap_or(&0.0), "finite")?;
        ensure(ess_penalty.is_finite(), WHAT, "ess_penalty", ess_penalty, "finite")?;
        self.gradient(&input.0, weight_gradient, ess_penalty).map_err(Error::network)
    }

    fn gradient(&self, input: &Tensor, weight_gradient: &[f64], ess_penalty: f64) -> CandleResult<Vec<f64>> {
        let grads = objective(&self.logits(input)?, weight_gradient, ess_penalty)?.backward()?;
        let mut gradient = Vec::new();
        for (_, var) in &self.vars {
            match grads.get(var) {
                Some(g) => gradient.extend(flat(g)?),
                None => gradient.resize(gradient.len() + var.elem_count(), 0.0),
            }
        }
        Ok(gradient)
    }
}

/// The outer objective to first order in the weights: sum_i dL/dw_i w_i(logits) + `penalty` * (N / ESS - 1),
/// differentiable.
fn objective(logits: &Tensor, weight_gradient: &[f64], penalty: f64) -> CandleResult<Tensor> {
    let quality = sigmoid(logits)?;
    let weights = quality.broadcast_div(&quality.mean_keepdim(0)?)?;
    let slope = Tensor::new(weight_gradient, logits.device())?.to_dtype(logits.dtype())?;
    // with weights of mean one, N / ESS is the mean of their squares
    let concentration = ((weights.sqr()?.mean_all()? - 1.0)? * penalty)?;
    (weights * slope)?.sum_all()? + concentration
}

/// 1 / (1 + exp(-z)), with z clamped so that a far-off logit still has a finite gradient.
fn sigmoid(logits: &Tensor) -> CandleResult<Tensor> {
    (logits.clamp(-30.0, 30.0)?.neg()?.exp()? + 1.0)?.recip()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weighting::{effective_sample_size, mean_one_weights};
    use candle_core::{Device, Var};

    #[test]
    fn the_objective_has_the_gradient_of_its_finite_differences() {
        let z = [0.4f64, -1.5, 3.0, 0.0];
        let slope = [0.3, -0.2, 0.05, 1.0];
        let at = |z: &[f64]| -> f64 {
            objective(&Tensor::new(z, &Device::Cpu).unwrap(), &slope, 0.7).unwrap().to_scalar().unwrap()
        };
        let var = Var::from_tensor(&Tensor::new(&z, &Device::Cpu).unwrap()).unwrap();
        let grads = objective(&var, &slope, 0.7).unwrap().backward().unwrap();
        let gradient: Vec<f64> = grads.get(&var).unwrap().to_vec1().unwrap();
        for i in 0..z.len() {
            let (mut up, mut down) = (z, z);
            up[i] += 1e-5;
            down[i] -= 1e-5;
            let difference = (at(&up) - at(&down)) / 2e-5;
            assert!((gradient[i] - difference).abs() < 1e-8, "{i}: {} {difference}", gradient[i]);
        }
    }

    /// With no slope only the penalty is left, and equal weights are its minimum, where it is zero.
    #[test]
    fn the_penalty_prefers_equal_weights() {
        let at = |z: &[f64]| -> f64 {
            objective(&Tensor::new(z, &Device::Cpu).unwrap(), &[0.0; 3], 1.0).unwrap().to_scalar().unwrap()
        };
        assert!(at(&[0.3, 0.3, 0.3]).abs() < 1e-12);
        let weights = mean_one_weights(&[0.9, 0.1, 0.1]).unwrap();
        let z = [0.9f64, 0.1, 0.1].map(|q| (q / (1.0 - q)).ln());
        assert!((at(&z) - (3.0 / effective_sample_size(&weights) - 1.0)).abs() < 1e-12);
        assert!(at(&z) > 0.5);
    }
}
