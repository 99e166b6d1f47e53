//! Rendering of one defect on one photo, in 8 bits.

use imgkit::rng::Retry;
use ndarray::{Array2, Array3, ArrayView2, ArrayView3};
use physdefect::{FrameReason, Record, SampleKey};

use super::manifest::{MaskExtent, SolverStats};
use super::photo_set::SourcePhoto;
use super::plan::SamplePlan;
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

/// Rounds over the plans of a sample that are out of reach: where one place is too busy for a mechanism, others of the
/// same photo mostly are, so that another mechanism or material comes first.
const ROUNDS: u64 = 3;

/// Tries the plans of a sample in turn, those again whose visibility was out of reach; `make` gets the plan and the
/// round. Returns what was made first, its plan, and if that is not the first plan why that one failed.
///
/// # Errors
/// The reason of the first plan, if none succeeds; `None` without plans.
pub(super) fn first_of<T>(
    plans: impl Iterator<Item = SamplePlan>,
    mut make: impl FnMut(SamplePlan, u64) -> Result<T, crate::Error>,
) -> Result<(T, SamplePlan, Option<crate::Error>), Option<crate::Error>> {
    let mut refused = None;
    let mut open: Vec<SamplePlan> = plans.collect();
    let planned = open.first().copied();
    for round in 0..ROUNDS {
        let mut again = Vec::new();
        for plan in open {
            match make(plan, round) {
                Ok(made) => return Ok((made, plan, refused.filter(|_| Some(plan) != planned))),
                Err(reason) => {
                    if is_out_of_reach(&reason) {
                        again.push(plan);
                    }
                    refused = refused.or(Some(reason));
                }
            }
        }
        open = again;
    }
    Err(refused)
}

fn is_out_of_reach(reason: &crate::Error) -> bool {
    matches!(reason, crate::Error::Defect(physdefect::Error::VisibilityOutOfReach { .. }))
}

/// Makes the first try of a sample that succeeds, of those from number `round` on of the sample whose first try is
/// `first`. A visibility that is out of reach ends the round: the synthesizer has tried several places.
pub(super) fn render_first(
    photo: &SourcePhoto,
    pipeline: &Pipeline,
    group: usize,
    seed: u64,
    (first, round): (u64, u64),
) -> Result<RenderedSample, crate::Error> {
    let pixels = to_f32(&photo.pixels);
    let mut tries = RETRY.indices(first).skip(round as usize);
    let make = |index| render((photo, pixels.view()), pipeline, group, SampleKey { seed, index });
    let mut outcome = make(tries.next().unwrap_or(first));
    for index in tries {
        match &outcome {
            Err(reason) if !is_out_of_reach(reason) => outcome = make(index),
            _ => break,
        }
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
