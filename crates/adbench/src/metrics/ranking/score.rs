//! The score types that metrics accept, and how each is ranked.

use super::auroc32::auroc32;
use super::ranked::Ranked;
use crate::metrics::error::MetricError;

/// Types that scores may have: `f32` and `f64`.
///
/// Scores of 64 bits are compared as they are, never rounded to 32; they cost twice the memory and several times the
/// time. The trait is sealed.
pub trait Score: sealed::Rank {}

impl Score for f32 {}
impl Score for f64 {}

pub(crate) mod sealed {
    use super::{MetricError, Ranked};
    use crate::metrics::ranking::keys::ScoreKey;

    /// Operations that the metrics need of a score type.
    #[allow(unreachable_pub)] // sealed: nothing outside the crate can name it
    pub trait Rank: ScoreKey {
        /// The scores in order, each class on its own.
        fn rank(scores: &[Self], labels: &[bool]) -> Result<Ranked<Self::Key>, MetricError>;

        /// The exact area under the ROC curve.
        fn auroc(scores: &[Self], labels: &[bool]) -> Result<f64, MetricError> {
            Ok(Self::rank(scores, labels)?.auroc())
        }
    }
}

impl sealed::Rank for f32 {
    fn rank(scores: &[Self], labels: &[bool]) -> Result<Ranked<u32>, MetricError> {
        Ranked::new(scores, labels)
    }

    fn auroc(scores: &[Self], labels: &[bool]) -> Result<f64, MetricError> {
        auroc32(scores, labels)
    }
}

impl sealed::Rank for f64 {
    fn rank(scores: &[Self], labels: &[bool]) -> Result<Ranked<u64>, MetricError> {
        Ranked::by_sorting(scores, labels)
    }
}
