//! Sample weights as a function of few parameters.

use imgkit::ensure;

use crate::error::Error;
use crate::vector::same_length;

/// How a sum of parameters becomes a positive number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Link {
    /// Logistic function: a sample counts fully or not at all.
    Sigmoid,
    /// Exponential function: ratios between samples have no bound.
    Exp,
}

/// Weights of mean one as a function of parameters phi: `w_i = g(o_i + sum_k x_ik phi_k)`, divided by their mean, with
/// the link g and fixed offsets o.
///
/// ```
/// use bilevel::{Link, WeightModel};
///
/// // two samples of kind 0 and one of kind 1; small, large, large
/// let model = WeightModel::by_factors(&[vec![0, 0, 1], vec![0, 1, 1]])?;
/// assert_eq!(model.parameters(), 4);
/// let weights = model.weights(&[0.0, 2f64.ln(), 0.0, 0.0])?;
/// assert!((weights[2] / weights[0] - 2.0).abs() < 1e-12 && (weights.iter().sum::<f64>() - 3.0).abs() < 1e-12);
/// assert!(WeightModel::per_sample(vec![0.0; 3])?.weights(&[0.0; 3])? == [1.0; 3]);
/// # Ok::<(), bilevel::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct WeightModel {
    /// Of each sample, the parameters that it depends on with their factors.
    entries: Vec<Vec<(usize, f64)>>,
    offsets: Vec<f64>,
    parameters: usize,
    link: Link,
}

impl WeightModel {
    /// Creates a model with one parameter a sample, through the logistic function. `offsets`, one a sample, are what a
    /// weight starts from: 0, or the logit of a quality.
    ///
    /// # Errors
    /// [`Error::Parameter`] without samples and for an offset that is not finite.
    pub fn per_sample(offsets: Vec<f64>) -> Result<Self, Error> {
        let entries = (0..offsets.len()).map(|i| vec![(i, 1.0)]).collect();
        let parameters = offsets.len();
        Self { entries, offsets, parameters, link: Link::Sigmoid }.checked()
    }

    /// Creates a model that is linear in some numbers of each sample, as many for all, through `link`; a constant is
    /// added as the last one.
    ///
    /// # Errors
    /// [`Error::Parameter`] without samples and for a number that is not finite, [`Error::Length`] for samples of
    /// different lengths.
    pub fn linear(numbers: &[Vec<f64>], link: Link) -> Result<Self, Error> {
        let count = numbers.first().map_or(0, Vec::len);
        let mut entries = Vec::with_capacity(numbers.len());
        for of in numbers {
            same_length("numbers of a sample", of.len(), count)?;
            entries.push(of.iter().copied().chain([1.0]).enumerate().collect());
        }
        Self { entries, offsets: vec![0.0; numbers.len()], parameters: count + 1, link }.checked()
    }

    /// Creates a model of bins that are products of factors: `factors` holds for each factor the level of every sample,
    /// from 0 on. A weight is the product of one number for each level, so that bins without a sample of their own
    /// follow from others.
    ///
    /// # Errors
    /// [`Error::Parameter`] without factors or samples and for a level that no sample has, [`Error::Length`] for
    /// factors of different lengths.
    pub fn by_factors(factors: &[Vec<usize>]) -> Result<Self, Error> {
        const WHAT: &str = "weights by factors";
        ensure(!factors.is_empty(), WHAT, "factors", factors.len(), "at least one")?;
        let samples = factors.first().map_or(0, Vec::len);
        let mut entries = vec![Vec::with_capacity(factors.len()); samples];
        let mut parameters = 0;
        for levels in factors {
            same_length("levels of a factor", levels.len(), samples)?;
            let count = levels.iter().max().map_or(0, |most| most + 1);
            let empty = (0..count).find(|level| !levels.contains(level));
            ensure(empty.is_none(), WHAT, "level", empty.unwrap_or(0), "one that some sample has: drop empty bins")?;
            entries.iter_mut().zip(levels).for_each(|(entry, level)| entry.push((parameters + level, 1.0)));
            parameters += count;
        }
        Self { entries, offsets: vec![0.0; samples], parameters, link: Link::Exp }.checked()
    }

    fn checked(self) -> Result<Self, Error> {
        const WHAT: &str = "weights";
        ensure(!self.entries.is_empty(), WHAT, "samples", self.entries.len(), "at least one")?;
        let numbers = self.entries.iter().flatten().map(|(_, x)| x).chain(&self.offsets);
        let bad = numbers.copied().find(|x| !x.is_finite());
        ensure(bad.is_none(), WHAT, "number", bad.unwrap_or(0.0), "finite")?;
        Ok(self)
    }

