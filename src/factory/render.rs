//! Rendering of one defect on one photo, in 8 bits.

use imgkit::rng::Retry;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3};
use physdefect::{FrameReason, Record, SampleKey};

use super::manifest::{MaskExtent, SolverStats};
use super::photo_set::SourcePhoto;
use crate::foreground::Region;
use crate::synthesis::Pipeline;

/// Tries of an index: a defect may find no room or stay invisible. Try n of index i has the key i + n 2^40, for a run
/// has at most 2^40 indices. Loops inside a mechanism are another thing: they reject shapes within one sample's random
/// stream.
pub(super) const RETRY: Retry = Retry::new(8, 1 << 40);

/// Rendered sample: a defect on a photo, 8 bits. Outside the mask `image` equals the photo.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RenderedSample {
    /// The photo with the defect `(H, W, C)`.
    pub image: Array3<u8>,
    /// Its mask `(H, W)` as a person would draw it.
    pub mask: Array2<bool>,
    /// Pixels `(H, W)` that differ from the photo; inside the mask.
    pub changed: Array2<bool>,
    /// Visibility of each pixel `(H, W)` in \[0, 1\]; 0 outside the mask.
    pub soft: Array2<f32>,
    /// The photo `(H, W, C)`.
    pub photo: Array3<u8>,
    /// How the defect was made.
    pub record: Record,
    /// How the coarse stage's equation was solved.
    pub solver: SolverStats,
    /// Where the defect could lie.
    pub region: Region,
    /// How clearly object and background part, in \[0, 1\]; `None` where the region was given.
    pub region_confidence: Option<f64>,
    /// Why the region is the whole frame; `None` otherwise.
    pub region_reason: Option<FrameReason>,
}

/// Makes sample `key` of a group of the pipeline on a photo, whose `pixels` are given in \[0, 1\], too.
pub(super) fn render(
    (photo, pixels): (&SourcePhoto, ArrayView3<'_, f32>),
    pipeline: &Pipeline,
    group: usize,
    key: SampleKey,
) -> Result<RenderedSample, crate::Error> {
    let (made, stats) = pipeline.sample(pixels, &photo.domain, group, key)?;
    let (height, width, _) = photo.pixels.dim();
    let solve = stats.unwrap_or_default().solve;
    let solver = SolverStats { iterations: solve.iterations, residual: solve.residual };
    Ok(RenderedSample {
        image: made.paste_u8(photo.pixels.view())?,
        mask: made.full_mask(height, width)?,
        changed: made.full_changed(height, width)?,
        soft: made.full_soft(height, width)?,
        photo: photo.pixels.clone(),
        record: made.record,
        solver,
        region: photo.region,
        region_confidence: photo.region_confidence,
        region_reason: photo.region_reason,
    })
}

/// Makes the first try of a sample that succeeds, from the one with index `first` on. A visibility that is out of reach
/// is given up: the synthesizer has tried several places already, and on the same photo others are alike.
pub(super) fn render_first(
    photo: &SourcePhoto,
    pipeline: &Pipeline,
    group: usize,
    seed: u64,
    first: u64,
) -> Result<RenderedSample, crate::Error> {
    let pixels = to_f32(&photo.pixels);
    let photo = (photo, pixels.view());
    let out_of_reach =
        |e: &crate::Error| matches!(e, crate::Error::Defect(physdefect::Error::VisibilityOutOfReach { .. }));
    let mut outcome = render(photo, pipeline, group, SampleKey { seed, index: first });
    for index in RETRY.indices(first).skip(1) {
        match &outcome {
            Err(e) if !out_of_reach(e) => {}
            _ => break,
        }
        outcome = render(photo, pipeline, group, SampleKey { seed, index });
    }
    outcome
}

pub(super) fn to_f32(pixels: &Array3<u8>) -> Array3<f32> {
    pixels.mapv(imgkit::level::from_u8)
}

/// Area and bounding box of a mask.
pub(super) fn extent(mask: ArrayView2<'_, bool>) -> MaskExtent {
    let area = mask.iter().filter(|m| **m).count();
    let r#box = imgkit::bounding_box(mask).map_or([0; 4], |b| [b.left, b.top, b.right - b.left, b.bottom - b.top]);
    MaskExtent { area, r#box }
}
