//! Split of the normal images into training, validation and calibration.

use rand::seq::SliceRandom;

use imgkit::rank::nearest;
use imgkit::rng::keyed_stream;

/// Which normal image serves what.
#[derive(Debug)]
pub(crate) struct Split {
    pub(crate) train: Vec<usize>,
    pub(crate) validation: Vec<usize>,
    pub(crate) calibration: Vec<usize>,
}

impl Split {
    pub(crate) fn new(images: usize, seed: u64, held_out: f64) -> Self {
        let mut order: Vec<usize> = (0..images).collect();
        order.shuffle(&mut keyed_stream(seed, 0));
        let held = nearest(held_out, images).max(1);
        let calibration = order.split_off(images - held);
        let validation = order.split_off(images - 2 * held);
        Self { train: order, validation, calibration }
    }
}
