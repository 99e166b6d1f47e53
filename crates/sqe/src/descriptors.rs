//! Named descriptors of a defect: a few interpretable numbers that accompany every quality score.

use imgkit::level::from_u8;
use imgkit::seam::{band_energy_ratio, seam_index};
use imgkit::{ParameterError, bounding_box, boxes};
use ndarray::{ArrayView2, ArrayView3, Axis};

use crate::error::Error;

/// Names of the descriptors, in the order the head reads them.
///
/// - `seam_index`: mean jump of the normal derivative across the edge of the mask over that of the surround, log(1 +
///   x).
/// - `band_ratio_0`, `_1`, `_2`: energy of the three finest wavelet bands inside over around, log.
/// - `contrast_to_noise`: |mean luma inside - around| over the surround's standard deviation, log(1 + x).
/// - `area_fraction`: fraction of the image's pixels that lie in the mask, in \[0, 1\].
/// - `saturation`: fraction of the masked values at 0 or 1, in \[0, 1\].
pub const DESCRIPTORS: [&str; 7] =
    ["seam_index", "band_ratio_0", "band_ratio_1", "band_ratio_2", "contrast_to_noise", "area_fraction", "saturation"];

/// Pixels around the mask's bounding box that count as its surround.
const SURROUND: usize = 12;
/// Wavelet bands that are compared; they look farther than the surround.
const BANDS: usize = 3;
/// Smallest standard deviation of the surround: a quarter of an 8-bit level.
const NOISE_FLOOR: f64 = 1e-3;

/// Descriptors of one defect: one number per name in [`DESCRIPTORS`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Descriptors([f64; DESCRIPTORS.len()]);

impl Descriptors {
    /// Creates descriptors from values in the order of [`DESCRIPTORS`].
    #[must_use]
    pub fn from_values(values: [f64; DESCRIPTORS.len()]) -> Self {
        Self(values)
    }

    /// Values in the order of [`DESCRIPTORS`], in the precision that the head reads.
    pub fn values(&self) -> impl Iterator<Item = f32> + '_ {
        self.0.iter().map(|&v| v as f32)
    }

    /// Names with their values, for reports.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, f64)> + '_ {
        DESCRIPTORS.into_iter().zip(self.0)
    }

    /// Value of the descriptor called `name`; `None` for a name that is not in [`DESCRIPTORS`].
    ///
    /// ```
    /// let d = sqe::Descriptors::from_values([0.5, 0.0, 0.0, 0.0, 1.0, 0.02, 0.0]);
    /// assert_eq!(d.get("area_fraction"), Some(0.02));
    /// assert_eq!(d.get("beauty"), None);
    /// ```
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        self.named().find(|d| d.0 == name).map(|d| d.1)
    }

    /// Measures the defect that `mask` `(H, W)` marks in `image` `(H, W, C)`, f32 in \[0, 1\].
    ///
    /// # Errors
    /// [`Error::EmptyMask`], [`Error::Shape`], [`Error::NotFinite`]; [`Error::Parameter`] for an image without
    /// channels.
    pub fn measure(image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>) -> Result<Self, Error> {
        Self::measure_in(image, mask, mask.len())
    }

    /// Measures as [`Self::measure`] an image of 8 bits, of which it converts no more than it looks at.
    ///
    /// ```
    /// use ndarray::{Array2, Array3};
    /// use sqe::Descriptors;
    ///
    /// let mask = Array2::from_shape_fn((200, 200), |(y, x)| (90..105).contains(&y) && (80..100).contains(&x));
    /// let grain = |y: usize, x: usize, c: usize| ((y * 7 + x * 3 + c) % 50 + 120) as u8;
    /// let image = Array3::from_shape_fn((200, 200, 3), |(y, x, c)| if mask[[y, x]] { 60 } else { grain(y, x, c) });
    /// let same = Descriptors::measure(image.mapv(imgkit::level::from_u8).view(), mask.view())?;
    /// assert_eq!(Descriptors::measure_u8(image.view(), mask.view())?, same);
    /// # Ok::<(), sqe::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::measure`].
    pub fn measure_u8(image: ArrayView3<'_, u8>, mask: ArrayView2<'_, bool>) -> Result<Self, Error> {
        let (h, w, _) = image.dim();
        if mask.dim() != (h, w) {
            return Err(Error::Shape { what: "the mask", expected: (h, w).into(), found: mask.dim().into() });
        }
        let near = boxes::window(bounding_box(mask).ok_or(Error::EmptyMask)?, 4 << BANDS, (h, w));
        Self::measure_in(near.crop(image).mapv(from_u8).view(), near.crop(mask), h * w)
    }

    /// Measures a defect in a part of a frame of so many pixels.
    fn measure_in(image: ArrayView3<'_, f32>, mask: ArrayView2<'_, bool>, frame: usize) -> Result<Self, Error> {
        let (h, w, channels) = image.dim();
        if mask.dim() != (h, w) {
            return Err(Error::Shape { what: "the mask", expected: (h, w).into(), found: mask.dim().into() });
        }
        if channels == 0 {
            return Err(ParameterError::new("Descriptors", "channels", channels, "at least 1").into());
        }
        let near = bounding_box(mask).ok_or(Error::EmptyMask)?.grow(SURROUND, mask.dim());
        let (image_box, mask_box) = (near.crop(image), near.crop(mask));

        let (mut inside, mut around) = (Moments::default(), Moments::default());
        let (mut clipped, mut masked, mut area) = (0usize, 0usize, 0usize);
        for (line, marks) in image_box.outer_iter().zip(mask_box.outer_iter()) {
            for (pixel, &marked) in line.outer_iter().zip(marks) {
                let luma = f64::from(pixel.mean().unwrap_or(0.0));
                if marked {
                    inside.add(luma);
                    area += 1;
                    masked += pixel.len();
                    clipped += pixel.iter().filter(|&&v| v <= 0.0 || v >= 1.0).count();
                } else {
                    around.add(luma);
                }
            }
        }
        let contrast = if around.count > 0.0 {
            (inside.mean() - around.mean()).abs() / around.deviation().max(NOISE_FLOOR)
        } else {
            0.0
        };
        let bad_pixel = |_| Error::NotFinite { what: "the pixels around the defect" };
        let seam = f64::from(seam_index(image, mask).map_err(bad_pixel)?);
        let bands = band_energy_ratio(image, mask, BANDS).map_err(bad_pixel)?;
        let band = |i: usize| bands.index_axis(Axis(0), i).mean().map_or(0.0, |r| f64::from(r.max(1e-4)).ln());
        let values = [
            seam.ln_1p(),
            band(0),
            band(1),
            band(2),
            contrast.ln_1p(),
            area as f64 / frame as f64,
            clipped as f64 / masked.max(1) as f64,
        ];
        let finite = values.iter().all(|v| v.is_finite());
        if finite { Ok(Self(values)) } else { Err(Error::NotFinite { what: "the descriptors" }) }
    }
}

