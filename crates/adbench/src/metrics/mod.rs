//! Exact metrics of anomaly scores.
//!
//! Scores are any finite numbers ([`f32` or `f64`](Score)), larger meaning more anomalous; only their order matters.
//! They are not passed through a sigmoid, clamped, scaled or flipped, and counts are integers, so that a result is
//! exact up to the last rounding whatever the number of pixels. A missing class is an error, never 0, 0.5 or 1.

mod au_pro;
mod aupimo;
mod auroc;
pub(crate) mod bootstrap;
pub(crate) mod check;
mod error;
mod histogram;
mod overlap;
mod pixels;
mod precision;
pub(crate) mod ranking;
mod reducer;
mod regions;
mod seeds;
mod segmentation;
mod separation;
mod spro;
mod stream;

pub use au_pro::au_pro;
pub use aupimo::aupimo;
pub use auroc::auroc;
pub use bootstrap::{BootstrapParams, Interval, bootstrap};
pub use error::MetricError;
pub use histogram::{Approximate, HistogramPixels};
pub use pixels::{PixelPool, RankedPixels, pixel_auroc_of_anomalous_images};
pub use precision::{F1Max, average_precision, f1_max};
pub use ranking::Score;
pub use reducer::Reducer;
pub use seeds::{OverSeeds, over_seeds};
pub use segmentation::{PixelCounts, threshold_of_normal_maps};
pub use separation::{recall_at_false_positive_rate, specificity_at_miss_rate};
pub use spro::{SaturatedRegion, au_spro};
pub use stream::{AnomalousPixels, StreamedPixels};
