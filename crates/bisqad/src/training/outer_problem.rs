//! The upper objective in the estimator's logits.

use candle_core::{Result, Tensor};

/// The upper objective to first order in the weights: sum_i dL/dw_i w_i(logits) + `penalty` * (N / ESS - 1), differentiable.
pub(crate) fn surrogate(logits: &Tensor, weight_gradient: &[f64], penalty: f64) -> Result<Tensor> {
    let quality = sigmoid(logits)?;
    let weights = quality.broadcast_div(&quality.mean_keepdim(0)?)?;
    let slope = Tensor::new(weight_gradient, logits.device())?.to_dtype(logits.dtype())?;
    // with weights of mean one, N / ESS is the mean of their squares
    let crowding = ((weights.sqr()?.mean_all()? - 1.0)? * penalty)?;
    (weights * slope)?.sum_all()? + crowding
}

/// 1 / (1 + exp(-z)), with z clamped so that a far-off logit still has a finite gradient.
fn sigmoid(logits: &Tensor) -> Result<Tensor> {
    (logits.clamp(-30.0, 30.0)?.neg()?.exp()? + 1.0)?.recip()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};
    use sqe::{effective_sample_size, normalised};

    #[test]
    fn the_surrogate_has_the_gradient_of_its_finite_differences() {
        let z = [0.4f64, -1.5, 3.0, 0.0];
        let slope = [0.3, -0.2, 0.05, 1.0];
        let at = |z: &[f64]| -> f64 {
            surrogate(&Tensor::new(z, &Device::Cpu).unwrap(), &slope, 0.7).unwrap().to_scalar().unwrap()
        };
        let var = Var::from_tensor(&Tensor::new(&z, &Device::Cpu).unwrap()).unwrap();
        let grads = surrogate(&var, &slope, 0.7).unwrap().backward().unwrap();
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
            surrogate(&Tensor::new(z, &Device::Cpu).unwrap(), &[0.0; 3], 1.0).unwrap().to_scalar().unwrap()
        };
        assert!(at(&[0.3, 0.3, 0.3]).abs() < 1e-12);
        let weights = normalised(&[0.9, 0.1, 0.1]).unwrap();
        let z = [0.9f64, 0.1, 0.1].map(|q| (q / (1.0 - q)).ln());
        assert!((at(&z) - (3.0 / effective_sample_size(&weights) - 1.0)).abs() < 1e-12);
        assert!(at(&z) > 0.5);
    }
}
