//! Report of the choice of evidence.

use crate::selection::candidate::EvidenceSum;

/// Validation figures of one candidate.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct CandidateFigures {
    /// Shorter side at which images are seen, px.
    pub side: usize,
    /// Whether photos are aligned ([`EvidenceParams::alignment`](crate::EvidenceParams::alignment)).
    pub aligned: bool,
    /// Whether copies in other light join the fit ([`EvidenceParams::lighting`](crate::EvidenceParams::lighting)).
    pub relit: bool,
    /// Sum of evidence.
    pub sum: EvidenceSum,
    /// Weight of the heads; those of a defect's own mechanism are left out.
    pub head_weight: f32,
    /// Standard deviation of the smoothing, in patches of 8 px.
    pub smoothing: f32,
    /// Share of the patches whose mean is the image score.
    pub share: f64,
    /// Mean over mechanisms of the image AUROC of synthetic defects against held-out normal images.
    pub image_auroc: f64,
    /// Mean over mechanisms of the patch AUROC, every defect counting alike.
    pub pixel_auroc: f64,
    /// Standard error of the mean of both, as a difference from the one that was chosen in its step; 0 for that one.
    pub standard_error: f64,
    /// Whether it was chosen in its step: among sums, weights, then smoothings, at one side.
    pub chosen: bool,
}

/// Use of the heads on defects of a mechanism whose own head is left out, or on real defects that the heads were fitted
/// without.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LeftOutMechanism {
    /// The mechanism.
    pub name: String,
    /// Synthetic defects of it that were drawn.
    pub defects: usize,
    /// Mean of image and patch AUROC of the evidence alone.
    pub without_heads: f64,
    /// The same with the heads of the other mechanisms at the chosen weight.
    pub with_heads: f64,
}

/// Normal image with its score beside the others'.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Suspect {
    /// Its number among the images that were given.
    pub image: usize,
    /// Its score by a detector fitted without it.
    pub score: f64,
    /// Median of the scores of all normal images.
    pub median: f64,
    /// Weight in (0, 1\] that its score leaves it ([`Outliers::weight`](crate::Outliers::weight)), below 1/2 of
    /// [`SelectionReport::suspects`]. It is not used: what was fitted takes every image fully.
    pub weight: f64,
}

/// Report of [`EvidenceDetector::fit`](crate::EvidenceDetector::fit).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SelectionReport {
    /// Every candidate with its validation figures, side by side of the image as it is seen, in the order of the steps.
    pub candidates: Vec<CandidateFigures>,
    /// Figures of the final choice; `None` if no synthetic defect could be drawn, so that nothing could be chosen.
    pub choice: Option<CandidateFigures>,
    /// Normal images that were fitted to.
    pub normals: usize,
    /// Copies of them that were fitted to ([`EvidenceParams::copies`](crate::EvidenceParams::copies)). Of fewer than
    /// four normal images, copies of one judge each other, so that held-out scores are too low.
    pub copies: usize,
    /// Normal images that the choice was validated on, each scored by what was fitted without it.
    pub validated_on: usize,
    /// Left-out mechanisms.
    pub left_out: Vec<LeftOutMechanism>,
    /// Use of the heads on the real defects that were given.
    pub real_defects: Option<LeftOutMechanism>,
    /// Whether the choice aligns photos, because it was better by more than the standard error.
    pub aligned: bool,
    /// Whether copies in other light joined the fit, because it was better by more than the standard error.
    pub relit: bool,
    /// Share of the variance of the features that the place in the frame explains, in \[0, 1\]; after alignment where
    /// photos are aligned.
    pub explained_by_place: f64,
    /// Normal images that may be defective or of another product, highest score first.
    pub suspects: Vec<Suspect>,
    /// The five normal images of highest score, highest first, whether or not they are suspects: where one in twenty or
    /// more is defective, their scores are no outliers any more.
    pub most_unusual: Vec<Suspect>,
}

impl SelectionReport {
    /// Whether the product lies alike in all images, by itself or by alignment, so that places can be compared: the
    /// place explains a third of the variance of the features at least.
    #[must_use]
    pub fn is_aligned(&self) -> bool {
        self.explained_by_place >= 1.0 / 3.0
    }
}
