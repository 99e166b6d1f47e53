//! Random star-shaped outlines, and the part of a box that a support fills.

use std::f64::consts::TAU;

use imgkit::Rect;
use ndarray::{Array2, ArrayView2};
use rand::{Rng, RngCore};
use rand_distr::{Distribution, StandardNormal};

/// Orders of the harmonics of an outline: 1 would only move it.
const ORDERS: std::ops::RangeInclusive<u32> = 2..=16;

/// Smooth random function of an angle with mean 0 and variance 1: harmonics of orders 2 to 16 with amplitudes that fall
/// as the order to the power -1.5, as a smooth curve with some small bays.
///
/// exp(a f) is the radius of an outline that is star-shaped around its center, so outlines of a rising size enclose
/// each other.
#[derive(Debug, Clone)]
pub(crate) struct Outline {
    /// Order, amplitude and phase.
    harmonics: Vec<(f64, f64, f64)>,
}

impl Outline {
    pub(crate) fn draw(rng: &mut dyn RngCore) -> Self {
        let power: f64 = ORDERS.map(|m| f64::from(m).powi(-3)).sum();
        let harmonics = ORDERS
            .map(|m| {
                let z: f64 = StandardNormal.sample(rng);
                (f64::from(m), z * f64::from(m).powf(-1.5) * (2.0 / power).sqrt(), TAU * rng.random::<f64>())
            })
            .collect();
        Self { harmonics }
    }

    /// Value at an angle, radians, cut off at -2.5 and 2.5.
    pub(crate) fn at(&self, angle: f64) -> f64 {
        let sum: f64 = self.harmonics.iter().map(|(m, a, phase)| a * (m * angle + phase).cos()).sum();
        sum.clamp(-2.5, 2.5)
    }
}

/// Cubic from 0 at 0 to 1 at 1, flat at both ends and beyond.
pub(crate) fn smoothstep(t: f64) -> f64 {
    let t = t.clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Box of the pixels whose support is above 0, in the coordinates of the array.
pub(crate) fn support_box(opacity: ArrayView2<'_, f32>) -> Option<Rect> {
    let mask: Array2<bool> = opacity.mapv(|a| a > 0.0);
    imgkit::bounding_box(mask.view())
}
