//! Evidence that a patch is no normal one, from normal patches alone: by place or anywhere in the frame, with or
//! without a correction for how densely the normal ones lie.
//!
//! Each kind looks at one level of the pyramid. Sums over kinds and levels, each in standard deviations of normal
//! patches, make a score map ([`EvidenceDetector`](crate::EvidenceDetector)); heads that synthetic defects train join
//! them ([`heads`]).

pub(crate) mod bank;
pub(crate) mod density;
pub(crate) mod distances;
pub(crate) mod heads;
pub(crate) mod level;
pub(crate) mod place_gaussian;
pub(crate) mod place_nearest;

use std::fmt::{Display, Formatter};

use frozen_backbone::model_file::ModelTensor;
use ndarray::Array2;

/// Kind of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EvidenceKind {
    /// Mahalanobis distance from the Gaussian of the place (T. Defard et al., "PaDiM", ICPR 2020). For products that
    /// lie alike.
    PlaceGaussian,
    /// Distance from the nearest normal patch of the place, less that patch's own spacing among the normal ones (S. Lyu
    /// et al., "REB", arXiv 2308.12577). For products that lie alike, in several variants.
    PlaceNearest,
    /// Distance from the nearest normal patch anywhere in the frame (K. Roth et al., "PatchCore", CVPR 2022). For
    /// products that lie in any way, and for textures.
    Bank,
    /// The same, less that patch's own spacing among the normal ones.
    BankDensity,
}

impl EvidenceKind {
    /// All kinds, the simplest first.
    pub const ALL: [Self; 4] = [Self::PlaceGaussian, Self::PlaceNearest, Self::Bank, Self::BankDensity];

    /// Stable name, for reports and files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::PlaceGaussian => "place-gaussian",
            Self::PlaceNearest => "place-nearest",
            Self::Bank => "bank",
            Self::BankDensity => "bank-density",
        }
    }

    /// Whether it compares a patch with the normal ones of the same place of the frame.
    #[must_use]
    pub fn is_by_place(self) -> bool {
        matches!(self, Self::PlaceGaussian | Self::PlaceNearest)
    }

    /// Kind of a [`Self::name`].
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Display for EvidenceKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Rows of one image at one level, `(places, dimensions)`, row-major over the grid.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    pub(crate) grid: (usize, usize),
    pub(crate) rows: Array2<f32>,
}

/// Evidence of one kind at one level, fitted. Object-safe: which kinds a product needs is decided at run time.
///
/// Rows are half-whitened principal components, or for kinds by place ([`EvidenceKind::is_by_place`]) deviations
/// whitened at each place.
pub(crate) trait Evidence: std::fmt::Debug + Send + Sync {
    /// Kind of evidence.
    fn kind(&self) -> EvidenceKind;

    /// Scores of the patches of one image, in the order of its rows; larger is stranger. Their zero is not the same for
    /// all kinds.
    fn score(&self, image: &Rows) -> Vec<f32>;

    /// Adds the rows of one more normal image, number `image`.
    fn add(&mut self, normal: &Rows, image: u32);

    /// Removes what is kept of normal image number `image`.
    fn remove(&mut self, image: u32);

    /// Tensors of its file, by name.
    fn tensors(&self) -> Vec<(&'static str, ModelTensor)>;
}
