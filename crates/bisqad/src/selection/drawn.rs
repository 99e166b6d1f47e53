//! Synthetic defects for the choice and for the heads, drawn when they are needed.

use imgkit::rng::Retry;
use ndarray::Array3;

use crate::error::Error;
use crate::features::gaussians::FOLDS;
use crate::training::anomaly_source::{Anomaly, AnomalySource};
use crate::views::copies::View;

/// Tries on one image, and images that are tried: what cannot be drawn on one can be on most others.
const RETRY: Retry = Retry::new(4, 1 << 40);
const IMAGES: usize = 4;
/// First indices of the source that are used here: training by steps uses lower ones.
const HEADS: u64 = 1 << 42;
const VALIDATION: u64 = 1 << 43;

/// A synthetic defect that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) mechanism: usize,
    /// Position of the normal image that is tried first.
    image: usize,
    /// Step to the next image, which keeps the folds that may be used.
    step: usize,
    pub(crate) index: u64,
}

impl Slot {
    /// Fold of the images that it may be drawn on, where it may be drawn on one fold's alone.
    pub(crate) fn fold(&self) -> usize {
        self.image % FOLDS
    }
}

/// Slots of `each` defects a mechanism that train heads, over `images` images of all folds.
pub(crate) fn head_slots(mechanisms: usize, each: usize, images: usize) -> Vec<Slot> {
    slots(mechanisms, each, HEADS, |n| (n % images.max(1), 1))
}

/// Slots of `each` defects a mechanism that choose, over the images of the first `folds` folds.
pub(crate) fn validation_slots(mechanisms: usize, each: usize, images: usize, folds: usize) -> Vec<Slot> {
    let held: Vec<usize> = (0..images).filter(|i| i % FOLDS < folds).collect();
    slots(mechanisms, each, VALIDATION, |n| (held.get(n % held.len().max(1)).copied().unwrap_or(0), FOLDS))
}

fn slots(mechanisms: usize, each: usize, first: u64, image: impl Fn(usize) -> (usize, usize)) -> Vec<Slot> {
    let numbers = (0..each).flat_map(|n| (0..mechanisms).map(move |m| (n * mechanisms + m, m)));
    let slot = |(number, mechanism): (usize, usize)| {
        let (image, step) = image(number);
        // one after another within a mechanism: sources take turns by the index, in materials for one
        let index = first + ((mechanism as u64) << 32) + (number / mechanisms.max(1)) as u64;
        Slot { mechanism, image, step, index }
    };
    numbers.map(slot).collect()
}

/// Draws a slot's defect on the photo of one of `views`, whose position comes with it.
/// `None` if it can be drawn on none that is tried.
pub(crate) fn draw(
    slot: Slot,
    source: &dyn AnomalySource,
    normals: &[Array3<f32>],
    views: &[View],
) -> Result<Option<(usize, Anomaly)>, Error> {
    for attempt in 0..IMAGES {
        let position = (slot.image + attempt * slot.step) % views.len().max(1);
        if attempt > 0 && position % FOLDS != slot.image % FOLDS && slot.step == FOLDS {
            break; // the folds that may be used are over
        }
        let Some(&View { photo, .. }) = views.get(position) else { break };
        let normal = normals[photo].view();
        if let Ok(anomaly) = RETRY.first_success(slot.index, |i| source.anomaly(normal, photo, slot.mechanism, i)) {
            anomaly.check(normal)?;
            return Ok(Some((position, anomaly)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validation_defects_lie_on_held_out_images_and_mechanisms_take_turns() {
        let slots = validation_slots(3, 10, 22, 2);
        assert_eq!(slots.len(), 30);
        assert!(slots.iter().all(|s| s.image % FOLDS < 2));
        assert!((0..3).all(|m| slots.iter().filter(|s| s.mechanism == m).count() == 10));
        let mut indices: Vec<u64> = slots.iter().chain(&head_slots(3, 10, 22)).map(|s| s.index).collect();
        indices.sort_unstable();
        indices.dedup();
        assert_eq!(indices.len(), 60, "no defect trains and chooses");
        let of_one: Vec<u64> = slots.iter().filter(|s| s.mechanism == 1).map(|s| s.index % 3).collect();
        assert_eq!(of_one[..4], [of_one[0], (of_one[0] + 1) % 3, (of_one[0] + 2) % 3, of_one[0]], "all take turns");
    }
}