/// Running sum and sum of squares.
#[derive(Default)]
struct Moments {
    count: f64,
    sum: f64,
    square: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.square += value * value;
    }
    fn mean(&self) -> f64 {
        self.sum / self.count.max(1.0)
    }
    fn deviation(&self) -> f64 {
        (self.square / self.count.max(1.0) - self.mean().powi(2)).max(0.0).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, Array3};

    fn square() -> Array2<bool> {
        Array2::from_shape_fn((64, 64), |(y, x)| (24..40).contains(&y) && (24..40).contains(&x))
    }

    #[test]
    fn a_flat_step_has_the_contrast_that_was_put_in() {
        // surround alternates 0.4 and 0.6: mean 0.5, deviation 0.1; inside 1.0: contrast to noise 5, all saturated
        let mask = square();
        let image = Array3::from_shape_fn((64, 64, 1), |(y, x, _)| {
            if mask[[y, x]] {
                1.0
            } else if (y + x) % 2 == 0 {
                0.4
            } else {
                0.6
            }
        });
        let d = Descriptors::measure(image.view(), mask.view()).unwrap();
        assert!((d.get("contrast_to_noise").unwrap() - 6.0f64.ln()).abs() < 1e-5);
        assert_eq!(d.get("area_fraction"), Some(256.0 / 4096.0));
        assert_eq!(d.get("saturation"), Some(1.0));
        assert!(d.get("seam_index").unwrap() > 0.5);
    }

    #[test]
    fn an_untouched_texture_shows_nothing() {
        let mask = square();
        let image = Array3::from_shape_fn((64, 64, 3), |(y, x, c)| {
            0.2 + 0.6 * ((y * y * 31 + x * x * 17 + y * x + c * 5) % 13) as f32 / 13.0
        });
        let d = Descriptors::measure(image.view(), mask.view()).unwrap();
        assert!(d.get("contrast_to_noise").unwrap() < 0.2);
        assert!((d.get("seam_index").unwrap() - 2.0f64.ln()).abs() < 0.15);
        assert!(d.get("band_ratio_0").unwrap().abs() < 0.2);
    }

    #[test]
    fn an_empty_mask_is_refused() {
        let empty = Array2::from_elem((8, 8), false);
        assert!(matches!(Descriptors::measure(Array3::zeros((8, 8, 1)).view(), empty.view()), Err(Error::EmptyMask)));
    }
}
