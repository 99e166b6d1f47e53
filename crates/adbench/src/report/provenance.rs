//! Provenance of a run: protocol, software and data that it was measured with.

use crate::metrics::Reducer;
use crate::protocol::{Protocol, ResizeRule, TruthRule};
use crate::smoothing::Smoothing;
use imgkit::resize::Kernel;

/// Provenance of a run: all that a reader needs to repeat it or to compare it with another. Figures without it are
/// worth little.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Provenance {
    /// The dataset, such as `MVTec AD, /data/mvtec`.
    pub dataset: String,
    /// The detector, such as its name and its main settings.
    pub detector: String,
    /// The evaluation protocol.
    pub protocol: Protocol,
    /// The kernel that resizes score maps to the evaluation's size.
    pub kernel: Kernel,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// Programs and their versions. That of this crate is added by itself.
    pub versions: Vec<(String, String)>,
    /// The command that made the run.
    pub command: String,
    /// Anything else, as name and text.
    pub notes: Vec<(String, String)>,
}

impl Provenance {
    /// Creates a provenance with the bilinear kernel and no seeds, versions or notes.
    #[must_use]
    pub fn new(
        dataset: impl Into<String>,
        detector: impl Into<String>,
        protocol: Protocol,
        command: impl Into<String>,
    ) -> Self {
        Self {
            dataset: dataset.into(),
            detector: detector.into(),
            protocol,
            kernel: Kernel::Bilinear,
            seeds: Vec::new(),
            versions: Vec::new(),
            command: command.into(),
            notes: Vec::new(),
        }
    }

    /// Names and texts, in the order in which they are shown.
    pub(super) fn lines(&self) -> Vec<(String, String)> {
        let p = &self.protocol;
        let resize = match p.resize {
            ResizeRule::Original => "the detector's own; score maps are resized back".to_owned(),
            ResizeRule::ShortSide(side) => format!("shorter side to {side} px"),
            ResizeRule::Square(side) => format!("to {side} x {side} px"),
        };
        let truth = match p.truth {
            TruthRule::Original => "> 0, at its own size",
            TruthRule::BilinearTruncated => "bilinear, then truncated: only pixels wholly white count",
            TruthRule::BilinearAny => "bilinear, then every pixel that is not black counts",
            TruthRule::CvLinearTruncated => "OpenCV linear, then truncated: only pixels wholly white count",
            TruthRule::Nearest => "nearest pixel, > 0",
        };
        let smoothing = match p.smoothing {
            Smoothing::None => "none beyond the detector's own".to_owned(),
            Smoothing::ScipyGaussian { sigma } => format!("Gaussian, sigma {sigma} px, reflected borders (scipy)"),
            Smoothing::ZeroPadded { sigma, side } => {
                format!("{side} x {side} Gaussian, sigma {sigma} px, zero borders")
            }
        };
        let reducer = match p.reducer {
            Reducer::Max => "largest pixel score".to_owned(),
            Reducer::MeanTopFraction(f) => format!("mean of the largest {} % of pixel scores", 100.0 * f),
            Reducer::MeanTopK(k) => format!("mean of the {k} largest pixel scores"),
            Reducer::MaxOfAvgPool(side) => format!("largest mean over {side} x {side} px"),
        };
        let kernel = self.kernel.name();
        let evaluation = p.evaluation.map_or("the ground truth's own size".to_owned(), |s| format!("{s} x {s} px"));
        let mut lines: Vec<(String, String)> = [
            ("dataset", self.dataset.clone()),
            ("detector", self.detector.clone()),
            ("protocol", p.name.to_owned()),
            ("ground truth", truth.to_owned()),
            ("evaluation size", evaluation),
            ("resize", resize),
            ("kernel of score maps", kernel.to_owned()),
            ("crop", p.crop.map_or("none".to_owned(), |c| format!("center {c} x {c} px"))),
            ("map smoothing", smoothing),
            ("image score", reducer),
        ]
        .map(|(name, text)| (name.to_owned(), text))
        .into();
        if !self.seeds.is_empty() {
            lines.push(("seeds".to_owned(), self.seeds.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")));
        }
        lines.extend(self.notes.iter().cloned());
        let own = ("adbench".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        let versions = self.versions.iter().chain([&own]).map(|(name, version)| format!("{name} {version}"));
        lines.push(("versions".to_owned(), versions.collect::<Vec<_>>().join(", ")));
        lines.push(("command".to_owned(), self.command.clone()));
        lines
    }
}