    /// Number of samples.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.entries.len()
    }

    /// Number of parameters.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Computes the weights, of mean one. Where the mean of g is 0 or not finite they are not finite either.
    ///
    /// # Errors
    /// [`Error::Length`] for another number of parameters.
    pub fn weights(&self, phi: &[f64]) -> Result<Vec<f64>, Error> {
        let values = self.values(phi)?;
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        Ok(values.iter().map(|v| v / mean).collect())
    }

    /// Computes `dL/dphi` from `dL/dw`.
    ///
    /// # Errors
    /// [`Error::Length`] for vectors that do not fit.
    pub fn pull_back(&self, phi: &[f64], by_weights: &[f64]) -> Result<Vec<f64>, Error> {
        same_length("dL/dw", by_weights.len(), self.samples())?;
        let values = self.values(phi)?;
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let shared = by_weights.iter().zip(&values).map(|(g, v)| g * v / mean).sum::<f64>() / n;
        let mut by_phi = vec![0.0; self.parameters];
        for ((entry, v), g) in self.entries.iter().zip(&values).zip(by_weights) {
            let slope = match self.link {
                Link::Sigmoid => v * (1.0 - v),
                Link::Exp => *v,
            };
            let by_sum = (g - shared) / mean * slope;
            entry.iter().for_each(|(k, x)| by_phi[*k] += by_sum * x);
        }
        Ok(by_phi)
    }

    /// g of each sample; for [`Link::Exp`] in units of the largest, so that none overflows.
    fn values(&self, phi: &[f64]) -> Result<Vec<f64>, Error> {
        same_length("phi", phi.len(), self.parameters)?;
        let sum = |(entry, o): (&Vec<(usize, f64)>, &f64)| o + entry.iter().map(|(k, x)| x * phi[*k]).sum::<f64>();
        let sums: Vec<f64> = self.entries.iter().zip(&self.offsets).map(sum).collect();
        Ok(match self.link {
            Link::Sigmoid => sums.iter().map(|z| 1.0 / (1.0 + (-z).exp())).collect(),
            Link::Exp => {
                let most = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                sums.iter().map(|z| (z - most).exp()).collect()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let target = [0.3, -1.0, 2.0, 0.4];
        let loss = |w: &[f64]| w.iter().zip(target).map(|(w, t)| (w - t).powi(2)).sum::<f64>();
        let numbers: Vec<Vec<f64>> = (0..4).map(|i| vec![f64::from(i) * 0.5 - 1.0, 0.3]).collect();
        let models = [
            (WeightModel::per_sample(vec![0.2, -0.4, 0.0, 1.0]).unwrap(), vec![0.1, 0.5, -0.2, 0.3]),
            (WeightModel::linear(&numbers, Link::Sigmoid).unwrap(), vec![0.7, -0.2, 0.1]),
            (WeightModel::linear(&numbers, Link::Exp).unwrap(), vec![0.7, -0.2, 0.1]),
            (WeightModel::by_factors(&[vec![0, 1, 0, 1], vec![0, 0, 1, 2]]).unwrap(), vec![0.1, 0.4, 0.0, -0.3, 0.2]),
        ];
        for (model, phi) in models {
            let w = model.weights(&phi).unwrap();
            assert!((w.iter().sum::<f64>() - 4.0).abs() < 1e-12);
            let by_weights: Vec<f64> = w.iter().zip(target).map(|(w, t)| 2.0 * (w - t)).collect();
            let found = model.pull_back(&phi, &by_weights).unwrap();
            for k in 0..phi.len() {
                let moved = |by: f64| {
                    let mut phi = phi.clone();
                    phi[k] += by;
                    loss(&model.weights(&phi).unwrap())
                };
                let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!((found[k] - slope).abs() < 1e-7, "{k}: {} {slope}", found[k]);
            }
        }
    }

    #[test]
    fn empty_bins_and_numbers_that_are_none_are_refused() {
        let refused = |found: Result<WeightModel, Error>| matches!(found, Err(Error::Parameter(_)));
        assert!(refused(WeightModel::by_factors(&[vec![0, 2]])));
        assert!(refused(WeightModel::by_factors(&[])) && refused(WeightModel::by_factors(&[vec![]])));
        assert!(refused(WeightModel::per_sample(vec![f64::NAN])) && refused(WeightModel::per_sample(vec![])));
        assert!(matches!(WeightModel::by_factors(&[vec![0, 1], vec![0]]), Err(Error::Length { .. })));
        let model = WeightModel::per_sample(vec![0.0; 2]).unwrap();
        assert!(model.weights(&[0.0]).is_err() && model.pull_back(&[0.0; 2], &[1.0]).is_err());
    }
}
