//! Origin of a detector: the images it was trained on and those that a test must leave out.

use imgkit::hash::fnv1a;
use imgkit::level::{Window, to_u8};
use ndarray::ArrayView3;

use crate::features::projection::ChannelProjection;

/// Facts about the training of a detector that its use depends on.
///
/// ```
/// use bisqad::{Provenance, image_hash};
/// use ndarray::Array3;
///
/// let defect = Array3::from_elem((64, 64, 3), 0.25f32);
/// let provenance = Provenance::new(Some(256), vec![image_hash(defect.view())]);
/// assert_eq!(provenance.training_side(), Some(256));
/// assert!(provenance.saw_in_training(defect.view()));
/// assert!(!provenance.saw_in_training(Array3::zeros((64, 64, 3)).view()));
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Provenance {
    training_side: Option<usize>,
    seen: Vec<Seen>,
    window: Option<Window>,
}

/// Images that were seen, through some projections.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    hashes: Vec<u64>,
    /// Outermost first.
    through: Vec<ChannelProjection>,
}

impl Provenance {
    /// Records the shorter side of the training images (px; `None` if the size does not matter) and the
    /// [`image_hash`]es of labeled defects that were used in training.
    #[must_use]
    pub fn new(training_side: Option<usize>, validation_hashes: Vec<u64>) -> Self {
        let seen = Seen { hashes: validation_hashes, through: Vec::new() };
        Self { training_side, seen: if seen.hashes.is_empty() { Vec::new() } else { vec![seen] }, window: None }
    }

    /// Window of stored values in which the training images were read; `None` for full scale. Images of the same kind
    /// must be read in it, too.
    #[must_use]
    pub fn window(&self) -> Option<Window> {
        self.window
    }

    /// The same of images that were read in a window.
    pub(crate) fn with_window(self, window: Window) -> Self {
        Self { window: Some(window), ..self }
    }

    /// Longest shorter side of the training images, px. Larger images should be shrunk to it first, because features
    /// depend on scale. `None` where the size does not matter.
    #[must_use]
    pub fn training_side(&self) -> Option<usize> {
        self.training_side
    }

    /// Hashes of the labeled defects that were used in training, as [`image_hash`] gives them.
    pub fn validation_hashes(&self) -> impl Iterator<Item = u64> + '_ {
        self.seen.iter().flat_map(|seen| seen.hashes.iter().copied())
    }

    /// Checks whether `image` is one of the labeled defects that were used in training: it must not be tested on.
    #[must_use]
    pub fn saw_in_training(&self, image: ArrayView3<'_, f32>) -> bool {
        self.seen.iter().any(|seen| {
            let mut projected = image.to_owned();
            for projection in &seen.through {
                match projection.apply(projected.view()) {
                    Ok(next) => projected = next,
                    Err(_) => return false,
                }
            }
            seen.hashes.contains(&image_hash(projected.view()))
        })
    }

    /// The same without a training side, for detectors that split images.
    pub(crate) fn without_side(self) -> Self {
        Self { training_side: None, ..self }
    }

    /// The same for images that go through `projection` first.
    pub(crate) fn through(mut self, projection: &ChannelProjection) -> Self {
        self.seen.iter_mut().for_each(|seen| seen.through.insert(0, projection.clone()));
        self
    }

    /// Both together: the smaller side, and all images that either saw.
    pub(crate) fn merged(mut self, other: Self) -> Self {
        self.training_side = [self.training_side, other.training_side].into_iter().flatten().min();
        self.seen.extend(other.seen);
        self.window = self.window.or(other.window);
        self
    }
}

/// Hashes an image's size and its values rounded to 8 bits, so that the hash survives an 8-bit file.
#[must_use]
pub fn image_hash(image: ArrayView3<'_, f32>) -> u64 {
    let (h, w, c) = image.dim();
    let size = [h, w, c].into_iter().flat_map(|n| (n as u64).to_le_bytes());
    fnv1a(size.chain(image.iter().map(|&v| to_u8(v))))
}
