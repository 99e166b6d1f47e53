//! Pairwise ranking loss, pair accuracy and rank correlation.

use candle_core::{Result, Tensor};

/// Pairwise logistic ranking loss, mean over pairs of log(1 + exp(worse - better)).
///
/// `better` and `worse` are logits of equal shape `(N)`.
///
/// C. Burges et al., "Learning to Rank using Gradient Descent" (RankNet), ICML 2005.
pub(crate) fn ranking_loss(better: &Tensor, worse: &Tensor) -> Result<Tensor> {
    softplus(&(worse - better)?)?.mean_all()
}

/// log(1 + exp(z)), stable for any finite z: max(z, 0) + log(1 + exp(-|z|)).
pub(crate) fn softplus(z: &Tensor) -> Result<Tensor> {
    // |z| as max(z, 0) + max(-z, 0): candle's abs has no gradient at every dtype, relu has
    let positive = z.relu()?;
    let magnitude = (&positive + z.neg()?.relu()?)?;
    positive + (magnitude.neg()?.exp()? + 1.0)?.log()?
}

/// Fraction of the pairs `(better, worse)` that are ordered correctly, in \[0, 1\]; ties count one half.
///
/// Each of `rankings` holds the scores of one set of versions, the worst version first; every pair within a set counts.
/// `None` if there is no pair. A NaN ranks above every number.
///
/// ```
/// assert_eq!(sqe::pair_accuracy(&[vec![0.1, 0.3, 0.2]]), Some(2.0 / 3.0));
/// assert_eq!(sqe::pair_accuracy(&[vec![0.1]]), None);
/// ```
#[must_use]
pub fn pair_accuracy(rankings: &[Vec<f64>]) -> Option<f64> {
    let (mut right, mut pairs) = (0.0, 0usize);
    for scores in rankings {
        for (i, worse) in scores.iter().enumerate() {
            for better in &scores[i + 1..] {
                right += match better.total_cmp(worse) {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.0,
                };
                pairs += 1;
            }
        }
    }
    (pairs > 0).then(|| right / pairs as f64)
}

/// Spearman's rank correlation, in \[-1, 1\], with mid-ranks for ties.
///
/// `None` for fewer than two points, unequal lengths, values that are not finite, and where all values of a side are
/// equal.
///
/// ```
/// assert_eq!(sqe::spearman(&[1.0, 2.0, 3.0], &[10.0, 20.0, 21.0]), Some(1.0));
/// ```
#[must_use]
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() != b.len() || a.len() < 2 || !a.iter().chain(b).all(|v| v.is_finite()) {
        return None;
    }
    let (ra, rb) = (mid_ranks(a), mid_ranks(b));
    let mean = (a.len() as f64 + 1.0) / 2.0;
    let sum = |f: &dyn Fn(f64, f64) -> f64| ra.iter().zip(&rb).map(|(x, y)| f(x - mean, y - mean)).sum::<f64>();
    let (covariance, va, vb) = (sum(&|x, y| x * y), sum(&|x, _| x * x), sum(&|_, y| y * y));
    (va > 0.0 && vb > 0.0).then(|| covariance / (va * vb).sqrt())
}

fn mid_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let end = order[start..].iter().take_while(|&&i| values[i] == values[order[start]]).count() + start;
        for &i in &order[start..end] {
            ranks[i] = (start + 1 + end) as f64 / 2.0;
        }
        start = end;
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device, Var};

    /// `scipy.stats.spearmanr([1, 2, 2, 4, 5], [5, 6, 7, 8, 7])` of scipy 1.17.1.
    #[test]
    fn spearman_takes_mid_ranks() {
        let rho = spearman(&[1.0, 2.0, 2.0, 4.0, 5.0], &[5.0, 6.0, 7.0, 8.0, 7.0]).unwrap();
        assert!((rho - 0.763_157_894_736_842_1).abs() < 1e-12, "{rho}");
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), None);
    }

    #[test]
    fn pair_accuracy_counts_every_pair_of_a_set() {
        assert_eq!(pair_accuracy(&[vec![0.1, 0.3, 0.2]]), Some(2.0 / 3.0));
        assert_eq!(pair_accuracy(&[vec![0.1, 0.1]]), Some(0.5));
        assert_eq!(pair_accuracy(&[vec![0.1]]), None);
    }

    #[test]
    fn ranking_loss_has_the_gradient_of_its_finite_differences() {
        let device = Device::Cpu;
        let better = [0.3f64, -2.0, 40.0, -700.0];
        let worse = [1.0f64, -2.5, -30.0, 5.0];
        let loss = |b: &[f64]| -> f64 {
            let b = Tensor::new(b, &device).unwrap();
            ranking_loss(&b, &Tensor::new(&worse, &device).unwrap()).unwrap().to_scalar().unwrap()
        };
        let var = Var::from_tensor(&Tensor::new(&better, &device).unwrap()).unwrap();
        let value = ranking_loss(&var, &Tensor::new(&worse, &device).unwrap()).unwrap();
        assert_eq!(value.dtype(), DType::F64);
        let gradient: Vec<f64> = value.backward().unwrap().get(&var).unwrap().to_vec1().unwrap();
        for i in 0..better.len() {
            let (mut up, mut down) = (better, better);
            up[i] += 1e-5;
            down[i] -= 1e-5;
            let difference = (loss(&up) - loss(&down)) / 2e-5;
            assert!((gradient[i] - difference).abs() < 1e-8, "{i}: {} {difference}", gradient[i]);
        }
    }
}
