//! Local statistics: how a defect differs from the surface around it, along its outline and from its photo.

mod bands;
mod light;
mod place;

use imgkit::{ParameterError, bounding_box};
use ndarray::{ArrayView2, ArrayView3};

use self::bands::{Bands, Planes};
use crate::error::Error;

/// Pixels around the bounding box that are measured.
const MARGIN: usize = 17;
/// Smallest standard deviation and energy that counts: a quarter of an 8-bit level.
pub(super) const FLOOR: f64 = 1e-3;

/// Statistics of a defect and its surround, without a network: what a [`FaultEstimator`](super::FaultEstimator) reads.
///
/// In bands along the outline (over 4 px, 4 to 2 px and 2 to 0 px inside; 0 to 2 px, 2 to 4 px and 4 to 16 px outside):
/// gradient, Laplacian, energy at three scales and noise, all in logarithms over the widest band outside; the profile
/// of the derivative across the outline; color, and how it follows brightness; brightness by direction from the light,
/// which is the slope of brightness over the photo where there is one and from the upper left otherwise; the surround
/// beside the whole photo and its border. Contrast itself is among them in few numbers, area in none.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalStatistics(pub(crate) Vec<f32>);

impl LocalStatistics {
    /// How many numbers there are.
    pub const LEN: usize = 30 + 5 + 5 + 1 + 10 + 13 + 12 + 5 + 4 + 16 + 16 + 9;

    /// Measures the defect that `mask` `(H, W)` marks in `image` `(H, W, C)`, f32 in \[0, 1\].
    ///
    /// ```
    /// use ndarray::{Array2, Array3};
    /// use sqe::LocalStatistics;
    ///
    /// let image = Array3::from_shape_fn((64, 64, 3), |(y, x, _)| ((y * 7 + x * 3) % 11) as f32 / 10.0);
    /// let mask = Array2::from_shape_fn((64, 64), |(y, x)| (20..40).contains(&y) && (20..40).contains(&x));
    /// let statistics = LocalStatistics::measure(image.view(), mask.view())?;
    /// assert_eq!(statistics.values().len(), LocalStatistics::LEN);
    /// # Ok::<(), sqe::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::EmptyMask`], [`Error::Shape`], [`Error::NotFinite`]; [`Error::Parameter`] for an image without
    /// channels.
    pub fn measure(image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>) -> Result<Self, Error> {
        let (h, w, channels) = image.dim();
        if mask.dim() != (h, w) {
            return Err(Error::Shape { what: "the mask", expected: (h, w).into(), found: mask.dim().into() });
        }
        if channels == 0 {
            return Err(ParameterError::new("LocalStatistics", "channels", channels, "at least 1").into());
        }
        if !image.iter().all(|v| v.is_finite()) {
            return Err(Error::NotFinite { what: "the pixels of the image" });
        }
        let near = bounding_box(mask).ok_or(Error::EmptyMask)?.grow(MARGIN, mask.dim());
        let planes = Planes::new(near.crop(image));
        let bands = Bands::new(&planes, near.crop(mask));
        let whole = place::Whole::measure(image, mask);
        let mut values = Vec::with_capacity(Self::LEN);
        bands.texture(&mut values);
        bands.profile(&mut values);
        bands.color(&mut values);
        light::measure(&planes, &bands, &whole, &mut values);
        place::measure(&bands, &whole, &mut values);
        if values.iter().all(|v| v.is_finite()) {
            Ok(Self(values))
        } else {
            Err(Error::NotFinite { what: "the statistics around the defect" })
        }
    }

    /// The numbers, [`Self::LEN`] of them.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.0
    }
}

/// Logarithm of a ratio of energies, each raised by [`FLOOR`].
pub(super) fn log_ratio(a: f64, b: f64) -> f32 {
    ((a.max(0.0) + FLOOR) / (b.max(0.0) + FLOOR)).ln() as f32
}

