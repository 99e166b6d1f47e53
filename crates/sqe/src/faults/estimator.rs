//! The estimator of faults: a small network on local statistics.

use ndarray::{Array1, Array2, ArrayView2, ArrayView3};

use super::{Fault, LocalStatistics};
use crate::error::Error;

/// Hidden units.
pub(super) const HIDDEN: usize = 48;
/// Outputs: quality, then each fault.
pub(super) const OUTPUTS: usize = 1 + Fault::ALL.len();
/// Largest standardized input.
const MOST: f32 = 6.0;

/// Quality of a defect, and the faults that it may have.
#[derive(Debug, Clone, PartialEq)]
pub struct Diagnosis {
    /// Quality in (0, 1), 0.5 for what is as often preferred as not.
    pub quality: f64,
    /// Probability in (0, 1) of each fault, in the order of [`Fault::ALL`].
    pub faults: [f64; Fault::ALL.len()],
}

impl Diagnosis {
    /// The likeliest fault and its probability.
    #[must_use]
    pub fn likeliest(&self) -> (Fault, f64) {
        let all = Fault::ALL.into_iter().zip(self.faults);
        all.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((Fault::ALL[0], self.faults[0]))
    }

    /// The likeliest fault, if it is likelier than not.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        let (fault, probability) = self.likeliest();
        (probability > 0.5).then_some(fault)
    }
}

/// Estimator of the quality of synthetic defects that reads no network's features: quality in (0, 1), high where none
/// of the faults is seen that it learned, and a probability for each [`Fault`].
///
/// [`Self::learn`] trains it on defects that were spoiled on purpose, at equal contrast and area. One hidden layer of
/// 48 tanh units on [`LocalStatistics`]; this project's own, no part of the paper.
///
/// ```no_run
/// use sqe::{FaultEstimator, FaultParams, FaultSet};
/// # fn sets() -> Vec<FaultSet> { Vec::new() }
/// # let (image, mask) = (ndarray::Array3::<f32>::zeros((64, 64, 3)), ndarray::Array2::from_elem((64, 64), true));
///
/// let (estimator, report) = FaultEstimator::learn(&sets(), &FaultParams::default())?;
/// println!("{:.2} of held-out pairs are ranked rightly", report.held_out_accuracy);
/// let found = estimator.diagnose(image.view(), mask.view())?;
/// println!("quality {:.2}, fault {:?}", found.quality, found.fault());
/// # Ok::<(), sqe::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FaultEstimator {
    pub(super) mean: Vec<f32>,
    pub(super) scale: Vec<f32>,
    pub(super) hidden: Layer,
    pub(super) output: Layer,
}

/// Weights `(inputs, outputs)` and biases.
pub(super) type Layer = (Array2<f32>, Array1<f32>);

impl FaultEstimator {
    /// Standardized numbers of a defect.
    pub(super) fn standardized<'a>(&'a self, defect: &'a LocalStatistics) -> impl Iterator<Item = f32> + 'a {
        let standard = |(v, (m, s)): (&f32, (&f32, &f32))| ((v - m) / s).clamp(-MOST, MOST);
        defect.0.iter().zip(self.mean.iter().zip(&self.scale)).map(standard)
    }

    /// Quality and faults of a defect whose statistics were measured.
    #[must_use]
    pub fn diagnose_statistics(&self, defect: &LocalStatistics) -> Diagnosis {
        let input: Array1<f32> = self.standardized(defect).collect();
        let hidden = (input.dot(&self.hidden.0) + &self.hidden.1).mapv(f32::tanh);
        let logits = hidden.dot(&self.output.0) + &self.output.1;
        let sigmoid = |i: usize| 1.0 / (1.0 + (-f64::from(logits[i])).exp());
        Diagnosis { quality: sigmoid(0), faults: std::array::from_fn(|i| sigmoid(1 + i)) }
    }

    /// Quality and faults of the defect that `mask` `(H, W)` marks in `image` `(H, W, C)`, f32 in \[0, 1\].
    ///
    /// # Errors
    /// As [`LocalStatistics::measure`].
    pub fn diagnose(&self, image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>) -> Result<Diagnosis, Error> {
        Ok(self.diagnose_statistics(&LocalStatistics::measure(image, mask)?))
    }
}
