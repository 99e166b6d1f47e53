//! The detector's loss.

use candle_core::{Result, Tensor};

/// Binary cross-entropy of each logit against a soft target in \[0, 1\]: max(z, 0) - z y + log(1 + exp(-|z|)).
///
/// `logits` and `targets` of equal shape; the result has that shape. Finite for every finite logit (candle-nn's own is not).
///
/// ```
/// use candle_core::{Device, Tensor};
/// let z = Tensor::new(&[0.0f32, -800.0], &Device::Cpu)?;
/// let y = Tensor::new(&[1.0f32, 1.0], &Device::Cpu)?;
/// let loss: Vec<f32> = bisqad::bce_with_logits(&z, &y)?.to_vec1()?;
/// assert!((loss[0] - 2.0f32.ln()).abs() < 1e-6 && loss[1] == 800.0);
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// Shapes that differ.
pub fn bce_with_logits(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let positive = logits.relu()?;
    let magnitude = (&positive + logits.neg()?.relu()?)?;
    (positive - (logits * targets)?)? + (magnitude.neg()?.exp()? + 1.0)?.log()?
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Var};

    #[test]
    fn has_the_gradient_of_its_finite_differences() {
        let device = Device::Cpu;
        let z = [0.7f64, -3.0, 60.0, -200.0, 800.0];
        let y = Tensor::new(&[1.0f64, 0.25, 0.0, 1.0, 1.0], &device).unwrap();
        let total = |z: &[f64]| -> f64 {
            bce_with_logits(&Tensor::new(z, &device).unwrap(), &y).unwrap().sum_all().unwrap().to_scalar().unwrap()
        };
        let var = Var::from_tensor(&Tensor::new(&z, &device).unwrap()).unwrap();
        let loss = bce_with_logits(&var, &y).unwrap().sum_all().unwrap();
        let gradient: Vec<f64> = loss.backward().unwrap().get(&var).unwrap().to_vec1().unwrap();
        for i in 0..z.len() {
            let (mut up, mut down) = (z, z);
            up[i] += 1e-4;
            down[i] -= 1e-4;
            let difference = (total(&up) - total(&down)) / 2e-4;
            assert!((gradient[i] - difference).abs() < 1e-7, "{i}: {} {difference}", gradient[i]);
        }
    }
}