/// A number of any size, brought near 0 with its sign kept.
pub(super) fn tame(value: f64) -> f32 {
    value.clamp(-20.0, 20.0).asinh() as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Array3};

    /// Places of the first numbers: energies of five bands, noise of five, deviations of five, share, profile.
    const NOISE: usize = 30;
    const PROFILE: usize = 41;

    fn texture(y: usize, x: usize) -> f32 {
        0.3 + 0.2 * ((y * y * 31 + x * x * 17 + y * x) % 13) as f32 / 13.0
    }

    fn disc() -> Array2<bool> {
        Array2::from_shape_fn((90, 100), |(y, x)| (y as f64 - 44.0).hypot(x as f64 - 50.0) < 14.0)
    }

    fn measure(value: impl Fn(usize, usize) -> f32) -> Vec<f32> {
        let image = Array3::from_shape_fn((90, 100, 3), |(y, x, c)| value(y, x) + 0.02 * c as f32);
        LocalStatistics::measure(image.view(), disc().view()).unwrap().0
    }

    #[test]
    fn an_untouched_texture_is_inside_as_around() {
        let found = measure(texture);
        assert_eq!(found.len(), LocalStatistics::LEN);
        assert!(found[..PROFILE - 1].iter().all(|v| v.abs() < 0.35), "{:?}", &found[..PROFILE - 1]);
    }

    /// The median of |d| of half the texture is half that of the texture: a difference of log 2.
    #[test]
    fn noise_is_that_of_the_mask_over_that_of_the_ring() {
        let mask = disc();
        let [whole, half] = [1.0, 0.5].map(|share| {
            measure(|y, x| if mask[[y, x]] { 0.4 + share * (texture(y, x) - 0.4) } else { texture(y, x) })
        });
        let change = whole[NOISE] - half[NOISE];
        // the floor under both takes a little
        assert!((change - 2f32.ln()).abs() < 0.07, "{change}");
    }

    #[test]
    fn a_step_at_the_outline_shows_in_the_middle_of_the_profile() {
        let mask = disc();
        let (plain, step) = (measure(texture), measure(|y, x| texture(y, x) + if mask[[y, x]] { 0.3 } else { 0.0 }));
        let rise: Vec<f32> = (0..10).map(|i| step[PROFILE + i] - plain[PROFILE + i]).collect();
        assert!(rise[4] > 1.0 && rise[5] > 1.0 && rise[0].abs() < 0.05 && rise[9].abs() < 0.05, "{rise:?}");
    }

    /// Brightness that rises towards the light lies along it, and turned by a right angle across it.
    #[test]
    fn shading_is_told_by_its_direction_from_the_light() {
        let mask = disc();
        // light from the right: the whole photo brightens there
        let lit = |dy: f32, dx: f32| {
            measure(|y, x| {
                let inside = dx * (x as f32 - 50.0) + dy * (y as f32 - 44.0);
                0.2 + 0.004 * x as f32 + if mask[[y, x]] { 0.02 * inside } else { 0.0 }
            })
        };
        let at = PROFILE + 10 + 13; // of the picture: along, across
        let (along, across) = (lit(0.0, 1.0), lit(1.0, 0.0));
        assert!(along[at] > 0.8 && along[at + 1].abs() < 0.1, "{:?}", &along[at..at + 2]);
        assert!(across[at + 1] > 0.8 && across[at].abs() < 0.4, "{:?}", &across[at..at + 2]);
    }

    #[test]
    fn bad_input_is_refused() {
        let image = Array3::from_elem((40, 40, 1), 0.5f32);
        let none = Array2::from_elem((40, 40), false);
        assert!(matches!(LocalStatistics::measure(image.view(), none.view()), Err(Error::EmptyMask)));
        let mask = Array2::from_elem((40, 40), true);
        assert!(LocalStatistics::measure(image.view(), mask.view()).is_ok(), "a mask of the whole frame has no ring");
        let mut bad = image.clone();
        bad[[3, 4, 0]] = f32::NAN;
        assert!(matches!(LocalStatistics::measure(bad.view(), mask.view()), Err(Error::NotFinite { .. })));
        assert!(matches!(
            LocalStatistics::measure(image.view(), none.slice_axis(ndarray::Axis(0), ndarray::Slice::from(1..))),
            Err(Error::Shape { .. })
        ));
        let empty = Array3::<f32>::zeros((40, 40, 0));
        assert!(matches!(LocalStatistics::measure(empty.view(), mask.view()), Err(Error::Parameter(_))));
    }
}
